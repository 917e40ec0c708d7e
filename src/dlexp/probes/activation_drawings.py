"""Activations and what they do to signals, one panel each."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dlexp.plots import COLOURS, LINES, MARKERS, figure
from dlexp.probes.signal_propagation import Activation, Propagation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3  # panels side by side
VERSIONS = ("as it is", "with the right scale")


def draw_functions(functions: Mapping[str, Activation]) -> "Figure":
    """Value and derivative of each activation over [-5, 5]; the keys are the panels' titles."""
    made, panels = _panels(list(functions), 2.0)
    x = torch.linspace(-5, 5, 402, dtype=torch.float64, requires_grad=True)
    for panel, function in zip(panels, functions.values(), strict=False):
        value = function(x.clone())
        (slope,) = torch.autograd.grad(value.sum(), x)
        for index, (label, y) in enumerate({"f(x)": value, "f'(x)": slope}.items()):
            panel.plot(x.detach(), y.detach(), color=COLOURS[index], linestyle=LINES[index], label=label)
        panel.set_ylim(-3, 5)
    made.supxlabel("x", fontsize="medium")
    made.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    return made


def draw_signals(signals: Mapping[str, Sequence[tuple[Propagation, Sequence[Propagation]]]]) -> "Figure":
    """Variance and squared gradient by layer: theory as lines, the mean over random nets as marks.

    Args:
        signals: title of the panel -> theory and measurements of the activation as it is and, where there is one, of
            the same with the scale that keeps the variance.
    """
    made, panels = _panels(list(signals), 2.1)
    for panel, versions in zip(panels, signals.values(), strict=False):
        for version, (theory, measured) in enumerate(versions):
            for index, part in enumerate(("variance", "gradient")):
                layers = np.arange(1, len(theory.variance) + 1)
                mean = np.mean([getattr(each, part) for each in measured], axis=0)
                look = _look(index, version)
                panel.plot(layers, getattr(theory, part), color=look["color"], linestyle=look["linestyle"])
                look["linestyle"] = "none"
                panel.plot(layers, mean, markevery=max(len(layers) // 8, 1), **look)
        panel.set(yscale="log", ylim=(1e-9, 1e4))
    for index, part in enumerate(("variance", "squared gradient")):
        for version, said in enumerate(VERSIONS):
            panels[0].plot([], [], label=f"{part}, {said}", **_look(index, version))
    made.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    made.supxlabel("layer", fontsize="medium")
    made.supylabel("mean square of pre-activations; of gradients over the last layer's", fontsize="medium")
    return made


def _look(part: int, version: int) -> dict[str, Any]:
    colour = COLOURS[part]
    fill = "white" if version else colour
    return {"color": colour, "linestyle": LINES[version], "marker": MARKERS[part], "markersize": 4, "mfc": fill}


def _panels(titles: Sequence[str], height: float) -> "tuple[Figure, list[Any]]":
    columns = min(COLUMNS, len(titles))
    rows = -(-len(titles) // columns)
    size = {"width": 3.2 * columns + 0.6, "height": height * rows + 0.8}
    made, grid = figure(**size, rows=rows, columns=columns, sharex=True, sharey=True)
    panels = list(np.atleast_1d(grid).flat)
    for panel in panels[len(titles) :]:
        panel.set_visible(False)
    for panel, title in zip(panels, titles, strict=False):
        panel.set_title(title, fontsize="medium")
    return made, panels
