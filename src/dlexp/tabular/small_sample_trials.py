"""What the normal equations and ridge do on one data set: how singular, how wrong, and which identities hold."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dlexp.tabular.closed_form import Array, minimum_norm, normal_equations, ridge_dual, ridge_primal
from dlexp.tabular.leave_one_out import leave_one_out_residuals


def relative_distance(a: Array, b: Array) -> float:
    """||a - b|| / ||b||."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def singularity(x: Array, y: Array, order: NDArray[np.int64]) -> dict[str, float]:
    """How singular X^T X is, and what its naive inverse is worth, for X (n, m) and y (n,).

    Returns:
        "rank" (eigenvalues above m eps times the largest), "log condition" (log10 of the condition number), "not an
        inverse" (largest entry of |A^-1 A - I|), "log order" (log10 of the relative change of the weights when the rows
        are taken in `order`: the same problem on paper), "training" (mean squared error on X and y themselves).
    """
    gram, m = x.T @ x, x.shape[1]
    size = np.abs(np.linalg.eigvalsh(gram))
    weights, again = normal_equations(x, y), normal_equations(x[order], y[order])
    return {
        "rank": float(np.sum(size > size.max() * m * np.finfo(np.float64).eps)),
        "log condition": float(np.log10(size.max() / max(size.min(), np.finfo(np.float64).tiny))),
        "not an inverse": float(np.abs(np.linalg.inv(gram) @ gram - np.eye(m)).max()),
        "log order": float(np.log10(max(relative_distance(again, weights), 1e-17))),
        "training": float(np.mean((y - x @ weights) ** 2)),
    }


def ridge_identities(x: Array, y: Array, penalties: Array, vanishing: Array) -> Mapping[str, Array]:
    """Relative differences of what is equal on paper, for X (n, m) with m > n and y (n,).

    Args:
        penalties: lambdas at which the two forms, and the two ways to leave one out, are compared.
        vanishing: lambdas at which ridge is compared with the minimum-norm solution, its limit at 0.

    Returns:
        "primal = dual" and "leave-one-out" (closed form against n refits), each the largest over `penalties`; "primal"
        and "dual": that form's distance from the pseudo-inverse at each of `vanishing`.
    """
    rows, limit = np.arange(len(x)), minimum_norm(x, y)
    apart, left_out = [], []
    for penalty, fast in zip(penalties.tolist(), leave_one_out_residuals(x, y, penalties), strict=True):
        apart.append(relative_distance(ridge_primal(x, y, penalty), ridge_dual(x, y, penalty)))
        slow = [y[i] - x[i] @ ridge_dual(x[rows != i], y[rows != i], penalty) for i in rows]
        left_out.append(relative_distance(fast, np.array(slow)))
    return {
        "primal = dual": np.array(max(apart)),
        "leave-one-out": np.array(max(left_out)),
        "primal": np.array([relative_distance(ridge_primal(x, y, each), limit) for each in vanishing.tolist()]),
        "dual": np.array([relative_distance(ridge_dual(x, y, each), limit) for each in vanishing.tolist()]),
    }
