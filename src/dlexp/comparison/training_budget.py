"""Ways to spend the work of M trainings: three kinds of ensembles, averaged weights, a wider net, a longer training.

A way trains nets; their predictions are the members that it combines. What is trained once serves all sizes where that
is exact: disjoint groups of a pool, and the first M cycles of a schedule that begins anew with each.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from dlexp.comparison.tuned import TUNING_SEEDS
from dlexp.data import Split
from dlexp.data.bootstrap import bootstrap
from dlexp.lab import Lab
from dlexp.models.widening import parameter_count, sized
from dlexp.probes.ensembles import ensemble_quality
from dlexp.training.evaluate import predict
from dlexp.training.recipe import Recipe
from dlexp.training.single import Trained

MEMBER_SEEDS = 2_000_000_000  # added once per member: beyond the seeds of repetitions and of their tuning

ENSEMBLE, BAGGING, SNAPSHOTS, SWA, WIDE, LONG = (
    "deep ensemble",
    "bagging",
    "snapshots",
    "weight averaging",
    "wide net",
    "long net",
)
POOLS = (ENSEMBLE, BAGGING)
SINGLE = (SWA, WIDE, LONG)  # one net for each size
KINDS = (*POOLS, SNAPSHOTS, *SINGLE)


@dataclass(frozen=True)
class Averaging:
    """Settings of stochastic weight averaging."""

    start: float  # fraction of the training after which weights are averaged
    factor: float  # constant rate as a fraction of the peak


@dataclass(frozen=True)
class Way:
    """One kind at the sizes that one set of its trainings serves."""

    kind: str  # one of KINDS
    sizes: tuple[int, ...]  # growing
    recipes: Callable[[float, int], list[Recipe]]  # (peak learning rate, seed) -> its trainings

    @property
    def name(self) -> str:
        """The kind, and for a single net its size."""
        return f"{self.kind} x{self.sizes[0]}" if self.kind in SINGLE else self.kind

    def groups(self, size: int) -> list[list[int]]:
        """The members that are combined at `size`: disjoint groups of a pool, or the first of a sequence."""
        if self.kind in POOLS:
            return [list(range(at, at + size)) for at in range(0, self.sizes[-1], size)]
        return [list(range(size))] if self.kind == SNAPSHOTS else [[0]]


def ways_to_spend(lab: Lab, sizes: Sequence[int], averaging: Averaging) -> list[Way]:
    """All kinds at all `sizes` (growing, each a divisor of the last); a size is the work of so many trainings."""
    largest, data, model = sizes[-1], lab.dataset, lab.config["model"]
    count = parameter_count(model, data.input_shape, data.n_classes)
    restarts = {**lab.option("scheduler", "cosine_restarts"), "cycles": largest}
    averaged = {"_target_": "dlexp.training.weight_averaging.AveragedWeights", "start": averaging.start}
    swa = {**lab.option("scheduler", "swa"), "start": averaging.start, "factor": averaging.factor}

    def recipe(rate: float, seed: int, epochs: int = 1, keep: bool = False, **changes: Any) -> Recipe:
        """The lab's recipe at `rate`, `epochs` times as long."""
        made = lab.recipe(seed, **changes)
        once = made.trainer.epochs
        kept = [once * cycle for cycle in range(1, epochs + 1)] if keep else []
        trainer = replace(made.trainer, epochs=once * epochs, snapshot_epochs=kept, if_diverged="stop")
        return replace(made, optimizer={**made.optimizer, "lr": rate}, trainer=trainer)

    def pool(rate: float, seed: int) -> list[Recipe]:
        return [recipe(rate, seed + MEMBER_SEEDS * member) for member in range(largest)]

    def snapshots(rate: float, seed: int) -> list[Recipe]:
        return [recipe(rate, seed, largest, keep=True, scheduler=restarts)]

    def single(kind: str, size: int) -> Callable[[float, int], list[Recipe]]:
        if kind == WIDE:
            wide = sized(model, count * size, data.input_shape, data.n_classes)
            return lambda rate, seed: [recipe(rate, seed, model=wide)]
        changes: dict[str, Any] = {"scheduler": swa, "callbacks": [averaged]} if kind == SWA else {}
        return lambda rate, seed: [recipe(rate, seed, size, **changes)]

    every = tuple(sizes)
    shared = [Way(ENSEMBLE, every, pool), Way(BAGGING, every, pool), Way(SNAPSHOTS, every, snapshots)]
    return shared + [Way(kind, (size,), single(kind, size)) for kind in SINGLE for size in sizes]


@dataclass(frozen=True)
class Spent:
    """What one way gave, at the learning rate that was best for it: logits (members, N, K), one per repetition."""

    way: Way
    rate: float
    tuning: Mapping[float, float]  # validation loss in nats at each rate, at the largest size
    recipe: Recipe  # of one of its trainings
    val: list[Tensor]
    test: list[Tensor]


def spend(lab: Lab, ways: Sequence[Way], rates: Sequence[float], tuning_repetitions: int) -> dict[str, Spent]:
    """Every way at the best of `rates` for it, once per seed of the lab.

    Best is the lowest mean negative log-likelihood of its combination on validation samples at its largest size, over
    runs with seeds of their own; a rate at which a net diverges is out.
    """
    val, test = lab.dataset.val, lab.dataset.test
    assert val is not None
    seeds = [TUNING_SEEDS + seed for seed in lab.seeds[:tuning_repetitions]]
    runs = [(way, rate, seed) for way in ways for rate in rates for seed in seeds]
    tried = train(lab, runs, "tuning")
    losses: dict[tuple[str, float], list[float]] = {}
    for (way, rate, _), nets in zip(runs, tried, strict=True):
        losses.setdefault((way.name, rate), []).append(validation_loss(way, nets, val))
    tuning = {way.name: {rate: fmean(losses[way.name, rate]) for rate in rates} for way in ways}
    best = {name: min(rates, key=lambda rate: (grid[rate], rate)) for name, grid in tuning.items()}
    runs = [(way, best[way.name], seed) for way in ways for seed in lab.seeds]
    finished = dict(zip([(way.name, seed) for way, _, seed in runs], train(lab, runs, "comparing"), strict=True))
    spent = {}
    for way in ways:
        runs_of_way = [finished[way.name, seed] for seed in lab.seeds]
        spent[way.name] = Spent(
            way,
            best[way.name],
            tuning[way.name],
            runs_of_way[0][0].recipe,
            [member_logits(each, val) for each in runs_of_way],
            [member_logits(each, test) for each in runs_of_way],
        )
    return spent


def train(lab: Lab, runs: Sequence[tuple[Way, float, int]], label: str) -> list[list[Trained]]:
    """The trained nets of each run (way, learning rate, seed); those on bootstrap samples run by run.

    All resampled training sets at once would take too much memory.
    """
    recipes = [way.recipes(rate, seed) for way, rate, seed in runs]
    names = [f"{way.name}@{rate}" for way, rate, _ in runs]
    plain = {
        f"{name}/{each.seed}": each
        for (way, _, _), name, those in zip(runs, names, recipes, strict=True)
        if way.kind != BAGGING
        for each in those
    }
    trained = lab.train(plain, label, curves=False)
    results = []
    for (way, _, _), name, those in zip(runs, names, recipes, strict=True):
        own = {f"{name}/{each.seed}": each for each in those}
        if way.kind == BAGGING:
            data = {key: bootstrap(lab.dataset, each.seed) for key, each in own.items()}
            trained = {**trained, **lab.train(own, f"{label}, bagging", data, curves=False)}
        results.append([trained[key] for key in own])
    return results


def validation_loss(way: Way, nets: Sequence[Trained], val: Split) -> float:
    """Negative log-likelihood of the way's combination at its largest size; infinite if a net diverged."""
    if any(each.diverged for each in nets):
        return math.inf
    size = way.sizes[-1]
    logits = member_logits(nets, val)
    return fmean(ensemble_quality(logits[group], val.y).nll for group in way.groups(size))


def member_logits(nets: Sequence[Trained], split: Split) -> Tensor:
    """Logits (members, N, K) on the CPU: of every net, or of the snapshots of a net that has some.

    The nets keep their weights.
    """
    found = []
    for each in nets:
        size = each.recipe.trainer.eval_batch_size
        final = {name: tensor.clone() for name, tensor in each.net.state_dict().items()}
        try:
            for state in [each.snapshots[epoch] for epoch in sorted(each.snapshots)] or [final]:
                each.net.load_state_dict(state)
                found.append(predict(each.net, split, size).cpu())
        finally:
            each.net.load_state_dict(final)
    return torch.stack(found)
