"""How the scales of batch normalisation are distributed, and accuracy against depth and width, as figures."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlexp.plots import COLOURS, HATCHES, LINES, curves, figure, legend, name_ticks, points
from dlexp.stats import Interval, mean_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 40  # at most
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)  # widths of bins, times a power of ten
COVERED = (0.005, 0.995)  # quantiles between which the axis runs; what lies beyond is counted in the outer bins


def shares_per_bin(samples: Sequence[ArrayLike], edges: NDArray[np.float64]) -> list[Interval]:
    """For each bin the share of values in it, over several samples (nets); values beyond the ends are put into them."""
    shares = []
    for sample in samples:
        values = np.clip(np.asarray(sample, dtype=np.float64), edges[0], edges[-1])
        counts, _ = np.histogram(values, edges)
        shares.append(counts / max(len(values), 1))
    return [mean_interval(each) for each in np.transpose(shares)]


def round_edges(low: float, high: float) -> NDArray[np.float64]:
    """Edges of at most about 40 equal bins of a round width that cover low..high; 0 is one of them or outside."""
    span = max(high - low, 1e-6)
    power = 10.0 ** np.floor(np.log10(span / BINS))
    width = next(step * power for step in STEPS if step * power >= span / BINS * (1 - 1e-9))
    first, last = int(np.floor(low / width)), int(np.ceil(high / width))
    return np.asarray(np.arange(first, max(last, first + 1) + 1) * width, dtype=np.float64)


def draw_scales(series: Mapping[str, Sequence[ArrayLike]]) -> "Figure":
    """The histogram of gamma per series, one sample (units,) per net, with intervals over the nets."""
    pooled = np.concatenate([np.ravel(sample) for samples in series.values() for sample in samples])
    edges = round_edges(*np.quantile(pooled, COVERED))
    made, axes = figure(8.0, 4.2)
    for index, (label, samples) in enumerate(series.items()):
        bins = shares_per_bin(samples, edges)
        colour, line, hatch = COLOURS[index % 6], LINES[index % 6], HATCHES[index % 6]
        axes.stairs([each.mean for each in bins], edges, color=colour, linestyle=line, linewidth=1.5, label=label)
        ends = [(max(each.low, 0.0), each.high) for each in bins if each.low is not None and each.high is not None]
        if len(ends) == len(bins):
            lows, highs = zip(*ends, strict=True)
            look = {"facecolor": "none" if hatch else colour, "edgecolor": colour, "hatch": hatch}
            axes.stairs(highs, edges, baseline=lows, fill=True, alpha=0.25, linewidth=0, **look)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set(xlabel="gamma (outer bins hold what lies beyond)", ylabel="share of the units", ylim=(0, None))
    legend(axes)
    return made


def draw_by_layer(series: Mapping[str, Sequence[Interval]], layers: Sequence[str], ylabel: str) -> "Figure":
    """A share of the units of each of `layers`, per series."""
    made, axes = figure(max(7.0, 0.3 * len(layers) + 3), 4.2)
    points(axes, range(len(layers)), series)
    name_ticks(axes, layers)
    axes.set(xlabel="batch normalisation", ylabel=ylabel)
    legend(axes)
    return made


def draw_by_shape(panels: Mapping[str, tuple[Sequence[int], Mapping[str, Sequence[Interval]]]]) -> "Figure":
    """One panel per varied key: its values, and per series an accuracy at each; one legend."""
    made, grid = figure(4.6 * len(panels), 4.0, columns=len(panels), sharey=True)
    every = list(np.atleast_1d(grid).flat)
    for axes, (key, (values, series)) in zip(every, panels.items(), strict=True):
        curves(axes, values, series)
        axes.set(xlabel=f"{key} ({'layers' if key == 'depth' else 'times the channels'})", xticks=values)
    every[0].set_ylabel("test accuracy")
    made.legend(*every[0].get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False)
    return made
