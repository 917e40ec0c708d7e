"""The rule of the tunnel on curves made by hand, and the rank of planted subspaces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlexp.probes.tunnel import Tunnel, find_tunnel, gain_to_come, numerical_rank

CURVE = [0.50, 0.80, 0.95, 0.948, 0.955, 0.953]


def test_the_gain_to_come_is_the_best_later_one() -> None:
    np.testing.assert_allclose(gain_to_come(CURVE), [0.455, 0.155, 0.005, 0.007, -0.002, 0])


@pytest.mark.parametrize(("margin", "start"), [(0.01, 2), (0.006, 2), (0.004, 4), (0.2, 1), (0.5, 0)])
def test_the_start_is_where_nothing_worth_the_margin_comes(margin: float, start: int) -> None:
    assert find_tunnel(CURVE, margin) == Tunnel(start, 5)


def test_a_rise_to_the_end_leaves_no_tunnel_and_a_fall_leaves_nothing_else() -> None:
    assert find_tunnel([0.1, 0.2, 0.3, 0.4], 0.05).share == 0.0
    assert find_tunnel([0.9, 0.8, 0.7], 0.05) == Tunnel(0, 2)
    assert find_tunnel([0.9, 0.8, 0.7], 0.05).share == 1.0


def test_a_dip_before_a_later_rise_is_no_tunnel() -> None:
    assert find_tunnel([0.5, 0.9, 0.85, 0.85, 0.95], 0.01).start == 4


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(0.001, 0.5))
def test_the_rule_by_brute_force(curve: list[float], margin: float) -> None:
    found = find_tunnel(curve, margin).start
    holds = [all(later - curve[at] < margin for later in curve[at + 1 :]) for at in range(len(curve))]
    assert found == holds.index(True)


def test_bad_curves_and_margins_are_named() -> None:
    with pytest.raises(ValueError, match=r"margin=0: must be above 0"):
        find_tunnel(CURVE, 0)
    with pytest.raises(ValueError, match=r"accuracies of shape \(1,\): must be those of two positions or more"):
        find_tunnel([0.5], 0.01)


@pytest.mark.parametrize("rank", [1, 3, 7])
def test_the_rank_of_a_planted_subspace_whatever_its_place(rank: int) -> None:
    random = np.random.default_rng(rank)
    x = random.standard_normal((100, rank)) @ random.standard_normal((rank, 10)) + 5
    assert numerical_rank(x) == rank
    assert numerical_rank(1e-6 * x) == rank
    assert numerical_rank(x + 1e-6 * random.standard_normal(x.shape)) == rank  # noise below the share


def test_the_share_is_one_of_variances() -> None:
    random = np.random.default_rng(0)
    x = np.linalg.qr(random.standard_normal((50, 3)) - 0)[0]
    x = (x - x.mean(axis=0)) @ np.diag([1.0, 0.2, 0.01])
    variances = np.linalg.eigvalsh(np.cov(x.T))
    for share in (0.5, 0.01, 1e-3, 1e-6):
        assert numerical_rank(x, share) == int((variances > share * variances.max()).sum())
    assert numerical_rank(np.ones((5, 3))) == 0
