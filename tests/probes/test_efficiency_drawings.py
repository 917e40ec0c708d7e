"""What the figures of efficiency hold."""

import matplotlib.pyplot as plt
import pytest

from dlexp.probes.efficiency_drawings import draw_ranks, draw_relative_costs, draw_trade_offs, round_ticks, together
from dlexp.stats import Interval


def intervals(*means: float) -> list[Interval]:
    return [Interval(mean, 0.9 * mean, 1.1 * mean, 3) for mean in means]


def test_every_indicator_is_a_line_over_the_layers() -> None:
    made = draw_relative_costs([2, 4], {"10 neurons": {"parameters": intervals(1, 0.7), "time": intervals(1, 3)}})
    (axes,) = made.axes
    assert axes.get_title() == "10 neurons"
    assert [line.get_ydata()[-1] for line in axes.lines[:2]] == [0.7, 3]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["2", "4"]


def test_neighbours_share_a_name() -> None:
    assert together([(0.0, 0.0), (0.1, 0.1), (0.2, 0.0), (0.5, 0.0), (0.55, 0.9)], near=0.13) == [[0, 1, 2], [3], [4]]
    costs = {"cost": {"deep": [1.0, 1.01, 9.0], "narrow": [1.0, 2.0]}}
    accuracy = {"deep": intervals(0.9, 0.9, 0.5), "narrow": intervals(0.9, 0.8)}
    made = draw_trade_offs(costs, accuracy, {"deep": ["2", "4", "8"], "narrow": ["", "4"]})
    assert [text.get_text() for text in made.axes[0].texts] == ["2, 4", "8", "", "4"]


def test_ranks_are_written_where_they_are_known() -> None:
    rows = [{"indicator": "a", "b": 0.25, "c": -1.0}, {"indicator": "b", "b": None, "c": 1.0}]
    made = draw_ranks(rows)
    assert [text.get_text() for text in made.axes[0].texts] == ["0.25", "-1.00", "1.00"]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([0.06, 0.45], ["0.1", "0.2"]), ([40, 3e5], ["50", "500", "5,000", "50,000"]), ([1.2, 3.0], ["2"])],
)
def test_ticks_are_round(values: list[float], ticks: list[str]) -> None:
    axes = plt.Figure().subplots()
    axes.set_xscale("log")
    round_ticks(axes, values)
    assert [text.get_text() for text in axes.get_xticklabels()] == ticks
