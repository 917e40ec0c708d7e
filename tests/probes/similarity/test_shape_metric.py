"""The stochastic shape metric against closed forms, a search over all rotations, and Procrustes."""

import math

import numpy as np
import pytest
from scipy.linalg import sqrtm

from dlexp.probes.similarity.procrustes import procrustes_distance
from dlexp.probes.similarity.shape_metric import Responses, responses, shape_similarity, stochastic_shape_distance


def draws(seed: int, n: int = 6, repeats: int = 9, features: int = 2) -> np.ndarray:
    """Answers whose noise has a direction and size of its own for every sample."""
    rng = np.random.default_rng(seed)
    spread = rng.standard_normal((n, features, features))
    return rng.standard_normal((n, 1, features)) + rng.standard_normal((n, repeats, features)) @ spread * 0.7


def squared_distance(x: Responses, y: Responses, rotation: np.ndarray) -> float:
    """The definition, for one rotation, with matrix square roots."""
    total = 0.0
    for mean, root, other_mean, other_root in zip(x.means, x.roots, y.means, y.roots, strict=True):
        cov, other = root @ root, rotation @ other_root @ other_root @ rotation.T
        half = sqrtm(cov).real
        bures = np.trace(cov + other - 2 * sqrtm(half @ other @ half).real)
        total += x.alpha * ((mean - rotation @ other_mean) ** 2).sum() + (2 - x.alpha) * bures
    return total / len(x.means)


@pytest.mark.parametrize("alpha", [0, 0.5, 1, 2])
def test_no_rotation_of_the_plane_does_better(alpha: float) -> None:
    x, y = (responses(draws(seed), alpha) for seed in (0, 1))
    angles = np.linspace(0, 2 * np.pi, 361)
    turns = [np.array([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]]) for t in angles]
    best = min(squared_distance(x, y, turn @ flip) for turn in turns for flip in (np.eye(2), np.diag([1, -1])))
    found = stochastic_shape_distance(draws(0), draws(1), alpha) ** 2
    assert found == pytest.approx(best, abs=2e-4)
    assert found <= best + 1e-6


def test_with_one_feature_it_is_the_wasserstein_distance_of_gaussians() -> None:
    x, y = draws(0, features=1), draws(1, features=1)
    scaled = [each - each.mean() for each in (x, y)]
    scaled = [each / np.sqrt((each.mean(axis=1) ** 2 + each.var(axis=1, ddof=1)).mean()) for each in scaled]
    (mean, other), (std, other_std) = zip(*[(e.mean(axis=1), e.std(axis=1, ddof=1)) for e in scaled], strict=True)
    known = min(np.mean((mean - sign * other) ** 2 + (std - other_std) ** 2) for sign in (1, -1))
    assert stochastic_shape_distance(x, y) ** 2 == pytest.approx(known)


def test_means_only_is_procrustes_of_the_means() -> None:
    x, y = draws(0, n=12, features=4), draws(1, n=12, features=3)
    known = procrustes_distance(x.mean(axis=1), y.mean(axis=1))
    assert stochastic_shape_distance(x, y, alpha=2) == pytest.approx(known)


def test_covariances_only_do_not_see_the_means_and_the_other_way_round() -> None:
    x = draws(0)
    moved = x + np.random.default_rng(5).standard_normal((6, 1, 2))
    noise = x - x.mean(axis=1, keepdims=True)
    louder = x.mean(axis=1, keepdims=True) + noise * np.arange(1, 7)[:, None, None]
    for changed, blind in ((moved, 0), (louder, 2)):
        assert stochastic_shape_distance(x, changed, blind) == pytest.approx(0, abs=1e-3)
        assert stochastic_shape_distance(x, changed, 1) > 0.1


@pytest.mark.parametrize("alpha", [0, 1, 2])
def test_rotation_scale_and_shift_are_not_seen_and_a_stretch_is(alpha: float) -> None:
    x = draws(0, features=3)
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    assert stochastic_shape_distance(x, 3 * x @ turn - 4, alpha) == pytest.approx(0, abs=2e-3)
    assert stochastic_shape_distance(x, x @ np.diag([1, 1, 9]), alpha) > 0.1
    padded = np.pad(x, ((0, 0), (0, 0), (0, 2)))
    assert stochastic_shape_distance(x, padded, alpha) == pytest.approx(0, abs=2e-3)


def test_it_is_a_metric_on_these() -> None:
    answers = [draws(seed, features=features) for seed, features in enumerate((1, 2, 2, 3))]
    distance = np.array([[stochastic_shape_distance(x, y, starts=6) for y in answers] for x in answers])
    assert np.allclose(distance, distance.T, atol=1e-4)
    assert distance.max() <= math.sqrt(2)
    assert (distance[:, None] <= distance[:, :, None] + distance[None] + 1e-4).all()


@pytest.mark.parametrize("shape", [(5, 4, 12), (30, 8, 4)])  # fewer draws than features, and more
def test_keeping_all_principal_directions_changes_nothing(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).standard_normal(shape)
    rank = min(shape[0] * shape[1], shape[2])
    whole = responses(x)
    assert shape_similarity(whole, responses(x, dimensions=rank)) == pytest.approx(1, abs=1e-5)
    few = responses(x, dimensions=2)
    assert few.means.shape == (shape[0], 2)
    assert few.roots.shape == (shape[0], 2, 2)
    # The plane of largest variance: no other one leaves more of the draws.
    around = (x - x.mean(axis=(0, 1))).reshape(-1, shape[2])
    most = np.sort(np.linalg.eigvalsh(around.T @ around))[-2:].sum()
    r = shape[1]
    kept = (few.means**2).sum() * r + (few.roots**2).sum() * (r - 1)
    total = (whole.means**2).sum() * r + (whole.roots**2).sum() * (r - 1)
    scale = ((whole.means**2).sum() + (whole.roots**2).sum()) / shape[0]
    assert scale == pytest.approx(1)
    assert kept / total >= most / (around**2).sum() - 1e-9


def test_bad_draws_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^draws must be finite, \(N, R, F\) with R >= 2, not \(6, 1, 2\)$"):
        responses(draws(0)[:, :1])
    with pytest.raises(ValueError, match=r"^alpha=3: must lie in 0\.\.2$"):
        responses(draws(0), alpha=3)
    with pytest.raises(ValueError, match=r"^the two must sum up the same number of samples with the same alpha$"):
        shape_similarity(responses(draws(0)), responses(draws(1), alpha=2))


def test_what_never_changes_is_like_nothing() -> None:
    still = np.repeat(draws(0)[:, :1], 9, axis=1)
    assert stochastic_shape_distance(still, draws(1), alpha=0) == math.sqrt(2)
    assert stochastic_shape_distance(still, still, alpha=1) == pytest.approx(0, abs=1e-3)
