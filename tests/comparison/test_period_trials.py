"""Periods in whole epochs, the names of runs, and what is computed from their outcomes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlexp.comparison.period_plan import NEVER, Run, periods_of, run_of
from dlexp.comparison.period_trials import Outcome, Outcomes, fisher_history, period_callback, trace_rows
from dlexp.comparison.period_words import READINGS, position, readings, shown
from dlexp.errors import InputError
from dlexp.schema import instantiate
from dlexp.stats import Interval, mean_interval


def test_periods_by_hand() -> None:
    periods = periods_of(60, [0.1, 0.5, 0.999, 0.001, 0.5], 0.25)
    assert periods.times == [1, 6, 30, 59]
    assert (periods.always, periods.early, periods.late) == ((0, 60), (0, 15), (45, 60))
    assert periods.sliding == [(0, 15), (15, 30), (30, 45), (45, 60)]
    assert periods.with_recovery == [(0, 15), (15, 30), (30, 45)]
    assert periods.until == [(0, 1), (0, 6), (0, 30), (0, 59)]
    assert periods.since == [(1, 60), (6, 60), (30, 60), (59, 60)]


@given(st.integers(1, 300), st.lists(st.floats(0.01, 0.99), min_size=1, max_size=5), st.floats(0.01, 0.9))
@settings(max_examples=20)
def test_windows_have_one_length_and_lie_in_the_training(epochs: int, times: list[float], window: float) -> None:
    length = max(1, round(window * epochs))
    if epochs < 3 * length:
        with pytest.raises(InputError):
            periods_of(epochs, times, window)
        return
    periods = periods_of(epochs, times, window)
    assert {stop - start for start, stop in periods.sliding} == {length}
    assert periods.sliding[0] == periods.early
    assert periods.sliding[-1] == periods.late
    assert len(periods.starts) == len(set(periods.starts)) >= 3
    assert periods.early in periods.with_recovery
    assert periods.late not in periods.with_recovery
    assert all(0 < t < epochs for t in periods.times) or epochs == 1


def test_windows_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError) as refused:
        periods_of(8, [0.5], 0.4)
    assert str(refused.value) == (
        "trainer.epochs=8: the first window, the last and one between, of 3 epochs each, do not fit in; take 9 epochs "
        "or more, or a smaller params.window"
    )


def test_what_is_on_in_no_epoch_is_never() -> None:
    assert run_of("as composed", "augmentation", (3, 3)) == Run("as composed", NEVER, (0, 0))
    assert str(run_of("as composed", "weight decay", (0, 15))) == "as composed, weight decay 0-15"


@pytest.mark.parametrize("kind", ["weight decay", "augmentation", "pause", "blur", "shuffled_labels"])
def test_callbacks_can_be_built(kind: str) -> None:
    made: Any = instantiate(period_callback(kind, (2, 5), 0.1, 4, 7), where="callbacks")
    assert (made.start, made.stop) == (2, 5)
    names = {"weight decay": "WeightDecayPeriod", "augmentation": "AugmentationPeriod", "pause": "Pause"}
    assert type(made).__name__ == names.get(kind, "Deficit")
    assert getattr(made, "weight_decay", 0.1) == 0.1
    assert (getattr(made, "kind", kind), getattr(made, "factor", 4), getattr(made, "seed", 7)) == (kind, 4, 7)


def test_differences_are_paired_and_doses_are_shares_of_the_rates() -> None:
    def outcome(*test: float) -> Outcome:
        return Outcome(np.array(test), np.ones(2), None, [0.4, 0.3, 0.2, 0.1])

    done = Outcomes(
        {
            Run("s", NEVER, (0, 0)): outcome(0.5, 0.7),
            Run("s", "blur", (0, 2)): outcome(0.45, 0.6),
            Run("s", "pause", (0, 2)): outcome(0.5, 0.69),
        }
    )
    assert done.gain("s", "blur", (0, 2)) == mean_interval(np.array([0.45, 0.6]) - [0.5, 0.7])
    assert done.gain("s", "blur", (0, 2), over=(2, 2)) == done.gain("s", "blur", (0, 2))
    assert done.beyond_pause("s", "blur", (0, 2)).mean == pytest.approx(0.07)
    assert done.row("s", "blur", (0, 2), "change")["change"] == pytest.approx(-0.075)
    assert done[Run("s", NEVER, (0, 0))].dose((1, 3)) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="was not measured"):
        _ = done[Run("s", "blur", (0, 2))].last_trace


def test_traces_are_read_from_the_history_and_summed_up_geometrically() -> None:
    history = [{"fisher_trace_at_start": 1.0}, {"fisher_trace": 4.0, "lr": 0.1}, {"lr": 0.1}, {"fisher_trace": 2.0}]
    assert fisher_history(history) == [1, 4, 2]
    (row,) = trace_rows({"never": np.array([[1.0, 4, 2], [4.0, 1, 8]])}, [0, 2, 4], 2)
    expected = {"at the start": 2, "highest": 32**0.5, "its epoch": 3, "after the first window": 2, "at the end": 4}
    assert {key: row[key] for key in expected} == pytest.approx(expected)
    assert trace_rows({"sure": np.zeros((2, 2))}, [0, 1], 1)[0]["at the end"] == pytest.approx(0, abs=1e-300)


def test_words_follow_the_verdicts() -> None:
    assert position(Interval(1, 0.5, 1.5, 3)) == "lies above 0"
    assert position(Interval(-1, -1.5, -0.5, 3)) == "lies below 0"
    assert position(Interval(0.1, -0.5, 0.5, 3)) == "holds 0"
    assert position(Interval(0.1, None, None, 1)) == "is not known from one seed"
    verdicts = {"early_x_beats_late": "refuted", "x_helps": "supported", "early_y_beats_late": "refuted"}
    verdicts |= {"y_beats_late_with_wrong_labels": "refuted", "z_beats_late": "inconclusive"}
    assert readings(verdicts) == [
        f"*`early_x_beats_late`*, *`early_y_beats_late`*: refuted; {READINGS['_beats_late']}",
        f"*`y_beats_late_with_wrong_labels`*: refuted; {READINGS['_beats_late_with_wrong_labels']}",
        f"*`z_beats_late`*: inconclusive; {READINGS['_beats_late']}",
    ]
    assert shown(Interval(0.1234, -0.05, 0.5, 3)) == "+0.123 [-0.050, +0.500]"
    assert shown(Interval(-0.1, None, None, 1)) == "-0.100"
