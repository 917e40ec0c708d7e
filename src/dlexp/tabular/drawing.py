"""Drawing the samples of classes: the plane, its means and ellipses, and views of many columns without projection.

Every class has a marker and a colour of its own and is named at its mean, so that colour is never needed to tell.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlexp.plots import COLOURS, LINES, MARKERS, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]
NAMED = 12  # classes that are named at their means; with more of them the names would hide each other
# What a reader without the middle-wavelength cones sees, in linear RGB (Machado, Oliveira and Fernandes 2009, table 1).
DEUTERANOPIA = np.array([
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.011820, 0.042940, 0.968881],
])  # fmt: skip
GREY = np.tile([0.2126, 0.7152, 0.0722], (3, 1))  # relative luminance (sRGB)
DRAWN = 2000  # samples drawn at most: a stated subset, evenly spaced in the order of the rows


def look(c: int) -> dict[str, Any]:
    """Colour and marker of class c: another pair for each of 36 classes, another marker for each of 6."""
    return {"color": COLOURS[(c + c // 6) % 6], "marker": MARKERS[c % 6]}


def line(c: int) -> Any:
    """Line style of class c."""
    return LINES[c % 6]


def drawn_rows(n: int) -> NDArray[np.int64]:
    """The rows of n that are drawn."""
    return np.unique(np.linspace(0, n - 1, min(n, DRAWN)).round().astype(np.int64))


def samples(axes: "Axes", points: Matrix, y: Labels, classes: Sequence[str], size: float = 14) -> None:
    """One faint mark per sample (n, 2), by class."""
    rows = drawn_rows(len(points))
    for c, name in enumerate(classes):
        horizontal, vertical = points[rows[y[rows] == c]].T
        axes.scatter(horizontal, vertical, s=size, alpha=0.5, linewidths=0, label=f"class {name}", zorder=2, **look(c))


def class_means(axes: "Axes", means: Matrix, classes: Sequence[str], label: str = "class mean") -> None:
    """The class means (k, 2): the class's marker, large, white with a thick edge; named while they are few."""
    hollow: dict[str, Any] = {"facecolors": "white", "edgecolors": "black", "linewidths": 1.6}
    for c, (mean, name) in enumerate(zip(means, classes, strict=True)):
        axes.scatter(mean[0], mean[1], s=110, marker=look(c)["marker"], zorder=5, **hollow)
        if len(classes) <= NAMED:
            write_name(axes, mean, name)
    axes.scatter([], [], s=80, marker="o", label=label, **hollow)


def write_name(axes: "Axes", at: Matrix, name: str, size: float = 9) -> None:
    """A name beside a point, legible on any background; `size` in points."""
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=2.5, foreground="white")]
    place: dict[str, Any] = {"textcoords": "offset points", "xytext": (0.8 * size, 0.55 * size), "zorder": 7}
    axes.annotate(name, (at[0], at[1]), fontsize=size, fontweight="bold", path_effects=outline, **place)


def overall_mean(axes: "Axes", mean: Matrix, label: str = "overall mean") -> None:
    """The mean of all samples (2,): a black star with a white edge."""
    star: dict[str, Any] = {"marker": "*", "facecolors": "black", "edgecolors": "white", "linewidths": 1.0}
    axes.scatter(mean[0], mean[1], s=260, zorder=6, label=label, **star)


def rings(axes: "Axes", points: Matrix, label: str, size: float = 120, style: str = "-") -> None:
    """A hollow circle around one sample of each class (k, 2), which is drawn again in full colour."""
    ring: dict[str, Any] = {"facecolors": "none", "edgecolors": "black", "linewidths": 1.3, "linestyles": style}
    axes.scatter(points[:, 0], points[:, 1], s=size, zorder=4, label=label, **ring)
    for c, (horizontal, vertical) in enumerate(points):
        axes.scatter(horizontal, vertical, s=26, edgecolors="white", linewidths=0.6, zorder=4, **look(c))


def tethers(axes: "Axes", points: Matrix, means: Matrix) -> None:
    """A thin line from each class mean (k, 2) to a sample of the class (k, 2)."""
    for ends in np.stack([points, means], axis=1):
        axes.plot(ends[:, 0], ends[:, 1], color="white", linewidth=2, zorder=3)
        axes.plot(ends[:, 0], ends[:, 1], color="black", linewidth=0.7, zorder=3)


def ellipse_outline(mean: Matrix, covariance: Matrix, radius: float, points: int = 200) -> Matrix:
    """(points, 2): where the Mahalanobis distance to `mean` (2,) is `radius`; a segment or a point if singular."""
    eigenvalues, axes = np.linalg.eigh(covariance)
    angle = np.linspace(0, 2 * np.pi, points)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(mean + radius * (circle * np.sqrt(np.maximum(eigenvalues, 0))) @ axes.T)


def ellipses(axes: "Axes", means: Matrix, covariances: Matrix, radii: Sequence[float], label: str) -> None:
    """One outline per class: its line style in its colour, on white so that it stands out among samples."""
    for c, (mean, covariance, radius) in enumerate(zip(means, covariances, radii, strict=True)):
        outline = ellipse_outline(mean, covariance, radius).T
        axes.plot(*outline, color="white", linewidth=3.2, zorder=3)
        axes.plot(*outline, color=look(c)["color"], linestyle=line(c), linewidth=1.6, zorder=3)
    axes.plot([], [], color="black", linewidth=1.6, label=label)


def legend_beside(axes: "Axes") -> None:
    """The legend at the right: axes of equal scales leave room there."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, labelspacing=0.9)


def as_seen(drawn: "Figure", vision: Matrix) -> Matrix:
    """The pixels of a figure (height, width, 3) in [0, 1] after `vision` (3, 3), a map of linear RGB."""
    from matplotlib.image import imread

    written = io.BytesIO()
    drawn.savefig(written, format="png", dpi=200, bbox_inches="tight")
    written.seek(0)
    rgb = imread(written)[..., :3].astype(np.float64)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ vision.T, 0, 1)
    return np.asarray(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055))


def scatter_matrix(x: Matrix, y: Labels, classes: Sequence[str], means: Matrix, names: Sequence[str]) -> "Figure":
    """Every pair of a few columns: samples (n, m) by class with the class means (k, m) and the overall mean.

    On the diagonal: the column's distribution in each class (outlined histograms on common bins).
    """
    m = x.shape[1]
    made, axes = figure(1.75 * m + 0.5, 1.75 * m + 0.9, columns=m, rows=m, squeeze=False, sharex="col")
    for i in range(m):
        for j in range(m):
            each = axes[i, j]
            each.tick_params(labelsize=7)
            if i == j:
                histograms(each, x[:, i], y, len(classes))
            else:
                samples(each, x[:, [j, i]], y, classes, size=5)
                for c, mean in enumerate(means):
                    each.scatter(mean[j], mean[i], s=34, marker=look(c)["marker"], fc="white", ec="black", zorder=5)
                    if len(classes) <= NAMED:
                        write_name(each, mean[[j, i]], classes[c], size=7)
                each.scatter(x[:, j].mean(), x[:, i].mean(), s=70, marker="*", fc="black", ec="white", zorder=6)
            if j == 0:
                each.set_ylabel(names[i])
            if i == m - 1:
                each.set_xlabel(names[j])
    key(made, axes[1, 0] if m > 1 else axes[0, 0])
    return made


def key(made: "Figure", axes: "Axes") -> None:
    """The classes of `axes` above the whole figure, with the marks of the means."""
    if "class mean" not in axes.get_legend_handles_labels()[1]:
        axes.scatter([], [], s=50, marker="o", fc="white", ec="black", label="class mean")
        axes.scatter([], [], s=90, marker="*", fc="black", ec="white", label="overall mean")
    columns = max(2, int(made.get_figwidth() / 1.6))
    shown = made.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=columns, frameon=False)
    for handle in shown.legend_handles:
        if handle is not None:
            handle.set_alpha(1)


def histograms(axes: "Axes", values: Matrix, y: Labels, k: int) -> None:
    """The outline of each class's histogram (share per bin), in its colour and line style."""
    edges = np.histogram_bin_edges(values, 24)
    for c in range(k):
        own = values[y == c]
        heights = np.histogram(own, edges)[0] / max(len(own), 1)
        axes.stairs(heights, edges, color=look(c)["color"], linestyle=line(c), linewidth=1.2)
    axes.set_yticks([])


def parallel_coordinates(x: Matrix, y: Labels, classes: Sequence[str], means: Matrix, names: Sequence[str]) -> "Figure":
    """A panel per class (the first `NAMED`): each of its samples (n, m) a line over the columns.

    Thick: the class mean (k, m); dashed: the overall mean; band: the middle half of the class.
    """
    from matplotlib.collections import LineCollection

    shown, m = list(classes)[:NAMED], x.shape[1]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    made, axes = figure(3.4 * columns, 2.1 * rows + 0.6, columns=columns, rows=rows, squeeze=False, sharey=True)
    at, drawn = np.arange(m), drawn_rows(len(x))
    for c, (each, name) in enumerate(zip(axes.flat, shown, strict=False)):
        own = x[drawn[y[drawn] == c]]
        segments = list(np.stack([np.broadcast_to(at, own.shape), own], axis=2))
        each.add_collection(LineCollection(segments, colors="0.6", alpha=0.2, linewidths=0.5, zorder=1))
        low, high = np.quantile(x[y == c], [0.25, 0.75], axis=0)
        each.fill_between(at, low, high, color=COLOURS[4], alpha=0.6, linewidth=0, zorder=2)
        each.plot(at, x.mean(axis=0), color="black", linestyle="--", linewidth=1.2, label="overall mean")
        each.plot(at, means[c], color=COLOURS[1], linewidth=2, label="class mean")
        each.fill_between([], [], [], color=COLOURS[4], alpha=0.6, label="middle half of the class")
        each.set_title(f"class {name}", fontsize=9)
        each.autoscale_view()
        step = -(-m // 10)  # about ten names, whatever the number of columns
        each.set_xticks(at[::step], [names[i] for i in at[::step]], fontsize=7, rotation=90 if m > 6 else 0)
    for each in axes.flat[len(shown) :]:
        each.set_visible(False)
    made.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False)
    made.supylabel("value (standard deviations)", fontsize=9)
    return made
