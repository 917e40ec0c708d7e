"""Closed-form regressors against normal equations, scikit-learn, projections and one another."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlexp.tabular.closed_form import (
    Array,
    centred,
    least_squares_on,
    minimum_norm,
    most_correlated,
    normal_equations,
    partial_least_squares,
    principal_components,
    ridge_dual,
    ridge_path,
    ridge_primal,
)

SHAPES = [(12, 5), (5, 12), (7, 7)]


def problem(n: int, m: int, seed: int = 0, targets: int | None = None) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    shape = (n,) if targets is None else (n, targets)
    return random.standard_normal((n, m)), random.standard_normal(shape)


def test_normal_equations_solve_a_system_known_by_hand() -> None:
    x = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    np.testing.assert_allclose(normal_equations(x, x @ [3.0, -2.0]), [3.0, -2.0], atol=1e-12)


def test_an_exact_zero_pivot_is_raised() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        normal_equations(np.array([[1.0, 1.0], [1.0, 1.0]]), np.ones(2))


def test_the_naive_inverse_is_garbage_for_more_features_than_rows() -> None:
    x, y = problem(20, 40)
    assert np.mean((y - x @ normal_equations(x, y)) ** 2) > 1e-3  # a solution that fits exactly exists
    assert np.mean((y - x @ minimum_norm(x, y)) ** 2) < 1e-20


@pytest.mark.parametrize(("n", "m"), SHAPES)
@pytest.mark.parametrize("targets", [None, 3])
def test_minimum_norm_is_the_pseudo_inverse(n: int, m: int, targets: int | None) -> None:
    x, y = problem(n, m, targets=targets)
    np.testing.assert_allclose(minimum_norm(x, y), np.linalg.pinv(x) @ y, atol=1e-10)


def test_minimum_norm_of_one_row_by_hand() -> None:
    np.testing.assert_allclose(minimum_norm(np.array([[3.0, 4.0]]), np.array([50.0])), [6.0, 8.0])


def test_minimum_norm_with_dependent_rows_and_columns() -> None:
    x, y = problem(6, 4)
    x = np.hstack([x, x[:, :2]])
    np.testing.assert_allclose(minimum_norm(x, y), np.linalg.lstsq(x, y, rcond=None)[0], atol=1e-10)
    np.testing.assert_array_equal(minimum_norm(np.zeros((3, 2)), np.ones(3)), [0.0, 0.0])


def test_small_singular_values_are_kept_and_rounding_is_not() -> None:
    for small, expected in ((1e-13, 1e13), (1e-17, 0.0)):
        np.testing.assert_allclose(minimum_norm(np.diag([1.0, small]), np.ones(2)), [1.0, expected])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 6))
def test_no_interpolating_solution_is_shorter(seed: int, n: int, extra: int) -> None:
    x, y = problem(n, n + extra, seed)
    w = minimum_norm(x, y)
    kernel = np.linalg.svd(x)[2][n:]  # (extra, m): moves along it change no prediction
    other = w + np.random.default_rng(seed).standard_normal(extra) @ kernel
    np.testing.assert_allclose(x @ other, x @ w, atol=1e-8)
    assert np.linalg.norm(w) < np.linalg.norm(other)
    np.testing.assert_allclose(kernel @ w, 0, atol=1e-8)


@pytest.mark.parametrize(("n", "m"), SHAPES)
@pytest.mark.parametrize("penalty", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("targets", [None, 2])
def test_ridge_primal_equals_dual_and_least_squares_on_augmented_rows(
    n: int, m: int, penalty: float, targets: int | None
) -> None:
    x, y = problem(n, m, targets=targets)
    primal, dual = ridge_primal(x, y, penalty), ridge_dual(x, y, penalty)
    assert np.linalg.norm(primal - dual) <= 1e-8 * np.linalg.norm(dual)
    # ||y - X w||^2 + lambda ||w||^2 is least squares with m more rows sqrt(lambda) I and targets 0.
    rows = np.vstack([x, np.sqrt(penalty) * np.eye(m)])
    zeros = np.zeros((m, *y.shape[1:]))
    np.testing.assert_allclose(primal, np.linalg.lstsq(rows, np.concatenate([y, zeros]), rcond=None)[0], atol=1e-9)


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_the_ridge_path_is_ridge_at_every_penalty(n: int, m: int) -> None:
    x, y = problem(n, m)
    penalties = np.array([1e-3, 0.5, 40.0])
    path = ridge_path(x, y, penalties)
    for w, penalty in zip(path, penalties.tolist(), strict=True):
        np.testing.assert_allclose(w, ridge_dual(x, y, penalty), atol=1e-10)


def test_ridge_tends_to_the_pseudo_inverse_linearly_in_lambda() -> None:
    x, y = problem(10, 30)
    limit = minimum_norm(x, y)
    far = [np.linalg.norm(ridge_dual(x, y, penalty) - limit) for penalty in (1e-4, 1e-6, 1e-8)]
    assert far[2] <= 1e-8 * np.linalg.norm(limit)
    assert far[0] / far[1] == pytest.approx(100, rel=0.01)
    assert far[1] / far[2] == pytest.approx(100, rel=0.01)


def test_ridge_tends_to_zero_for_a_large_penalty() -> None:
    x, y = problem(8, 5)
    np.testing.assert_allclose(1e9 * ridge_primal(x, y, 1e9), x.T @ y, rtol=1e-6)


@pytest.mark.parametrize(
    "solve", [ridge_primal, ridge_dual, lambda x, y, penalty: ridge_path(x, y, np.array([penalty]))]
)
@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan")])
def test_a_penalty_that_is_not_above_0_is_refused(solve: Callable[..., Any], penalty: float) -> None:
    message = f"penalty={penalty:g}: must be above 0; minimum_norm is the limit at 0"
    with pytest.raises(ValueError, match=f"^{message}$"):
        solve(*problem(4, 3), penalty)


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_principal_components_regress_on_scikit_learns_scores(n: int, m: int) -> None:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LinearRegression

    x, y, *_ = centred(*problem(n, m))
    path = principal_components(x, y, 4)
    for k, w in enumerate(path, start=1):
        scores = PCA(n_components=k).fit_transform(x)
        np.testing.assert_allclose(x @ w, LinearRegression().fit(scores, y).predict(scores), atol=1e-9)


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_all_components_are_least_squares(n: int, m: int) -> None:
    x, y = problem(n, m)
    most = min(n, m)
    np.testing.assert_allclose(principal_components(x, y, most)[-1], minimum_norm(x, y), atol=1e-8)
    np.testing.assert_allclose(partial_least_squares(x, y, most)[-1], minimum_norm(x, y), atol=1e-6)


def test_components_without_variance_count_for_nothing() -> None:
    x, y = problem(6, 3)
    x = np.hstack([x, x])  # rank 3 of 6 columns
    np.testing.assert_allclose(principal_components(x, y, 6)[-1], minimum_norm(x, y), atol=1e-9)
    np.testing.assert_allclose(partial_least_squares(x, y, 6)[-1], minimum_norm(x, y), atol=1e-9)


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_partial_least_squares_equals_scikit_learns(n: int, m: int) -> None:
    from sklearn.cross_decomposition import PLSRegression

    x, y, *_ = centred(*problem(n, m))
    path = partial_least_squares(x, y, 4)
    for k, w in enumerate(path, start=1):
        theirs = PLSRegression(n_components=k, scale=False).fit(x, y)
        np.testing.assert_allclose(x @ w, theirs.predict(x).ravel(), atol=1e-8)


def test_partial_least_squares_is_least_squares_in_a_krylov_space() -> None:
    x, y = problem(9, 6)
    for k, w in enumerate(partial_least_squares(x, y, 4), start=1):
        krylov = np.stack([np.linalg.matrix_power(x.T @ x, power) @ x.T @ y for power in range(k)], axis=1)
        inside = np.linalg.lstsq(x @ krylov, y, rcond=None)[0]
        np.testing.assert_allclose(w, krylov @ inside, atol=1e-7)


def test_partial_least_squares_stops_when_nothing_is_left() -> None:
    x = np.diag([2.0, 2.0, 2.0])  # one direction explains everything
    path = partial_least_squares(x, np.array([2.0, 4.0, 6.0]), 3)
    np.testing.assert_allclose(path, np.tile([1.0, 2.0, 3.0], (3, 1)), atol=1e-12)
    np.testing.assert_array_equal(partial_least_squares(x, np.zeros(3), 2), np.zeros((2, 3)))


@pytest.mark.parametrize("path", [principal_components, partial_least_squares])
@pytest.mark.parametrize("most", [0, 4])
def test_an_impossible_number_of_components_is_refused(path: Callable[..., Any], most: int) -> None:
    with pytest.raises(ValueError, match=rf"^most={most}: must be in 1\.\.3, the smaller side of X$"):
        path(*problem(5, 3), most)


def test_partial_least_squares_takes_one_target() -> None:
    with pytest.raises(ValueError, match=r"^y: shape \(5, 2\); this form of PLS takes one target, \(n,\)$"):
        partial_least_squares(*problem(5, 3, targets=2), 1)


def test_features_are_ranked_by_correlation_whatever_their_units() -> None:
    x, _ = problem(50, 5)
    y = 3 * x[:, 3] - 1.5 * x[:, 1] + 0.3 * x[:, 0]
    by_numpy = np.argsort([-abs(np.corrcoef(column, y)[0, 1]) for column in x.T])
    np.testing.assert_array_equal(most_correlated(x, y), by_numpy)
    np.testing.assert_array_equal(most_correlated(x * [1e6, 1e-6, 1, 10, 1] + 7, y - 3), by_numpy)


def test_constant_features_and_ties_come_last_and_by_index() -> None:
    x = np.array([[1.0, 5.0, 1.0, 5.0], [2.0, 5.0, 2.0, 5.0], [4.0, 5.0, 4.0, 5.0]])
    np.testing.assert_array_equal(most_correlated(x, np.array([1.0, 2.0, 4.0])), [0, 2, 1, 3])


def test_many_ties_keep_their_order() -> None:
    x = np.tile([[1.0, 0.0], [0.0, 1.0], [2.0, 2.0]], 100)  # correlations 1/2 and 1, in turn
    expected = [*range(1, 200, 2), *range(0, 200, 2)]
    np.testing.assert_array_equal(most_correlated(x, np.arange(3.0)), expected)


def test_least_squares_on_some_features() -> None:
    x, y = problem(8, 20)
    features = np.array([4, 0, 17])
    w = least_squares_on(x, y, features)
    assert set(np.flatnonzero(w)) == {0, 4, 17}
    np.testing.assert_allclose(x[:, features].T @ (y - x @ w), 0, atol=1e-10)


def test_n_minus_1_features_make_the_normal_equations_regular() -> None:
    x, y = problem(8, 20)
    features = most_correlated(x, y)[:7]
    part = x[:, features]
    assert np.linalg.matrix_rank(part.T @ part) == 7
    np.testing.assert_allclose(least_squares_on(x, y, features)[features], normal_equations(part, y), atol=1e-6)


def test_centring_stands_for_an_intercept() -> None:
    x, y = problem(9, 3)
    x, y = x + np.array([1.0, -2.0, 3.0]), y + 10
    inner, target, mean_x, mean_y = centred(x, y)
    with_ones = np.linalg.lstsq(np.column_stack([x, np.ones(9)]), y, rcond=None)[0]
    w = minimum_norm(inner, target)
    np.testing.assert_allclose(w, with_ones[:3], atol=1e-10)
    assert mean_y - mean_x @ w == pytest.approx(with_ones[3])
