"""Facility location: lazy equals plain greedy, and the guarantee holds against brute force."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular import facility_location as module
from dlexp.tabular.facility_location import Coverage, facility_location, lazy_greedy, stochastic_greedy

Points = NDArray[np.float64]
GAMMA = 0.05
tiny = arrays(np.float64, st.tuples(st.integers(4, 9), st.just(2)), elements=st.floats(-9, 9, width=32))


def similarity(x: Points) -> Points:
    return np.exp(-GAMMA * np.square(x[:, None] - x[None]).sum(axis=2))


def value(x: Points, chosen: tuple[int, ...]) -> float:
    return float(similarity(x)[:, list(chosen)].max(axis=1).sum())


def assert_greedy(x: Points, chosen: list[int]) -> None:
    """Every step took a sample of the largest gain, all gains computed anew from the whole matrix.

    Up to rounding: two samples that are each other's only neighbours have equal gains.
    """
    pairs, covered = similarity(x), np.zeros(len(x))
    for number, row in enumerate(chosen):
        gains = np.maximum(pairs - covered, 0).sum(axis=1)
        gains[chosen[:number]] = -1
        assert gains[row] >= gains.max() - 1e-9
        covered = np.maximum(covered, pairs[row])


@pytest.mark.parametrize("seed", range(5))
def test_lazy_greedy_is_greedy(seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(150, 3)) * 3
    chosen = lazy_greedy(Coverage(x, x, GAMMA), 40).tolist()
    assert len(set(chosen)) == 40
    assert_greedy(x, chosen)


def test_lazy_greedy_renews_few_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    x, renewed = np.random.default_rng(0).normal(size=(400, 3)) * 3, list[int]()
    gains = Coverage.gains
    monkeypatch.setattr(Coverage, "gains", lambda self, rows: (renewed.append(len(rows)), gains(self, rows))[1])
    lazy_greedy(Coverage(x, x, GAMMA), 40)
    assert sum(renewed) < 0.3 * 400 * 40  # what plain greedy computes


@given(tiny, st.integers(1, 4))
def test_value_is_at_least_the_greedy_share_of_the_optimum(x: Points, k: int) -> None:
    chosen = tuple(facility_location(x, k, np.random.default_rng(0), GAMMA).tolist())
    best = max(value(x, each) for each in combinations(range(len(x)), k))
    assert value(x, chosen) >= (1 - 1 / np.e) * best - 1e-9


def test_value_and_gains_are_those_of_the_definition() -> None:
    x = np.random.default_rng(1).normal(size=(20, 3)) + 1000  # far from the origin
    coverage = Coverage(x, x, GAMMA)
    for chosen in ((4,), (4, 7), (4, 7, 0)):
        before = coverage.value
        gains = coverage.gains(np.arange(20))
        coverage.add(chosen[-1])
        assert coverage.value == pytest.approx(value(x, chosen))
        assert gains[chosen[-1]] == pytest.approx(coverage.value - before)


def test_stochastic_greedy_with_all_candidates_is_greedy() -> None:
    x = np.random.default_rng(2).normal(size=(60, 3)) * 3
    found = stochastic_greedy(Coverage(x, x, GAMMA), 10, np.random.default_rng(0), shortfall=1e-9)  # 60/10 ln 1e9 > 60
    assert_greedy(x, found.tolist())


def test_many_rows_are_sampled_and_the_choice_is_nearly_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(3).normal(size=(1000, 3)) * 3
    exact = value(x, tuple(facility_location(x, 20, np.random.default_rng(0), GAMMA).tolist()))
    monkeypatch.setattr(module, "EXACT_ROWS", 500)
    monkeypatch.setattr(module, "CLIENTS", 200)
    sampled = [facility_location(x, 20, np.random.default_rng(seed), GAMMA) for seed in (0, 0, 1)]
    assert sampled[0].tolist() == sampled[1].tolist() != sampled[2].tolist()
    assert len(set(sampled[0].tolist())) == 20
    random = np.mean([value(x, tuple(np.random.default_rng(s).choice(1000, 20, False).tolist())) for s in range(20)])
    for chosen in sampled:
        assert value(x, tuple(chosen.tolist())) > max(0.9 * exact, random)


def test_equal_samples_are_still_distinct_indices() -> None:
    assert facility_location(np.ones((5, 2)), 5, np.random.default_rng(0)).tolist() == list(range(5))


def test_a_gamma_that_is_not_positive_is_refused() -> None:
    with pytest.raises(InputError, match=r"^gamma=0: must be positive$"):
        facility_location(np.zeros((5, 2)), 2, np.random.default_rng(0), gamma=0)
