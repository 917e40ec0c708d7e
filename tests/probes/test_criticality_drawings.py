"""Figures of criticality say what they were given."""

import numpy as np
import pytest
from matplotlib import colormaps

from dlexp.probes.criticality_drawings import SHADES, drops_by_distance, drops_by_layer, heat_maps, signed
from dlexp.stats import Interval, mean_interval

DROPS = np.array([[[0.9, 0.0], [0.1, 0.0]], [[0.7, 0.0], [0.3, 0.0]]])  # seeds x layers x epochs


def test_a_heat_map_has_its_numbers_in_their_cells() -> None:
    made = heat_maps({"net": (["first", "last"], [0, 4], DROPS), "other": (["one"], [0], np.zeros((2, 1, 1)))})
    first, other, bar = made.axes
    half = mean_interval([0.9, 0.7])
    assert half.high is not None
    cells = {tuple(int(at) for at in text.get_position()): text for text in first.texts}  # (column, row)
    assert cells[0, 0].get_text() == f"0.80\n±{half.high - 0.8:.2f}"
    assert [cells[0, 1].get_text()[:4], cells[1, 0].get_text()] == ["0.20", "0.00\n±0.00"]
    assert (cells[0, 0].get_color(), cells[0, 1].get_color()) == ("white", "black")
    assert [label.get_text() for label in first.get_yticklabels()] == ["first", "last"]
    assert first.get_ylim()[0] > first.get_ylim()[1]  # the first layer at the top
    assert (first.get_xlabel(), bar.get_ylabel()) == ("epoch put back to", "drop in test accuracy")
    assert first.images[0].norm is other.images[0].norm  # one scale for all


def test_one_seed_has_no_interval() -> None:
    made = heat_maps({"net": (["first", "last"], [0, 4], DROPS[:1])})
    assert [text.get_text() for text in made.axes[0].texts] == ["0.90", "0.00", "0.10", "0.00"]


def test_the_shades_keep_their_order_in_greyscale() -> None:
    rgb = colormaps[SHADES](np.linspace(0, 1, 50))[:, :3]
    assert (np.diff(rgb @ [0.299, 0.587, 0.114]) < 0).all()


@pytest.mark.parametrize(("value", "text"), [(-0.001, "0.00"), (0.126, "0.13"), (-0.126, "-0.13")])
def test_no_minus_before_a_zero(value: float, text: str) -> None:
    assert signed(value) == text


def test_drops_by_layer_and_by_distance() -> None:
    drops = [Interval(0.4, 0.3, 0.5, 5), Interval(0.0, -0.1, 0.1, 5)]
    made = drops_by_layer({"net": (["a", "b"], {"initial value": drops, "fresh draw": drops})}, threshold=0.05)
    (axes,) = made.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]
    (legend,) = made.legends
    assert [text.get_text() for text in legend.get_texts()] == ["initial value", "fresh draw", "threshold 0.05"]
    made = drops_by_distance({"net": ([0.5, 2.0], drops, drops[::-1])})
    left, right = made.axes
    heights = [axes.containers[0].lines[0].get_ydata().tolist() for axes in (left, right)]
    assert heights == [[0.4, 0.0], [0.0, 0.4]]
    assert left.containers[0].lines[0].get_xdata().tolist() == [0.5, 2.0]
