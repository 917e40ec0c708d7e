"""From a source to a dataset: split, subsample, and fit the statistics on the training split only."""

import hashlib
import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from dlexp.data.dataset import Dataset, Split
from dlexp.data.source import Source
from dlexp.data.stratify import hold_out, subsample
from dlexp.errors import InputError

CHUNK = 1024  # samples read at a time: bounds the memory that lazily decoded images take


@dataclass(frozen=True)
class Preparation:
    """The keys that every dataset has; the YAML (conf/dataset/_prepare.yaml) gives units and ranges."""

    test_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    train_size: Annotated[int, Field(ge=2)] | None = None
    test_size: Annotated[int, Field(ge=1)] | None = None
    split_seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    mean: list[float] | None = None
    std: list[float] | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """What one pass over a split tells: the hash of its contents, and its mean and standard deviation."""

    sha256: bytes
    mean: Tensor  # (C,) or (M,), float32; of inputs in [0, 1] for images
    std: Tensor


def prepare(source: Source, preparation: Preparation) -> Dataset:
    """Split `source`, hold a validation set out of train, subsample, fit mean and std on train.

    The draws of test set, validation set and subsamples are independent of each other: changing
    `train_size` leaves the validation and test samples as they were.

    Raises:
        InputError: a fraction or size that the data cannot meet; mean or std that do not fit the inputs.
    """
    train, test = source.train, source.test
    if test is None:
        train, test = _hold_out(train, preparation, "test_fraction")
    val = None
    if preparation.val_fraction > 0:
        train, val = _hold_out(train, preparation, "val_fraction")
    train = _subsample(train, preparation, "train_size")
    test = _subsample(test, preparation, "test_size")
    readings = [read_through(split) for split in (train, val, test) if split is not None]
    mean = _statistic(readings[0].mean, preparation.mean, "mean")
    std = _statistic(readings[0].std, preparation.std, "std")
    content = hashlib.sha256(f"dlexp-data-1 val={val is not None}".encode())
    for digest in (*(reading.sha256 for reading in readings), mean.numpy().tobytes(), std.numpy().tobytes()):
        content.update(digest)
    return Dataset(source.name, train, val, test, source.classes, mean, std, content.hexdigest())


def read_through(split: Split) -> Reading:
    """One pass over `split`. The sums over uint8 images are exact: no rounding, whatever the thread count.

    Lazily decoded images are all decoded here once, so a corrupt file is found before training begins.
    """
    content = hashlib.sha256(f"{tuple(split.x.shape)} {split.x.dtype}".encode())
    content.update(split.y.numpy().tobytes())
    if split.x.dtype != torch.uint8:
        x = split.x[:]
        content.update(x.contiguous().numpy())  # type: ignore[arg-type]
        return Reading(content.digest(), *_float_statistics(x))
    levels = torch.zeros(split.x.shape[1], 256, dtype=torch.int64)  # how often each grey level occurs
    for start in range(0, len(split), CHUNK):
        chunk = split.x[start : start + CHUNK].contiguous()
        content.update(chunk.numpy())  # type: ignore[arg-type]
        for channel in range(len(levels)):
            levels[channel] += torch.bincount(chunk[:, channel].flatten(), minlength=256)
    return Reading(content.digest(), *_level_statistics(levels))


def _level_statistics(levels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population standard deviation per channel of images in [0, 1], from (C, 256) level counts."""
    mean, std = [], []
    for counts in levels.tolist():  # Python's integers: exact
        n = sum(counts)
        total = sum(level * count for level, count in enumerate(counts))
        squares = sum(level**2 * count for level, count in enumerate(counts))
        mean.append(total / n / 255)
        std.append(math.sqrt(n * squares - total**2) / n / 255 or 1.0)
    return torch.tensor(mean), torch.tensor(std)


def _float_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population standard deviation per channel or feature; 1 where it does not vary."""
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    values = x.numpy().astype(np.float64)
    varies = values.max(axis=axes) > values.min(axis=axes)
    std = np.where(varies, values.std(axis=axes), 1.0)
    return torch.from_numpy(values.mean(axis=axes)).float(), torch.from_numpy(std).float()


def _generator(preparation: Preparation, purpose: str) -> torch.Generator:
    number = hashlib.sha256(f"{purpose} {preparation.split_seed}".encode()).digest()[:7]
    return torch.Generator().manual_seed(int.from_bytes(number, "big"))


def _hold_out(split: Split, preparation: Preparation, key: str) -> tuple[Split, Split]:
    fraction = getattr(preparation, key)
    try:
        kept, held = hold_out(split.y, fraction, _generator(preparation, key))
    except ValueError as error:
        raise InputError(f"dataset.{key}={fraction}: {error}; choose another fraction") from error
    return split.select(kept), split.select(held)


def _subsample(split: Split, preparation: Preparation, key: str) -> Split:
    size = getattr(preparation, key)
    if size is None:
        return split
    try:
        return split.select(subsample(split.y, size, _generator(preparation, key)))
    except ValueError as error:
        raise InputError(f"dataset.{key}={size}: {error}") from error


def _statistic(fitted: Tensor, given: list[float] | None, key: str) -> Tensor:
    if given is None:
        return fitted
    if len(given) != len(fitted):
        raise InputError(
            f"dataset.{key}={given}: has {len(given)} values; the data have {len(fitted)} channels or columns"
        )
    smallest = 0.0 if key == "std" else -math.inf
    if not all(math.isfinite(value) and value > smallest for value in given):
        raise InputError(f"dataset.{key}={given}: must be finite{' and positive' if key == 'std' else ''}")
    return torch.tensor(given, dtype=torch.float32)
