"""k-medoids: the best medoid of a cluster is exact, the cost never grows, the end is a fixed point."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dlexp.tabular.k_medoids import best_medoids, clusters, cost, k_medoids, plus_plus_seeds

Points = NDArray[np.float64]
tiny = arrays(np.float64, st.tuples(st.integers(4, 10), st.just(2)), elements=st.integers(-20, 20).map(float))


@given(tiny, st.integers(1, 4), st.integers(0, 99))
def test_each_medoid_is_the_best_sample_of_its_cluster(x: Points, k: int, seed: int) -> None:
    medoids = np.sort(plus_plus_seeds(x, k, np.random.default_rng(seed)))
    owner = clusters(x, medoids)
    for number, medoid in enumerate(best_medoids(x, owner, k)):
        members = np.flatnonzero(owner == number)
        within = [np.square(x[members] - x[member]).sum() for member in members]
        assert medoid in members
        assert np.square(x[members] - x[medoid]).sum() == pytest.approx(min(within), abs=1e-9)


@given(tiny, st.integers(1, 4), st.integers(0, 99))
def test_the_cost_never_grows_and_the_end_is_a_fixed_point(x: Points, k: int, seed: int) -> None:
    costs = [cost(x, k_medoids(x, k, np.random.default_rng(seed), iterations)) for iterations in range(6)]
    assert all(after <= before + 1e-9 for before, after in pairwise(costs))
    end = k_medoids(x, k, np.random.default_rng(seed))
    assert len(set(end.tolist())) == k
    moved = best_medoids(x, clusters(x, end), k)
    assert cost(x, moved) == pytest.approx(cost(x, end), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_clusters_far_apart_get_one_medoid_each_the_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centres = np.repeat([[0, 0], [1000, 0], [0, 1000]], 4, axis=0)
    x = rng.normal(size=(12, 2)) + centres
    medoids = k_medoids(x, 3, rng)
    best = min(cost(x, np.array(each)) for each in combinations(range(12), 3))
    assert sorted(m // 4 for m in medoids.tolist()) == [0, 1, 2]
    assert cost(x, medoids) == pytest.approx(best)


def test_seeds_are_never_drawn_twice_and_never_at_weight_zero() -> None:
    x = np.repeat([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]], 4, axis=0)  # three places, four samples each
    for seed in range(50):
        seeds = plus_plus_seeds(x, 3, np.random.default_rng(seed))
        assert sorted(s // 4 for s in seeds.tolist()) == [0, 1, 2]
        assert sorted(plus_plus_seeds(x, 12, np.random.default_rng(seed)).tolist()) == list(range(12))


def test_equal_samples_are_still_distinct_medoids() -> None:
    assert k_medoids(np.ones((6, 2)), 4, np.random.default_rng(0)).size == 4
    assert np.unique(k_medoids(np.ones((6, 2)), 4, np.random.default_rng(0))).size == 4


def test_the_same_seed_gives_the_same_medoids() -> None:
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    first, second, other = (k_medoids(x, 9, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2))
    assert first == second != other
