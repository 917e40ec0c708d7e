"""Closed-form leave-one-out against n refits, and folds against leaving out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlexp.tabular.closed_form import Array, minimum_norm, ridge_dual, ridge_path
from dlexp.tabular.leave_one_out import fold_errors, leave_one_out_residuals, press

PENALTIES = np.array([1e-4, 1e-2, 1.0, 1e2])


def problem(n: int, m: int, seed: int = 0) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    return random.standard_normal((n, m)) + 0.5, random.standard_normal(n) + 2


def refits(x: Array, y: Array, penalty: float, intercept: bool = False) -> Array:
    """n fits, each without one row."""
    residuals = []
    for i in range(len(x)):
        rows = np.arange(len(x)) != i
        mean_x, mean_y = (x[rows].mean(0), y[rows].mean()) if intercept else (np.zeros(x.shape[1]), 0.0)
        w = ridge_dual(x[rows] - mean_x, y[rows] - mean_y, penalty)
        residuals.append(y[i] - (x[i] - mean_x) @ w - mean_y)
    return np.array(residuals)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(("n", "m"), [(12, 4), (6, 15), (8, 8), (8, 7), (2, 3)])
def test_the_closed_form_equals_n_refits(n: int, m: int, intercept: bool) -> None:
    x, y = problem(n, m)
    fast = leave_one_out_residuals(x, y, PENALTIES, intercept)
    for row, penalty in zip(fast, PENALTIES.tolist(), strict=True):
        np.testing.assert_allclose(row, refits(x, y, penalty, intercept), rtol=1e-7, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(1, 12), st.floats(-3, 3))
def test_press_chooses_what_refits_would_choose(seed: int, n: int, m: int, exponent: float) -> None:
    x, y = problem(n, m, seed)
    penalties = 10.0**exponent * np.array([0.1, 1.0, 10.0])
    slow = np.array([np.mean(refits(x, y, penalty) ** 2) for penalty in penalties.tolist()])
    np.testing.assert_allclose(press(x, y, penalties), slow, rtol=1e-6)


def test_it_is_the_ordinary_residual_over_one_minus_leverage() -> None:
    x, y = problem(10, 3)
    penalty = 0.7
    hat = x @ np.linalg.solve(x.T @ x + penalty * np.eye(3), x.T)
    expected = (y - hat @ y) / (1 - np.diag(hat))
    np.testing.assert_allclose(leave_one_out_residuals(x, y, np.array([penalty]))[0], expected, atol=1e-12)


def test_the_limit_at_0_is_leave_one_out_of_minimum_norm() -> None:
    x, y = problem(7, 20)
    slow = [y[i] - x[i] @ minimum_norm(np.delete(x, i, 0), np.delete(y, i)) for i in range(7)]
    np.testing.assert_allclose(leave_one_out_residuals(x, y, np.array([0.0]))[0], slow, rtol=1e-8)


@pytest.mark.parametrize(
    ("x", "penalty"),
    [(np.ones((4, 2)), 0.0), (problem(9, 3)[0], 0.0), (problem(3, 9)[0], -1.0), (np.zeros((3, 2)), 0.0)],
)
def test_a_penalty_that_leaves_it_singular_is_refused(x: Array, penalty: float) -> None:
    message = f"^penalty={penalty:g}: must be above 0 here, as X X\\^T is singular or it is negative$"
    with pytest.raises(ValueError, match=message):
        leave_one_out_residuals(x, np.ones(len(x)), np.array([1.0, penalty]))


def test_one_row_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^leaving one of 1 rows out leaves nothing to learn from$"):
        press(np.ones((1, 2)), np.ones(1), PENALTIES)


def test_as_many_folds_as_rows_are_leave_one_out() -> None:
    x, y = problem(9, 12)
    errors = fold_errors(lambda x, y: ridge_path(x, y, PENALTIES), x, y, folds=9)
    np.testing.assert_allclose(errors, press(x, y, PENALTIES), rtol=1e-8)


def test_folds_leave_out_every_row_once_and_weigh_rows_alike() -> None:
    y = np.arange(5.0)
    seen: list[list[float]] = []

    def mean_of(x: Array, y: Array) -> Array:
        seen.append(y.tolist())
        return np.array([[y.mean()]])

    errors = fold_errors(mean_of, np.ones((5, 1)), y, folds=2)
    assert seen == [[1.0, 3.0], [0.0, 2.0, 4.0]]
    assert errors[0] == pytest.approx((4 + 0 + 4 + 1 + 1) / 5)  # the means are 2 and 2


@pytest.mark.parametrize("folds", [1, 6])
def test_an_impossible_number_of_folds_is_refused(folds: int) -> None:
    with pytest.raises(ValueError, match=rf"^folds={folds}: must be in 2\.\.5, the number of rows$"):
        fold_errors(lambda x, y: np.zeros((1, 2)), np.ones((5, 2)), np.ones(5), folds)
