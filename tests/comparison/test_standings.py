"""What is made of a comparison: order, pairing, correction, claims and the choice of the best rival."""

import pytest

from dlexp.comparison.drawings import draw_beside_proposal, draw_standings
from dlexp.comparison.standings import best_rival, claims_against, corrected_level, differences, standings
from dlexp.comparison.tuned import Score, Tuned
from dlexp.stats import Interval, mean_interval, paired_interval

# Seeds matter far more than contenders: unpaired, nothing could be told.
VALUES = {"mine": [0.9, 0.5, 0.7], "old": [0.88, 0.48, 0.68], "older": [0.8, 0.49, 0.7]}

MIDDLING = Score(0.5, 1.0)


def tuned(name: str, score: Score = MIDDLING, rate: float = 0.1) -> Tuned:
    return Tuned(name, rate, {0.1: score, 0.2: Score(0.99, 0.0), 0.4: Score(0.0, 9.0)}, [])


@pytest.mark.parametrize(("comparisons", "level"), [(0, 0.95), (1, 0.95), (2, 0.975), (7, 1 - 0.05 / 7)])
def test_bonferroni(comparisons: int, level: float) -> None:
    assert corrected_level(comparisons) == pytest.approx(level, abs=1e-15)


def test_differences_are_paired_by_seed_and_corrected_for_their_number() -> None:
    found = differences(VALUES, "mine")
    assert list(found) == ["old", "older"]
    assert (found["old"].low, found["old"].high) == pytest.approx((0.02, 0.02), abs=1e-12)
    assert found["older"] == paired_interval(VALUES["mine"], VALUES["older"], 0.975)
    single = differences({name: VALUES[name] for name in ("mine", "older")}, "mine")["older"]
    assert single == paired_interval(VALUES["mine"], VALUES["older"])


def test_values_of_different_numbers_of_seeds_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="paired values differ in shape"):
        differences({"mine": [0.1, 0.2], "old": [0.1]}, "mine")


def test_the_table_is_ordered_by_its_column() -> None:
    results = [tuned("old"), tuned("mine", rate=0.2), tuned("older", rate=0.4)]
    rows = standings(results, {"accuracy": VALUES}, "accuracy")
    assert [row["contender"] for row in rows] == ["mine", "old", "older"]
    assert [row["at the grid's edge"] for row in rows] == [False, True, True]
    interval = mean_interval(VALUES["mine"])
    assert rows[0]["learning rate"] == 0.2
    assert (rows[0]["accuracy"], rows[0]["accuracy low"], rows[0]["accuracy high"]) == (
        interval.mean,
        interval.low,
        interval.high,
    )


def test_one_claim_for_each_rival_decided_on_the_corrected_interval() -> None:
    claims = claims_against(VALUES, "mine", 0.01, "accuracy", "test accuracy")
    assert [claim.name for claim in claims] == ["beats_old", "beats_older"]
    assert [claim.verdict for claim in claims] == ["supported", "inconclusive"]
    assert claims[0].statement == "mine has a higher test accuracy than old by more than the margin."
    wide = differences(VALUES, "mine")["older"]
    assert (claims[1].effect, claims[1].low, claims[1].high) == (wide.mean, wide.low, wide.high)
    (refuted,) = claims_against({"mine": [0.5, 0.6], "old": [0.7, 0.8]}, "mine", 0.01, "accuracy", "accuracy")
    assert refuted.verdict == "refuted"


def test_the_best_rival_is_chosen_on_validation_data_at_its_own_rate() -> None:
    mine = tuned("mine", Score(0.99, 0.1))
    assert best_rival([mine, tuned("a", Score(0.7, 0.1)), tuned("b", Score(0.8, 0.9))], "mine") == "b"
    assert best_rival([mine, tuned("a", Score(0.8, 0.9)), tuned("b", Score(0.8, 0.1))], "mine") == "b"
    assert best_rival([mine, tuned("b", Score(0.8, 0.1)), tuned("a", Score(0.8, 0.1))], "mine") == "a"


def test_the_drawing_of_the_standings_is_ordered_and_shows_leads() -> None:
    left, right = draw_standings(VALUES, "mine", 0.01, "accuracy").axes
    assert [label.get_text() for label in left.get_xticklabels()] == ["mine", "old", "older"]
    assert [label.get_text() for label in right.get_xticklabels()] == ["old", "older"]
    heights = [line.get_ydata()[0] for line in right.lines if len(line.get_xdata()) == 1]
    assert heights[0] == pytest.approx(0.02)


@pytest.mark.parametrize("rivals", [1, 3, 4, 6])
def test_every_rival_has_a_panel_with_the_proposal_in_it(rivals: int) -> None:
    names = ["mine", *(f"rival {number}" for number in range(rivals))]
    series = {name: [Interval(0.5, 0.4, 0.6, 3), Interval(0.6, 0.5, 0.7, 3)] for name in names}
    made = draw_beside_proposal("mine", [0.1, 0.2], series, "rate", "accuracy", xscale="log")
    shown = [panel for panel in made.axes if panel.get_visible()]
    assert [panel.get_title() for panel in shown] == names[1:]
    for panel in shown:
        assert [line.get_label() for line in panel.lines][:2] == ["mine", panel.get_title()]
        assert panel.get_xscale() == "log"
