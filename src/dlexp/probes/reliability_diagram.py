"""Reliability diagrams: how often a net is right when it says how sure it is."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlexp.plots import COLOURS, MARKERS, figure
from dlexp.probes.calibration import Bin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 4  # panels side by side
FEWEST = 10  # samples in a bin that is drawn


def draw_reliability(bins: Mapping[str, Sequence[Bin]]) -> "Figure":
    """Accuracy against mean confidence, one panel per entry, with 95 % Wilson intervals; the first is black."""
    columns = min(COLUMNS, len(bins))
    rows = -(-len(bins) // columns)
    made, grid = figure(2.6 * columns + 0.6, 2.5 * rows + 0.5, columns=columns, rows=rows, sharex=True, sharey=True)
    panels = list(np.atleast_1d(grid).flat)
    for panel in panels[len(bins) :]:
        panel.set_visible(False)
    for index, (panel, (title, those)) in enumerate(zip(panels, bins.items(), strict=False)):
        kept = [each for each in those if each.samples >= FEWEST]
        ends = np.array([wilson(each.accuracy, each.samples) for each in kept]).reshape(-1, 2)
        right = np.array([each.accuracy for each in kept])
        look = {"fmt": MARKERS[index and 1], "color": COLOURS[0 if index else 5], "capsize": 2, "markersize": 4}
        panel.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":")
        panel.errorbar([each.confidence for each in kept], right, np.abs(ends.T - right), **look)
        panel.set_title(title, fontsize="medium")
        panel.set(xlim=(0, 1.02), ylim=(0, 1.02), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    made.supxlabel("mean confidence of the bin", fontsize="medium")
    made.supylabel("share of right predictions", fontsize="medium")
    return made


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n >= 1 independent samples (Wilson 1927); it holds the share itself."""
    z = 1.959964
    centre = share + z**2 / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)
