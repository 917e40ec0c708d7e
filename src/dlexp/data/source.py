"""What a source hands to preparation: checked inputs and class indices, not yet split or normalised."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlexp.data.dataset import ImageArray, Split
from dlexp.data.labels import encode
from dlexp.errors import InputError

Part = tuple[Tensor | ImageArray, npt.NDArray[Any]]
"""Inputs as `Split.x` holds them, and labels as they were found: integers, or strings to be indexed."""


@dataclass(frozen=True, eq=False)
class Source:
    """Samples as they come; `test` is None where the source has no test set of its own."""

    name: str
    train: Split
    test: Split | None
    classes: tuple[str, ...]


def checked(
    name: str, where: str, train: Part, test: Part | None = None, names: tuple[str, ...] | None = None
) -> Source:
    """A source whose inputs and labels fit each other.

    `where` starts every message (usually `dataset.root=PATH`); `names` are the class names when the source
    knows them, by class index.

    Raises:
        InputError: there are no samples, lengths or shapes differ, a number is not finite, or the labels
            are not the class indices 0..K-1 with K >= 2, all of them in the training set.
    """
    parts = {"train": train} | ({} if test is None else {"test": test})
    for part, (x, y) in parts.items():
        _check_inputs(x, y, f"{where}: the {part} set")
    if test is not None and train[0].shape[1:] != test[0].shape[1:]:
        shapes = [" x ".join(str(size) for size in x.shape[1:]) for x, _ in (train, test)]
        raise InputError(f"{where}: training inputs are {shapes[0]} but test inputs are {shapes[1]}; make them alike")
    labels, classes = encode({part: y for part, (_, y) in parts.items()}, where, names)
    splits = {part: Split(x, labels[part]) for part, (x, _) in parts.items()}
    return Source(name, splits["train"], splits.get("test"), classes)


def _check_inputs(x: Tensor | ImageArray, y: npt.NDArray[Any], what: str) -> None:
    if len(x) == 0:
        raise InputError(f"{what} is empty; give it at least one sample of every class")
    if len(x) != len(y):
        raise InputError(f"{what} has {len(x)} inputs but {len(y)} labels; give one label per input")
    if isinstance(x, Tensor) and x.is_floating_point():
        finite = torch.isfinite(x).flatten(1).all(dim=1)
        if not finite.all():
            row = int(finite.logical_not().nonzero()[0])
            bad = int(finite.logical_not().sum())
            raise InputError(
                f"{what} holds NaN or infinite numbers (first in sample {row}, {bad} samples in all);"
                " remove or fill them"
            )


def float_table(x: npt.NDArray[Any]) -> Tensor:
    """A numeric table as float32; numbers beyond float32 become infinite and are refused by `checked`."""
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
