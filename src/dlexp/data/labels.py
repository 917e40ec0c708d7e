"""From labels as they were found to class indices."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlexp.errors import InputError

Labels = npt.NDArray[Any]


def encode(
    parts: Mapping[str, Labels], where: str, names: tuple[str, ...] | None = None
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Class indices (N,) int64 for every part, and the class names.

    Strings become indices in the order of the sorted names found in `parts["train"]`. Integers are taken
    as the indices they are: 0..K-1, K being one more than the largest in train. `names` are class names by
    index, where the source knows them.

    Raises:
        InputError: labels are not one integer or string per sample, negative, beyond the names, fewer than
            two classes, a class without training samples, or a test class that training does not have.
    """
    for part, labels in parts.items():
        if labels.ndim != 1:
            raise InputError(f"{where}: {part} labels have shape {labels.shape}; give one class index per sample")
    if any(labels.dtype.kind in "UOS" for labels in parts.values()):
        return _encode_strings(parts, where)
    indices = {part: _integers(labels, f"{where}: {part} labels") for part, labels in parts.items()}
    n_classes = int(indices["train"].max()) + 1
    _check_indices(indices, n_classes, where, names)
    classes = names[:n_classes] if names else tuple(str(index) for index in range(n_classes))
    return {part: torch.from_numpy(labels) for part, labels in indices.items()}, classes


def _encode_strings(parts: Mapping[str, Labels], where: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    words: dict[str, list[str]] = {}
    for part, labels in parts.items():
        words[part] = [label for label in labels.tolist() if isinstance(label, str)]
        if len(words[part]) != len(labels):
            raise InputError(f"{where}: {part} labels are missing or of mixed types; give integers or strings only")
    classes = tuple(sorted(set(words["train"])))
    _check_number_of_classes(len(classes), where)
    index = {name: i for i, name in enumerate(classes)}
    for part, found in words.items():
        unseen = sorted(set(found) - set(classes))
        if unseen:
            raise InputError(
                f"{where}: {part} class '{unseen[0]}' has no training samples; add some or remove the class"
            )
    return {part: torch.tensor([index[word] for word in found]) for part, found in words.items()}, classes


def _integers(labels: Labels, what: str) -> npt.NDArray[np.int64]:
    if labels.dtype.kind not in "iufb":
        raise InputError(f"{what} have type {labels.dtype}; labels are class indices or strings")
    if labels.dtype.kind == "f":
        wrong = labels[~(np.isfinite(labels) & (labels == np.floor(labels)))]
        if len(wrong):
            raise InputError(f"{what} hold {wrong[0]}, not an integer; labels are class indices 0..K-1")
    return labels.astype(np.int64)


def _check_indices(
    indices: Mapping[str, npt.NDArray[np.int64]], n_classes: int, where: str, names: tuple[str, ...] | None
) -> None:
    for part, labels in indices.items():
        if labels.min() < 0:
            raise InputError(f"{where}: {part} label {labels.min()} is negative; labels are class indices 0..K-1")
        if names and labels.max() >= len(names):
            raise InputError(f"{where}: {part} label {labels.max()} is out of range; there are {len(names)} classes")
    counts = _count_classes(indices["train"], n_classes, where)
    _check_number_of_classes(int((counts > 0).sum()), where)
    if (counts == 0).any():
        gap = int(np.flatnonzero(counts == 0)[0])
        raise InputError(
            f"{where}: class {gap} has no training samples though labels go up to {n_classes - 1};"
            " number the classes 0..K-1 without gaps"
        )
    for part, labels in indices.items():
        if labels.max() >= n_classes:
            raise InputError(
                f"{where}: {part} class {labels.max()} has no training samples; add some or remove the class"
            )


def _count_classes(labels: npt.NDArray[np.int64], n_classes: int, where: str) -> npt.NDArray[np.int64]:
    if n_classes > len(labels):  # also keeps a stray 10^12 from asking for that much memory
        _check_number_of_classes(len(np.unique(labels)), where)
        raise InputError(
            f"{where}: train label {n_classes - 1} is out of range for {len(labels)} samples;"
            " number the classes 0..K-1 without gaps"
        )
    return np.bincount(labels, minlength=n_classes)


def _check_number_of_classes(n_classes: int, where: str) -> None:
    if n_classes < 2:
        raise InputError(f"{where}: all training samples are of one class; a classification needs at least two")
