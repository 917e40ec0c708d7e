"""Wrong labels in a known share: symmetric label noise."""

import hashlib
from dataclasses import replace

import torch
from torch import Tensor

from dlexp.data.dataset import Dataset, Split
from dlexp.errors import InputError


def symmetric_noise(y: Tensor, share: float, n_classes: int, seed: int) -> Tensor:
    """`y` (N,) with exactly round(share * N) labels wrong, each by an equal chance any of the other classes.

    The samples are drawn at random, whatever their class. With the same seed, those wrong at a smaller share are wrong
    at a larger one too, and in the same way. A `share` of 0.6 leaves 40 % right; `random_labels` of
    `dlexp.data.randomization` also draws the right label at times.

    Raises:
        InputError: `share` is not in 0..1, or there is only one class.
    """
    if not 0 <= share <= 1:
        raise InputError(f"share={share}: the share of wrong labels lies in 0..1")
    if n_classes < 2:
        raise InputError(f"label noise needs two classes or more; there are {n_classes}")
    generator = torch.Generator().manual_seed(_stream("symmetric label noise", seed))
    order = torch.randperm(len(y), generator=generator)
    shift = torch.randint(1, n_classes, (len(y),), generator=generator)
    wrong = order[: round(share * len(y))]
    noisy = y.clone()
    noisy[wrong.to(y.device)] = (y[wrong.to(y.device)] + shift[wrong].to(y.device)) % n_classes
    return noisy


def noisy_training_labels(dataset: Dataset, share: float, seed: int) -> Dataset:
    """`dataset` with symmetric noise in the labels of its training split alone.

    Raises:
        InputError: `share` is not in 0..1.
    """
    y = symmetric_noise(dataset.train.y, share, dataset.n_classes, seed)
    if bool((y == dataset.train.y).all()):
        return dataset
    return replace(
        dataset,
        name=f"{dataset.name}, {share:g} wrong labels",
        train=Split(dataset.train.x, y),
        fingerprint=hashlib.sha256(f"{dataset.fingerprint} symmetric noise {share!r} {seed}".encode()).hexdigest(),
    )


def noisy_labels(split: Split, share: float, n_classes: int, seed: int) -> Split:
    """`split` with symmetric noise in its labels: what one has to choose on when all labels come from one source."""
    return Split(split.x, symmetric_noise(split.y, share, n_classes, seed))


def _stream(purpose: str, seed: int) -> int:
    """A stream of its own: with `seed` itself the noise would follow the order in which training meets the samples."""
    return int.from_bytes(hashlib.sha256(f"{purpose} {seed}".encode()).digest()[:7], "big")
