"""What every measure of similarity takes: features of N samples, checked, in float64, with their means removed."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
ROUNDING = 1e-10  # features that vary by less than this share of their size do not vary


def centred(x: ArrayLike) -> Matrix:
    """(N, F) -> (N, F) float64 whose columns have mean 0; exactly 0 where the features vary by rounding only.

    Raises:
        ValueError: `x` is no matrix of two samples or more, has no feature, or holds NaN or infinity.
    """
    features = np.asarray(x, dtype=np.float64)
    if features.ndim != 2 or len(features) < 2 or features.shape[1] == 0:
        raise ValueError(f"features must be (N, F) with N >= 2 and F >= 1, not {features.shape}")
    if not np.isfinite(features).all():
        raise ValueError("features must be finite: there is a NaN or an infinity")
    around_mean: Matrix = features - features.mean(axis=0)
    if np.linalg.norm(around_mean) <= ROUNDING * np.linalg.norm(features):
        return np.zeros_like(features)
    return around_mean


def unit(x: ArrayLike) -> Matrix:
    """`centred(x)` with Frobenius norm 1; zeros where the features do not vary. Raises as `centred`."""
    features = centred(x)
    norm = float(np.linalg.norm(features))
    return features / norm if norm else features


def check_same_samples(x: ArrayLike, y: ArrayLike) -> None:
    """Refuse features of different samples.

    Raises:
        ValueError: `x` and `y` have different numbers of rows.
    """
    first, second = np.shape(x), np.shape(y)
    if first[:1] != second[:1]:
        raise ValueError(f"the two representations must be of the same samples, not {first[:1]} and {second[:1]}")
