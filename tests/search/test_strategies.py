"""Searches: the budget is kept, seeds decide, and TPE learns where there is something to learn."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from dlexp.search.exploration import Measured, explore
from dlexp.search.space import Categorical, Configuration, LogUniform, Space
from dlexp.search.strategies import STRATEGIES, sobol_search

SPACE = Space({"kind": Categorical(("a", "b")), "lr": LogUniform(1e-4, 1.0, 8)})


def value(configuration: Configuration) -> float:
    """Best at kind b and lr 0.03; a lies below everywhere."""
    distance = abs(np.log10(configuration["lr"]) - np.log10(0.03))
    return float((1.0 if configuration["kind"] == "b" else 0.3) - 0.1 * distance)


def measure(wanted: Mapping[int, Sequence[Configuration]], label: str) -> dict[int, Measured]:
    values = {seed: np.array([value(each) for each in given]) for seed, given in wanted.items()}
    return {seed: Measured(list(given), values[seed], values[seed]) for seed, given in wanted.items()}


def test_every_strategy_spends_the_same_budget_and_depends_on_the_seed_only() -> None:
    found = explore(measure, SPACE, budget=20, at_once=6, seeds=[1, 2])
    again = explore(measure, SPACE, budget=20, at_once=6, seeds=[1, 2])
    assert list(found) == list(STRATEGIES)
    for name, of_seeds in found.items():
        for seed, done in of_seeds.items():
            assert len(done.configurations) == (20 if name != "grid" else len(SPACE.coarse_grid(20)))
            assert done.configurations == again[name][seed].configurations
        assert of_seeds[1].configurations != of_seeds[2].configurations


def test_tpe_comes_closer_than_random_search_where_there_is_something_to_learn() -> None:
    found = explore(measure, SPACE, budget=60, at_once=4, seeds=list(range(8)))
    best = {
        name: np.mean([done.validation[-30:].mean() for done in found[name].values()]) for name in ("random", "tpe")
    }
    assert best["tpe"] > best["random"] + 0.1  # its later half looks where it is good, random search everywhere


def test_sobol_fills_the_cube_more_evenly_than_chance() -> None:
    drawn = sobol_search(SPACE, 16, seed=3).ask(16)
    bins = [int((np.log10(each["lr"]) + 4) / 4 * 16) for each in drawn]
    assert sorted(bins) == list(range(16))  # one point in each sixteenth of the axis
    assert sum(each["kind"] == "a" for each in drawn) == 8


def test_what_is_handed_over_is_the_first_best_by_validation() -> None:
    done = Measured([{}] * 4, np.array([0.1, 0.5, 0.5, 0.9]), np.array([0.0, 0.1, 0.2, 0.3]))
    assert [done.handed_over(spent) for spent in (1, 2, 3, 4)] == [0, 1, 1, 3]


@pytest.mark.parametrize("name", STRATEGIES)
def test_asking_beyond_the_budget_of_a_listed_search_gives_what_is_left(name: str) -> None:
    search = STRATEGIES[name](SPACE, 9, 0)
    first = search.ask(5)
    search.tell(first, [value(each) for each in first])
    assert len(search.ask(9)) == {"tpe": 9, "grid": 3}.get(name, 4)
