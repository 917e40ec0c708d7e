"""Linear regression y = X w in closed form, also with more features than rows: no iterative optimiser anywhere.

Conventions: X is (n, m), y is (n,) (or (n, t), several targets at once, where a function says so), w is (m,) (or
(m, t)). There is no intercept: centre X and y by the training means first (`centred`). A ridge penalty is the lambda of
||y - X w||^2 + lambda ||w||^2, a sum over rows and not a mean.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def centred(x: Array, y: Array) -> tuple[Array, Array, Array, Array]:
    """X and y minus their column means, and the means: predict by (x_new - mean_x) @ w + mean_y."""
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    return x - mean_x, y - mean_y, mean_x, mean_y


def normal_equations(x: Array, y: Array) -> Array:
    """(X^T X)^-1 X^T y to the letter; y may be (n, t). Garbage where X^T X is singular, that is for m > n.

    Raises:
        numpy.linalg.LinAlgError: elimination met a pivot of exactly 0. Rounding mostly hides it, and nothing is raised.
    """
    w: Array = np.linalg.inv(x.T @ x) @ (x.T @ y)
    return w


def minimum_norm(x: Array, y: Array) -> Array:
    """X^+ y: of all w that minimise ||y - X w||, the one of least ||w||; y may be (n, t).

    The pseudo-inverse is V S^+ U^T (Moore 1920, Penrose 1955); singular values up to max(n, m) eps s_max count as 0.
    """
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    kept = s > max(x.shape) * np.finfo(np.float64).eps * s.max(initial=0.0)
    w: Array = vt[kept].T @ ((u[:, kept].T @ y).T / s[kept]).T
    return w


def ridge_primal(x: Array, y: Array, penalty: float) -> Array:
    """(X^T X + lambda I_m)^-1 X^T y by Cholesky (Hoerl and Kennard 1970); y may be (n, t). O(n m^2 + m^3).

    Its error grows as eps s_max^2 / lambda: prefer `ridge_dual` for m > n and small lambda.

    Raises:
        ValueError: lambda is not above 0.
        numpy.linalg.LinAlgError: lambda is lost in rounding and the matrix is not positive definite.
    """
    from scipy.linalg import solve

    _positive(penalty)
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += penalty
    return np.asarray(solve(gram, x.T @ y, assume_a="pos", overwrite_a=True, check_finite=False))


def ridge_dual(x: Array, y: Array, penalty: float) -> Array:
    """X^T (X X^T + lambda I_n)^-1 y, the same w (Saunders et al. 1998); y may be (n, t). O(n^2 m + n^3).

    Raises:
        ValueError: lambda is not above 0.
        numpy.linalg.LinAlgError: lambda is lost in rounding and the matrix is not positive definite.
    """
    from scipy.linalg import solve

    _positive(penalty)
    kernel = x @ x.T
    kernel[np.diag_indices_from(kernel)] += penalty
    w: Array = x.T @ solve(kernel, y, assume_a="pos", overwrite_a=True, check_finite=False)
    return w


def ridge_path(x: Array, y: Array, penalties: Array) -> Array:
    """(penalties, m): the ridge solution for each of many lambdas (> 0) from one singular value decomposition."""
    for penalty in penalties:
        _positive(float(penalty))
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    shrunk = s / (s**2 + np.asarray(penalties)[:, None])  # (penalties, r)
    path: Array = (shrunk * (u.T @ y)) @ vt
    return path


def principal_components(x: Array, y: Array, most: int) -> Array:
    """(most, m): least squares on the first k = 1..most principal components of X, mapped back to the features.

    Raises:
        ValueError: `most` is not in 1..min(n, m).
    """
    _in_range("most", most, min(x.shape))
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    smallest = max(x.shape) * np.finfo(np.float64).eps * s[0]
    weights = np.divide(u.T @ y, s, out=np.zeros_like(s), where=s > smallest)[:most]  # no direction of zero variance
    path: Array = np.cumsum(weights[:, None] * vt[:most], axis=0)
    return path


def partial_least_squares(x: Array, y: Array, most: int) -> Array:
    """(most, m): PLS with k = 1..most components (Wold's NIPALS for one target, where each component is closed-form).

    The k-th solution is least squares within span{X^T y, (X^T X) X^T y, ..., (X^T X)^(k-1) X^T y} (Helland 1988). When
    nothing of y is left to explain, the path stays where it is.

    Raises:
        ValueError: y is not (n,), or `most` is not in 1..min(n, m).
    """
    if y.ndim != 1:
        raise ValueError(f"y: shape {y.shape}; this form of PLS takes one target, (n,)")
    _in_range("most", most, min(x.shape))
    left, w = x.copy(), np.zeros(x.shape[1])
    directions: list[Array] = []
    loadings: list[Array] = []
    path = []
    start = np.linalg.norm(x.T @ y)
    for k in range(most):
        direction = left.T @ y
        length = np.linalg.norm(direction)
        if length > 1e-10 * start and len(directions) == k:
            direction /= length
            score = left @ direction
            loading = left.T @ score / (score @ score)
            left -= np.outer(score, loading)
            directions.append(direction)
            loadings.append(loading)
            # The last column of W (P^T W)^-1: the direction in terms of X itself, not of what was left of it.
            last = np.linalg.solve(np.array(loadings) @ np.array(directions).T, np.eye(k + 1)[k])
            w = w + (last @ np.array(directions)) * (score @ y / (score @ score))
        path.append(w)
    return np.array(path)


def most_correlated(x: Array, y: Array) -> NDArray[np.int64]:
    """(m,) the features by falling |correlation| with y (n,), both centred; ties and constant features by index."""
    x, y, *_ = centred(x, y)
    size = np.linalg.norm(x, axis=0)
    strength = np.divide(np.abs(x.T @ y), size, out=np.zeros_like(size), where=size > 0)
    return np.argsort(-strength, kind="stable")


def least_squares_on(x: Array, y: Array, features: NDArray[np.int64]) -> Array:
    """(m,) least squares on some features only (X^T X is regular again for n - 1 of them); 0 for the others."""
    w = np.zeros(x.shape[1])
    w[features] = minimum_norm(x[:, features], y)
    return w


def _positive(penalty: float) -> None:
    if not penalty > 0:
        raise ValueError(f"penalty={penalty:g}: must be above 0; minimum_norm is the limit at 0")


def _in_range(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ValueError(f"{name}={value}: must be in 1..{most}, the smaller side of X")
