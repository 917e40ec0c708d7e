"""What ways to spend a training budget are worth on test samples, and what they cost, size by size."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from statistics import fmean
from typing import Any

from torch import Tensor

from dlexp.comparison.training_budget import KINDS, POOLS, SINGLE, SNAPSHOTS, Spent
from dlexp.data import Dataset
from dlexp.models.widening import parameter_count
from dlexp.probes.calibration import Quality
from dlexp.probes.ensembles import RULES, Decomposition, ensemble_quality
from dlexp.stats import LEVEL, Interval, mean_interval, paired_interval
from dlexp.training.plan import flops_per_step

MEASURES = {"accuracy": "accuracy", "nll": "NLL (nats)", "brier": "Brier score", "ece": "ECE"}
"""The fields of `Quality`, and what tables and axes call them."""


def quality_at(spent: Spent, size: int, labels: Tensor, rule: str = RULES[0]) -> list[Quality]:
    """What the combination at `size` is worth on the test split, per repetition; the mean over a pool's groups."""
    found = []
    for logits in spent.test:
        each = [astuple(ensemble_quality(logits[group], labels, rule)) for group in spent.way.groups(size)]
        found.append(Quality(*(fmean(values) for values in zip(*each, strict=True))))
    return found


def decomposed(
    spent: Spent, size: int, labels: Tensor, decompose: Callable[[Tensor, Tensor], Decomposition]
) -> tuple[dict[str, list[float]], float]:
    """Mean loss of the `members`, `ambiguity` and loss of the `ensemble` at `size`, each per repetition (the mean over
    a pool's groups), and the largest residual of their identity over all samples."""
    found = [[decompose(logits[group], labels) for group in spent.way.groups(size)] for logits in spent.test]
    parts = {
        part: [fmean(float(getattr(each, part).mean()) for each in those) for those in found]
        for part in ("members", "ambiguity", "ensemble")
    }
    return parts, max(each.residual for those in found for each in those)


@dataclass(frozen=True)
class Cost:
    """What a way takes at one size, counted."""

    parameters: int  # that predicting needs
    training_flops: float  # three forward passes' worth for each sample met in training
    prediction_flops: float  # per sample


def cost_at(spent: Spent, size: int, data: Dataset) -> Cost:
    """The cost of `spent` at `size` on `data`."""
    recipe, nets = spent.recipe, len(spent.way.groups(size)[0])
    batch = min(recipe.trainer.batch_size, len(data.train))
    per_sample = flops_per_step(recipe, data) / batch
    epochs = recipe.trainer.epochs
    if spent.way.kind in POOLS:
        epochs *= size
    elif spent.way.kind == SNAPSHOTS:
        epochs = epochs * size // spent.way.sizes[-1]
    count = parameter_count(recipe.model, data.input_shape, data.n_classes)
    return Cost(count * nets, epochs * len(data.train) * per_sample, per_sample / 3 * nets)


@dataclass(frozen=True)
class Scores:
    """All ways at all sizes, measured on the test split."""

    sizes: list[int]
    spent: Mapping[str, Spent]
    found: Mapping[tuple[str, int], list[Quality]]  # (kind, size) -> one per repetition

    @classmethod
    def of(cls, spent: Mapping[str, Spent], labels: Tensor) -> "Scores":
        """Measured against the test `labels` (N,)."""
        sizes = sorted({size for each in spent.values() for size in each.way.sizes})
        found = {
            (each.way.kind, size): quality_at(each, size, labels) for each in spent.values() for size in each.way.sizes
        }
        return cls(sizes, spent, found)

    @property
    def largest(self) -> int:
        """The largest size."""
        return self.sizes[-1]

    def at(self, kind: str, size: int) -> Spent:
        """The way of `kind` that serves `size`."""
        return self.spent[f"{kind} x{size}" if kind in SINGLE else kind]

    def values(self, kind: str, size: int, measure: str) -> list[float]:
        """One of `MEASURES`, per repetition."""
        return [float(getattr(each, measure)) for each in self.found[kind, size]]

    def mean(self, kind: str, size: int, measure: str) -> float:
        """Its mean over the repetitions."""
        return fmean(self.values(kind, size, measure))

    def curves(self, measure: str) -> dict[str, list[Interval]]:
        """Per kind an interval at each size."""
        return {kind: [mean_interval(self.values(kind, size, measure)) for size in self.sizes] for kind in KINDS}

    def gain(self, measure: str, ours: tuple[str, int], theirs: tuple[str, int], level: float = LEVEL) -> Interval:
        """How much better, if positive, one (kind, size) is than another at a measure, paired by repetition."""
        values = self.values(*ours, measure), self.values(*theirs, measure)
        better, worse = values if measure == "accuracy" else values[::-1]
        return paired_interval(better, worse, level)

    def rows(self, data: Dataset) -> list[dict[str, Any]]:
        """Scores with their intervals and cost, one row per kind and size."""
        rows = []
        for kind in KINDS:
            for size in self.sizes:
                row: dict[str, Any] = {"way": kind, "size": size, "learning rate": self.at(kind, size).rate}
                for measure, label in MEASURES.items():
                    interval = mean_interval(self.values(kind, size, measure))
                    row |= interval.columns(label, " ")
                cost = cost_at(self.at(kind, size), size, data)
                row |= {"parameters": cost.parameters, "training FLOPs": cost.training_flops}
                rows.append({**row, "FLOPs per prediction": cost.prediction_flops})
        return rows

    def best(self, kinds: Sequence[str], size: int, measure: str) -> str:
        """The kind with the best mean."""
        sign = -1 if measure == "accuracy" else 1
        return min(kinds, key=lambda kind: sign * self.mean(kind, size, measure))
