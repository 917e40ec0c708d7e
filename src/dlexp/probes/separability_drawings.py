"""Drawing what layers separate: measures against depth, and the samples of each layer in the plane."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dlexp.plots import curves, figure, points
from dlexp.probes.layer_measures import Splits, read_layers
from dlexp.probes.representations import Samples
from dlexp.stats import Interval
from dlexp.tabular.drawing import NAMED, samples
from dlexp.tabular.projections import PROJECTIONS, project

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3  # panels side by side
UPRIGHT = 5  # more layers than this are named upright
Views = dict[str, NDArray[np.float64]]  # layer -> points (N, 2)


def draw_by_layer(
    layers: Sequence[str],
    panels: Mapping[str, Mapping[str, Sequence[Interval]]],
    marked: float | None = None,
    mark: str = "",
    log: Collection[str] = (),
) -> "Figure":
    """One panel per measure: its series over the layers, each with its interval.

    Args:
        panels: the panel's vertical label -> series -> one interval per layer, or for the first few of them.
        marked: a position (0 is the first layer) that a vertical line marks in every panel; `mark` says what it is.
        log: labels of panels with a logarithmic axis.
    """
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    made, grid = figure(3.6 * columns, 2.6 * rows + 0.9, columns=columns, rows=rows, sharex=True)
    shown = list(np.atleast_1d(grid).flat)
    for axes, (label, series) in zip(shown, panels.items(), strict=False):
        curves(axes, range(len(next(iter(series.values())))), series)
        if marked is not None:
            axes.axvline(marked, color="black", linestyle=":", linewidth=1.2, label=mark)
        axes.set_ylabel(label)
        if label in log:
            axes.set_yscale("log")
        rotation = 90 if len(layers) > UPRIGHT and max(map(len, layers)) > 3 else 0
        axes.set_xticks(range(len(layers)), layers, rotation=rotation)
        axes.tick_params(labelbottom=True)
    for axes in shown[len(panels) :]:
        axes.set_visible(False)
    made.legend(*shown[0].get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False)
    return made


def draw_rivals(names: Sequence[str], panels: Mapping[str, Mapping[str, Sequence[Interval]]], ylabel: str) -> "Figure":
    """A panel per task, side by side: for each of `names` one mark with its interval per series (classifier)."""
    made, grid = figure(4.6 * len(panels) + 0.6, 4.6, columns=len(panels), sharey=True)
    shown = list(np.atleast_1d(grid).flat)
    for axes, (title, series) in zip(shown, panels.items(), strict=True):
        points(axes, range(len(names)), series)
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_title(title, fontsize="medium")
    shown[0].set_ylabel(ylabel)
    made.legend(*shown[0].get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False)
    return made


def in_plane(name: str, train: Samples, test: Samples, seed: int) -> NDArray[np.float64]:
    """(N, 2): the test samples by the map called `name`, fitted on `train` where a map can place other samples.

    MDS and t-SNE cannot, and are fitted on `test`. Fewer than three features are shown as they are; where nothing
    varies, all samples are at the origin.
    """
    fitted_on = train if PROJECTIONS[name].maps_new else test
    if (fitted_on.x == fitted_on.x[0]).all():
        return np.zeros((len(test.x), 2))
    if test.x.shape[1] < 3:
        return np.pad(test.x, ((0, 0), (0, 2 - test.x.shape[1])))
    made = project(name, fitted_on.x, fitted_on.y, seed)
    return made.points if made.transform is None else np.asarray(made.transform(test.x))


def views_of_layers(
    net: nn.Module, splits: Splits, name: str, seed: int, features: int | None = None, most: int = 5
) -> Views:
    """The test samples at the input, the logits and layers spread evenly between, `most` in all, by the map `name`."""
    known = list(read_layers(net, splits, features).items())
    shown = sorted({round(at) for at in np.linspace(0, len(known) - 1, min(most, len(known)))})
    chosen = [known[at] for at in shown]
    return {layer: in_plane(name, each.train, each.test, seed) for layer, each in chosen}


def draw_views(views: Mapping[str, Views], y: NDArray[np.int64], classes: Sequence[str]) -> "Figure":
    """A row of panels per kind of net, a column per layer: the samples in the plane, by class.

    Args:
        views: title of the row -> title of the column -> points (N, 2); the rows have the same columns.
        y: (N,) class of each point.
    """
    first = next(iter(views.values()))
    made, grid = figure(2.3 * len(first) + 0.6, 2.3 * len(views) + 0.9, len(first), len(views), squeeze=False)
    for number, (row, columns) in enumerate(views.items()):
        for axes, (column, placed) in zip(grid[number], columns.items(), strict=True):
            samples(axes, placed, y, classes, size=10)
            axes.set_xticks([])
            axes.set_yticks([])
            if number == 0:
                axes.set_title(column, fontsize="medium")
        grid[number, 0].set_ylabel(row)
    if len(classes) <= NAMED:
        handles, labels = grid[0, 0].get_legend_handles_labels()
        shown = made.legend(handles, labels, loc="outside upper left", ncols=5, frameon=False)
        for handle in shown.legend_handles:
            if handle is not None:
                handle.set_alpha(1)
    return made
