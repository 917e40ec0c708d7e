"""Rivals at equal budget, each tuned over the same learning rates on validation data, then trained anew.

The tuning runs have seeds of their own: what was tuned on is not what is reported.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from dlexp.data import Split
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.training.evaluate import predict
from dlexp.training.recipe import Recipe
from dlexp.training.single import Trained

TUNING_SEEDS = 1_000_000_000  # added to a seed for the tuning runs; repetitions stay below


@dataclass(frozen=True)
class Contender:
    """A rival: its name, and the parts of the recipe it replaces (`{"scheduler": node}`)."""

    name: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Score:
    """How good one net is on one split: higher is better, accuracy first."""

    accuracy: float  # in [0, 1]; that of chance for a net that diverged
    nll: float  # mean negative log-likelihood in nats; infinite for a net that diverged


@dataclass(frozen=True)
class Tuned:
    """A contender at its chosen learning rate: one net per repetition."""

    name: str
    rate: float
    tuning: Mapping[float, Score]  # mean validation score at each rate of the grid
    trained: list[Trained]
    trials: Mapping[float, list[Score]] = field(default_factory=dict)  # validation scores of the tuning runs, by rate

    @property
    def at_edge(self) -> bool:
        """Whether the chosen rate ends the grid: a better one may lie beyond."""
        return len(self.tuning) > 1 and self.rate in (min(self.tuning), max(self.tuning))


def tune_and_train(
    lab: Lab, contenders: Sequence[Contender], rates: Sequence[float], tuning_repetitions: int
) -> list[Tuned]:
    """Each contender at the best of `rates` for it, trained once per seed of the lab.

    Best is the highest mean validation accuracy over `tuning_repetitions` runs, then the lowest mean negative
    log-likelihood, then the lower rate. Epochs, batches and initial weights are the same for all; a rate at which a
    net diverges counts as chance.

    Raises:
        InputError: the dataset has no validation split to tune on.
    """
    validation = validation_split(lab)
    tuning_seeds = [TUNING_SEEDS + seed for seed in lab.seeds[:tuning_repetitions]]
    recipes = {
        f"{each.name}@{rate}/{seed}": recipe_at(lab, each, rate, seed)
        for each in contenders
        for rate in rates
        for seed in tuning_seeds
    }
    tried = lab.train(recipes, "tuning", curves=False)
    scores = dict(zip(tried, scores_of(lab, list(tried.values()), validation), strict=True))
    trials = {
        each.name: {rate: [scores[f"{each.name}@{rate}/{seed}"] for seed in tuning_seeds] for rate in rates}
        for each in contenders
    }
    grids = {name: {rate: mean_score(runs) for rate, runs in of_rate.items()} for name, of_rate in trials.items()}
    chosen = {name: best_rate(grid) for name, grid in grids.items()}
    final = lab.train(
        {
            f"{each.name}/{seed}": recipe_at(lab, each, chosen[each.name], seed)
            for each in contenders
            for seed in lab.seeds
        },
        "comparing",
    )
    return [
        Tuned(name, chosen[name], grid, [final[f"{name}/{seed}"] for seed in lab.seeds], trials[name])
        for name, grid in grids.items()
    ]


def validation_split(lab: Lab) -> Split:
    """The samples that rates are chosen on; an exercise's `check` calls this too, before anything is trained.

    Raises:
        InputError: the dataset keeps none.
    """
    if lab.dataset.val is None:
        raise InputError("dataset.val_fraction=0: learning rates are tuned on validation samples; keep some, e.g. 0.1")
    return lab.dataset.val


def recipe_at(lab: Lab, contender: Contender, rate: float, seed: int) -> Recipe:
    """The lab's recipe with the contender's parts and the learning rate; a net that diverges stops alone."""
    recipe = lab.recipe(seed, **contender.changes)
    trainer = replace(recipe.trainer, if_diverged="stop")
    return replace(recipe, optimizer={**recipe.optimizer, "lr": rate}, trainer=trainer)


def best_rate(grid: Mapping[float, Score]) -> float:
    """The learning rate of the best score; ties go to the lower rate."""
    return min(grid, key=lambda rate: (-grid[rate].accuracy, grid[rate].nll, rate))


def scores_of(lab: Lab, trained: Sequence[Trained], split: Split) -> list[Score]:
    """The score of each net on `split`."""
    return [score(each, split, lab.dataset.n_classes) for each in trained]


def score(trained: Trained, split: Split, n_classes: int) -> Score:
    """Accuracy and mean negative log-likelihood on `split`; a diverged net is worth chance."""
    if trained.diverged:
        return Score(1 / n_classes, math.inf)
    logits = predict(trained.net, split)
    with torch.no_grad():
        nll = float(cross_entropy(logits.double(), split.y.to(logits.device)))
    return Score(float((logits.argmax(1) == split.y.to(logits.device)).double().mean()), nll)


def mean_score(scores: Sequence[Score]) -> Score:
    """The mean over repetitions."""
    return Score(fmean(each.accuracy for each in scores), fmean(each.nll for each in scores))
