"""The same training under several conditions (data, regularisation, size), each repeated over the seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlexp.data import Dataset
from dlexp.lab import Lab
from dlexp.training.evaluate import accuracy
from dlexp.training.recipe import Recipe
from dlexp.training.replicas import Trained

PerSeed = NDArray[np.float64]


@dataclass(frozen=True)
class Condition:
    """What is trained, for every seed."""

    name: str
    recipe: Callable[[int], Recipe]  # of a seed
    data: Callable[[int], Dataset]  # of a seed


@dataclass(frozen=True)
class Outcome:
    """The nets of one condition, one per seed, with their accuracies on their own training data and test split."""

    trained: list[Trained]
    data: list[Dataset]
    train: PerSeed
    test: PerSeed

    @property
    def memorised(self) -> PerSeed:
        """Train accuracy as a share of the way from chance 1 / n_classes to 1: 0 at chance, 1 if all are fitted."""
        chance = 1 / self.data[0].n_classes
        return (self.train - chance) / (1 - chance)


def train_conditions(lab: Lab, conditions: Sequence[Condition], label: str, curves: bool = True) -> dict[str, Outcome]:
    """The outcome of each condition, by name; all nets are trained side by side."""
    runs = {f"{each.name}/{seed}": (each, seed) for each in conditions for seed in lab.seeds}
    recipes = {name: each.recipe(seed) for name, (each, seed) in runs.items()}
    data = {name: each.data(seed) for name, (each, seed) in runs.items()}
    trained = lab.train(recipes, label, data=data, curves=curves)

    def accuracies(name: str) -> list[float]:
        size = recipes[name].trainer.eval_batch_size
        return [accuracy(trained[name].net, split, size) for split in (data[name].train, data[name].test)]

    measured = dict(zip(runs, lab.map(accuracies, list(runs), f"accuracies, {label}"), strict=True))
    outcomes = {}
    for each in conditions:
        names = [f"{each.name}/{seed}" for seed in lab.seeds]
        train, test = np.array([measured[name] for name in names]).T
        outcomes[each.name] = Outcome([trained[name] for name in names], [data[name] for name in names], train, test)
    return outcomes
