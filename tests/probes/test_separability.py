"""Measures of separability against closed forms, slow versions, invariances and samples without any class structure."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dlexp.probes.representations import Samples
from dlexp.probes.separability import PENALTIES, fisher_ratio, fit_linear_probe, knn_accuracy, silhouette

Matrix = NDArray[np.float64]


def drawn(n: int, m: int, k: int, seed: int, apart: float = 0.0) -> Samples:
    """n samples of k classes in turn: standard Gaussians whose means are `apart` times random unit vectors."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % k
    means = random.standard_normal((k, m))
    means *= apart / np.linalg.norm(means, axis=1, keepdims=True)
    return Samples(random.standard_normal((n, m)) + means[y], y)


def rotation(m: int, seed: int) -> Matrix:
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((m, m)))
    return np.asarray(q)


def slow_fisher(samples: Samples) -> float:
    mean = samples.x.mean(axis=0)
    between = within = 0.0
    for row, label in zip(samples.x, samples.y, strict=True):
        own = samples.x[samples.y == label].mean(axis=0)
        between += sum((own - mean) ** 2)
        within += sum((row - own) ** 2)
    return between / within


def slow_silhouette(samples: Samples) -> float:
    values = []
    for i, label in enumerate(samples.y):
        distance = np.sqrt(((samples.x - samples.x[i]) ** 2).sum(axis=1))
        own = [distance[j] for j in range(len(samples.y)) if samples.y[j] == label and j != i]
        a = float(np.mean(own)) if own else 0.0
        b = min(distance[samples.y == other].mean() for other in set(samples.y.tolist()) - {int(label)})
        values.append((b - a) / max(a, b) if own else 0.0)
    return float(np.mean(values))


def test_two_pairs_on_a_line_by_hand() -> None:
    # Classes at 0, 2 and 10, 12: means 1 and 11, overall 6.
    samples = Samples(np.array([[0.0], [2.0], [10.0], [12.0]]), np.array([0, 0, 1, 1]))
    assert fisher_ratio(samples) == pytest.approx((4 * 25) / (4 * 1))
    # a = 2 for all; b is 11 at the ends and 9 inside.
    assert silhouette(samples) == pytest.approx((2 * 9 / 11 + 2 * 7 / 9) / 4)
    assert knn_accuracy(samples, Samples(np.array([[3.0], [9.0]]), np.array([0, 0])), k=1) == 0.5


@settings(max_examples=20)
@given(st.integers(4, 12), st.integers(1, 4), st.integers(2, 3), st.integers(0, 1000))
def test_fast_equals_slow(n: int, m: int, k: int, seed: int) -> None:
    samples = drawn(n, m, k, seed, apart=1.0)
    assert fisher_ratio(samples) == pytest.approx(slow_fisher(samples))
    assert silhouette(samples) == pytest.approx(slow_silhouette(samples))


@settings(max_examples=20)
@given(st.integers(0, 1000), st.floats(0.01, 100), st.floats(-50, 50))
def test_rotation_scale_and_shift_change_nothing(seed: int, scale: float, shift: float) -> None:
    train, test = drawn(30, 4, 3, seed, 2.0), drawn(24, 4, 3, seed + 1, 2.0)

    def moved(samples: Samples) -> Samples:
        return Samples(scale * samples.x @ rotation(4, seed) + shift, samples.y)

    assert fisher_ratio(moved(test)) == pytest.approx(fisher_ratio(test), rel=1e-6)
    assert silhouette(moved(test)) == pytest.approx(silhouette(test), rel=1e-6)
    assert knn_accuracy(moved(train), moved(test), 3) == knn_accuracy(train, test, 3)


def test_the_probe_ignores_the_scale_of_each_feature_and_the_others_do_not() -> None:
    train, test = drawn(60, 4, 3, 0, 2.0), drawn(300, 4, 3, 0, 2.0)
    scale = np.array([1.0, 1000.0, 1.0, 0.001])

    def stretched(samples: Samples) -> Samples:
        return Samples(samples.x * scale + 5, samples.y)

    plain = fit_linear_probe(train, penalties=[1e-2]).correct(test)
    assert np.mean(plain == fit_linear_probe(stretched(train), penalties=[1e-2]).correct(stretched(test))) > 0.99
    assert fisher_ratio(stretched(test)) != pytest.approx(fisher_ratio(test), rel=0.01)


def test_without_classes_every_measure_is_at_its_floor() -> None:
    k, n = 4, 400
    found = []
    for seed in range(10):
        train, test = drawn(n, 5, k, 2 * seed), drawn(n, 5, k, 2 * seed + 1)
        probe = fit_linear_probe(train, penalties=[1e-2])
        found.append((probe.accuracy(test), knn_accuracy(train, test), fisher_ratio(test), silhouette(test)))
    accuracy, neighbours, fisher, heights = np.mean(found, axis=0)
    assert accuracy == pytest.approx(1 / k, abs=0.03)  # four standard errors of 4,000 samples
    assert neighbours == pytest.approx(1 / k, abs=0.03)
    assert fisher == pytest.approx((k - 1) / (n - k), rel=0.5)
    assert -0.05 < heights <= 0


def test_a_ring_around_a_disc_has_neighbours_and_no_half_space() -> None:
    random = np.random.default_rng(0)
    angle, y = random.uniform(0, 2 * np.pi, 300), np.arange(300) % 2
    radius = np.where(y == 0, random.uniform(0, 1, 300), random.uniform(2, 3, 300))
    samples = Samples(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y)
    train, test = Samples(samples.x[:200], y[:200]), Samples(samples.x[200:], y[200:])
    assert knn_accuracy(train, test) == 1.0
    assert fit_linear_probe(train, penalties=[1e-3]).accuracy(test) < 0.75


def test_the_penalty_is_chosen_on_validation_samples_and_the_strongest_of_equals() -> None:
    train = drawn(12, 60, 2, 0, 1.0)
    probes = {penalty: fit_linear_probe(train, penalties=[penalty]) for penalty in (100.0, *PENALTIES)}
    validation = drawn(200, 60, 2, 0, 1.0)
    chosen = fit_linear_probe(train, validation, list(probes))
    best = max(probe.accuracy(validation) for probe in probes.values())
    assert chosen.accuracy(validation) == best
    assert chosen.penalty == next(p for p, probe in probes.items() if probe.accuracy(validation) == best)


def test_the_penalty_means_the_same_for_twice_the_samples() -> None:
    once = drawn(20, 3, 2, 1, 1.0)
    twice = Samples(np.concatenate([once.x, once.x]), np.concatenate([once.y, once.y]))
    weights = [fit_linear_probe(each, penalties=[0.1]).fitted[-1].coef_ for each in (once, twice)]
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-3)


def test_points_and_nothing_at_all() -> None:
    corners = Samples(np.array([[0.0, 0], [0, 0], [1, 1], [1, 1]]), np.array([0, 0, 1, 1]))
    assert fisher_ratio(corners) == math.inf
    assert silhouette(corners) == 1.0
    dead = Samples(np.full((4, 3), 0.1), np.array([0, 0, 1, 1]))
    assert (fisher_ratio(dead), silhouette(dead)) == (0.0, 0.0)


def test_bad_input_is_named() -> None:
    one = Samples(np.zeros((4, 2)), np.zeros(4, dtype=np.int64))
    two = drawn(4, 2, 2, 0)
    with pytest.raises(ValueError, match="a probe needs samples of two classes or more"):
        fit_linear_probe(one, penalties=[1.0])
    with pytest.raises(ValueError, match="to choose among penalties, a probe needs validation samples"):
        fit_linear_probe(two)
    with pytest.raises(ValueError, match="k=5: must be 1 to 4, the number of samples to choose from"):
        knn_accuracy(two, two)
    with pytest.raises(ValueError, match="1 classes of 4 samples: a silhouette needs two classes, one with a pair"):
        silhouette(one)
