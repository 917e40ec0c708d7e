"""Figures of a study of selectors."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlexp.plots import COLOURS, LINES, MARKERS, error_bar, figure, legend, name_ticks, points
from dlexp.stats import Interval, mean_interval
from dlexp.tabular.blockwise import Indices, Rows
from dlexp.tabular.selection_study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_chosen(x: Rows, chosen: Mapping[str, Indices]) -> "Figure":
    """One panel per selector: all rows in the plane of their first two principal components, the chosen marked."""
    from sklearn.decomposition import PCA

    plane = PCA(2, svd_solver="covariance_eigh").fit_transform(x)
    rows = -(-len(chosen) // 3)
    made, axes = figure(9.0, 2.9 * rows + 0.3, columns=3, rows=rows, sharex=True, sharey=True, squeeze=False)
    for each, (name, indices) in zip(axes.flat, chosen.items(), strict=False):
        each.scatter(*plane.T, s=4, color="0.75", linewidths=0)
        each.scatter(*plane[indices].T, s=40, marker="^", color=COLOURS[1], edgecolors="black", linewidths=0.7)
        each.set_title(name, fontsize=10)
    for each in axes.flat[len(chosen) :]:
        each.set_visible(False)
    made.supxlabel("first principal component", fontsize=10)
    made.supylabel("second principal component", fontsize=10)
    return made


def draw_accuracy(study: Study, baseline: str, names: Sequence[str]) -> "Figure":
    """Accuracy against k: a panel per condition (down) and classifier (across), the baseline as a thick line."""
    rows, columns = len(study.draws), len(study.classifiers)
    made, axes = figure(
        3.3 * columns + 0.6, 2.9 * rows + 0.7, columns=columns, rows=rows, squeeze=False, sharex=True, sharey="row"
    )
    x = 100 * np.asarray(study.fractions)
    for row, condition in zip(axes, study.draws, strict=True):
        for column, each in enumerate(row):
            series = {name: intervals(study, condition, name, column) for name in names}
            dodged(each, x, series, spread=0.4 * float(np.diff(x).min()))
            thick = intervals(study, condition, baseline, column)
            each.plot(x, [value.mean for value in thick], color="black", linewidth=2.5, label=baseline)
            if all(value.low is not None for value in thick):
                ends = [value.low for value in thick], [value.high for value in thick]
                each.fill_between(x, *ends, color="black", alpha=0.15, linewidth=0)
            each.set_title(f"{study.classifiers[column]}, {condition}", fontsize=10)
            each.set_xticks(x, [f"{value:g}" for value in x])
        row[0].set_ylabel("test accuracy")
    for each in axes[-1]:
        each.set_xlabel("k, % of n")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    made.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False)
    return made


def intervals(study: Study, condition: str, name: str, classifier: int) -> list[Interval]:
    """Accuracy of one classifier at each fraction."""
    return [mean_interval(values) for values in study.accuracy(condition, name)[:, :, classifier].T]


def dodged(axes: Any, x: NDArray[np.float64], series: Mapping[str, Sequence[Interval]], spread: float) -> None:
    """Lines with error bars, series side by side over `spread` units of x so that none hides another."""
    for index, (label, values) in enumerate(series.items()):
        at = x + spread * (index - (len(series) - 1) / 2) / max(1, len(series) - 1)
        look = {"color": COLOURS[index % 6], "marker": MARKERS[index % 6], "linestyle": LINES[index % 6]}
        means = [each.mean for each in values]
        axes.errorbar(at, means, error_bar(values), label=label, markersize=4, linewidth=1, elinewidth=0.8, **look)


def draw_gains(gains: Mapping[str, Mapping[str, Interval]], baseline: str, margin: float) -> "Figure":
    """The gain of each selector over the baseline, by condition."""
    names = list(next(iter(gains.values())))
    made, axes = figure(height=4.4)
    points(axes, range(len(names)), {condition: list(each.values()) for condition, each in gains.items()})
    axes.axhline(0, color="black", linewidth=1)
    axes.axhline(margin, color="black", linestyle=":", linewidth=1, label=f"margin {margin:g}")
    axes.set(ylabel=f"accuracy beyond {baseline}")
    name_ticks(axes, names)
    legend(axes)
    return made


def draw_seconds(seconds: Mapping[str, Mapping[int, float]]) -> "Figure":
    """Seconds against rows, both on a logarithmic scale; straight lines of slope 1 are linear time."""
    made, axes = figure(7.0, 4.4)
    for index, (name, by_n) in enumerate(seconds.items()):
        look = {"color": COLOURS[index % 6], "marker": MARKERS[index % 6], "linestyle": LINES[(index + index // 6) % 6]}
        fill = look["color"] if index < 6 else "white"  # the seventh series on have hollow markers
        axes.plot(list(by_n), list(by_n.values()), label=name, markersize=5, mfc=fill, **look)
    axes.set(xscale="log", yscale="log", xlabel="rows to choose from", ylabel="seconds (wall clock)")
    legend(axes, columns=3)
    return made
