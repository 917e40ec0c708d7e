"""Figures of layer criticality: heat maps layer x epoch with their numbers, drops by layer, drops by distance."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlexp.plots import COLOURS, LINES, MARKERS, error_bar, figure, name_ticks, points
from dlexp.stats import Interval, mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHADES = "Greys"  # light = nothing lost; the same order in greyscale and to every eye
DARK = 0.55  # share of the scale from which on white numbers are easier to read
Values = NDArray[np.float64]


def heat_maps(maps: Mapping[str, tuple[Sequence[str], Sequence[int], Values]]) -> "Figure":
    """One panel per net: rows are layers (the first at the top), columns epochs; each cell has its number.

    Args:
        maps: title -> layers, epochs, and drops (seeds, layers, epochs). Cells show the mean, below it half the width
            of its 95 % interval where there are two seeds or more. All panels share one scale from 0 on.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    columns = [len(epochs) for _, epochs, _ in maps.values()]
    rows = max(len(layers) for layers, _, _ in maps.values())
    size: dict[str, Any] = {"width": 0.62 * sum(columns) + 1.1 * len(maps) + 0.9, "height": 0.46 * rows + 1.2}
    made, axes = figure(**size, columns=len(maps), gridspec_kw={"width_ratios": columns})
    top = max(float(drops.mean(axis=0).max()) for _, _, drops in maps.values())
    scale = Normalize(0.0, max(top, 0.01))
    panels: list[Axes] = list(np.atleast_1d(axes))
    for panel, (title, (layers, epochs, drops)) in zip(panels, maps.items(), strict=True):
        _heat_map(panel, drops, scale)
        panel.set_title(title, fontsize="medium")
        panel.set_xticks(range(len(epochs)), [str(epoch) for epoch in epochs])
        panel.set_yticks(range(len(layers)), layers)
        panel.set_xlabel("epoch put back to")
    panels[0].set_ylabel("layer put back")
    made.colorbar(ScalarMappable(scale, SHADES), ax=panels, label="drop in test accuracy", fraction=0.03, pad=0.02)
    return made


def _heat_map(axes: "Axes", drops: Values, scale: Any) -> None:
    means = drops.mean(axis=0)
    axes.grid(False)
    axes.imshow(means, cmap=SHADES, norm=scale, aspect="auto")
    for (row, column), mean in np.ndenumerate(means):
        each = mean_interval(drops[:, row, column])
        text = signed(mean) if each.high is None else f"{signed(mean)}\n±{each.high - each.mean:.2f}"
        colour = "white" if scale(mean) > DARK else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=6.5)


def signed(value: float) -> str:
    """Two decimals, and no minus before a zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def drops_by_layer(
    panels: Mapping[str, tuple[Sequence[str], Mapping[str, Sequence[Interval]]]], threshold: float
) -> "Figure":
    """One panel per net: title -> layers, and drops (one interval per layer) by what the layer was put back to."""
    widths = [len(layers) for layers, _ in panels.values()]
    made, axes = figure(
        width=0.62 * sum(widths) + 1.5,
        columns=len(panels),
        sharey=True,
        gridspec_kw={"width_ratios": widths},
    )
    all_axes: list[Axes] = list(np.atleast_1d(axes))
    for panel, (title, (layers, series)) in zip(all_axes, panels.items(), strict=True):
        points(panel, range(len(layers)), series)
        panel.axhline(threshold, color="black", linestyle=":", linewidth=1, label=f"threshold {threshold:g}")
        panel.set_title(title, fontsize="medium")
        name_ticks(panel, layers)
    all_axes[0].set_ylabel("drop in test accuracy")
    made.supxlabel("layer", fontsize="medium")
    made.legend(*all_axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False)
    return made


def drops_by_distance(nets: Mapping[str, tuple[Sequence[float], Sequence[Interval], Sequence[Interval]]]) -> "Figure":
    """Drop against distance moved: net -> distances, drops at the initial value, drops in a random direction.

    Two panels, one per kind of change; a mark is one layer, with its interval.
    """
    made, (left, right) = figure(width=9.0, height=3.8, columns=2, sharey=True)
    for index, (name, (moved, *kinds)) in enumerate(nets.items()):
        look: dict[str, Any] = {"fmt": MARKERS[index % 6], "color": COLOURS[index % 6], "elinewidth": 0.8}
        for panel, drops in zip((left, right), kinds, strict=True):
            panel.errorbar(moved, [each.mean for each in drops], error_bar(drops), label=name, capsize=2, **look)
    left.set_title("back to the initial value", fontsize="medium")
    right.set_title("as far in a random direction", fontsize="medium")
    for panel in (left, right):
        panel.axhline(0.0, color="black", linewidth=0.8, linestyle=LINES[3])
        panel.set_xlabel("distance moved, as a share of the initial norm")
    left.set_ylabel("drop in test accuracy")
    made.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False)
    return made
