"""Changing weights in place for a moment, and putting back the same bits."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dlexp.errors import DlexpError
from dlexp.models import state_hash
from dlexp.models.chain import Block


@contextmanager
def put_back_after(tensors: Iterable[Tensor]) -> Iterator[None]:
    """`tensors` may be changed inside the block and have their old bits after it, also when it raises."""
    kept = [(tensor, tensor.detach().clone()) for tensor in tensors]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, old in kept:
                tensor.copy_(old)


@contextmanager
def checked(net: nn.Module, tensors: Iterable[Tensor], doing: str) -> Iterator[None]:
    """`put_back_after` for some of the weights and buffers of `net`, and proof that all of them are as before.

    Raises:
        DlexpError: the SHA-256 of the net is another one than before; `doing` says after what.
    """
    before = state_hash(net)
    try:
        with put_back_after(tensors):
            yield
    finally:
        if state_hash(net) != before:
            raise DlexpError(f"after {doing}, the weights of the net are not what they were")


@contextmanager
def zeroed(tensors: Iterable[Tensor]) -> Iterator[None]:
    """`tensors` are 0 inside the block and have their old bits after it, also when it raises."""
    changed = list(tensors)
    with put_back_after(changed):
        with torch.no_grad():
            for tensor in changed:
                tensor.zero_()
        yield


def branch_parameters(block: Block) -> list[nn.Parameter]:
    """theta_i: the parameters of a residual block's branch f_i, those of its shortcut left out."""
    assert isinstance(block, nn.Module)
    return [
        parameter
        for name, parameter in block.named_parameters()
        if not {"shortcut", "downsample"} & set(name.split("."))
    ]
