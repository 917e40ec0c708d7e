"""Several nets under the same indicators of cost, counted and timed, and how far these agree on the order of nets."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from dlexp.probes.efficiency import Timing, prediction, prediction_bytes, side_by_side, stored_bytes, training_bytes
from dlexp.stats import Interval, mean_interval, spearman
from dlexp.training.flops import counted_flops

PARAMETERS, FLOPS, DISK = "parameters", "FLOPs", "bytes on disk"
PREDICTING, TRAINING = "peak bytes, predicting", "peak bytes, training"
COUNTED = (PARAMETERS, FLOPS, DISK, PREDICTING, TRAINING)
STEP_SECONDS = "training step in seconds"


def latency(batch_size: int) -> str:
    """The name of the indicator: seconds of one prediction of a batch."""
    return f"latency of {batch_size} in seconds"


@dataclass(frozen=True)
class Costs:
    """What one net costs: of each indicator the less the better."""

    counted: Mapping[str, int]  # each of COUNTED
    timed: Mapping[str, Timing]  # `latency(...)` of each batch size, and STEP_SECONDS

    def values(self, indicator: str) -> list[float]:
        """The indicator block by block of the timing; a counted one is the same in all."""
        if indicator in self.counted:
            blocks = len(next(iter(self.timed.values())).blocks)
            return [float(self.counted[indicator])] * blocks
        return self.timed[indicator].blocks

    def typical(self, indicator: str) -> float:
        """The count, or the median of all rounds."""
        return float(self.counted[indicator]) if indicator in self.counted else self.timed[indicator].median


def count(net: nn.Module, step: Callable[[], object], x: Tensor, batch: Tensor) -> dict[str, int]:
    """The counted indicators of `net`: FLOPs of one sample, peak bytes while predicting `batch` and in a training step.

    `step` is the first training step of the net, on the batch `x`; it changes the net.
    """
    return {
        PARAMETERS: sum(parameter.numel() for parameter in net.parameters()),
        FLOPS: counted_flops(net, batch[:1]),
        DISK: stored_bytes(net),
        PREDICTING: prediction_bytes(net, batch),
        TRAINING: training_bytes(net, step, x),
    }


def time_nets(
    nets: Mapping[str, nn.Module], steps: Mapping[str, Callable[[], object]], batches: Sequence[Tensor], rounds: int
) -> dict[str, dict[str, Timing]]:
    """For each net the seconds of predicting each of `batches`, and of a training step, each side by side.

    Training steps get a fifth of the rounds, as they take longer.
    """
    found: dict[str, dict[str, Timing]] = {name: {} for name in nets}
    for batch in batches:
        taken = side_by_side({name: prediction(net, batch) for name, net in nets.items()}, rounds)
        for name, timing in taken.items():
            found[name][latency(len(batch))] = timing
    for name, timing in side_by_side(steps, max(rounds // 5, 5), warm_up=1).items():
        found[name][STEP_SECONDS] = timing
    return found


def ratio(one: Costs, other: Costs, indicator: str) -> Interval:
    """How many times as much of an indicator one net takes as another: geometric mean over the blocks of the timing.

    The interval is that of the mean logarithm, so that it is positive and the same whichever net is named first.
    """
    if indicator in one.counted:
        exact = one.counted[indicator] / other.counted[indicator]
        return Interval(exact, exact, exact, 1)
    logs = mean_interval(np.log(np.divide(one.values(indicator), other.values(indicator))))
    assert logs.low is not None
    assert logs.high is not None
    return Interval(math.exp(logs.mean), math.exp(logs.low), math.exp(logs.high), logs.n)


def agreement(costs: Sequence[Costs], first: str, second: str) -> Interval:
    """Spearman's rank correlation of two indicators over several nets, over the blocks of the timing."""
    by_block = [np.transpose([each.values(name) for each in costs]) for name in (first, second)]  # (blocks, nets)
    return mean_interval([spearman(one, other) for one, other in zip(*by_block, strict=True)])


def rank_rows(values: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """Spearman's rank correlation of every two of `values` (one number per net): the half above the diagonal."""
    names = list(values)
    rows = []
    for place, name in enumerate(names[:-1]):
        row: dict[str, Any] = {"indicator": name}
        for other_place, other in enumerate(names[1:], start=1):
            row[other] = spearman(values[name], values[other]) if other_place > place else None
        rows.append(row)
    return rows
