"""What ensembles gain with their size, as figures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlexp.plots import COLOURS, HATCHES, curves, figure
from dlexp.stats import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Series = Mapping[str, Sequence[Interval]]


def draw_by_size(sizes: Sequence[int], panels: Mapping[str, Series], xlabel: str) -> "Figure":
    """One panel per measure (the keys) with one curve per series over `sizes`, all with one legend."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    made, grid = figure(4.6 * columns, 2.9 * rows + 0.6, columns=columns, rows=rows)
    every = list(np.atleast_1d(grid).flat)
    for axes, (measure, series) in zip(every, panels.items(), strict=False):
        curves(axes, sizes, series)
        size_axis(axes, sizes)
        axes.set_ylabel(measure)
    for axes in every[len(panels) :]:
        axes.set_visible(False)
    made.legend(*every[0].get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False)
    made.supxlabel(xlabel, fontsize="medium")
    return made


def draw_ambiguity(sizes: Sequence[int], losses: Mapping[str, Series], law: Sequence[float]) -> "Figure":
    """One panel per loss: the members' mean loss split into what is left in the ensemble and the ambiguity.

    Args:
        losses: loss -> {"ensemble": ..., "ambiguity": ...}, an interval per size.
        law: the expected ensemble loss at each size in the first panel, from the members' variance alone.
    """
    made, grid = figure(4.2 * len(losses), 3.6, columns=len(losses))
    every = list(np.atleast_1d(grid).flat)
    at = np.arange(len(sizes))
    for axes, (loss, parts) in zip(every, losses.items(), strict=True):
        left = np.array([each.mean for each in parts["ensemble"]])
        gap = np.array([each.mean for each in parts["ambiguity"]])
        axes.bar(at, left, 0.7, color=COLOURS[0], edgecolor="white", label="loss of the ensemble")
        axes.bar(at, gap, 0.7, left, color=COLOURS[1], hatch=HATCHES[1], edgecolor="white", label="ambiguity")
        low = [each.mean - (each.mean if each.low is None else each.low) for each in parts["ensemble"]]
        high = [(each.mean if each.high is None else each.high) - each.mean for each in parts["ensemble"]]
        axes.errorbar(at, left, [low, high], fmt="none", color="black", capsize=2, elinewidth=0.9)
        axes.set_xticks(at, [str(size) for size in sizes])
        axes.set_ylabel(loss)
    every[0].plot(at, law, color="black", linestyle=":", marker="x", label="expected from the members' variance")
    made.legend(*every[0].get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False)
    made.supxlabel("members of the ensemble", fontsize="medium")
    return made


def size_axis(axes: "Axes", sizes: Sequence[int]) -> None:
    """Sizes along a horizontal axis on which doubling is one step."""
    axes.set_xscale("log", base=2)
    axes.minorticks_off()
    axes.set_xticks(sizes, [str(size) for size in sizes])
