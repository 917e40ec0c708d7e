"""What the pictures of periods show."""

import numpy as np
import pytest

from dlexp.probes.period_drawings import Panel, draw_contrasts, draw_panels, draw_traces
from dlexp.stats import Interval

SURE = Interval(0.02, 0.01, 0.03, 5)
ONE_SEED = Interval(0.02, None, None, 1)


def test_panels_have_a_line_per_treatment_at_its_epochs() -> None:
    panels = [Panel("until t", [0, 5], {"decay": [SURE, SURE], "shift": [SURE, ONE_SEED]}), Panel("from t", [5], {})]
    made = draw_panels(panels, "gain", epochs=10)
    left, right = made.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["decay", "shift"]
    lines = [container.lines[0] for container in left.containers]
    middle = np.mean([line.get_xdata() for line in lines], axis=0)
    assert middle == pytest.approx([0, 5])
    assert (left.get_xlabel(), right.get_xlabel(), left.get_ylabel()) == ("until t", "from t", "gain")
    assert left.get_ylim() == right.get_ylim()
    apart = draw_panels([panels[0], Panel("from t", [5], {"decay": [Interval(9, 8, 10, 5)]})], "gain", 10, False).axes
    assert apart[0].get_ylim() != apart[1].get_ylim()


def test_contrasts_show_the_margin() -> None:
    (axes,) = draw_contrasts(["composed", "constant"], {"decay": [SURE, SURE]}, 0.015).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["decay", "margin 0.015"]
    assert any(list(line.get_ydata()) == [0.015, 0.015] for line in axes.lines)


def test_traces_are_geometric_means_on_a_logarithmic_axis() -> None:
    (axes,) = draw_traces([{"never": np.array([[1.0, 10, 100], [4.0, 10, 1]])}], [0, 2, 4], (0, 2)).axes
    assert axes.get_yscale() == "log"
    (line,) = axes.lines
    assert list(line.get_xdata()) == [0, 2, 4]
    assert line.get_ydata() == pytest.approx([2, 10, 10])
    (alone,) = draw_traces([{"never": np.array([[1.0, 10]])}], [0, 2], (0, 1)).axes  # one seed: no interval to draw
    assert alone.lines[0].get_ydata() == pytest.approx([1, 10])
