"""Herding: the mean of the chosen approaches the mean of all, faster than chance."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular.herding import herding, kernel_herding, random_fourier_features

Points = NDArray[np.float64]


@pytest.fixture(scope="module")
def points() -> Points:
    return np.random.default_rng(0).normal(size=(2000, 5))


def error(x: Points, chosen: NDArray[np.int64]) -> float:
    return float(np.linalg.norm(x[chosen].mean(axis=0) - x.mean(axis=0)))


def test_it_is_the_algorithm_as_written(points: Points) -> None:
    x = points[:100]
    mean, weights, chosen = x.mean(axis=0), x.mean(axis=0), list[int]()
    for _ in range(20):
        scores = x @ weights
        scores[chosen] = -np.inf
        chosen.append(int(scores.argmax()))
        weights = weights + mean - x[chosen[-1]]
    assert herding(x, 20).tolist() == chosen


def test_with_repetition_the_error_falls_as_one_over_k(points: Points) -> None:
    # k times the error is ||w_k - w_0||, which stays bounded: no growth from k = 50 to 2000, a factor of 40.
    chosen = herding(points, 2000, repeat=True)
    scaled = [k * error(points, chosen[:k]) for k in (50, 200, 800, 2000)]
    assert max(scaled) < 3 * np.linalg.norm(points, axis=1).max()
    assert scaled[-1] < 3 * scaled[0]
    assert len(set(chosen.tolist())) < 2000


@pytest.mark.parametrize("k", [20, 100])
def test_without_repetition_it_beats_chance_by_far(points: Points, k: int) -> None:
    chosen = herding(points, k)
    assert len(set(chosen.tolist())) == k
    random = [error(points, np.random.default_rng(seed).choice(2000, k, replace=False)) for seed in range(20)]
    assert error(points, chosen) < 0.3 * np.mean(random)
    assert herding(points, k)[:10].tolist() == herding(points, 10).tolist()


def test_random_features_give_the_kernel() -> None:
    rng = np.random.default_rng(1)
    x, gamma = rng.normal(size=(30, 4)), 0.2
    features = random_fourier_features(x, 20_000, gamma, rng).astype(np.float64)
    kernel = np.exp(-gamma * np.square(x[:, None] - x[None]).sum(axis=2))
    assert np.abs(features @ features.T - kernel).max() < 0.05


def test_kernel_herding_matches_the_mean_embedding_better_than_chance() -> None:
    x = np.random.default_rng(2).normal(size=(500, 4))
    kernel = np.exp(-np.square(x[:, None] - x[None]).sum(axis=2) / x.var(axis=0).sum())

    def discrepancy(chosen: NDArray[np.int64]) -> float:  # maximum mean discrepancy, squared
        among, between = kernel[np.ix_(chosen, chosen)].mean(), kernel[chosen].mean()
        return float(among - 2 * between + kernel.mean())

    random = [discrepancy(np.random.default_rng(seed).choice(500, 25, replace=False)) for seed in range(20)]
    herded = [discrepancy(kernel_herding(x, 25, np.random.default_rng(seed))) for seed in range(5)]
    assert max(herded) < 0.5 * np.mean(random)


def test_choosing_all_takes_each_once(points: Points) -> None:
    assert sorted(herding(points[:30], 30).tolist()) == list(range(30))


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(InputError, match=r"^k=6: there are 5 samples to choose from; lower k$"):
        herding(np.zeros((5, 2)), 6)
    assert len(herding(np.eye(5), 6, repeat=True)) == 6
    with pytest.raises(InputError, match=r"^n_features=0: must be at least 1$"):
        random_fourier_features(np.zeros((5, 2)), 0, 1.0, np.random.default_rng(0))
