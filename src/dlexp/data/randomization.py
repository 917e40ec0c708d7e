"""Datasets with their structure destroyed on purpose: the randomization tests of Zhang et al. (2017), section 2.1.

Random labels touch the training labels alone. What happens to the inputs happens to those of every split, so that the
test samples still come from the distribution of the training samples; all test labels stay true.

A "pixel" is a position of an image, whose channels move together, or a column of a table.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from dlexp.data.dataset import Dataset, Split
from dlexp.errors import InputError

CHUNK = 4096  # samples changed at a time: bounds the memory


def random_labels(dataset: Dataset, fraction: float, seed: int) -> Dataset:
    """`dataset` with round(fraction * n) of its n training labels redrawn uniformly from all classes.

    A redrawn label is the true one again with probability 1 / n_classes. With the same seed, the labels redrawn for a
    smaller fraction are among those of a larger one. Samples changed: where `train.y` differs from the old `train.y`.

    Raises:
        InputError: `fraction` is not in 0..1.
    """
    if not 0 <= fraction <= 1:
        raise InputError(f"fraction={fraction}: the share of random labels lies in 0..1")
    n = len(dataset.train)
    redrawn = round(fraction * n)
    if redrawn == 0:
        return dataset
    generator = _generator("random labels", seed)
    order = torch.randperm(n, generator=generator)[:redrawn]
    labels = torch.randint(dataset.n_classes, (n,), generator=generator)
    y = dataset.train.y.clone()
    y[order.to(y.device)] = labels[order].to(y.device)
    return _changed(dataset, f"{fraction:g} random labels", f"{redrawn} random labels, seed {seed}", train_y=y)


def shuffled_pixels(dataset: Dataset, seed: int) -> Dataset:
    """One random permutation of the pixels, the same for every sample of every split."""
    order = torch.randperm(_n_pixels(dataset), generator=_generator("shuffled pixels", seed))

    def shuffle(x: Tensor) -> Tensor:
        return x.flatten(2)[..., order.to(x.device)].view(x.shape) if x.ndim > 2 else x[:, order.to(x.device)]

    changed = _changed(dataset, "shuffled pixels", f"shuffled pixels, seed {seed}", inputs=shuffle)
    if len(dataset.input_shape) > 1:
        return changed  # per channel, so untouched by where the pixels are
    columns = order.to(dataset.mean.device)
    return replace(changed, mean=dataset.mean[columns], std=dataset.std[columns])


def random_pixels(dataset: Dataset, seed: int) -> Dataset:
    """The pixels of every sample permuted by a permutation of its own: only the set of its values is left."""
    n_pixels, generator = _n_pixels(dataset), _generator("random pixels", seed)

    def shuffle(x: Tensor) -> Tensor:
        order = torch.rand(len(x), n_pixels, generator=generator, dtype=torch.float64).argsort(dim=1).to(x.device)
        flat = x.reshape(len(x), -1, n_pixels)  # (N, C, pixels); a table's row is one channel
        return flat.gather(2, order[:, None].expand_as(flat)).view(x.shape)

    changed = _changed(dataset, "random pixels", f"random pixels, seed {seed}", inputs=shuffle)
    if len(dataset.input_shape) > 1:
        return changed
    mean, std = _statistics(changed.train)  # every column now holds values of all columns
    return replace(changed, mean=mean, std=torch.where(std == 0, torch.ones_like(std), std))


def gaussian_pixels(dataset: Dataset, seed: int) -> Dataset:
    """Noise for inputs: independent Gaussian values with the mean and variance of the training inputs.

    Mean and variance are those of each channel, or of each column of a table. The values are float32 and not clipped,
    which would change the variance: images leave [0, 1].
    """
    generator = _generator("Gaussian pixels", seed)
    per_value = (-1, *(1 for _ in dataset.input_shape[1:]))
    mean, std = (each.reshape(per_value) for each in _statistics(dataset.train))

    def draw(x: Tensor) -> Tensor:
        return torch.randn(x.shape, generator=generator).to(x.device).mul_(std).add_(mean)

    return _changed(dataset, "Gaussian pixels", f"Gaussian pixels, seed {seed}", inputs=draw)


def _generator(operation: str, seed: int) -> torch.Generator:
    """A stream of its own: with `seed` itself, the redrawn labels would be the first samples that training meets."""
    number = hashlib.sha256(f"{operation} {seed}".encode()).digest()[:7]
    return torch.Generator().manual_seed(int.from_bytes(number, "big"))


def _n_pixels(dataset: Dataset) -> int:
    shape = dataset.input_shape
    return int(torch.Size(shape[1:]).numel()) if len(shape) > 1 else shape[0]


def _changed(
    dataset: Dataset,
    what: str,
    operation: str,
    *,
    train_y: Tensor | None = None,
    inputs: Callable[[Tensor], Tensor] | None = None,
) -> Dataset:
    """`dataset` with other training labels or inputs, and the fingerprint that its old one and `operation` give."""

    def change(split: Split, y: Tensor) -> Split:
        if inputs is None:
            return Split(split.x, y)
        # Images that are decoded lazily are decoded here.
        parts = [inputs(split.x[slice(at, at + CHUNK)].to(y.device)) for at in range(0, len(split), CHUNK)]
        return Split(torch.cat(parts), y)

    return replace(
        dataset,
        name=f"{dataset.name}, {what}",
        train=change(dataset.train, dataset.train.y if train_y is None else train_y),
        val=None if dataset.val is None else change(dataset.val, dataset.val.y),
        test=change(dataset.test, dataset.test.y),
        fingerprint=hashlib.sha256(f"{dataset.fingerprint} {operation}".encode()).hexdigest(),
    )


def _statistics(split: Split) -> tuple[Tensor, Tensor]:
    """Mean and population standard deviation per channel (C,) or column (M,), float32, in two passes.

    Those of the dataset may be given ones, and a constant column's standard deviation is 1 there.
    """

    def averaged(value: Callable[[Tensor], Tensor]) -> Tensor:
        total = torch.zeros(split.x.shape[1], dtype=torch.float64)
        for at in range(0, len(split), CHUNK):
            x = split.inputs(slice(at, at + CHUNK)).cpu().double()
            total += value(x.reshape(len(x), x.shape[1], -1)).sum(dim=(0, 2))
        return total / (len(split) * torch.Size(split.x.shape[2:]).numel())

    mean = averaged(lambda x: x)
    variance = averaged(lambda x: (x - mean[:, None]).square())
    return mean.float().to(split.y.device), variance.sqrt().float().to(split.y.device)
