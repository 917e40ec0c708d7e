"""Changing weights in place for a moment, and putting back the same bits."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dlexp.models.chain import Block


@contextmanager
def zeroed(tensors: Iterable[Tensor]) -> Iterator[None]:
    """`tensors` are 0 inside the block and have their old bits after it, also when it raises."""
    kept = [(tensor, tensor.detach().clone()) for tensor in tensors]
    try:
        with torch.no_grad():
            for tensor, _ in kept:
                tensor.zero_()
        yield
    finally:
        with torch.no_grad():
            for tensor, old in kept:
                tensor.copy_(old)


def branch_parameters(block: Block) -> list[nn.Parameter]:
    """theta_i: the parameters of a residual block's branch f_i, those of its shortcut left out."""
    assert isinstance(block, nn.Module)
    return [
        parameter
        for name, parameter in block.named_parameters()
        if not {"shortcut", "downsample"} & set(name.split("."))
    ]
