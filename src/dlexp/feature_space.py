"""The feature space of any dataset: all its samples as one float64 table, and repetitions of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import InputError

if TYPE_CHECKING:
    from dlexp.data import Dataset
    from dlexp.lab import Lab


@dataclass(frozen=True, eq=False)
class Table:
    """n samples of m features, with class indices 0..k-1 that all occur."""

    x: NDArray[np.float64]  # (n, m)
    y: NDArray[np.int64]  # (n,)
    classes: tuple[str, ...]  # k names
    images: bool = False  # the rows are images, flattened: channel, row, column

    def __len__(self) -> int:
        return len(self.y)

    @property
    def names(self) -> list[str]:
        """A name for each column: x1, x2, ..."""
        return [f"x{column + 1}" for column in range(self.x.shape[1])]

    def take(self, rows: NDArray[np.int64]) -> "Table":
        """The samples at `rows`, in that order."""
        return Table(self.x[rows], self.y[rows], self.classes, self.images)

    def resampled(self, random: np.random.Generator) -> "Table":
        """A bootstrap sample: within each class as many samples as it has, drawn with replacement."""
        return self.take(np.concatenate([random.choice(rows, len(rows)) for rows in self.by_class()]))

    def by_class(self) -> list[NDArray[np.int64]]:
        """The rows of each class, ascending."""
        return [np.flatnonzero(self.y == c) for c in range(len(self.classes))]

    def split(self, share: float, random: np.random.Generator) -> "tuple[Table, Table]":
        """(kept, held out): a random `share` in (0, 1) of every class is held out, and one sample or more is kept.

        Raises:
            InputError: a class is too small to have samples on both sides.
        """
        kept, held = [], []
        for rows, name in zip(self.by_class(), self.classes, strict=True):
            size = round(share * len(rows))
            if not 0 < size < len(rows):
                raise InputError(f"class {name}: {len(rows)} samples cannot be split with {share:g} held out; add some")
            mixed = random.permutation(rows)
            held.append(mixed[:size])
            kept.append(mixed[size:])
        return self.take(np.sort(np.concatenate(kept))), self.take(np.sort(np.concatenate(held)))


def all_samples(data: "Dataset", most: int | None = None, random: np.random.Generator | None = None) -> Table:
    """Training, validation and test samples of `data`, in this order; nothing is predicted, so nothing can leak.

    Args:
        data: tables as they are, images flattened to pixels in [0, 1].
        most: None: all; else that many samples at most, drawn by `random` so that every class keeps its share.

    Raises:
        InputError: `most` is below the number of classes.
    """
    import torch

    from dlexp.data.stratify import subsample

    splits = [split for split in (data.train, data.val, data.test) if split is not None]
    y = torch.cat([split.y for split in splits]).cpu()
    chosen = torch.arange(len(y))
    if most is not None and most < len(y):
        if most < data.n_classes:
            raise InputError(f"{most} samples cannot hold one of each of {data.n_classes} classes; ask for more")
        draw = 0 if random is None else int(random.integers(2**62))
        chosen = subsample(y, most, torch.Generator().manual_seed(draw))
    parts, start = [], 0
    for split in splits:
        inside = chosen[(chosen >= start) & (chosen < start + len(split))] - start
        parts.append(split.inputs(inside.to(split.y.device)).flatten(1).cpu())
        start += len(split)
    x = torch.cat(parts).numpy().astype(np.float64)
    return Table(x, y[chosen].numpy(), data.classes, images=len(data.input_shape) > 1)


def is_generated(lab: "Lab") -> bool:
    """Whether the composed dataset makes its samples from a `seed`, so that fresh ones can be drawn."""
    return "seed" in (lab.config.get("dataset") or {})


def fresh_draw(lab: "Lab", at: tuple[int, int], most: int | None = None) -> Table:
    """Repetition `at` (seed, number) of the composed data: a fresh draw of a generator, else the same samples again.

    A generator with a `seed` is asked for another one, so that samples (and what it draws beside them, such as the
    centres of blobs) are independent between repetitions. `most`: see `all_samples`; the subsample differs between
    repetitions in either case.
    """
    random = np.random.default_rng([*at, 0])
    data = lab.dataset
    if is_generated(lab):
        base = int(lab.config["dataset"]["seed"])
        data = lab.data_with(seed=int(np.random.SeedSequence([base, *at]).generate_state(1)[0]))
    return all_samples(data, most, random)
