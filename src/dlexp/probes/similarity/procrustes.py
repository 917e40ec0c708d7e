r"""Orthogonal Procrustes: how well a rotation lays one representation upon another (Williams et al. 2021).

For centred $X$, $Y$ with $\|X\|_F = \|Y\|_F = 1$: $\min_Q \|X - YQ\|_F^2 = 2 - 2 \|X^T Y\|_*$ over orthogonal $Q$ (the
one with fewer features is padded with zeros), where $\|\cdot\|_*$ is the sum of the singular values.
Invariant to orthogonal maps, isotropic scaling and shifts; not to other invertible maps.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from dlexp.probes.similarity.features import Matrix, check_same_samples, unit


def shape_of(x: ArrayLike) -> Matrix:
    """(N, F) -> (N, min(N, F)): centred, of norm 1, and, where F > N, rotated into as many dimensions as samples."""
    features = unit(x)
    if features.shape[1] <= len(features):
        return features
    _, upper = np.linalg.qr(features.T)
    return upper.T


def overlap(first: Matrix, second: Matrix) -> float:
    """Nuclear norm of the product of two `shape_of`, in [0, 1]."""
    return min(1.0, float(np.linalg.svd(first.T @ second, compute_uv=False).sum()))


def procrustes(x: ArrayLike, y: ArrayLike) -> float:
    """Procrustes similarity of (N, F1) and (N, F2), in [0, 1]: 1 exactly if a rotation and a scale make them equal.

    Independent representations do not give 0, as a rotation is fitted. 0 where one of the two does not vary.

    Raises:
        ValueError: not finite matrices of the same samples.
    """
    check_same_samples(x, y)
    return overlap(shape_of(x), shape_of(y))


def procrustes_distance(x: ArrayLike, y: ArrayLike) -> float:
    """The same as a distance in [0, sqrt(2)], which obeys the triangle inequality: sqrt(2 - 2 procrustes(x, y))."""
    return math.sqrt(2 - 2 * procrustes(x, y))
