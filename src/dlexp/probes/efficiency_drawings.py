"""What nets cost by different indicators, as figures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlexp.plots import COLOURS, LINES, MARKERS, curves, error_bar, figure
from dlexp.stats import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_relative_costs(layers: Sequence[int], panels: Mapping[str, Mapping[str, Sequence[Interval]]]) -> "Figure":
    """One panel per title: each indicator over the number of layers, relative to the first, both axes logarithmic."""
    made, grid = figure(4.4 * len(panels) + 0.4, 4.2, columns=len(panels), sharey=True)
    every = list(np.atleast_1d(grid).flat)
    for axes, (title, series) in zip(every, panels.items(), strict=True):
        curves(axes, layers, series)
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set(title=title, xscale="log", yscale="log")
        plain_ticks(axes, layers)
    every[0].set_ylabel(f"cost relative to {layers[0]} layers")
    ticks = [2.0**power for power in range(-4, 5)]
    low, high = every[0].get_ylim()
    shown = [tick for tick in ticks if low <= tick <= high]
    every[0].set_yticks(shown, [f"{tick:g}" for tick in shown])
    every[0].minorticks_off()
    made.legend(*every[0].get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False)
    made.supxlabel("hidden layers, of the same neurons in all", fontsize="medium")
    return made


def draw_trade_offs(
    costs: Mapping[str, Mapping[str, Sequence[float]]],
    accuracy: Mapping[str, Sequence[Interval]],
    names: Mapping[str, Sequence[str]],
) -> "Figure":
    """Accuracy against each cost, one panel each; the nets of a family are joined in order and named.

    Args:
        costs: what the horizontal axis says -> family -> one value per net.
        accuracy: family -> one interval per net.
        names: family -> what to write at each net; names of nets too close to each other are written together.
    """
    made, grid = figure(3.9 * len(costs), 3.8, columns=len(costs), sharey=True)
    every = list(np.atleast_1d(grid).flat)
    means = {family: [each.mean for each in those] for family, those in accuracy.items()}
    height = np.ptp(np.concatenate(list(means.values()))) or 1.0
    for axes, (label, families) in zip(every, costs.items(), strict=True):
        axes.set(xscale="log", xlabel=label)
        width = np.ptp(np.log(np.concatenate(list(families.values())))) or 1.0
        for index, (family, x) in enumerate(families.items()):
            look: dict[str, Any] = {"color": COLOURS[index], "marker": MARKERS[index], "linestyle": LINES[index]}
            axes.errorbar(x, means[family], error_bar(accuracy[family]), label=family, capsize=2, markersize=4, **look)
            places = list(zip(np.log(x) / width, np.array(means[family]) / height, strict=True))
            for those in together(places):
                edge = (max if index else min)(those, key=lambda place: means[family][place])
                text = ", ".join(names[family][place] for place in those if names[family][place])
                at = (x[edge], means[family][edge])
                offset = (0, 7) if index else (8, -11)  # the first family below its marks, others above
                axes.annotate(
                    text, at, offset, textcoords="offset points", fontsize=7, ha="center", color=COLOURS[index]
                )
        round_ticks(axes, np.concatenate(list(families.values())))
        axes.margins(x=0.12)
    every[0].set_ylabel("test accuracy")
    low, high = every[0].get_ylim()
    every[0].set_ylim(low, high + 0.06 * (high - low))
    made.legend(*every[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    return made


def together(places: Sequence[tuple[float, float]], near: float = 0.09) -> list[list[int]]:
    """Neighbours in the list that are nearer than `near` in both directions, as groups of their numbers."""
    groups: list[list[int]] = []
    for number, (x, y) in enumerate(places):
        last = places[groups[-1][-1]] if groups else None
        if last is not None and abs(x - last[0]) < near and abs(y - last[1]) < near:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def round_ticks(axes: "Axes", values: Sequence[float] | np.ndarray[Any, Any]) -> None:
    """Ticks at 1, 2 or 5 times a power of ten (at every third of them where there are many) on a logarithmic axis."""
    low, high = float(np.min(values)) / 1.1, float(np.max(values)) * 1.1
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5) if low <= digit * 10.0**power <= high]
    ticks = ticks[::3] if len(ticks) > 6 else ticks
    axes.minorticks_off()
    axes.set_xticks(ticks, [f"{tick:,.0f}" if tick >= 1 else f"{tick:g}" for tick in ticks])


def draw_ranks(rows: Sequence[Mapping[str, Any]]) -> "Figure":
    """Rank correlations (the rows of `rank_rows`) as a table of shaded numbers; white is -1, dark is 1."""
    names = [str(row["indicator"]) for row in rows]
    others = [key for key in rows[0] if key != "indicator"]
    values = np.array([[np.nan if row[other] is None else row[other] for other in others] for row in rows])
    made, axes = figure(1.0 + 0.95 * len(others), 1.6 + 0.5 * len(names))
    axes.grid(False)
    axes.imshow(values, cmap="Blues", vmin=-1, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if value > 0.3 else "black"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9, color=colour)
    axes.set_xticks(range(len(others)), [other.replace(", ", ",\n").replace(" in ", "\nin ") for other in others])
    axes.tick_params(axis="x", labelrotation=45)
    axes.set_yticks(range(len(names)), names)
    return made


def plain_ticks(axes: "Axes", values: Sequence[int]) -> None:
    """Whole numbers along a logarithmic horizontal axis."""
    axes.minorticks_off()
    axes.set_xticks(values, [str(value) for value in values])
