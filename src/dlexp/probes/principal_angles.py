"""How far apart two subspaces are, and two sets of axes: a subspace has many bases."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Angles = NDArray[np.float64]


def principal_angles(first: ArrayLike, second: ArrayLike) -> Angles:
    """Angles between the spans of the columns of `first` (m, p) and `second` (m, q), in radians, ascending.

    The first is the smallest angle between a direction of one and a direction of the other, the next the smallest among
    directions orthogonal to those, and so on (Bjorck and Golub 1973): min(p, q) of them in [0, pi/2]. All are 0 exactly
    if one span holds the other, whatever the bases. Computed from sines where the angle is small, as the cosine cannot
    tell angles below 1e-8 from 0 (Knyazev and Argentati 2002).

    Raises:
        ValueError: the two differ in m, or the columns of one are linearly dependent.
    """
    from scipy.linalg import subspace_angles

    bases = [np.asarray(each, dtype=np.float64) for each in (first, second)]
    if any(each.ndim != 2 for each in bases) or len(bases[0]) != len(bases[1]):
        raise ValueError(f"needs two matrices with as many rows, not {bases[0].shape} and {bases[1].shape}")
    for each in bases:
        if np.linalg.matrix_rank(each) < each.shape[1]:
            raise ValueError(f"the {each.shape[1]} columns are linearly dependent: they span fewer dimensions")
    angles: Angles = np.sort(subspace_angles(*bases))
    return angles


def axis_angles(axes: ArrayLike, reference: ArrayLike) -> Angles:
    """Angle of each column of `reference` (m, p) with the column of `axes` (m, p) that stands for it, in radians.

    Columns are matched one to one, in any order and with any sign, so that the cosines sum to the most (the assignment
    problem). In [0, pi/2]; all 0 exactly if the axes are the same up to order, sign and length.

    Raises:
        ValueError: the shapes differ, or a column is 0.
    """
    from scipy.optimize import linear_sum_assignment

    pair = [np.asarray(each, dtype=np.float64) for each in (axes, reference)]
    if pair[0].ndim != 2 or pair[0].shape != pair[1].shape:
        raise ValueError(f"needs two matrices of one shape, not {pair[0].shape} and {pair[1].shape}")
    lengths = [np.linalg.norm(each, axis=0) for each in pair]
    if not all((length > 0).all() for length in lengths):
        raise ValueError("a column of zeros has no direction")
    first, second = (each / length for each, length in zip(pair, lengths, strict=True))
    cosines = first.T @ second
    rows, columns = linear_sum_assignment(-np.abs(cosines))
    matched = np.empty(len(columns))
    for row, column in zip(rows, columns, strict=True):
        sign = 1 if cosines[row, column] >= 0 else -1
        half_chord = np.linalg.norm(sign * first[:, row] - second[:, column]) / 2  # exact for small angles
        matched[column] = 2 * np.arcsin(min(half_chord, np.sqrt(0.5)))
    return matched
