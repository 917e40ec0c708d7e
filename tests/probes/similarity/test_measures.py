"""What each measure must and must not see, as properties; the measures taken apart against the plain functions."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlexp.probes.similarity.cca import pwcca, svcca
from dlexp.probes.similarity.cka import linear_cka, rbf_cka
from dlexp.probes.similarity.measures import MEASURES, layers_by_layers
from dlexp.probes.similarity.procrustes import procrustes
from dlexp.probes.similarity.rsa import rsa

PLAIN = {
    "linear CKA": linear_cka,
    "linear CKA, biased": partial(linear_cka, unbiased=False),
    "RBF CKA": rbf_cka,
    "RBF CKA, biased": partial(rbf_cka, unbiased=False),
    "SVCCA": svcca,
    "PWCCA": pwcca,
    "Procrustes": procrustes,
    "RSA": rsa,
}
every_measure = pytest.mark.parametrize("name", PLAIN)
a_few = settings(max_examples=20)
seeds = st.integers(0, 2**32 - 1)


def pair(seed: int, n: int = 24, features: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Two representations that have something in common, with directions of different sizes."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, features)) * np.arange(1, features + 1)
    return x, x @ rng.standard_normal((features, 5)) + 2 * rng.standard_normal((n, 5))


def orthogonal(seed: int, size: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]


def test_every_measure_is_tested() -> None:
    assert list(PLAIN) == list(MEASURES)


@every_measure
@a_few
@given(seeds)
def test_taken_apart_it_is_the_plain_function_within_its_range(name: str, seed: int) -> None:
    x, y = pair(seed)
    value = MEASURES[name](x, y)
    assert value == PLAIN[name](x, y)
    assert MEASURES[name].low <= value <= 1
    assert MEASURES[name](x, x) == pytest.approx(1)
    if MEASURES[name].symmetric:
        assert MEASURES[name](y, x) == pytest.approx(value)


@every_measure
@a_few
@given(seeds, st.floats(0.01, 100), st.floats(-5, 5))
def test_orthogonal_maps_scales_and_shifts_are_not_seen(name: str, seed: int, scale: float, shift: float) -> None:
    x, y = pair(seed)
    known = PLAIN[name](x, y)
    assert PLAIN[name](x, scale * y @ orthogonal(seed + 1, 5) + shift) == pytest.approx(known, abs=1e-8)
    if name != "PWCCA":  # whose weights are sums over the features of the first
        assert PLAIN[name](scale * x @ orthogonal(seed + 2, 6) + shift, y) == pytest.approx(known, abs=1e-8)
    assert PLAIN[name](scale * x[:, ::-1] + shift, y) == pytest.approx(known, abs=1e-8)  # but order matters to none


@every_measure
@pytest.mark.parametrize("seed", range(4))
def test_an_invertible_map_is_seen(name: str, seed: int) -> None:
    x, y = pair(seed)
    sizes = np.array([100.0, 1, 1, 1, 1, 1])
    turn = orthogonal(seed + 1, 6)
    stretched = x * sizes @ turn
    assert abs(PLAIN[name](stretched, y) - PLAIN[name](x, y)) > 0.01
    assert PLAIN[name](stretched @ turn.T / sizes, y) == pytest.approx(PLAIN[name](x, y), abs=1e-8)  # nothing is lost


@every_measure
def test_the_order_of_the_samples_does_not_matter_and_their_match_does(name: str) -> None:
    x, y = pair(0)
    order = np.random.default_rng(0).permutation(24)
    assert PLAIN[name](x[order], y[order]) == pytest.approx(PLAIN[name](x, y))
    assert PLAIN[name](x[order], y) < PLAIN[name](x, y) - 0.05


@every_measure
def test_many_more_features_than_samples_are_no_trouble(name: str) -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 8, 500)).astype(np.float32)
    assert MEASURES[name].low <= PLAIN[name](x, y) <= 1


@pytest.mark.parametrize("name", ["linear CKA", "PWCCA"])
def test_layers_are_compared_net_by_net(name: str) -> None:
    rng = np.random.default_rng(0)
    nets = [[rng.standard_normal((10, 2 + layer)) for layer in range(2)] for _ in range(3)]
    found = layers_by_layers(MEASURES[name], [[MEASURES[name].prepare(x) for x in net] for net in nets])
    assert found.shape == (3, 3, 2, 2)
    assert np.isnan(found[range(3), range(3)]).all()
    for a, b in ((0, 1), (1, 0), (2, 1)):
        assert found[a, b].tolist() == [[pytest.approx(PLAIN[name](x, y)) for y in nets[b]] for x in nets[a]]
