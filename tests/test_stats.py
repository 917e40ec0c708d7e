"""Intervals against hand-computed values, brute force and known distributions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlexp.claims import claim_above, claim_below, claim_within
from dlexp.stats import Interval, interval_of, mean_interval, paired_interval, spearman


def test_t_interval_by_hand() -> None:
    # mean 2, standard deviation 1, n = 3: half width t(0.975, 2) / sqrt(3), t from the printed tables
    interval = mean_interval([1.0, 2.0, 3.0])
    assert interval.mean == 2.0
    assert interval.high is not None
    assert interval.high - 2.0 == pytest.approx(4.30265 / math.sqrt(3), abs=1e-5)
    assert interval.n == 3


def test_one_value_has_no_interval() -> None:
    assert mean_interval([0.7]) == Interval(0.7, None, None, 1)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf, 1.0]])
def test_no_interval_of_nothing_or_of_non_finite_values(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one value, and all of them finite"):
        mean_interval(values)


def test_pairing_removes_what_the_pairs_share() -> None:
    seeds = np.array([0.0, 10.0, 20.0, 30.0])
    interval = paired_interval(seeds + np.array([1.0, 1.1, 0.9, 1.0]), seeds)
    assert interval.mean == pytest.approx(1.0)
    assert interval.low is not None
    assert interval.low > 0.8
    with pytest.raises(ValueError, match="differ in shape"):
        paired_interval([1.0, 2.0], [1.0])


def test_bonferroni_widens() -> None:
    plain, corrected = mean_interval([1.0, 2.0, 4.0]), mean_interval([1.0, 2.0, 4.0], level=1 - 0.05 / 9)
    assert corrected.low is not None
    assert plain.low is not None
    assert corrected.low < plain.low


def test_coverage_is_what_it_says() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(2000, 5))
    hits = [(i := mean_interval(row)).low <= 0 <= i.high for row in samples]  # type: ignore[operator]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.015)


def test_interval_of_trainings_is_the_t_interval_of_the_statistic() -> None:
    rng = np.random.default_rng(1)
    nets = [rng.random((2, 40)) < 0.7 for _ in range(4)]
    drops = [net[0].mean() - net[1].mean() for net in nets]
    assert interval_of(lambda accuracy: accuracy[0] - accuracy[1], nets) == mean_interval(drops)


def test_interval_of_one_net_covers_its_samples() -> None:
    # One net right on 80 of 100 images: the bootstrap interval of the accuracy is close to Wald's.
    correct = np.zeros((1, 100), dtype=bool)
    correct[0, :80] = True
    interval = interval_of(lambda accuracy: float(accuracy[0]), [correct])
    wald = 1.96 * math.sqrt(0.8 * 0.2 / 100)
    assert interval.mean == pytest.approx(0.8)
    assert interval.low == pytest.approx(0.8 - wald, abs=0.015)
    assert interval.high == pytest.approx(0.8 + wald, abs=0.015)


def test_interval_of_one_net_pairs_the_samples() -> None:
    # Both conditions are right on the same images: their difference has no spread at all.
    one = np.random.default_rng(2).random(200) < 0.5
    interval = interval_of(lambda accuracy: float(accuracy[0] - accuracy[1]), [np.stack([one, one])])
    assert (interval.low, interval.mean, interval.high) == (0.0, 0.0, 0.0)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=8, unique=True))
def test_spearman_sees_only_the_order(values: list[float]) -> None:
    assert spearman(values, [math.atan(value) for value in values]) == pytest.approx(1.0) or len(
        {math.atan(value) for value in values}
    ) < len(values)
    assert spearman(values, [1.0] * len(values)) == 0.0


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (0.2, 0.4, "supported", "refuted"),
        (-0.4, 0.05, "refuted", "supported"),
        (0.05, 0.2, "inconclusive", "inconclusive"),
        (None, None, "inconclusive", "inconclusive"),
        (0.1, 0.3, "inconclusive", "inconclusive"),  # touching the margin decides nothing
    ],
)
def test_verdicts_follow_the_interval(low: float | None, high: float | None, above: str, below: str) -> None:
    interval = Interval(0.1, low, high, 5)
    assert claim_above("a", "A.", interval, 0.1, "accuracy").verdict == above
    assert claim_below("a", "A.", interval, 0.1, "accuracy").verdict == below


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.05, 0.09, "supported"),
        (0.11, 0.3, "refuted"),
        (-0.3, -0.11, "refuted"),
        (0.05, 0.2, "inconclusive"),
        (-0.2, 0.2, "inconclusive"),
        (-0.1, 0.05, "inconclusive"),  # touching the margin decides nothing
        (None, None, "inconclusive"),
    ],
)
def test_what_is_immaterial_lies_within_the_margin(low: float | None, high: float | None, verdict: str) -> None:
    claim = claim_within("a", "A.", Interval(0.0, low, high, 5), 0.1, "accuracy")
    assert claim.verdict == verdict
    assert claim.rule == (
        "supported if the whole 95% interval lies within -0.1 to 0.1 accuracy, "
        "refuted if the whole of it lies outside, else inconclusive"
    )


def test_the_rule_is_said_in_words() -> None:
    claim = claim_above("a", "A.", Interval(0.2, 0.15, 0.25, 5), 0.1, "accuracy")
    assert claim.rule == (
        "supported if the whole 95% interval lies above 0.1 accuracy, "
        "refuted if the whole of it lies on the other side, else inconclusive"
    )
