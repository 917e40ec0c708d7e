"""Figures that stay readable in greyscale and to colour-blind readers: the same few kinds for every exercise.

Colours are those of Okabe and Ito (2008), and every series also has a marker, a line style and a hatch of its own.
Intervals are always drawn. matplotlib's object interface is used: no global state, no display needed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlexp.stats import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")
CROWDED = 12  # more names than this along an axis are written upright


def figure(
    width: float = 7.0, height: float = 4.0, columns: int = 1, rows: int = 1, **options: Any
) -> "tuple[Figure, Any]":
    """A figure of `width` x `height` inches and its axes (one, or an array of rows x columns)."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    axes = made.subplots(rows, columns, **options)
    for each in axes.flat if hasattr(axes, "flat") else [axes]:
        each.grid(True, alpha=0.3, linewidth=0.6)
        each.set_axisbelow(True)
        each.spines[["top", "right"]].set_visible(False)
    return made, axes


def legend(axes: "Axes", columns: int = 4) -> None:
    """The legend above the axes, where it hides nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, frameon=False, borderaxespad=0.2)


def curves(axes: "Axes", x: Sequence[float], series: Mapping[str, Sequence[Interval]]) -> None:
    """One line per series over `x`, its interval as a band."""
    for index, (label, intervals) in enumerate(series.items()):
        style = {"color": COLOURS[index % 6], "marker": MARKERS[index % 6], "linestyle": LINES[index % 6]}
        axes.plot(x, [each.mean for each in intervals], label=label, markersize=4, **style)
        if all(each.low is not None for each in intervals):
            low, high = [each.low for each in intervals], [each.high for each in intervals]
            axes.fill_between(x, low, high, color=style["color"], alpha=0.18, linewidth=0)  # type: ignore[arg-type]


def points(
    axes: "Axes", x: Iterable[float], series: Mapping[str, Sequence[Interval]], hollow: Sequence[bool] = ()
) -> None:
    """One marker with its interval per value, series side by side; `hollow` marks some positions apart."""
    positions = list(x)
    step = min(0.24, 0.8 / len(series)) if len(series) > 1 else 0.0
    for index, (label, intervals) in enumerate(series.items()):
        colour, marker = COLOURS[index % 6], MARKERS[index % 6]
        for number, (position, each) in enumerate(zip(positions, intervals, strict=True)):
            fill = "white" if number < len(hollow) and hollow[number] else colour
            at = position + step * (index - (len(series) - 1) / 2)
            axes.errorbar(at, each.mean, error_bar([each]), fmt=marker, color=colour, mfc=fill, capsize=2)
        axes.plot([], [], marker, color=colour, label=label)


def scatter(axes: "Axes", x: Sequence[float], series: Mapping[str, Sequence[Interval]]) -> None:
    """One marker per value at its `x`, with its interval, faint where many overlap."""
    for index, (label, intervals) in enumerate(series.items()):
        look: dict[str, Any] = {
            "fmt": MARKERS[index % 6],
            "color": COLOURS[index % 6],
            "markersize": 4,
            "elinewidth": 0.7,
        }
        axes.errorbar(x, [each.mean for each in intervals], error_bar(intervals), label=label, alpha=0.6, **look)


def bars(axes: "Axes", series: Mapping[str, Sequence[Interval]]) -> None:
    """Grouped bars at 0, 1, 2, ... with their intervals."""
    width = 0.8 / len(series)
    for index, (label, intervals) in enumerate(series.items()):
        at = [number + width * (index - (len(series) - 1) / 2) for number in range(len(intervals))]
        means = [each.mean for each in intervals]
        look: dict[str, Any] = {
            "color": COLOURS[index % 6],
            "hatch": HATCHES[index % 6],
            "edgecolor": "white",
            "linewidth": 0.5,
        }
        axes.bar(at, means, width, label=label, **look)
        axes.errorbar(at, means, error_bar(intervals), fmt="none", color="black", elinewidth=0.8, capsize=2)


def error_bar(intervals: Sequence[Interval]) -> list[list[float]] | None:
    """Lengths below and above the means, as matplotlib wants them; None where there are no intervals."""
    if any(each.low is None or each.high is None for each in intervals):
        return None
    below = [each.mean - each.low for each in intervals if each.low is not None]
    above = [each.high - each.mean for each in intervals if each.high is not None]
    return [below, above]


def name_ticks(axes: "Axes", names: Sequence[str]) -> None:
    """Names at 0, 1, 2, ... along the horizontal axis, each ending at its tick."""
    slant: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(names)), names, **({"rotation": 90} if len(names) > CROWDED else slant))
