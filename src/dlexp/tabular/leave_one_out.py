"""Choosing a model without an optimiser: leave-one-out errors of ridge in closed form, and folds for the rest.

For ridge the n refits of leave-one-out need not be done: the residual of row i, had it been left out, is
e_i / (1 - h_ii) with the hat matrix H (Allen 1974, the PRESS statistic; Golub, Heath and Wahba 1979).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def leave_one_out_residuals(x: Array, y: Array, penalties: Array, intercept: bool = False) -> Array:
    """(penalties, n): y_i minus the prediction of row i by ridge fitted on all other rows, for every lambda.

    One singular value decomposition serves all lambdas. With K = X X^T, e_i / (1 - h_ii) equals
    (G y)_i / G_ii for G = (K + lambda I)^-1, which does not cancel where h_ii is near 1 (m >= n and small lambda).

    Args:
        x: (n, m). y: (n,). penalties: (L,), above 0; 0 too where X X^T has full rank (leave-one-out of minimum norm).
        intercept: each of the n fits also has an intercept, which is not penalised.

    Raises:
        ValueError: n < 2, or a lambda is negative, or 0 where X X^T is singular.
    """
    n = len(x)
    if n < 2:
        raise ValueError(f"leaving one of {n} rows out leaves nothing to learn from")
    basis = np.eye(n)
    if intercept:  # work in the complement of the constant vector, where the intercept has been projected out
        from scipy.linalg import helmert

        basis = helmert(n).T  # (n, n - 1), orthonormal columns
    inner, s, _ = np.linalg.svd(basis.T @ x, full_matrices=True)
    squared = np.zeros(basis.shape[1])
    squared[: len(s)] = s**2
    floor = squared.max() * max(x.shape) * np.finfo(np.float64).eps
    denominators = squared + np.asarray(penalties, dtype=np.float64)[:, None]  # (L, n or n - 1)
    if np.min(penalties) < 0 or denominators.min() <= floor * (np.min(penalties) == 0):
        raise ValueError(f"penalty={np.min(penalties):g}: must be above 0 here, as X X^T is singular or it is negative")
    u = basis @ inner
    residuals: Array = ((u.T @ y) / denominators) @ u.T / ((1 / denominators) @ (u.T**2))
    return residuals


def press(x: Array, y: Array, penalties: Array, intercept: bool = False) -> Array:
    """(penalties,): mean squared leave-one-out error, PRESS / n; errors as in `leave_one_out_residuals`."""
    means: Array = (leave_one_out_residuals(x, y, penalties, intercept) ** 2).mean(axis=1)
    return means


def fold_errors(fit: Callable[[Array, Array], Array], x: Array, y: Array, folds: int) -> Array:
    """(models,): mean squared error of each of the models of a path, over `folds` folds of rows.

    Args:
        fit: takes X and y of the rows that are not left out, returns (models, m).
        folds: row i belongs to fold i mod `folds`; the rows should be in random order.

    Raises:
        ValueError: `folds` is not in 2..n.
    """
    if not 2 <= folds <= len(x):
        raise ValueError(f"folds={folds}: must be in 2..{len(x)}, the number of rows")
    squares = []
    for fold in range(folds):
        out = np.arange(len(x)) % folds == fold
        w = fit(x[~out], y[~out])
        squares.append((y[out] - w @ x[out].T) ** 2)
    means: Array = np.concatenate(squares, axis=1).mean(axis=1)
    return means
