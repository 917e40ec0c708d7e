"""The store behind `train_kept`: what is trained, what is read, and that the bits do not depend on it."""

from pathlib import Path

import pytest

from dlexp.data import Dataset
from dlexp.errors import DlexpError
from dlexp.store import Store
from dlexp.training import kept
from dlexp.training.kept import train_kept
from dlexp.training.replicas import train_replicas


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, max_bytes=10**9)


@pytest.fixture
def trained_seeds(monkeypatch) -> list[int]:
    """The seeds of all recipes that are really trained, in order."""
    seeds: list[int] = []

    def counted(recipes, *args, **kwargs):
        seeds.extend(recipe.seed for recipe in recipes)
        return train_replicas(recipes, *args, **kwargs)

    monkeypatch.setattr(kept, "train_replicas", counted)
    return seeds


def test_only_the_missing_are_trained_and_all_are_told(store, trained_seeds, dataset, make_recipe, same_bits) -> None:
    recipes = [make_recipe(seed, snapshot_epochs=[0]) for seed in range(4)]
    train_kept(recipes[1:3], dataset, store, method="loop")
    assert trained_seeds == [1, 2]
    told: list[int] = []
    results = train_kept(recipes, dataset, store, method="loop", on_done=lambda index, trained: told.append(index))
    assert trained_seeds == [1, 2, 0, 3]
    assert sorted(told) == [0, 1, 2, 3]
    for one, other in zip(results, train_replicas(recipes, dataset, method="loop"), strict=True):
        assert same_bits(one.net, other.net)
        assert one.history == other.history
        assert all(one.snapshots[0][name].equal(value) for name, value in other.snapshots[0].items())


def test_a_stack_has_the_same_bits_whatever_was_kept(store, dataset: Dataset, make_recipe, same_bits, tmp_path) -> None:
    recipes = [make_recipe(seed) for seed in range(8)]
    whole = train_kept(recipes, dataset, Store(tmp_path / "other", 10**9))
    train_kept(recipes[:3], dataset, store, method="stacked")
    parts = train_kept(recipes, dataset, store)
    assert all(same_bits(one.net, other.net) for one, other in zip(whole, parts, strict=True))


def test_nets_of_another_arithmetic_are_not_mixed_in(store, trained_seeds, dataset, make_recipe) -> None:
    train_kept([make_recipe(0)], dataset, store, method="stacked")
    train_kept([make_recipe(0)], dataset, store, method="loop")
    assert trained_seeds == [0, 0]


def test_a_recipe_that_stands_twice_is_trained_once(store, trained_seeds, dataset, make_recipe, same_bits) -> None:
    one, _, twin = train_kept([make_recipe(5), make_recipe(6), make_recipe(5)], dataset, store, method="loop")
    assert trained_seeds == [5, 6]
    assert same_bits(one.net, twin.net)
    assert one.net is not twin.net


def test_what_was_done_before_a_failure_is_kept(store, trained_seeds, dataset, make_recipe) -> None:
    constant = {"_target_": "dlexp.training.schedulers.constant"}
    broken = make_recipe(2, lr=1e20, scheduler=constant)
    with pytest.raises(DlexpError, match=r"replica 1 \(seed 2\)"):
        train_kept([make_recipe(1), broken], dataset, store, method="loop")
    train_kept([make_recipe(1), make_recipe(3)], dataset, store, method="loop")
    assert trained_seeds == [1, 2, 3]
