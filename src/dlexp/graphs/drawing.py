"""A computational graph as a figure: boxes in topological layers, arrows with their local derivatives.

One unit of the axes is one inch, so that texts have a known size and labels can be placed where they hide nothing.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlexp.graphs.layout import Layout, lay_out
from dlexp.graphs.routing import Points, routed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_DRAWN = 60  # nodes; beyond them nobody reads a figure
TEXT, LABEL = 9.5, 8.5  # points
ROW, MARGIN, GAP = 0.92, 0.14, 0.75  # inches: one row, around texts, between layers at least
PLACES = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82)  # along an arrow, where its label may stand

Key = Hashable
Kind = Literal["input", "constant", "operation", "output"]
Rectangle = tuple[float, float, float, float]  # left, bottom, right, top


@dataclass(frozen=True)
class Box:
    """One node: its lines of text, the first in bold."""

    key: Key
    lines: tuple[str, ...]
    kind: Kind


@dataclass(frozen=True)
class Arrow:
    """One edge with its local derivative; two arrows may join the same boxes."""

    parent: Key
    child: Key
    label: str = ""
    colour: str = "#444444"
    line: Any = "-"
    width: float = 1.1  # points


def draw_graph(boxes: Sequence[Box], arrows: Sequence[Arrow], legend: Mapping[str, Arrow] | None = None) -> "Figure":
    """The figure of a graph; `boxes` in topological order, `legend` names some looks of arrows."""
    from matplotlib.figure import Figure

    layout = lay_out([box.key for box in boxes], [(arrow.parent, arrow.child) for arrow in arrows])
    sizes = {box.key: _box_size(box) for box in boxes}
    columns = _columns(layout, sizes, arrows)
    top = max(layout.height.values()) * ROW
    places = {key: (columns[layout.layer[key]], top - layout.height[key] * ROW) for key in sizes}
    pairs = [(arrow.parent, arrow.child) for arrow in arrows]
    passes = [[top - each * ROW for each in layout.passes[pair]] for pair in pairs]
    between = [columns[layout.layer[parent] + 1 :] for parent, _ in pairs]
    curves = routed(pairs, places, sizes, [list(zip(x, y, strict=False)) for x, y in zip(between, passes, strict=True)])
    hidden = [_around(places[key], sizes[key]) for key in sizes]
    left, right = min(r[0] for r in hidden) - 0.15, max(r[2] for r in hidden) + 0.15
    ends = np.concatenate(curves) if curves else np.zeros((1, 2))
    low = min(*(r[1] for r in hidden), ends[:, 1].min()) - 0.15
    high = max(*(r[3] for r in hidden), ends[:, 1].max()) + 0.15 + 0.25 * len(legend or {})
    if legend:
        right = max(right, left + 0.7 + max(_extent(text, LABEL)[0] for text in legend))
    figure = Figure(figsize=(right - left, high - low))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(low, high))
    axes.set_axis_off()
    for arrow, curve in zip(arrows, curves, strict=True):
        _draw_arrow(axes, arrow, curve)
    for box in boxes:
        _draw_box(axes, box, places[box.key], sizes[box.key])
    _draw_labels(axes, arrows, curves, hidden)
    for row, (text, look) in enumerate((legend or {}).items()):
        y = high - 0.2 - 0.25 * row
        axes.plot([left + 0.1, left + 0.5], [y, y], color=look.colour, linestyle=look.line, linewidth=look.width)
        axes.text(left + 0.6, y, text, fontsize=LABEL, va="center")
    return figure


@cache
def _extent(text: str, size: float) -> tuple[float, float]:
    """Width and height of one line of text, in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0, size / 72
    box = TextPath((0, 0), text, size=size, prop=FontProperties(family="DejaVu Sans")).get_extents()
    return float(box.width) / 72, size / 72


def _box_size(box: Box) -> tuple[float, float]:
    width = max(_extent(line, TEXT)[0] * (1.12 if k == 0 else 1.0) for k, line in enumerate(box.lines))  # bold is wider
    return max(width, 0.25) + 2 * MARGIN, len(box.lines) * TEXT / 72 * 1.25 + 1.3 * MARGIN


def _columns(layout: Layout, sizes: Mapping[Key, tuple[float, float]], arrows: Sequence[Arrow]) -> list[float]:
    """The middle of each layer: wide enough apart for the boxes and for the labels between them."""
    count = max(layout.layer.values()) + 1
    widths = [max((sizes[k][0] for k in sizes if layout.layer[k] == number), default=0.0) for number in range(count)]
    gaps = [GAP] * count
    for arrow in arrows:
        number = layout.layer[arrow.parent]
        gaps[number] = max(gaps[number], _extent(arrow.label, LABEL)[0] + 0.6)
    middles = [0.0]
    for number in range(1, count):
        middles.append(middles[-1] + widths[number - 1] / 2 + gaps[number - 1] + widths[number] / 2)
    return middles


def _draw_arrow(axes: "Axes", arrow: Arrow, curve: Points) -> None:
    look: dict[str, Any] = {"color": arrow.colour, "linewidth": arrow.width}
    axes.plot(curve[:-4, 0], curve[:-4, 1], linestyle=arrow.line, solid_capstyle="butt", zorder=1, **look)
    axes.annotate(
        "",
        xy=tuple(curve[-1]),
        xytext=tuple(curve[-7]),
        arrowprops={"arrowstyle": "-|>,head_width=0.22,head_length=0.5", "shrinkA": 0, "shrinkB": 0, **look},
        zorder=2,
    )


_LOOKS: dict[str, dict[str, Any]] = {
    "input": {"facecolor": "#D7EBF7", "edgecolor": "#0072B2", "linewidth": 1.2},
    "constant": {"facecolor": "white", "edgecolor": "#777777", "linewidth": 0.9, "linestyle": ":"},
    "operation": {"facecolor": "#F2F2F2", "edgecolor": "#444444", "linewidth": 1.0},
    "output": {"facecolor": "#F9E3D3", "edgecolor": "#D55E00", "linewidth": 2.2},
}


def _draw_box(axes: "Axes", box: Box, place: tuple[float, float], size: tuple[float, float]) -> None:
    from matplotlib.patches import FancyBboxPatch

    (x, y), (width, height) = place, size
    corner = (x - width / 2 + 0.05, y - height / 2 + 0.05)
    shape = FancyBboxPatch(corner, width - 0.1, height - 0.1, boxstyle="round,pad=0.05", zorder=3, **_LOOKS[box.kind])
    axes.add_patch(shape)
    step = TEXT / 72 * 1.25
    for number, line in enumerate(box.lines):
        at = y + (len(box.lines) - 1) * step / 2 - number * step
        weight = "bold" if number == 0 else "normal"
        axes.text(x, at, line, fontsize=TEXT, ha="center", va="center_baseline", weight=weight, zorder=4, **_PLAIN)


_PLAIN: dict[str, Any] = {"family": "DejaVu Sans", "parse_math": False}


def _draw_labels(axes: "Axes", arrows: Sequence[Arrow], curves: Sequence[Points], hidden: list[Rectangle]) -> None:
    """Each label on its arrow, where it hides least of boxes, other labels and other arrows."""
    taken = list(hidden)
    for index, (arrow, curve) in enumerate(zip(arrows, curves, strict=True)):
        if not arrow.label:
            continue
        width, height = _extent(arrow.label, LABEL)
        size = (width + 0.14, height + 0.06)
        others = np.concatenate([each for k, each in enumerate(curves) if k != index] or [np.zeros((0, 2))])
        spots = [tuple(curve[int(share * (len(curve) - 1))]) for share in PLACES]
        costs = [_cost(_around(spot, size), taken, others) + 0.01 * k for k, spot in enumerate(spots)]
        spot = spots[int(np.argmin(costs))]
        taken.append(_around(spot, size))
        back = {"boxstyle": "square,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.92}
        axes.text(
            spot[0],
            spot[1],
            arrow.label,
            fontsize=LABEL,
            ha="center",
            va="center",
            color=arrow.colour,
            bbox=back,
            zorder=5,
            **_PLAIN,
        )


def _cost(label: Rectangle, taken: Sequence[Rectangle], others: Points) -> float:
    """Square inches of boxes and labels hidden, weighted heavily, and points of other arrows hidden."""
    left, bottom, right, top = label
    overlap = sum(
        max(0.0, min(right, r) - max(left, x)) * max(0.0, min(top, t) - max(bottom, y)) for x, y, r, t in taken
    )
    inside = (others[:, 0] > left) & (others[:, 0] < right) & (others[:, 1] > bottom) & (others[:, 1] < top)
    return 1000 * overlap + float(inside.sum())


def _around(place: tuple[float, float], size: tuple[float, float]) -> Rectangle:
    (x, y), (width, height) = place, size
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
