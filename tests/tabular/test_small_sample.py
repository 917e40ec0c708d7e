"""Cures for m > n on problems where the best one is known, and the measurements of one data set."""

import numpy as np
import pytest

from dlexp.tabular.closed_form import Array, minimum_norm, normal_equations, ridge_dual
from dlexp.tabular.leave_one_out import press
from dlexp.tabular.linear_problems import draw_problem
from dlexp.tabular.small_sample_cures import CURES, all_cures, best_of_path, few_features
from dlexp.tabular.small_sample_trials import relative_distance, ridge_identities, singularity

PENALTIES = np.logspace(-3, 3, 25)


def mean_errors(structure: str) -> dict[str, float]:
    """Each cure's test error, geometric mean over eight problems."""
    logs = []
    for seed in range(8):
        data = draw_problem([seed], structure, 60, 180, 0.3)
        weights = all_cures(data.x, data.y, PENALTIES, 10, 5, np.random.default_rng(0))
        assert tuple(weights) == CURES
        logs.append([np.log(data.test_error(w)) for w in weights.values()])
    return dict(zip(CURES, np.exp(np.mean(logs, axis=0)).tolist(), strict=True))


def test_every_cure_is_what_its_name_says() -> None:
    data = draw_problem([0], "dense", 40, 120, 0.3)
    weights = all_cures(data.x, data.y, PENALTIES, 10, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(weights["naive inverse"], normal_equations(data.x, data.y))
    np.testing.assert_array_equal(weights["minimum norm"], minimum_norm(data.x, data.y))
    chosen = float(PENALTIES[press(data.x, data.y, PENALTIES).argmin()])
    np.testing.assert_array_equal(weights["ridge"], ridge_dual(data.x, data.y, chosen))
    for name in ("n - 1 best features", "n - 1 random features"):
        assert np.count_nonzero(weights[name]) == 39
    assert 1 <= np.count_nonzero(weights["few best features"]) <= 10


def test_each_structure_has_its_cure() -> None:
    sparse, factors = mean_errors("sparse"), mean_errors("factors")
    assert sparse["few best features"] < 0.7 * min(sparse["ridge"], sparse["PCR"], sparse["minimum norm"])
    assert factors["PCR"] < 0.9 * min(factors["few best features"], factors["minimum norm"])
    assert sparse["naive inverse"] > 100
    assert factors["n - 1 best features"] > 2 * factors["ridge"]


def test_features_are_ranked_without_the_rows_left_out() -> None:
    seen = []

    def path(x: Array, y: Array, most: int) -> Array:
        seen.append(len(x))
        return few_features(x, y, most)

    data = draw_problem([0], "sparse", 40, 120, 0.3)
    w = best_of_path(path, data.x, data.y, 6, 5)
    assert seen == [32] * 5 + [40]
    assert any(np.array_equal(w, each) for each in few_features(data.x, data.y, 6))


def test_with_enough_rows_all_features_are_kept() -> None:
    data = draw_problem([0], "dense", 30, 4, 0.1)
    weights = all_cures(data.x, data.y, PENALTIES, 4, 5, np.random.default_rng(0))
    for name in ("minimum norm", "n - 1 best features", "n - 1 random features"):
        np.testing.assert_allclose(weights[name], weights["naive inverse"], atol=1e-10)


def test_singularity_of_a_regular_and_of_a_singular_problem() -> None:
    regular, singular = draw_problem([0], "dense", 30, 6, 0.3), draw_problem([0], "dense", 30, 60, 0.3)
    order = np.random.default_rng(0).permutation(30)
    good, bad = (singularity(data.x, data.y, order) for data in (regular, singular))
    assert (good["rank"], bad["rank"]) == (6, 30)
    assert 10 ** good["log condition"] == pytest.approx(np.linalg.cond(regular.x) ** 2)
    assert bad["log condition"] > 15
    assert good["not an inverse"] < 1e-12 < 0.1 < bad["not an inverse"]
    assert good["log order"] < -12
    assert bad["log order"] > -2  # the same rows in another order give other weights
    residual = regular.y - regular.x @ minimum_norm(regular.x, regular.y)
    assert good["training"] == pytest.approx(np.mean(residual**2))
    assert bad["training"] > 1e-3


def test_ridge_identities_hold_and_the_primal_form_loses_digits() -> None:
    data = draw_problem([0], "dense", 20, 40, 0.5)
    vanishing = np.array([1e-2, 1e-4, 1e-10])
    found = ridge_identities(data.x, data.y, np.array([1e-2, 1.0]), vanishing)
    assert found["primal = dual"] < 1e-8
    assert found["leave-one-out"] < 1e-8
    assert found["dual"][0] / found["dual"][1] == pytest.approx(100, rel=0.05)
    assert found["dual"][2] < 1e-9 < 1e-6 < found["primal"][2]
    np.testing.assert_allclose(found["primal"][:2], found["dual"][:2], rtol=1e-3)


def test_relative_distance_by_hand() -> None:
    assert relative_distance(np.array([3.0, 8.0]), np.array([3.0, 4.0])) == pytest.approx(0.8)
