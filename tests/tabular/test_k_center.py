"""k-center greedy: at most twice the optimum, and equal to the algorithm as it is written."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular.k_center import farthest_first, k_center_greedy

Points = NDArray[np.float64]
tiny = arrays(np.float64, st.tuples(st.integers(4, 9), st.just(2)), elements=st.integers(-20, 20).map(float))


def radius(x: Points, chosen: tuple[int, ...]) -> float:
    return max(min(float(np.linalg.norm(row - x[j])) for j in chosen) for row in x)


@given(tiny, st.integers(1, 4), st.integers(0, 3))
def test_radius_is_at_most_twice_the_optimum(x: Points, k: int, first: int) -> None:
    chosen = k_center_greedy(x, k, first)
    best = min(radius(x, each) for each in combinations(range(len(x)), k))
    assert radius(x, tuple(chosen.tolist())) <= 2 * best + 1e-9


def test_two_is_tight() -> None:
    # From the middle of three points on a line, one center covers with radius 1; from an end, greedy needs 2.
    line = np.array([[0.0], [1.0], [2.0]])
    assert farthest_first(line, 1, first=0).radius == 2.0
    assert farthest_first(line, 1, first=1).radius == 1.0
    assert farthest_first(line, 1).order.tolist() == [1]  # None: the sample nearest to the mean


@given(tiny, st.integers(1, 4))
def test_it_is_gonzalez_algorithm(x: Points, k: int) -> None:
    walk = farthest_first(x, k, first=0)
    chosen = [0]
    while len(chosen) < k:
        gaps = [-1.0 if i in chosen else min(np.sum((x[i] - x[j]) ** 2) for j in chosen) for i in range(len(x))]
        chosen.append(int(np.argmax(gaps)))
    assert walk.order.tolist() == chosen
    assert walk.radius == pytest.approx(radius(x, tuple(chosen)))
    assert walk.distance == pytest.approx(np.linalg.norm(x - x[walk.order[walk.owner]], axis=1))
    assert walk.owner[walk.order].tolist() == list(range(k))  # each chosen sample belongs to itself
    for i, j in combinations(chosen, 2):
        assert np.linalg.norm(x[i] - x[j]) >= walk.radius - 1e-9


def test_a_prefix_is_the_choice_of_a_smaller_k() -> None:
    x = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    assert k_center_greedy(x, 30)[:10].tolist() == k_center_greedy(x, 10).tolist()


def test_samples_are_distinct_even_if_all_are_equal() -> None:
    assert sorted(k_center_greedy(np.ones((6, 2)), 6).tolist()) == list(range(6))


@given(tiny, st.floats(0.5, 4), st.floats(-50, 50))
def test_moving_and_scaling_change_nothing_on_a_grid(x: Points, scale: float, shift: float) -> None:
    # Powers of two and integers keep the arithmetic exact, so ties stay ties.
    scale, shift = 2.0 ** round(scale), float(round(shift))
    assert k_center_greedy(x, 3, 0).tolist() == k_center_greedy(scale * x + shift, 3, 0).tolist()


@pytest.mark.parametrize("first", [-1, 5])
def test_a_start_outside_the_rows_is_refused(first: int) -> None:
    with pytest.raises(InputError, match=rf"^first={first}: must be a row, 0\.\.4$"):
        farthest_first(np.zeros((5, 1)), 2, first)
