"""Drawing similarities: maps of layers against layers, and measures side by side."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlexp.plots import COLOURS, HATCHES, curves, error_bar, figure, legend
from dlexp.probes.similarity.features import Matrix
from dlexp.stats import Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UPRIGHT = 6  # more layers than this are named upright
WRITTEN = 10  # more layers than this, and the numbers would not fit into their cells
Panel = tuple[Matrix, Sequence[str], Sequence[str]]  # (L1, L2) similarities, names of the rows, names of the columns


def draw_maps(panels: Mapping[str, Panel], label: str, columns: int = 3) -> "Figure":
    """A heat map per panel, rows upwards from the first layer, all on one scale that starts at 0.

    Args:
        panels: title -> similarities and the names of their rows and columns.
        label: of the colour bar.
    """
    rows = -(-len(panels) // columns)
    made, grid = figure(4.0 * columns + 0.8, 3.7 * rows + 0.3, columns, rows, squeeze=False)
    shown = list(grid.flat)
    for axes, (title, (values, names, others)) in zip(shown, panels.items(), strict=False):
        axes.grid(False)
        image = axes.imshow(values, origin="lower", cmap="cividis", vmin=0, vmax=1, aspect="auto")
        axes.set_title(title, fontsize="medium")
        axes.set_xticks(range(len(others)), others, rotation=90, fontsize="small")
        axes.set_yticks(range(len(names)), names, fontsize="small")
        if max(values.shape) <= WRITTEN:
            for (row, column), value in np.ndenumerate(values):
                colour = "black" if value > 0.55 else "white"
                text = f"{value:.2f}".replace("0.", ".")
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
    for axes in shown[len(panels) :]:
        axes.set_visible(False)
    made.colorbar(image, ax=grid, label=label, shrink=0.7)
    return made


def draw_against_size(
    sizes: Sequence[int], series: Mapping[str, Sequence[Interval]], xlabel: str, ylabel: str
) -> "Figure":
    """One line per series over numbers of samples (a logarithmic axis), and a line at 0."""
    made, axes = figure()
    curves(axes, sizes, series)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel=xlabel, ylabel=ylabel)
    legend(axes, columns=3)
    return made


def draw_by_place(layers: Sequence[str], series: Mapping[str, Sequence[Interval]], ylabel: str) -> "Figure":
    """One line per series over the layers."""
    made, axes = figure(8.0)
    curves(axes, range(len(layers)), series)
    axes.set_xticks(range(len(layers)), layers, rotation=90 if len(layers) > UPRIGHT else 0)
    axes.set(xlabel="layer (place)", ylabel=ylabel, ylim=(-0.05, 1.05))
    legend(axes, columns=3)
    return made


def draw_identification(series: Mapping[str, Mapping[str, Interval]], chance: float, xlabel: str) -> "Figure":
    """A group of horizontal bars per measure, one bar per kind of net, and a line at chance.

    Args:
        series: kind of net -> measure -> interval; the kinds have the same measures.
    """
    measures = list(next(iter(series.values())))
    made, axes = figure(7.0, 0.42 * len(measures) + 1.3)
    height = 0.8 / len(series)
    for index, (kind, intervals) in enumerate(series.items()):
        at = [number + height * (index - (len(series) - 1) / 2) for number in range(len(measures))]
        shown = [intervals[name] for name in measures]
        means = [each.mean for each in shown]
        look = {"color": COLOURS[index], "hatch": HATCHES[index], "edgecolor": "white", "linewidth": 0.5}
        axes.barh(at, means, height, label=kind, **look)
        axes.errorbar(means, at, xerr=error_bar(shown), fmt="none", color="black", elinewidth=0.8, capsize=2)
    axes.axvline(chance, color="black", linestyle=":", linewidth=1.2, label="chance")
    axes.set_yticks(range(len(measures)), measures)
    axes.invert_yaxis()
    axes.set(xlabel=xlabel, xlim=(0, 1.08))
    legend(axes)
    return made
