"""Figures that stay readable in greyscale and to colour-blind readers.

Colours are Okabe and Ito's (2008), in an order of falling luminance contrast, and every series also has a marker and a
line style of its own. matplotlib's object interface is used: no global state, no display needed.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK, SKY, BLACK = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000"
COLOURS = (BLUE, ORANGE, GREEN, PINK, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
HATCHES = ("", "//", "..", "xx", "\\\\", "++")


def figure(
    width: float = 7.0, height: float = 4.0, columns: int = 1, rows: int = 1, **options: Any
) -> "tuple[Figure, Any]":
    """A figure of `width` x `height` inches and its axes (one, or an array of rows x columns)."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    axes = made.subplots(rows, columns, **options)
    for each in [axes] if rows == columns == 1 else axes.flat:
        each.grid(True, alpha=0.3, linewidth=0.6)
        each.set_axisbelow(True)
        each.spines[["top", "right"]].set_visible(False)
    return made, axes


def series(index: int) -> dict[str, Any]:
    """Colour, marker and line style of the `index`-th series of a plot."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINES[index % len(LINES)],
    }


def band(axes: "Axes", x: Any, mean: Any, low: Any, high: Any, index: int, label: str) -> None:
    """A line with its interval as a shaded band; missing ends (None) leave the line alone."""
    style = series(index)
    axes.plot(x, mean, label=label, markersize=4, **style)
    if all(end is not None for end in (*low, *high)):
        axes.fill_between(x, low, high, color=style["color"], alpha=0.18, linewidth=0)
