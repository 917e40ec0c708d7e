"""Procrustes against scipy's rotation and the properties of a metric."""

import math

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from dlexp.probes.similarity.features import unit
from dlexp.probes.similarity.procrustes import procrustes, procrustes_distance


def gaussian(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize(("n", "first", "second"), [(20, 5, 5), (20, 3, 5), (6, 9, 9)])
def test_distance_is_what_the_best_rotation_leaves(n: int, first: int, second: int) -> None:
    x, y = unit(gaussian(0, n, first) + 3), unit(gaussian(1, n, second))
    padded = np.pad(x, ((0, 0), (0, second - first)))
    rotation, _ = orthogonal_procrustes(y, padded)
    assert procrustes_distance(7 * x, y) == pytest.approx(np.linalg.norm(padded - y @ rotation))


def test_of_one_feature_it_is_the_correlation() -> None:
    x, y = gaussian(0, 30, 1), gaussian(1, 30, 1)
    assert procrustes(x, y) == pytest.approx(abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1]))


def test_it_is_a_metric() -> None:
    shapes = [gaussian(seed, 12, features) for seed, features in enumerate((2, 3, 4, 5, 15, 20))]
    distance = np.array([[procrustes_distance(x, y) for y in shapes] for x in shapes])
    assert np.allclose(distance, distance.T)
    assert distance.diagonal() == pytest.approx(np.zeros(6), abs=1e-7)
    assert distance.max() <= math.sqrt(2)
    assert (distance[:, None] <= distance[:, :, None] + distance[None] + 1e-7).all()


def test_of_what_does_not_vary_the_similarity_is_zero() -> None:
    assert procrustes(gaussian(0, 8, 3), np.ones((8, 2))) == 0
    assert procrustes_distance(gaussian(0, 8, 3), np.ones((8, 2))) == math.sqrt(2)
