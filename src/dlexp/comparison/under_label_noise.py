"""Rivals compared at several levels of label noise, each tuned at each level on labels that are as noisy.

Whoever has wrong labels has them in the validation split too. Symmetric noise of share s changes an accuracy A to
(1 - s) A + s (1 - A) / (K - 1), which keeps the order of nets, so tuning by accuracy needs no right labels. What is
reported is measured on the test split, whose labels are right.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlexp.comparison.tuned import (
    TUNING_SEEDS,
    Contender,
    Score,
    best_rate,
    mean_score,
    recipe_at,
    score,
    validation_split,
)
from dlexp.data import Dataset, Split
from dlexp.data.label_noise import noisy_labels, noisy_training_labels
from dlexp.lab import Lab
from dlexp.probes.calibration import Quality, quality
from dlexp.training.evaluate import predict
from dlexp.training.single import Trained

Level = float  # share of wrong labels
Job = tuple[str, Level, float, int]  # contender, noise level, learning rate, seed


@dataclass(frozen=True)
class TunedAtLevel:
    """One contender at one level, at the learning rate chosen there."""

    noisy: Mapping[float, Score]  # mean validation score by rate, on labels with noise of this level: what decides
    clean: Mapping[float, Score]  # the same on right labels, which nobody has: to see what the noise costs
    trained: list[Trained]  # one per seed of the lab
    tests: list[Quality]  # of each, on right test labels

    @property
    def rate(self) -> float:
        """The chosen learning rate."""
        return best_rate(self.noisy)

    @property
    def at_edge(self) -> bool:
        """Whether it ends the grid: a better one may lie beyond."""
        return self.rate in (min(self.noisy), max(self.noisy))


def compare_under_noise(
    lab: Lab, contenders: Mapping[Level, Sequence[Contender]], rates: Sequence[float], tuning_repetitions: int
) -> dict[tuple[str, Level], TunedAtLevel]:
    """Every contender at every level: tuned with seeds used for nothing else, then trained once per seed of the lab.

    Each seed draws its own noise, the same for all contenders; a net that diverges is worth chance.

    Raises:
        InputError: the dataset has no validation split, or a level is not in 0..1.
    """
    validation, n_classes = validation_split(lab), lab.dataset.n_classes
    everyone = {(each.name, level): each for level, those in contenders.items() for each in those}
    seeds = [TUNING_SEEDS + seed for seed in lab.seeds[:tuning_repetitions]]
    tried = train_all(
        lab, everyone, [(*key, rate, seed) for key in everyone for rate in rates for seed in seeds], "tuning"
    )

    def by_rate(key: tuple[str, Level], split_of: Callable[[int], Split]) -> dict[float, Score]:
        return {
            rate: mean_score([score(tried[*key, rate, seed], split_of(seed), n_classes) for seed in seeds])
            for rate in rates
        }

    noisy = {
        key: by_rate(key, lambda seed, level=key[1]: noisy_labels(validation, level, n_classes, seed))  # type: ignore[misc]
        for key in everyone
    }
    clean = {key: by_rate(key, lambda seed: validation) for key in everyone}
    jobs = {key: [(*key, best_rate(noisy[key]), seed) for seed in lab.seeds] for key in everyone}
    final = train_all(lab, everyone, [job for each in jobs.values() for job in each], "comparing")
    results = {}
    for key, those in jobs.items():
        trained = [final[job] for job in those]
        tests = [quality(logits_of(lab, one, lab.dataset.test), lab.dataset.test.y) for one in trained]
        results[key] = TunedAtLevel(noisy[key], clean[key], trained, tests)
    return results


def train_all(
    lab: Lab, everyone: Mapping[tuple[str, Level], Contender], jobs: Sequence[Job], label: str
) -> dict[Job, Trained]:
    """The net of each job, on training labels with the noise of its level and seed."""
    data: dict[tuple[Level, int], Dataset] = {}
    for _, level, _, seed in jobs:
        if (level, seed) not in data:
            data[level, seed] = noisy_training_labels(lab.dataset, level, seed)
    names = {job: f"{job[0]} {job[1]} at {job[2]}/{job[3]}" for job in jobs}
    recipes = {names[job]: recipe_at(lab, everyone[job[0], job[1]], job[2], job[3]) for job in jobs}
    datasets = {names[job]: data[job[1], job[3]] for job in jobs}
    trained = lab.train(recipes, label, data=datasets, curves=False)
    return {job: trained[name] for job, name in names.items()}


def logits_of(lab: Lab, trained: Trained, split: Split) -> Tensor:
    """(N, K); equal ones for a net that diverged."""
    if trained.diverged:
        return torch.zeros(len(split), lab.dataset.n_classes, device=split.y.device)
    return predict(trained.net, split)
