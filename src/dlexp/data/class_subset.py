"""Some of the classes of a dataset, as a dataset of its own: to train on some and look at others."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from dlexp.data.dataset import Dataset, Split


def only_classes(dataset: Dataset, classes: Sequence[int]) -> Dataset:
    """The samples of `classes` (indices into `dataset.classes`) of every split; class `classes[j]` becomes j.

    `mean` and `std` stay those of the whole training split: the same inputs for nets of different classes.

    Raises:
        ValueError: fewer than two classes, a class twice or unknown, or a split is left without samples.
    """
    known = range(dataset.n_classes)
    if len(classes) < 2 or len(set(classes)) < len(classes) or not set(classes) <= set(known):
        raise ValueError(f"classes {list(classes)}: must be two or more of 0..{dataset.n_classes - 1}, each once")
    names = tuple(dataset.classes[c] for c in classes)
    operation = f"{dataset.fingerprint} only classes {','.join(map(str, classes))}"
    return replace(
        dataset,
        name=f"{dataset.name}, classes {', '.join(names)}",
        train=samples_of(dataset.train, classes),
        val=None if dataset.val is None else samples_of(dataset.val, classes),
        test=samples_of(dataset.test, classes),
        classes=names,
        fingerprint=hashlib.sha256(operation.encode()).hexdigest(),
    )


def class_halves(dataset: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """The classes in two random halves (the second has one more where their number is odd).

    Raises:
        ValueError: there are fewer than four classes.
    """
    order = np.random.default_rng([seed, 43]).permutation(dataset.n_classes).tolist()
    middle = dataset.n_classes // 2
    return only_classes(dataset, sorted(order[:middle])), only_classes(dataset, sorted(order[middle:]))


def samples_of(split: Split, classes: Sequence[int]) -> Split:
    """The samples of `classes`, relabelled by their place in it, in the order of `split`.

    Raises:
        ValueError: there are none.
    """
    place = torch.full((max(int(split.y.max()), *classes) + 1,), -1, dtype=torch.int64, device=split.y.device)
    place[torch.tensor(classes, device=split.y.device)] = torch.arange(len(classes), device=split.y.device)
    labels = place[split.y]
    chosen = (labels >= 0).nonzero().squeeze(1)
    if len(chosen) == 0:
        raise ValueError(f"a split of {len(split)} samples has none of the classes {list(classes)}")
    return Split(split.select(chosen).x, labels[chosen])
