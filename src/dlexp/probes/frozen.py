"""Which numbers of a net changed since a snapshot: proof, bit by bit, that what was to stay did stay."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by size in bytes


@dataclass(frozen=True)
class Movement:
    """What a training did to the parameters that might learn, to the others, and to the buffers."""

    learning: int  # numbers that might learn
    learning_changed: int  # of them, those with other bits than before
    frozen: int  # all other numbers of parameters
    frozen_changed: int
    buffers_changed: int  # tensors such as running statistics: no parameters, so they are not frozen
    frozen_before: str  # SHA-256 of the bits of the frozen numbers
    frozen_after: str


def movement(net: nn.Module, before: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> Movement:
    """Compare the parameters and buffers of `net` with the state dict `before`, by their bits.

    `masks` tells for each parameter which of its numbers may learn (see `dlexp.training.subsets.learning_masks`).
    """
    learning = learning_changed = frozen = frozen_changed = 0
    digests = hashlib.sha256(), hashlib.sha256()
    for name, parameter in sorted(net.named_parameters()):
        old, new, mask = before[name].cpu(), parameter.detach().cpu(), masks[name]
        changed = changed_bits(old, new)
        learning += int(mask.sum())
        learning_changed += int((changed & mask).sum())
        frozen += int((~mask).sum())
        frozen_changed += int((changed & ~mask).sum())
        for digest, values in zip(digests, (old, new), strict=True):
            digest.update(f"{name}|{values.dtype}|".encode())
            digest.update(values[~mask].view(torch.uint8).numpy().tobytes())
    buffers = sum(bool(changed_bits(before[name].cpu(), buffer.cpu()).any()) for name, buffer in net.named_buffers())
    hashes = [digest.hexdigest() for digest in digests]
    return Movement(learning, learning_changed, frozen, frozen_changed, buffers, *hashes)


def movement_rows(moved: Mapping[str, Sequence[Movement]]) -> list[dict[str, Any]]:
    """Rows of a table: what changed at least and at most over the nets of each name, and the hashes of the first."""
    return [
        {
            "contender": name,
            "nets": len(nets),
            "numbers that learn": nets[0].learning,
            "of them changed (least)": min(each.learning_changed for each in nets),
            "frozen numbers": nets[0].frozen,
            "of them changed (most)": max(each.frozen_changed for each in nets),
            "running statistics changed (tensors)": nets[0].buffers_changed,
            "SHA-256 of the frozen, before": nets[0].frozen_before[:16],
            "after": nets[0].frozen_after[:16],
        }
        for name, nets in moved.items()
    ]


def changed_bits(old: Tensor, new: Tensor) -> Tensor:
    """Bool of their shape: where two tensors of one shape and dtype differ in any bit (0 and -0 do, equal NaNs do not).

    Raises:
        ValueError: they differ in shape or dtype.
    """
    if old.shape != new.shape or old.dtype != new.dtype:
        raise ValueError(f"{tuple(old.shape)} {old.dtype} cannot be compared with {tuple(new.shape)} {new.dtype}")
    integers = INTEGERS[old.element_size()]
    return old.contiguous().view(integers) != new.contiguous().view(integers)
