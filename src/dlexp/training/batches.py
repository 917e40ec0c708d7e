"""The order in which a training meets its samples."""

from collections.abc import Sequence

import torch
from torch import Tensor


def batches(n: int, batch_size: int, generator: torch.Generator, device: torch.device) -> Sequence[Tensor]:
    """One epoch's index tensors: a random order of 0..n-1 cut into pieces of `batch_size`.

    No sample is dropped. A last piece of a single sample joins the piece before it, because batch norm has
    no variance to divide by in a batch of one.
    """
    pieces = torch.split(torch.randperm(n, generator=generator).to(device), batch_size)
    if _lone_sample(n, batch_size):
        return [*pieces[:-2], torch.cat(pieces[-2:])]
    return pieces


def steps_per_epoch(n: int, batch_size: int) -> int:
    """How many batches `batches` gives."""
    return -(-n // batch_size) - _lone_sample(n, batch_size)


def _lone_sample(n: int, batch_size: int) -> bool:
    return batch_size > 1 and n > batch_size and n % batch_size == 1
