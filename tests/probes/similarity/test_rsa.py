"""RSA against loops over pairs of samples."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from dlexp.probes.similarity.rsa import rsa


def gaussian(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def euclidean(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a - b) ** 2).sum()))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(1 - np.corrcoef(a, b)[0, 1])


@pytest.mark.parametrize("distance", [euclidean, correlation])
def test_it_is_spearmans_correlation_of_the_distances(distance) -> None:
    x, y = gaussian(0, 12, 4), np.abs(gaussian(0, 12, 4)) + gaussian(1, 12, 4)
    pairs = [(i, j) for i in range(12) for j in range(i)]
    first, second = ([distance(of[i], of[j]) for i, j in pairs] for of in (x, y))
    assert rsa(x, y, distance.__name__) == pytest.approx(spearmanr(first, second).statistic)


def test_equal_distances_share_their_rank() -> None:
    # On a line at 0, 1, 2 the distances are 1, 1, 2; at 0, 1, 3 they are 1, 2, 3: ranks (1.5, 3, 1.5) and (1, 3, 2).
    assert rsa([[0], [1], [2]], [[0], [1], [3]]) == pytest.approx(np.sqrt(3) / 2)


def test_a_map_that_keeps_the_order_of_the_distances_is_not_seen() -> None:
    x = np.sort(gaussian(0, 10, 1), axis=0)
    assert rsa(x, -5 * x + 2) == pytest.approx(1)
    assert rsa(x, np.exp(2 * x)) < 0.99


def test_only_the_correlation_distance_sees_a_rotation() -> None:
    x, turn = gaussian(0, 12, 4) + 2, np.linalg.qr(gaussian(1, 4, 4))[0]
    assert rsa(x, x @ turn) == pytest.approx(1)
    assert rsa(x, x @ turn, "correlation") < 0.9


def test_what_has_no_order_is_zero_or_refused() -> None:
    x = gaussian(0, 5, 3)
    assert rsa(x, np.ones((5, 2))) == 0
    with pytest.raises(ValueError, match=r"^two samples have one distance, and nothing to rank; give three or more$"):
        rsa(x[:2], x[:2])
    with pytest.raises(ValueError, match=r"^a sample whose features are all equal correlates with none; use the"):
        rsa(x, np.ones((5, 2)), "correlation")
