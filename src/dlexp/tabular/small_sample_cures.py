"""Every closed-form way out of m > n, ready to compare: each chooses what it must on the training rows alone."""

from collections.abc import Callable

import numpy as np

from dlexp.tabular.closed_form import (
    Array,
    least_squares_on,
    minimum_norm,
    most_correlated,
    normal_equations,
    partial_least_squares,
    principal_components,
    ridge_dual,
)
from dlexp.tabular.leave_one_out import fold_errors, press

CURES = (
    "naive inverse",
    "minimum norm",
    "ridge",
    "PCR",
    "PLS",
    "n - 1 best features",
    "n - 1 random features",
    "few best features",
)


def all_cures(
    x: Array, y: Array, penalties: Array, most: int, folds: int, random: np.random.Generator
) -> dict[str, Array]:
    """The weights (m,) that each of `CURES` finds for X (n, m) and y (n,), both centred.

    Args:
        penalties: the lambdas of ridge, of which PRESS chooses.
        most: the largest number of components (PCR, PLS) and of few features, chosen by `folds`.
        random: draws the n - 1 random features.
    """
    kept = min(len(x) - 1, x.shape[1])
    solutions = (
        normal_equations(x, y),
        minimum_norm(x, y),
        ridge_dual(x, y, float(penalties[press(x, y, penalties).argmin()])),
        best_of_path(principal_components, x, y, most, folds),
        best_of_path(partial_least_squares, x, y, most, folds),
        least_squares_on(x, y, most_correlated(x, y)[:kept]),
        least_squares_on(x, y, random.permutation(x.shape[1])[:kept]),
        best_of_path(few_features, x, y, most, folds),
    )
    return dict(zip(CURES, solutions, strict=True))


def best_of_path(path: Callable[[Array, Array, int], Array], x: Array, y: Array, most: int, folds: int) -> Array:
    """(m,) the model of a path (X, y, most -> (most, m)) with the least error over folds, fitted on all rows."""
    errors = fold_errors(lambda x, y: path(x, y, most), x, y, folds)
    chosen: Array = path(x, y, most)[errors.argmin()]
    return chosen


def few_features(x: Array, y: Array, most: int) -> Array:
    """(most, m): least squares on the k = 1..most features most correlated with y; ranked within the rows given."""
    ranked = most_correlated(x, y)
    return np.stack([least_squares_on(x, y, ranked[:k]) for k in range(1, most + 1)])
