"""Floating-point operations, counted by torch."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dlexp.training.evaluate import evaluating


def counted_flops(net: nn.Module, x: Tensor) -> int:
    """Floating-point operations of one prediction of the batch `x`, by torch's FlopCounterMode.

    Matrix products and convolutions only, two operations per multiplication with addition; biases, activations and
    normalisation count nothing.
    """
    with evaluating(net), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        net(x)
    return int(counter.get_total_flops())
