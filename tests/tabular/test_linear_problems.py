"""Generated regression problems have the structure they claim, and the expected error is the one that is measured."""

import math

import numpy as np
import pytest

from dlexp.tabular.closed_form import minimum_norm
from dlexp.tabular.linear_problems import ACTIVE, STRUCTURES, draw_problem, expected_error


@pytest.mark.parametrize("structure", STRUCTURES)
def test_shapes_seeds_and_variances(structure: str) -> None:
    one, again, other = (draw_problem([seed, 1], structure, 20, 8, 0.5, 4000) for seed in (0, 0, 1))
    assert (one.x.shape, one.y.shape, one.x_test.shape, one.y_test.shape) == ((20, 8), (20,), (4000, 8), (4000,))
    np.testing.assert_array_equal(one.x, again.x)
    np.testing.assert_array_equal(one.y_test, again.y_test)
    assert not np.array_equal(one.x, other.x)
    assert one.y_test.var() == pytest.approx(1 + 0.25, rel=0.1)


@pytest.mark.parametrize("structure", ["dense", "sparse"])
def test_without_noise_the_weights_are_found(structure: str) -> None:
    data = draw_problem([3], structure, 60, 12, 0.0)
    w = minimum_norm(data.x, data.y)
    assert np.linalg.norm(w) == pytest.approx(1)
    assert data.test_error(w) == pytest.approx(0, abs=1e-20)
    if structure == "sparse":
        size = np.sort(np.abs(w))
        np.testing.assert_allclose(size[-ACTIVE:], 1 / math.sqrt(ACTIVE), atol=1e-10)
        np.testing.assert_allclose(size[:-ACTIVE], 0, atol=1e-10)


def test_a_sparse_problem_with_few_features_uses_them_all() -> None:
    data = draw_problem([3], "sparse", 30, 2, 0.0)
    np.testing.assert_allclose(np.abs(minimum_norm(data.x, data.y)), math.sqrt(0.5), atol=1e-10)


def test_factors_dominate_the_spectrum() -> None:
    data = draw_problem([0], "factors", 10, 60, 0.1, test_rows=3000)
    values = np.linalg.svd(data.x_test, compute_uv=False)
    assert values[ACTIVE - 1] > 2 * values[ACTIVE]
    assert (data.x_test**2).mean() == pytest.approx(2, rel=0.15)  # as much from the factors as of its own


def test_errors_of_a_path_are_those_of_its_models() -> None:
    data = draw_problem([0], "dense", 10, 4, 1.0, 50)
    path = np.random.default_rng(0).standard_normal((3, 4))
    one_by_one = [np.mean((data.y_test - data.x_test @ w) ** 2) for w in path]
    np.testing.assert_allclose(data.test_error(path), one_by_one)
    assert data.test_error(path[0]) == pytest.approx(one_by_one[0])


@pytest.mark.parametrize("m", [10, 30, 60, 90, 200])
def test_the_expected_error_is_the_mean_of_many_problems(m: int) -> None:
    n, noise = 45, 0.7
    errors = [
        float(data.test_error(minimum_norm(data.x, data.y)))
        for data in (draw_problem([seed], "dense", n, m, noise, 200) for seed in range(150))
    ]
    mean, error = float(np.mean(errors)), float(np.std(errors) / math.sqrt(len(errors)))
    assert abs(mean - expected_error(n, m, noise)) < 4 * error
    assert error < 0.05 * mean


def test_the_expected_error_by_hand_at_the_peak_and_far_from_it() -> None:
    assert expected_error(10, 5, 2.0) == pytest.approx(4 * (1 + 5 / 4))
    assert expected_error(10, 20, 2.0) == pytest.approx(1 / 2 + 4 * (1 + 10 / 9))
    assert [expected_error(40, m, 1.0) for m in (39, 40, 41)] == [math.inf] * 3
    assert expected_error(40, 10**9, 0.5) == pytest.approx(1 + 0.25)  # the error of predicting 0
    assert expected_error(10**9, 3, 0.5) == pytest.approx(0.25)


def test_an_unknown_structure_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^structure=spare: must be one of dense, factors, sparse$"):
        draw_problem([0], "spare", 5, 5, 1.0)
