"""Drawing parts of a dataset in which every class keeps its share."""

import torch
from torch import Tensor


def allot(counts: Tensor, size: int, low: Tensor, high: Tensor) -> Tensor:
    """How many of `size` samples each class gets: its exact share, rounded by the largest remainder.

    Every class gets within 1 of `size * counts / sum(counts)`, except where `low` and `high` (both (K,),
    inclusive) say otherwise. All arguments and the result are int64; needs sum(low) <= size <= sum(high).
    """
    share = counts.double() * size / counts.sum()
    taken = share.floor().long().clamp(low, high)
    while (missing := size - int(taken.sum())) != 0:
        step = 1 if missing > 0 else -1
        room = taken < high if step > 0 else taken > low
        wanted = ((share - taken) * step).masked_fill(~room, -torch.inf)
        taken[wanted.argmax()] += step
    return taken


def draw(y: Tensor, taken: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sorted indices of `taken[c]` random samples of every class c, and of all the others."""
    chosen = torch.zeros(len(y), dtype=torch.bool)
    for label, number in enumerate(taken.tolist()):
        members = (y == label).nonzero().squeeze(1)
        chosen[members[torch.randperm(len(members), generator=generator)[:number]]] = True
    return chosen.nonzero().squeeze(1), (~chosen).nonzero().squeeze(1)


def hold_out(y: Tensor, fraction: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Indices (kept, held out): a `fraction` in (0, 1) of all samples, but never the last of its class.

    Raises:
        ValueError: so few samples that nothing could be held out, or a class would be left without any.
    """
    counts = torch.bincount(y)
    size = round(fraction * len(y))
    high = (counts - 1).clamp(min=0)
    if not 0 < size <= int(high.sum()):
        raise ValueError(f"cannot hold out {size} of {len(y)} samples and keep one of each class")
    held, kept = draw(y, allot(counts, size, torch.zeros_like(counts), high), generator)
    return kept, held


def subsample(y: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Indices of `size` samples, at least one of every class that is there.

    Raises:
        ValueError: `size` is below the number of classes or above the number of samples.
    """
    counts = torch.bincount(y)
    low = counts.clamp(max=1)
    if not int(low.sum()) <= size <= len(y):
        raise ValueError(f"must be {int(low.sum())} (one of each class) to {len(y)} (all)")
    return draw(y, allot(counts, size, low, counts), generator)[0]
