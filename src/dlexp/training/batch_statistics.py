"""Running statistics of batch normalisation, estimated anew for weights that no training has left there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeGuard

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from dlexp.data import Split
from dlexp.training.batches import batches
from dlexp.training.evaluate import device_of, evaluating


def is_norm(module: nn.Module) -> TypeGuard[_BatchNorm]:
    """Whether it is a batch normalisation with running statistics."""
    return isinstance(module, _BatchNorm) and module.track_running_stats


@contextmanager
def estimating(norms: Sequence[_BatchNorm]) -> Iterator[None]:
    """Inside, `norms` collect their statistics anew, as a plain mean over the batches; then they are in eval mode."""
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


@torch.no_grad()
def recompute_batch_norm(net: nn.Module, split: Split, batch_size: int = 512) -> None:
    """Running mean and variance of every batch normalisation, from one pass over `split` in a fixed random order.

    Each batch counts the same; all other layers (dropout) are in evaluation mode. Modes, momenta and weights are
    afterwards as before. A net without batch normalisation is left alone.
    """
    norms = [module for module in net.modules() if is_norm(module)]
    if not norms:
        return
    device = device_of(net, split)
    with evaluating(net), estimating(norms):
        for index in batches(len(split), batch_size, torch.Generator().manual_seed(0), split.y.device):
            net(split.inputs(index).to(device))
