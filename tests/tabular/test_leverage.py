"""Leverage scores against the hat matrix, and that samples are drawn by them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from dlexp.tabular.leverage import leverage_sampling, leverage_scores

Points = NDArray[np.float64]


@pytest.fixture
def points() -> Points:
    return np.random.default_rng(0).normal(size=(60, 4)) * [1, 10, 0.1, 3] + 100


def test_scores_are_the_diagonal_of_the_hat_matrix(points: Points) -> None:
    with_intercept = np.column_stack([np.ones(60), points])
    hat = with_intercept @ np.linalg.pinv(with_intercept)
    assert leverage_scores(points) == pytest.approx(np.diag(hat) - 1 / 60, abs=1e-9)


def test_scores_sum_to_the_rank_and_lie_within_0_and_1(points: Points) -> None:
    doubled = np.column_stack([points, points[:, 0] + points[:, 1], np.ones(60)])  # rank 4 still
    scores = leverage_scores(doubled)
    assert scores.sum() == pytest.approx(4)
    assert scores == pytest.approx(leverage_scores(points), abs=1e-7)
    assert scores.min() >= 0
    assert scores.max() <= 1


def test_invertible_maps_change_nothing(points: Points) -> None:
    mapped = points @ np.random.default_rng(1).normal(size=(4, 4)) - 7
    assert leverage_scores(mapped) == pytest.approx(leverage_scores(points), abs=1e-7)


def test_a_lone_direction_has_score_1_and_is_always_drawn_among_the_first() -> None:
    x = np.zeros((50, 2))
    x[:25, 0] = 1
    x[49, 1] = 1  # nobody else goes there
    scores = leverage_scores(x)
    assert scores[49] == pytest.approx(1 - 1 / 50, abs=0.03)
    drawn = [49 in leverage_sampling(x, 20, np.random.default_rng(seed)) for seed in range(50)]
    assert np.mean(drawn) > 0.95  # random choice: 0.4


def test_single_draws_follow_the_scores() -> None:
    x = np.random.default_rng(2).normal(size=(6, 2))
    share = leverage_scores(x) / leverage_scores(x).sum()
    rng = np.random.default_rng(3)
    counts = np.bincount([leverage_sampling(x, 1, rng)[0] for _ in range(4000)], minlength=6)
    assert counts / 4000 == pytest.approx(share, abs=4 * np.sqrt(0.25 / 4000))


def test_samples_without_leverage_come_last_and_only_once() -> None:
    assert sorted(leverage_sampling(np.ones((5, 2)), 5, np.random.default_rng(0)).tolist()) == list(range(5))
    x = np.array([[0.0], [0.0], [0.0], [-1.0], [1.0]])  # the first three are at the mean
    assert sorted(leverage_sampling(x, 2, np.random.default_rng(0)).tolist()) == [3, 4]
