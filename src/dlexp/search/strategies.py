"""Ways to explore a space, all asked and told alike: which configurations next, and how good they were."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from dlexp.search.space import Categorical, Configuration, LogUniform, Space


class Strategy(Protocol):
    """An exploration under way."""

    def ask(self, count: int) -> list[Configuration]:
        """The next configurations; fewer than `count` when there are no more."""

    def tell(self, configurations: Sequence[Configuration], values: Sequence[float]) -> None:
        """How good the configurations just asked for turned out to be, in their order (higher is better)."""


class Listed:
    """A strategy that does not learn: its configurations are known beforehand."""

    def __init__(self, configurations: Sequence[Configuration]) -> None:
        self.left = list(configurations)

    def ask(self, count: int) -> list[Configuration]:
        given, self.left = self.left[:count], self.left[count:]
        return given

    def tell(self, configurations: Sequence[Configuration], values: Sequence[float]) -> None:
        """Nothing is learnt."""


def grid_search(space: Space, budget: int, seed: int) -> Strategy:
    """The coarse grid that `budget` affords, in random order: its progress must not depend on the order of the axes."""
    configurations = space.coarse_grid(budget)
    order = np.random.default_rng([seed, 1]).permutation(len(configurations))
    return Listed([configurations[index] for index in order])


def random_search(space: Space, budget: int, seed: int) -> Strategy:
    """Independent uniform points (Bergstra and Bengio 2012)."""
    points = np.random.default_rng([seed, 2]).random((budget, len(space.axes)))
    return Listed([space.at(point) for point in points])


def sobol_search(space: Space, budget: int, seed: int) -> Strategy:
    """A scrambled Sobol sequence: points that fill the cube more evenly than random ones (Owen 1998)."""
    from scipy.stats import qmc

    power = max(1, (budget - 1).bit_length())
    points = qmc.Sobol(len(space.axes), rng=np.random.default_rng([seed, 3])).random_base2(power)[:budget]
    return Listed([space.at(point) for point in points])


class TpeSearch:
    """Tree-structured Parzen estimator (Bergstra et al. 2011), Optuna's, asked in batches.

    Configurations of a batch that are not told yet count as bad ("constant liar"), so that a batch spreads out.
    """

    def __init__(self, space: Space, budget: int, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        startup = max(4, budget // 4)
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)
        self.study = optuna.create_study(direction="maximize", sampler=sampler)
        self.distributions = {name: _distribution(axis) for name, axis in space.axes.items()}
        self.open: list[Any] = []

    def ask(self, count: int) -> list[Configuration]:
        self.open = [self.study.ask(self.distributions) for _ in range(count)]
        return [dict(trial.params) for trial in self.open]

    def tell(self, configurations: Sequence[Configuration], values: Sequence[float]) -> None:
        for trial, value in zip(self.open, values, strict=True):
            self.study.tell(trial, value)
        self.open = []


def _distribution(axis: Categorical | LogUniform) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(axis, LogUniform):
        return FloatDistribution(axis.low, axis.high, log=True)
    return CategoricalDistribution(axis.values)


STRATEGIES: dict[str, Callable[[Space, int, int], Strategy]] = {
    "random": random_search,
    "grid": grid_search,
    "sobol": sobol_search,
    "tpe": TpeSearch,
}
"""name -> (space, budget, seed) -> strategy; random is the control."""
