"""Pictures of what a period of the training does: final accuracy against its epochs, and Fisher traces on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlexp.plots import COLOURS, LINES, MARKERS, error_bar, figure, legend, name_ticks, points
from dlexp.stats import Interval, mean_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Panel:
    """One quantity against the epoch, for several treatments."""

    xlabel: str
    epochs: Sequence[int]
    series: Mapping[str, Sequence[Interval]]  # treatment -> one interval per epoch


def draw_panels(panels: Sequence[Panel], ylabel: str, epochs: int, one_scale: bool = True) -> "Figure":
    """The panels side by side, of `ylabel` on one scale or each on its own, with a line at 0; of `epochs` in all."""
    width = (3.6 if one_scale else 3.9) * len(panels) + 0.8
    made, axes = figure(width=width, height=3.8, columns=len(panels), sharey=one_scale, squeeze=False)
    for panel, each in zip(panels, axes.flat, strict=True):
        for index, (label, intervals) in enumerate(panel.series.items()):
            aside = 0.015 * epochs * (index - (len(panel.series) - 1) / 2)  # so that no interval hides another
            each.errorbar(
                [epoch + aside for epoch in panel.epochs],
                [interval.mean for interval in intervals],
                error_bar(intervals),
                label=label,
                color=COLOURS[index % 6],
                marker=MARKERS[index % 6],
                linestyle=LINES[index % 6],
                markersize=5,
                linewidth=1.2,
                capsize=2.5,
            )
        each.axhline(0, color="black", linewidth=0.8)
        each.set(xlabel=panel.xlabel, xlim=(-0.05 * epochs, 1.05 * epochs))
    axes.flat[0].set(ylabel=ylabel)
    legend(axes.flat[0], columns=6)
    return made


def draw_contrasts(settings: Sequence[str], series: Mapping[str, Sequence[Interval]], margin: float) -> "Figure":
    """Early minus late for each of `settings` and each treatment of `series`, with the margin that decides."""
    made, axes = figure(width=max(5.0, 1.6 * len(settings) + 2.5), height=3.8)
    points(axes, range(len(settings)), series)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.axhline(margin, color="black", linestyle=":", linewidth=1, label=f"margin {margin:g}")
    name_ticks(axes, settings)
    axes.set(ylabel="test accuracy, early minus late", xlim=(-0.6, len(settings) - 0.4))
    legend(axes, columns=3)
    return made


def draw_traces(
    panels: Sequence[Mapping[str, NDArray[np.float64]]], epochs: Sequence[int], marked: tuple[int, int]
) -> "Figure":
    """Fisher traces on a logarithmic axis: treatment -> (seeds, epochs), with 95 % intervals of the geometric mean.

    `epochs` counts from 0, the initialisation. The epochs `marked` (from, to) are shaded.
    """
    made, axes = figure(width=4.6 * len(panels) + 0.6, height=4.0, columns=len(panels), sharey=True, squeeze=False)
    for panel, each in zip(panels, axes.flat, strict=True):
        each.axvspan(*marked, color="black", alpha=0.07, linewidth=0)
        for index, (label, traces) in enumerate(panel.items()):
            logs = [mean_interval(np.log(column)) for column in traces.T]
            look = {"color": COLOURS[index % 6], "linestyle": LINES[index % 6], "linewidth": 1.4}
            every = max(1, len(epochs) // 10)
            middle = np.exp([log.mean for log in logs])
            each.plot(epochs, middle, label=label, marker=MARKERS[index % 6], markevery=every, markersize=4, **look)
            low, high = ([end for log in logs if (end := getattr(log, name)) is not None] for name in ("low", "high"))
            if len(low) == len(high) == len(logs):
                each.fill_between(epochs, np.exp(low), np.exp(high), color=COLOURS[index % 6], alpha=0.15, linewidth=0)
        each.set(xlabel="epochs completed", yscale="log")
        legend(each, columns=2)
    axes.flat[0].set(ylabel="trace of the Fisher information")
    return made
