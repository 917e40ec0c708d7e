"""Predictions and accuracy; measuring leaves no trace in the net."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dlexp.data import Split


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, and afterwards every submodule in the mode it had.

    A plain `net.train()` at the end would also wake batch norms that someone had frozen in eval mode.
    In eval mode batch norm reads its running statistics and does not update them.
    """
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def device_of(net: nn.Module, split: Split) -> torch.device:
    """Where `net` computes: with its parameters, or, if it has none, where the labels of `split` are."""
    parameter = next(net.parameters(), None)
    return split.y.device if parameter is None else parameter.device


@torch.no_grad()
def predict(net: nn.Module, split: Split, batch_size: int = 512) -> Tensor:
    """Logits (N, K) of every sample of `split` in order, on the net's device."""
    device = device_of(net, split)
    with evaluating(net):
        logits = [
            net(split.inputs(slice(start, start + batch_size)).to(device)) for start in range(0, len(split), batch_size)
        ]
    return torch.cat(logits)


def accuracy(net: nn.Module, split: Split, batch_size: int = 512) -> float:
    """Fraction in [0, 1] of `split` whose largest logit is the label's."""
    predicted = predict(net, split, batch_size).argmax(1)
    return float((predicted == split.y.to(predicted.device)).double().mean())
