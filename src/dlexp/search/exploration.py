"""Searches side by side: every strategy spends the same number of trainings, its seeds are trained together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlexp.search.space import Configuration, Space
from dlexp.search.strategies import STRATEGIES


@dataclass(frozen=True)
class Measured:
    """Configurations in the order they were trained, and how accurate they turned out to be (each (n,), in [0, 1])."""

    configurations: list[Configuration]
    validation: NDArray[np.float64]
    test: NDArray[np.float64]

    def handed_over(self, spent: int) -> int:
        """Index of the configuration that a search would hand over after `spent` trainings: best by validation."""
        return int(self.validation[:spent].argmax())


Measure = Callable[[Mapping[int, Sequence[Configuration]], str], dict[int, Measured]]
"""(seed -> configurations, label) -> seed -> what they are worth."""


def explore(
    measure: Measure, space: Space, budget: int, at_once: int, seeds: Sequence[int]
) -> dict[str, dict[int, Measured]]:
    """Each strategy with `budget` trainings per seed, asked `at_once` at a time; strategy -> seed -> what it found."""
    searches = {(name, seed): make(space, budget, seed) for name, make in STRATEGIES.items() for seed in seeds}
    parts: dict[tuple[str, int], list[Measured]] = {key: [] for key in searches}
    for start in range(0, budget, at_once):
        asked = {key: search.ask(min(at_once, budget - start)) for key, search in searches.items()}
        for name in STRATEGIES:
            of_seed = {seed: asked[name, seed] for seed in seeds if asked[name, seed]}
            for seed, done in measure(of_seed, f"{name} search").items():
                searches[name, seed].tell(done.configurations, done.validation.tolist())
                parts[name, seed].append(done)
    return {name: {seed: joined(parts[name, seed]) for seed in seeds} for name in STRATEGIES}


def joined(parts: Sequence[Measured]) -> Measured:
    """Rounds one after the other."""
    return Measured(
        [each for part in parts for each in part.configurations],
        np.concatenate([part.validation for part in parts]),
        np.concatenate([part.test for part in parts]),
    )
