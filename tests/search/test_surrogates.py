"""Surrogates judged: closed forms, folds that never leak, and functions whose predictability is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlexp.search.space import Categorical, LogUniform, Space
from dlexp.search.surrogates import held_out_quality, quality, random_folds, surrogates, value_folds

SPACE = Space({"kind": Categorical(("a", "b", "c")), "lr": LogUniform(1e-4, 1.0, 20)})
GRID = SPACE.grid()
X = SPACE.encode(GRID)


def test_quality_in_closed_form() -> None:
    true = np.array([0.0, 1.0, 2.0, 3.0])
    perfect = quality(true, true, 5.0)
    assert (perfect.r2, perfect.rank_correlation, perfect.regret) == (1.0, 1.0, 0.0)
    mean = quality(np.full(4, 5.0), true, 5.0)
    assert (mean.r2, mean.rank_correlation) == (0.0, 0.0)
    assert mean.regret == 1.5  # a constant prediction picks any: the mean of them
    reversed_order = quality(true[::-1].copy(), true, 1.5)
    assert reversed_order.r2 == pytest.approx(1 - 20 / 5)
    assert (reversed_order.rank_correlation, reversed_order.regret) == (pytest.approx(-1.0), 3.0)


@given(st.integers(2, 40), st.integers(2, 10), st.integers(0, 5))
def test_folds_hold_every_configuration_out_once_and_never_fit_on_it(n: int, count: int, seed: int) -> None:
    folds = random_folds(n, min(count, n), seed)
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(n))
    for fit_on, held_out in folds:
        assert not set(fit_on) & set(held_out)
        assert len(fit_on) + len(held_out) == n


def test_value_folds_hold_out_all_of_one_value() -> None:
    folds = dict(value_folds(SPACE, GRID, "kind"))
    assert list(folds) == ["a", "b", "c"]
    fit_on, held_out = folds["b"]
    assert {GRID[index]["kind"] for index in held_out} == {"b"}
    assert {GRID[index]["kind"] for index in fit_on} == {"a", "c"}


def held_out(name: str, y: np.ndarray) -> float:
    return held_out_quality(surrogates(0)[name], X, y, random_folds(len(GRID), 5, 0)).r2


def test_the_mean_predictor_explains_nothing() -> None:
    assert held_out("mean", np.random.default_rng(0).random(len(GRID))) == 0.0


@pytest.mark.parametrize("name", ["ridge", "ridge, squares and products", "Gaussian process"])
def test_a_linear_function_is_predicted(name: str) -> None:
    assert held_out(name, X @ np.array([0.1, 0.5, -0.2, 0.3])) > 0.98


@pytest.mark.parametrize("name", [name for name in surrogates(0) if name not in ("mean", "ridge")])
def test_an_interaction_is_seen_by_all_but_the_linear_surrogate(name: str) -> None:
    y = (X[:, 0] - X[:, 1]) * X[:, 3]  # the rate helps one kind and harms another
    assert held_out(name, y) > 0.8
    assert held_out("ridge", y - X @ np.linalg.lstsq(X, y, rcond=None)[0]) < 0.2


def test_noise_is_not_predicted() -> None:
    y = np.random.default_rng(1).normal(size=len(GRID))
    for name in surrogates(0):
        assert held_out(name, y) < 0.1
