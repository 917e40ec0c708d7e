r"""Canonical correlation analysis of two representations: SVCCA (Raghu et al. 2017), PWCCA (Morcos et al. 2018).

The canonical correlations $\rho_1 \ge \rho_2 \ge \dots$ of $X$ and $Y$ are the cosines of the principal angles between
the spaces that their columns span. Any invertible linear map leaves these spaces as they are, so with at least as many
dimensions as samples every correlation is 1, whatever the representations: both measures first keep the leading
singular directions. That truncation is invariant to orthogonal maps and isotropic scaling only.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dlexp.probes.similarity.features import Matrix, centred, check_same_samples

VARIANCE = 0.99  # share of the variance that the kept directions explain


@dataclass(frozen=True)
class Directions:
    """The leading singular directions of a representation (N, F)."""

    basis: Matrix  # (N, k), orthonormal columns
    loadings: Matrix  # (k, F): basis @ loadings is the representation, truncated


def leading(x: ArrayLike, variance: float = VARIANCE) -> Directions:
    """The fewest singular directions of (N, F) that explain `variance` (0..1] of it; 1 keeps all of its rank.

    Raises:
        ValueError: `variance` is out of range, or as `centred`.
    """
    if not 0 < variance <= 1:
        raise ValueError(f"variance={variance}: must be above 0 and at most 1")
    features = centred(x)
    left, sizes, right = np.linalg.svd(features, full_matrices=False)
    rank = int((sizes > sizes[0] * max(features.shape) * np.finfo(np.float64).eps).sum()) if sizes[0] > 0 else 0
    explained = np.cumsum(sizes[:rank] ** 2)
    enough = int((explained < variance * explained[-1] * (1 - 1e-12)).sum()) + 1 if rank else 0
    kept = rank if variance == 1 else min(rank, enough)
    return Directions(left[:, :kept], sizes[:kept, None] * right[:kept])


def canonical_correlations(first: Directions, second: Directions) -> Matrix:
    """(min(k1, k2),) in [0, 1], descending."""
    made: Matrix = np.linalg.svd(first.basis.T @ second.basis, compute_uv=False).clip(0, 1)
    return made


def mean_correlation(first: Directions, second: Directions) -> float:
    """Mean canonical correlation in [0, 1]; 0 where one representation does not vary."""
    if 0 in (first.basis.shape[1], second.basis.shape[1]):
        return 0.0
    return float(canonical_correlations(first, second).mean())


def weighted_correlation(first: Directions, second: Directions) -> float:
    """Mean of the canonical correlations in [0, 1], weighted by how much of `first` each variate accounts for.

    Morcos et al. 2018, section 2.2: the weight of variate h_i is sum_j |<h_i, x_j>| over the features x_j of `first`.
    """
    if 0 in (first.basis.shape[1], second.basis.shape[1]):
        return 0.0
    variates, correlations, _ = np.linalg.svd(first.basis.T @ second.basis, full_matrices=False)
    weights = np.abs(variates.T @ first.loadings).sum(axis=1)
    return float((weights * correlations.clip(0, 1)).sum() / weights.sum())


def svcca(x: ArrayLike, y: ArrayLike, variance: float = VARIANCE) -> float:
    """Mean canonical correlation, in [0, 1], of the leading singular directions of (N, F1) and (N, F2).

    With `variance=1`, plain CCA: invariant to every invertible linear map, and 1 where the ranks reach N - 1. 0 where
    one of the two does not vary. Independent representations do not give 0: directions are matched on the same samples.

    Raises:
        ValueError: not finite matrices of the same samples, or `variance` is out of range.
    """
    check_same_samples(x, y)
    return mean_correlation(leading(x, variance), leading(y, variance))


def pwcca(x: ArrayLike, y: ArrayLike, variance: float = VARIANCE) -> float:
    """Projection-weighted mean of the canonical correlations, in [0, 1], of (N, F1) and (N, F2).

    Not symmetric: the weights are those of `x`. They are sums of absolute values over its features, so that rotating
    `x` changes the result; rotating `y`, or scaling either, does not. Where correlations are equal (several are 1 if
    the two keep more than N - 1 directions together) the variates are not unique, and the last digits are rounding's.
    Otherwise as `svcca`.
    """
    check_same_samples(x, y)
    return weighted_correlation(leading(x, variance), leading(y, variance))
