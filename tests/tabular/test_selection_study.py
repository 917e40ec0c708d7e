"""Gains, equivalents and readings, on trials whose accuracies are made up."""

import numpy as np
import pytest

from dlexp.stats import Interval, mean_interval
from dlexp.tabular.selection import SELECTORS
from dlexp.tabular.selection_study import (
    Study,
    all_rows,
    equivalent_text,
    measure_rows,
    reading,
    rows_by_fraction,
    summary_rows,
)
from dlexp.tabular.selection_trials import Draw, Trial
from dlexp.tabular.subset_measures import SubsetMeasures


def trial(accuracy: float) -> Trial:
    """Two classifiers, 0.1 apart around `accuracy`; the mean gap mirrors it."""
    measures = SubsetMeasures(1.0, 1 - accuracy, accuracy**2, 3.0, 4.0, 5.0)
    return Trial(np.arange(3), np.array([accuracy - 0.05, accuracy + 0.05]), measures, 1.0, 0.5)


@pytest.fixture
def study() -> Study:
    accuracies = {
        "random": [(0.50, 0.60, 0.80), (0.52, 0.64, 0.82)],
        "herding": [(0.70, 0.80, 0.85), (0.72, 0.80, 0.87)],
        "leverage": [(0.40, 0.50, 0.60), (0.40, 0.50, 0.60)],
        "class_random": [(0.60, 0.70, 0.80), (0.60, 0.70, 0.80)],
        "fair_diverse": [(0.90, 0.90, 0.90), (0.90, 0.90, 0.90)],
    }
    draws = [
        Draw(100, [1, 2, 4], {name: [trial(a) for a in each[d]] for name, each in accuracies.items()}, np.ones(2))
        for d in range(2)
    ]
    return Study({name: SELECTORS[name] for name in accuracies}, ["A", "B"], [0.01, 0.02, 0.04], {"as given": draws})


def test_gains_are_paired_with_the_baseline_of_the_mode(study: Study) -> None:
    assert study.rivals(aware=False) == ["herding", "leverage"]
    assert study.rivals(aware=True) == ["fair_diverse"]
    assert study.gain("as given", "herding") == pytest.approx(np.array([[0.2, 0.2, 0.05], [0.2, 0.16, 0.05]]))
    assert study.gain("as given", "fair_diverse")[0] == pytest.approx([0.3, 0.2, 0.1])
    assert study.gain("as given", "fair_diverse", over="herding")[0] == pytest.approx([0.2, 0.1, 0.05])
    expected = mean_interval([0.15, 0.41 / 3], 0.9)
    assert study.mean_gain("as given", "herding", 0.9).low == pytest.approx(expected.low)


def test_random_equivalent_is_read_off_the_curve_of_random(study: Study) -> None:
    # random: 0.51, 0.62, 0.81; herding at the smallest k: 0.71, half way but for 0.005 between 2 % and 4 %.
    assert study.random_equivalent("as given", "herding") == pytest.approx(0.02 + 0.02 * 0.09 / 0.19)
    assert equivalent_text(study, "as given", "herding") == "2.9 %"
    assert equivalent_text(study, "as given", "random") == "1.0 %"
    assert equivalent_text(study, "as given", "leverage") == "< 1 %"
    assert equivalent_text(study, "as given", "fair_diverse") == "> 4 %"


def test_rank_correlations_see_order_only(study: Study) -> None:
    assert study.rank_correlation("as given", lambda t: -t.measures.mean_gap) == pytest.approx([1, 1])
    assert study.rank_correlation("as given", lambda t: -t.measures.mean_pairwise) == pytest.approx([-1, -1])
    assert study.rank_correlation("as given", lambda t: t.measures.radius) == pytest.approx([0, 0])  # all equal


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.011, 0.3, "better"),
        (-0.3, -0.011, "worse"),
        (-0.009, 0.009, "no material difference"),
        (-0.02, 0.009, "not better"),
        (-0.009, 0.02, "undecided"),
        (None, None, "undecided"),
    ],
)
def test_readings(low: float | None, high: float | None, expected: str) -> None:
    assert reading(Interval(0.0, low, high, 2), 0.01) == expected


def test_rows_hold_the_means(study: Study) -> None:
    rows = summary_rows(study, False, 0.95, 0.01)
    assert [row["selector"] for row in rows] == ["random", "herding", "leverage"]
    assert rows[0]["reading"] == "baseline"
    assert rows[1]["at 1 %"] == pytest.approx(0.71)
    assert rows[1]["gain"] == pytest.approx((0.15 + 0.41 / 3) / 2)
    every = all_rows(study)
    assert len(every) == 5 * 3 * 2
    herding = [row for row in every if row["selector"] == "herding" and row["classifier"] == "B"]
    assert [row["k"] for row in herding] == [1, 2, 4]
    assert herding[1]["accuracy"] == pytest.approx(0.85)
    assert herding[1]["gain"] == pytest.approx(0.18)
    assert next(row for row in every if row["selector"] == "random")["gain"] is None
    by_fraction = rows_by_fraction(study, {"herding": np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])})
    assert by_fraction == [{"selector": "herding", "mode": "label-free", "at 1 %": 2, "at 2 %": 3, "at 4 %": 4}]
    measured = measure_rows(study, "as given", 1)[1]
    assert measured["mean gap"] == pytest.approx(0.2)
    assert measured["accuracy"] == pytest.approx(0.8)
