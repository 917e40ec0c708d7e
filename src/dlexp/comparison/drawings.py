"""What a comparison at equal budget found, as figures that stay readable with many rivals."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlexp.comparison.standings import Values, differences
from dlexp.plots import COLOURS, LINES, MARKERS, curves, error_bar, figure, name_ticks
from dlexp.stats import Interval, mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 4  # panels side by side


def draw_standings(values: Values, proposal: str, margin: float, ylabel: str) -> "Figure":
    """Left: each contender's mean with its interval, best first. Right: the proposal's lead over each rival, paired and
    corrected, with the margin."""
    order = sorted(values, key=lambda name: (-mean_interval(values[name]).mean, name))
    lead = differences(values, proposal)
    rivals = [name for name in order if name in lead]
    made, (left, right) = figure(width=10.5, height=4.2, columns=2)
    for place, name in enumerate(order):
        one_interval(left, place, mean_interval(values[name]), int(name == proposal))
    for place, name in enumerate(rivals):
        one_interval(right, place, lead[name], 0)
    left.plot([], [], MARKERS[1], color=COLOURS[1], label=f"the proposal, {proposal}")
    left.plot([], [], MARKERS[0], color=COLOURS[0], label="rivals")
    right.axhline(0, color="black", linewidth=0.8)
    right.axhline(margin, color="black", linestyle=":", linewidth=1, label=f"margin {margin:g}")
    for axes, names, label in ((left, order, ylabel), (right, rivals, f"proposal - rival, {ylabel}")):
        name_ticks(axes, names)
        axes.set_ylabel(label)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False)
    return made


def one_interval(axes: "Axes", at: float, each: Interval, look: int) -> None:
    """A mean with its interval, in colour and marker number `look`."""
    axes.errorbar(at, each.mean, error_bar([each]), fmt=MARKERS[look], color=COLOURS[look], capsize=3)


def draw_beside_proposal(
    proposal: str, x: Sequence[float], series: Mapping[str, Sequence[Interval]], xlabel: str, ylabel: str, **axes: Any
) -> "Figure":
    """One panel per rival with the proposal in each: many bands on top of each other could not be read.

    Args:
        series: name -> one interval per value of `x`, the proposal's among them.
        axes: what else to set on each panel (`ylim`, `xscale`, ...).
    """
    rivals = [name for name in series if name != proposal]
    columns = max(min(COLUMNS, len(rivals)), 1)
    rows = max(-(-len(rivals) // columns), 1)
    size = {"width": max(2.7 * columns + 0.8, 6.0), "height": 2.3 * rows + 1.0}
    made, grid = figure(**size, rows=rows, columns=columns, sharey=True)
    panels = list(np.atleast_1d(grid).flat)
    for panel, rival in zip(panels, rivals, strict=False):
        curves(panel, x, {name: series[name] for name in (proposal, rival)})
        panel.set(title=rival, **axes)
        if axes.get("xscale") == "log":  # matplotlib's own labels overlap in small panels
            panel.minorticks_off()
            shown_at = x[:: -(-len(x) // 4)]
            panel.set_xticks(shown_at, [f"{each:g}" for each in shown_at])
        elif all(isinstance(each, int) for each in x):
            panel.xaxis.get_major_locator().set_params(integer=True)
    for panel in panels[len(rivals) :]:
        panel.set_visible(False)
    said = (f"{proposal}, in every panel", "the rival that names the panel")
    looks = [{"color": COLOURS[i], "marker": MARKERS[i], "linestyle": LINES[i]} for i in range(2)]
    shown = [panels[0].plot([], [], label=text, **look)[0] for text, look in zip(said, looks, strict=True)]
    made.legend(handles=shown, loc="outside upper left", ncols=2, frameon=False)
    made.supxlabel(xlabel, fontsize="medium")
    made.supylabel(ylabel, fontsize="medium")
    return made
