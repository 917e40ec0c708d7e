"""Euclidean distances of many rows, a block at a time: no n x n matrix, whatever n."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import InputError

Rows = NDArray[np.floating[Any]]  # (n, m): n samples of m features
Indices = NDArray[np.int64]
BLOCK = 2**18  # numbers held at once: 2 MB of float64


def check_budget(x: Rows, k: int) -> None:
    """Refuse rows that are not a finite table, and a k that they cannot meet.

    Raises:
        InputError: `x` is not (n, m), holds NaN or infinite numbers, or k is not in 1..n.
    """
    if x.ndim != 2 or x.shape[1] == 0:
        raise InputError(f"x of shape {x.shape}: must be samples x features; flatten each sample")
    if not 1 <= k <= len(x):
        advice = "ask for at least 1" if k < 1 else "lower k"
        raise InputError(f"k={k}: there are {len(x)} samples to choose from; {advice}")
    if not all(np.isfinite(x[span]).all() for span in spans(len(x), x.shape[1])):
        raise InputError("x holds NaN or infinite numbers; remove or fill them")


def spans(n: int, width: int) -> Iterator[slice]:
    """Slices that cover 0..n-1 so that a slice times `width` columns has about `BLOCK` numbers at most."""
    step = max(1, BLOCK // max(1, width))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def squared_distances(a: Rows, b: Rows) -> NDArray[np.float64]:
    """(A, B) squared distances between two small sets of rows, float64, by one matrix product.

    Both are moved to the middle of `b` first, so that a common offset costs no precision.
    """
    middle = b.mean(axis=0, dtype=np.float64)
    a, b = a - middle, b - middle
    squares = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)
    return np.asarray(np.maximum(squares - 2 * (a @ b.T), 0), dtype=np.float64)


def squared_distances_to(x: Rows, point: Rows) -> NDArray[np.float64]:
    """(n,) squared distances of all rows to one point (m,)."""
    found = np.empty(len(x))
    for span in spans(len(x), x.shape[1]):
        difference = x[span] - point
        found[span] = np.einsum("ij,ij->i", difference, difference)
    return found


def nearest(x: Rows, centres: Rows) -> tuple[Indices, NDArray[np.float64]]:
    """For each row the nearest of `centres` (the lowest index among equals), and the squared distance to it."""
    owner, found = np.empty(len(x), np.int64), np.empty(len(x))
    for span in spans(len(x), max(len(centres), x.shape[1])):
        squared = squared_distances(x[span], centres)
        owner[span] = squared.argmin(axis=1)
        found[span] = squared[np.arange(len(squared)), owner[span]]
    return owner, found


def middle_row(x: Rows) -> int:
    """The row nearest to the mean of all rows: a start that needs no chance and no order of the rows."""
    return int(squared_distances_to(x, x.mean(axis=0, dtype=np.float64)).argmin())


def rbf_gamma(x: Rows) -> float:
    """gamma = 1 / (m var(x)) of the kernel exp(-gamma ||a - b||^2): scikit-learn's "scale"; 1 where nothing varies."""
    mean = x.mean(axis=0, dtype=np.float64)
    spread = float(squared_distances_to(x, mean).mean())  # sum over features of their variances
    return 1 / spread if spread > 0 else 1.0
