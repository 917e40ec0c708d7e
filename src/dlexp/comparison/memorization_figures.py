"""Figures of memorisation: accuracy and time to fit by fraction of random labels, losses, rewound layers."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlexp.comparison.repeated import Outcome, PerSeed
from dlexp.comparison.time_to_fit import Epochs
from dlexp.plots import COLOURS, LINES, bars, curves, figure, legend, name_ticks
from dlexp.probes.rewinding import GROUPS, Rewinding
from dlexp.stats import Interval, mean_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def fraction_figure(
    train: Mapping[float, PerSeed],
    test: Mapping[float, PerSeed],
    epochs: Mapping[float, Sequence[Epochs]],
    budget: int,
    chance: float,
) -> "Figure":
    """Accuracies by fraction of random labels on the left, the epochs that every net took to fit on the right."""
    made, (left, right) = figure(width=10.0, columns=2)
    curves(left, list(train), {"train": by_key(train), "test": by_key(test)})
    chance_line(left, chance)
    left.set(xlabel="fraction of random labels", ylabel="accuracy", ylim=(0, 1.04))
    legend(left)
    pairs = [(fraction, value) for fraction, those in epochs.items() for value in those]
    known, late = [pair for pair in pairs if pair[1] is not None], [pair for pair in pairs if pair[1] is None]
    right.plot(*_columns(known), "o", color=COLOURS[0], alpha=0.7, label="one net")
    if late:
        look = {"color": COLOURS[1], "mfc": "white", "label": f"not within {budget}"}
        right.plot([fraction for fraction, _ in late], [budget] * len(late), "^", **look)
    middles = [median([math.inf if value is None else value for value in those]) for those in epochs.values()]
    middles = [each if math.isfinite(each) else math.nan for each in middles]  # not known, not drawn
    right.plot(list(epochs), middles, "--", color="black", linewidth=1, label="median")
    right.set(xlabel="fraction of random labels", ylabel="epochs to fit", ylim=(0, budget * 1.06))
    legend(right)
    return made


def _columns(pairs: Sequence[tuple[float, Epochs]]) -> tuple[list[float], list[Epochs]]:
    return [x for x, _ in pairs], [y for _, y in pairs]


def loss_figure(outcomes: Mapping[str, Outcome]) -> "Figure":
    """Training loss per epoch, mean over the seeds with its interval (after Zhang et al. 2017, figure 1 a)."""
    made, axes = figure(height=3.6)
    for index, (name, outcome) in enumerate(outcomes.items()):
        losses = [[row["train_loss"] for row in one.history] for one in outcome.trained if not one.diverged]
        if not losses:
            continue
        epochs, by_epoch = range(1, len(losses[0]) + 1), by_column(np.array(losses))
        look = {"color": COLOURS[index % 6], "linestyle": LINES[index % 6], "label": name}
        axes.plot(epochs, [each.mean for each in by_epoch], **look)
        ends = [(each.low, each.high) for each in by_epoch if each.low is not None and each.high is not None]
        if len(ends) == len(by_epoch):
            axes.fill_between(epochs, *zip(*ends, strict=True), color=COLOURS[index % 6], alpha=0.18, linewidth=0)
    axes.set(xlabel="epoch", ylabel="training loss (nats)", ylim=(0, None))
    legend(axes, columns=3)
    return made


def rewinding_figure(found: Sequence[Rewinding]) -> "Figure":
    """When each group was learnt; what each layer forgets at the reference epoch; and by epoch."""
    layers, epochs = found[0].layers, found[0].epochs
    made, (left, middle, right) = figure(width=12.0, height=4.4, columns=3)
    learnt = np.array([each.learnt for each in found])  # (seeds, groups, epochs)
    lost = np.array([each.lost for each in found])  # (seeds, groups, layers)
    forgotten = np.array([each.forgotten[0] for each in found])  # (seeds, layers, epochs)
    curves(left, range(len(epochs)), {name: by_column(learnt[:, group]) for group, name in enumerate(GROUPS)})
    left.set(xlabel="epoch", ylabel="fitted (share of the samples)", ylim=(0, 1.04))
    legend(left, columns=2)
    series = {f"{name} samples": by_column(lost[:, group]) for group, name in enumerate(GROUPS)}
    bars(middle, series | {"mislabelled, random signs": by_column(np.array([each.control[0] for each in found]))})
    middle.set(xlabel="layer at the reference epoch", ylabel="forgotten (share of the fitted)", ylim=(0, 1.04))
    name_ticks(middle, layers)
    legend(middle, columns=1)
    curves(right, range(len(epochs)), {layer: by_column(forgotten[:, at]) for at, layer in enumerate(layers)})
    right.set(xlabel="epoch that the layer goes back to", ylabel="mislabelled forgotten (share)", ylim=(0, 1.04))
    legend(right, columns=2)
    for axes in (left, right):
        axes.set_xticks(range(len(epochs)), [str(epoch) for epoch in epochs])
    return made


def chance_line(axes: "Axes", chance: float) -> None:
    """A dotted line at the accuracy of chance."""
    axes.axhline(chance, color="black", linestyle=":", linewidth=1, label="chance")


def by_key(values: Mapping[float, PerSeed]) -> list[Interval]:
    """One interval over seeds per key."""
    return [mean_interval(each) for each in values.values()]


def by_column(values: NDArray[np.float64]) -> list[Interval]:
    """One interval over seeds for each column of (seeds, columns)."""
    return [mean_interval(column) for column in values.T]
