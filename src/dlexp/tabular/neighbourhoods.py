r"""How well a map keeps neighbourhoods: trustworthiness, continuity, k-nearest-neighbour preservation.

All three compare ranks: r(i, j) = 1 if j is the nearest neighbour of i among the samples, 2 if the second, ... Memory
is n x n ranks (int32: 100 MB for 5,000 samples); more samples are to be subsampled.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular.blockwise import spans, squared_distances

Rows = NDArray[np.floating[Any]]
Ranks = NDArray[np.int32]  # (n, n): row i ranks all samples by distance from i; 0 for i itself


@dataclass(frozen=True)
class Kept:
    """Each from 0 to 1, 1 where nothing is lost."""

    trustworthiness: float  # no false neighbours: who is near on the map was near before
    continuity: float  # no torn neighbours: who was near before is near on the map
    preservation: float  # share of the k nearest neighbours that stay among the k nearest


def neighbour_ranks(x: Rows) -> Ranks:
    """(n, n) ranks of all samples by Euclidean distance from each row of `x` (n, m).

    Of equal distances the lower index comes first, as far as rounding leaves them equal.

    Raises:
        InputError: `x` is no finite table of two rows or more.
    """
    if x.ndim != 2 or len(x) < 2 or not np.isfinite(x).all():
        raise InputError(f"x of shape {x.shape}: must be at least 2 samples x features, all numbers finite")
    n = len(x)
    ranks = np.empty((n, n), np.int32)
    for span in spans(n, max(n, x.shape[1])):
        squared = squared_distances(x[span], x)
        own = np.arange(n)[span]
        squared[own - own[0], own] = -1  # first, also before samples that are equal to it
        order = np.argsort(squared, axis=1, kind="stable")
        np.put_along_axis(ranks[span], order, np.arange(n, dtype=np.int32)[None], axis=1)
    return ranks


def trustworthiness(before: Ranks, after: Ranks, k: int) -> float:
    """1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in U_k(i)} (r(i, j) - k). Venna and Kaski (2001), equation 1.

    U_k(i) holds those of the k nearest neighbours of i after the map that were not among its k nearest before; r is the
    rank before.

    Raises:
        InputError: k is not in 1..(n - 1) // 2, where the measure reaches from 0 to 1.
    """
    n = _check(before, after, k)
    false = (after > 0) & (after <= k) & (before > k)
    penalty = int((before[false].astype(np.int64) - k).sum())
    return 1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1))


def continuity(before: Ranks, after: Ranks, k: int) -> float:
    """Trustworthiness with before and after exchanged. Venna and Kaski (2001), equation 2; (2006), section 2.

    Raises:
        InputError: see `trustworthiness`.
    """
    return trustworthiness(after, before, k)


def preservation(before: Ranks, after: Ranks, k: int) -> float:
    """1/n sum_i |N_k(i) before and after| / k, the share of k nearest neighbours kept; k / (n - 1) by chance.

    Raises:
        InputError: see `trustworthiness`.
    """
    n = _check(before, after, k)
    return int(((before > 0) & (before <= k) & (after <= k)).sum()) / (n * k)


def measure_map(before: Ranks, after: Ranks, k: int) -> Kept:
    """All three measures of one map.

    Raises:
        InputError: see `trustworthiness`.
    """
    return Kept(trustworthiness(before, after, k), continuity(before, after, k), preservation(before, after, k))


def same_class_share(after: Ranks, y: NDArray[np.int64], k: int) -> float:
    """Share of the k nearest neighbours on the map that are of the sample's own class.

    Raises:
        InputError: see `trustworthiness`.
    """
    n = _check(after, after, k)
    same = y[:, None] == y
    return int(((after > 0) & (after <= k) & same).sum()) / (n * k)


def _check(before: Ranks, after: Ranks, k: int) -> int:
    n = len(before)
    if before.shape != after.shape:
        raise InputError(f"ranks of {len(before)} and of {len(after)} samples: must be of the same samples")
    if not 1 <= k <= (n - 1) // 2:
        raise InputError(f"k={k}: must be 1..{(n - 1) // 2}, less than half of the {n} samples")
    return n
