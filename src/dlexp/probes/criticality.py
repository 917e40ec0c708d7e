"""How critical each layer of a trained net is: what the accuracy loses when that layer alone is put back.

Zhang, Bengio, Singer (JMLR 2022), with a control of the same distance in a random direction, and with three ways to
treat the running statistics of the layer's batch normalisation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlexp.data import Split
from dlexp.models.layers import layer_units
from dlexp.probes.layer_statistics import STATISTICS, Statistics, has_batch_norm, with_statistics
from dlexp.probes.reinitialisation import State, accuracies, distance, random_direction
from dlexp.stats import Interval, mean_interval
from dlexp.training.evaluate import accuracy

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Criticality:
    """Drops in test accuracy of one net, one layer put back at a time; vectors are over `layers`."""

    layers: list[str]
    epochs: list[int]  # of the snapshots, ascending; the first is the initial value
    accuracy: float  # of the net as trained
    back: NDArray[np.float64]  # (layers, epochs): drop when put back to the value at that epoch
    fresh: Vector  # drop when drawn anew, mean over the draws
    random: Vector  # drop for a random direction, as far as the initial value; mean over the draws
    statistics: dict[Statistics, Vector]  # drop at the initial value by rule; empty without batch normalisation
    validation: Vector  # drop at the initial value on the validation split: to choose layers by
    moved: Vector  # relative distance from the initial value
    redrawn: Vector  # relative distance from a fresh draw, mean over the draws

    @property
    def initial(self) -> Vector:
        """Drop when put back to the initial value."""
        drop: Vector = self.back[:, 0]
        return drop


def measure_criticality(
    net: nn.Module,
    snapshots: Mapping[int, State],
    fresh: Sequence[State],
    train: Split,
    val: Split,
    test: Split,
    statistics: Statistics,
    generator: torch.Generator,
    batch_size: int = 512,
) -> Criticality:
    """Put every layer of `net` back in every way; afterwards the net has the same bits.

    Args:
        snapshots: epoch -> state dict of the whole net; the earliest is the initial value.
        fresh: state dicts of untrained nets (`fresh_draw`), at least one; as many random directions are drawn.
        train: what batch statistics are estimated on.
        statistics: the rule for running statistics, for all but the comparison of the rules.
        generator: of the CPU, for the random directions.
    """
    epochs = sorted(snapshots)
    initial = snapshots[epochs[0]]

    def by_rule(states: Sequence[State], rule: Statistics = statistics) -> list[State]:
        return list(with_statistics(net, states, rule, train, batch_size))

    random = [random_direction(net, initial, generator) for _ in fresh]
    rules: tuple[Statistics, ...] = STATISTICS if has_batch_norm(net) else ()
    groups: dict[str, list[State]] = {
        "back": by_rule([snapshots[epoch] for epoch in epochs]),
        "fresh": by_rule(fresh),
        "random": by_rule(random),
    }
    groups |= {rule: by_rule([initial], rule) for rule in rules}
    full = accuracy(net, test, batch_size)
    drops = full - accuracies(net, [state for group in groups.values() for state in group], test, batch_size)
    ends = np.cumsum([len(group) for group in groups.values()])[:-1]
    parts = dict(zip(groups, np.split(drops, ends, axis=1), strict=True))
    validation = accuracy(net, val, batch_size) - accuracies(net, groups["back"][:1], val, batch_size)[:, 0]
    layers = list(layer_units(net))
    return Criticality(
        layers=layers,
        epochs=epochs,
        accuracy=full,
        back=parts["back"],
        fresh=parts["fresh"].mean(axis=1),
        random=parts["random"].mean(axis=1),
        statistics={rule: parts[rule][:, 0] for rule in rules},
        validation=validation,
        moved=np.array([distance(net, layer, initial) for layer in layers]),
        redrawn=np.array([[distance(net, layer, state) for state in fresh] for layer in layers]).mean(axis=1),
    )


Measured = Mapping[str, Sequence[Criticality]]  # by net, one per seed


def over_seeds(those: Sequence[Criticality], value: Callable[[Criticality], float], level: float = 0.95) -> Interval:
    """Interval over the trainings of one number of each."""
    return mean_interval([value(each) for each in those], level)


def over_nets(measured: Measured, value: Callable[[Criticality], float]) -> Interval:
    """Interval over the seeds of the mean over the nets."""
    return mean_interval(np.mean([[value(each) for each in those] for those in measured.values()], axis=0))


def by_layer(
    those: Sequence[Criticality], value: Callable[[Criticality], Vector], level: float = 0.95
) -> list[Interval]:
    """One interval over the trainings for each layer."""
    return [mean_interval(column, level) for column in np.array([value(each) for each in those]).T]


def verdict(drop: Interval, threshold: float) -> str:
    """`robust` if the whole interval of a drop lies below `threshold`, `critical` if above it, else `undecided`."""
    side = drop.side_of(threshold)
    return {"below": "robust", "above": "critical"}.get(side, side)


def kinds_of_layers(those: Sequence[Criticality], threshold: float) -> dict[str, list[str]]:
    """Robust, critical and undecided layers of one net; intervals corrected for the number of layers (Bonferroni)."""
    layers = those[0].layers
    drops = by_layer(those, lambda each: each.initial, level=1 - 0.05 / len(layers))
    return {
        kind: [layer for layer, drop in zip(layers, drops, strict=True) if verdict(drop, threshold) == kind]
        for kind in ("robust", "critical", "undecided")
    }
