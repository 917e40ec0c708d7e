"""Angles between subspaces and between axes: known values, invariances, small angles; and auto-encoders against PCA."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlexp.models.linear_autoencoder import LinearAutoencoder, fit_linear_autoencoder, reconstruction_loss
from dlexp.probes.principal_angles import axis_angles, principal_angles


def orthogonal(size: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(size, size)))[0]


def test_known_angles() -> None:
    e = np.eye(5)
    tilted = np.column_stack([e[0], np.cos(0.3) * e[1] + np.sin(0.3) * e[2]])
    np.testing.assert_allclose(principal_angles(e[:, :2], tilted), [0, 0.3], atol=1e-12)
    np.testing.assert_allclose(principal_angles(e[:, :2], e[:, 2:4]), [np.pi / 2] * 2)
    np.testing.assert_allclose(principal_angles(e[:, :1], e[:, :3]), [0], atol=1e-12)  # held by the larger span


@pytest.mark.parametrize("angle", [1e-3, 1e-7, 1e-10, 1e-13])
def test_small_angles_are_not_lost(angle: float) -> None:
    e = np.eye(4)
    near = np.cos(angle) * e[:, :1] + np.sin(angle) * e[:, 1:2]
    assert principal_angles(e[:, :1], near)[0] == pytest.approx(angle, rel=1e-4)
    assert axis_angles(near, e[:, :1])[0] == pytest.approx(angle, rel=1e-4)


@settings(deadline=None, max_examples=40)
@given(m=st.integers(3, 8), p=st.integers(1, 3), q=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_subspaces_do_not_know_their_bases(m: int, p: int, q: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(m, p)), rng.normal(size=(m, q))
    angles = principal_angles(first, second)
    assert len(angles) == min(p, q)
    assert (np.diff(angles) >= 0).all()
    mixed = first @ (rng.normal(size=(p, p)) + 3 * np.eye(p))
    turned = orthogonal(m, rng)
    tight = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(principal_angles(mixed, second), angles, **tight)
    np.testing.assert_allclose(principal_angles(turned @ first, turned @ second), angles, **tight)
    np.testing.assert_allclose(principal_angles(second, first), angles, **tight)
    # By definition: the singular values of Q1^T Q2 are the cosines.
    bases = [np.linalg.qr(each)[0] for each in (first, second)]
    cosines = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    np.testing.assert_allclose(np.cos(angles), np.sort(cosines)[::-1], atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(m=st.integers(3, 8), p=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_axes_are_matched_in_any_order_sign_and_length(m: int, p: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = orthogonal(m, rng)[:, : min(p, m)]
    order = rng.permutation(reference.shape[1])
    disguised = reference[:, order] * rng.choice([-2.0, 0.5], size=reference.shape[1])
    np.testing.assert_allclose(axis_angles(disguised, reference), 0, atol=1e-7)


def test_a_rotated_basis_of_one_plane_has_other_axes() -> None:
    c, s = np.cos(0.4), np.sin(0.4)
    plane = np.eye(3)[:, :2]
    rotated = plane @ np.array([[c, -s], [s, c]])
    np.testing.assert_allclose(principal_angles(rotated, plane), 0, atol=1e-12)
    np.testing.assert_allclose(axis_angles(rotated, plane), 0.4)


def test_the_best_assignment_is_found_not_the_greedy_one() -> None:
    reference = np.eye(2)
    axes = np.column_stack([[0.8, 0.6], [1.0, 0.0]])  # both nearest to the first axis
    np.testing.assert_allclose(axis_angles(axes, reference), [0, np.arccos(0.6)], atol=1e-12)


@pytest.mark.parametrize(
    ("function", "first", "second", "message"),
    [
        (principal_angles, np.ones((3, 2)), np.eye(3), "the 2 columns are linearly dependent: they span fewer dim"),
        (principal_angles, np.eye(3), np.eye(4), "needs two matrices with as many rows, not (3, 3) and (4, 4)"),
        (axis_angles, np.eye(3), np.eye(3)[:, :2], "needs two matrices of one shape, not (3, 3) and (3, 2)"),
        (axis_angles, np.zeros((3, 1)), np.ones((3, 1)), "a column of zeros has no direction"),
    ],
)
def test_bad_matrices_are_refused(function, first, second, message) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        function(first, second)


VARIANCES = np.array([9.0, 4.0, 2.0, 0.5, 0.2, 0.1])


def covariance() -> tuple[torch.Tensor, np.ndarray]:
    """With known variances along known directions, the columns."""
    directions = orthogonal(6, np.random.default_rng(1))
    return torch.tensor(directions * VARIANCES @ directions.T), directions


def test_the_loss_is_the_reconstruction_error_of_the_data() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 6))
    x = torch.tensor(x - x.mean(axis=0))
    net = LinearAutoencoder(torch.randn(2, 6, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64))
    direct = (x - x @ net.encoder.T @ net.decoder.T).square().sum(dim=1).mean()
    weights = net.encoder.square().sum() + net.decoder.square().sum()
    torch.testing.assert_close(reconstruction_loss(net, x.T @ x / 50, 0.3), direct + 0.3 * weights)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_training_ends_at_the_principal_subspace_and_its_loss(seed: int) -> None:
    s, directions = covariance()
    net = fit_linear_autoencoder(s, 2, seed, iterations=100)
    assert principal_angles(net.decoder, directions[:, :2]).max() < 1e-4
    assert float(reconstruction_loss(net, s)) == pytest.approx(VARIANCES[2:].sum(), rel=1e-6)  # what PCA leaves
    assert axis_angles(net.decoder, directions[:, :2]).max() > 0.05


def test_weight_decay_gives_the_singular_values_of_the_theory() -> None:
    s, directions = covariance()
    decay = 0.05  # of the total variance
    net = fit_linear_autoencoder(s, 3, 0, decay=decay, iterations=300)
    left, values, _ = torch.linalg.svd(net.decoder, full_matrices=False)
    expected = np.sqrt(1 - decay * VARIANCES.sum() / VARIANCES[:3])
    np.testing.assert_allclose(values, expected, rtol=1e-4)
    assert axis_angles(left, directions[:, :3]).max() < 1e-2
    torch.testing.assert_close(net.encoder, net.decoder.T, rtol=1e-3, atol=1e-3)


def test_a_direction_weaker_than_the_decay_is_not_learned() -> None:
    s, _ = covariance()
    net = fit_linear_autoencoder(s, 3, 0, decay=0.2, iterations=300)  # shares of the variance: 0.57, 0.25, 0.13
    values = torch.linalg.svdvals(net.decoder)
    assert values[1] > 0.3
    assert values[2] < 1e-2


def test_the_scale_of_the_data_does_not_matter_and_the_seed_does() -> None:
    s, _ = covariance()
    once, again = (fit_linear_autoencoder(scale * s, 2, 5, iterations=10) for scale in (1.0, 1024.0))
    assert torch.equal(once.decoder, again.decoder)
    other = fit_linear_autoencoder(s, 2, 6, iterations=10)
    assert not torch.allclose(once.decoder, other.decoder, atol=1e-2)


def test_training_is_watched_from_the_start_to_the_end() -> None:
    s, _ = covariance()
    seen: list[int] = []
    losses: list[float] = []

    def watch(done: int, net: LinearAutoencoder) -> None:
        seen.append(done)
        losses.append(float(reconstruction_loss(net, s)))

    net = fit_linear_autoencoder(s, 2, 0, iterations=20, watch=watch)
    assert seen == [0, 5, 10, 15, 20]
    assert losses[-1] == float(reconstruction_loss(net, s)) < losses[0]
    with pytest.raises(ValueError, match="1 <= k <= 6, not k = 7"):
        fit_linear_autoencoder(s, 7, 0)
    with pytest.raises(ValueError, match="needs a covariance with some variance"):
        fit_linear_autoencoder(0 * s, 2, 0)
