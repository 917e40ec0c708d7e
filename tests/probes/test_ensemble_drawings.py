"""What the figures of an ensemble hold."""

import pytest

from dlexp.probes.ensemble_drawings import draw_ambiguity, draw_by_size
from dlexp.stats import Interval


def intervals(*means: float) -> list[Interval]:
    return [Interval(mean, mean - 0.1, mean + 0.1, 3) for mean in means]


def test_one_panel_per_measure_with_every_series() -> None:
    panels = {name: {"a": intervals(1, 2), "b": intervals(2, 1)} for name in ("one", "two", "three")}
    shown = [axes for axes in draw_by_size([1, 8], panels, "size").axes if axes.get_visible()]
    assert [axes.get_ylabel() for axes in shown] == ["one", "two", "three"]
    for axes in shown:
        assert [line.get_label() for line in axes.lines] == ["a", "b"]
        assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "8"]


def test_bars_add_up_to_the_members_loss() -> None:
    losses = {"loss": {"ensemble": intervals(0.9, 0.6), "ambiguity": intervals(0.0, 0.3)}}
    (axes,) = draw_ambiguity([1, 2], losses, [0.9, 0.61]).axes
    left, gap = axes.containers[:2]
    tops = [bar.get_y() + bar.get_height() for bar in gap]
    assert tops == pytest.approx([0.9, 0.9])
    assert [bar.get_height() for bar in left] == [0.9, 0.6]
    assert [line.get_ydata().tolist() for line in axes.lines if line.get_marker() == "x"] == [[0.9, 0.61]]
