"""The interval of a share, and what a diagram shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from dlexp.probes.calibration import Bin
from dlexp.probes.reliability_diagram import draw_reliability, wilson


@given(st.integers(1, 500), st.floats(0, 1))
def test_wilson_is_that_of_scipy(n: int, share: float) -> None:
    k = round(share * n)
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k / n, n) == (pytest.approx(expected.low, abs=1e-6), pytest.approx(expected.high, abs=1e-6))


def test_a_panel_each_and_thin_bins_left_out() -> None:
    bins = [Bin(0.0, 0.5, 9, 0.4, 0.5), Bin(0.5, 1.0, 50, 0.8, 0.6)]
    made = draw_reliability({f"loss {index}": bins for index in range(5)})
    panels = [axes for axes in made.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == [f"loss {index}" for index in range(5)]
    for axes in panels:
        _, marks = axes.get_lines()[:2]
        assert (list(marks.get_xdata()), list(marks.get_ydata())) == ([0.8], [0.6])


def test_no_bin_is_thick_enough() -> None:
    made = draw_reliability({"sparse": [Bin(0.0, 1.0, 3, 0.5, 0.5)]})
    assert made.axes[0].get_title() == "sparse"
