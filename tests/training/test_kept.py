"""The store behind `train_kept`: what is trained, what is read, and that the bits do not depend on it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from dlexp.data import Dataset
from dlexp.errors import DlexpError
from dlexp.store import Store
from dlexp.training import kept
from dlexp.training.recipe import Recipe
from dlexp.training.replicas import Trained, train_replicas


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


def train_kept(store: Store, recipes: Sequence[Recipe], data: Dataset, told: list[int] | None = None) -> list[Trained]:
    told = [] if told is None else told
    return kept.train_kept(store, recipes, [data] * len(recipes), "cpu", lambda index, trained: told.append(index))


def test_only_the_missing_are_trained_and_all_are_told(store, trained_seeds, dataset, make_recipe, same_bits) -> None:
    recipes = [make_recipe(seed, snapshot_epochs=[0]) for seed in range(4)]
    train_kept(store, recipes[1:3], dataset)
    assert trained_seeds == [1, 2]
    told: list[int] = []
    results = train_kept(store, recipes, dataset, told)
    assert trained_seeds == [1, 2, 0, 3]
    assert sorted(told) == [0, 1, 2, 3]
    for one, other in zip(results, train_replicas(recipes, dataset, method="loop"), strict=True):
        assert same_bits(one.net, other.net)
        assert (one.history, one.recipe) == (other.history, other.recipe)
        assert all(one.snapshots[0][name].equal(value) for name, value in other.snapshots[0].items())


def test_a_stack_has_the_same_bits_whatever_was_kept(store, trained_seeds, dataset, make_recipe, same_bits) -> None:
    recipes = [make_recipe(seed) for seed in range(8)]  # as many as are stacked
    whole = train_kept(store, recipes, dataset)
    for entry in store.entries():
        if entry.recipe["seed"] in (2, 5, 6):
            store.path(entry.key).unlink()
    parts = train_kept(store, recipes, dataset)
    assert trained_seeds == [0, 1, 2, 3, 4, 5, 6, 7, 2, 5, 6]
    assert all(same_bits(one.net, other.net) for one, other in zip(whole, parts, strict=True))


def test_nets_of_another_arithmetic_are_not_mixed_in(store, trained_seeds, dataset, make_recipe) -> None:
    train_kept(store, [make_recipe(0)], dataset)  # by the plain loop
    train_kept(store, [make_recipe(seed) for seed in range(8)], dataset)  # as a stack
    assert trained_seeds == [0, 0, 1, 2, 3, 4, 5, 6, 7]


def test_what_was_done_before_a_failure_is_kept(store, trained_seeds, dataset, make_recipe) -> None:
    constant = {"_target_": "dlexp.training.schedulers.constant"}
    broken = make_recipe(2, lr=1e20, scheduler=constant)
    with pytest.raises(DlexpError, match=r"replica 1 \(seed 2\)"):
        train_kept(store, [make_recipe(1), broken], dataset)
    train_kept(store, [make_recipe(1), make_recipe(3)], dataset)
    assert trained_seeds == [1, 2, 3]


def test_checkpoints_are_gone_once_the_net_is_kept(store, dataset, make_recipe, same_bits) -> None:
    without, often, rarely = (make_recipe(1, checkpoint_every=every) for every in (0, 1, 2))
    keys = {store.key(recipe, dataset.fingerprint) for recipe in (without, often, rarely)}
    assert len(keys) == 1  # how often one is written changes no weight
    (first,) = train_kept(store, [often], dataset)
    assert list((store.root / "checkpoints").iterdir()) == []
    (again,) = train_kept(store, [rarely], dataset)
    assert again.recipe == rarely
    assert same_bits(first.net, again.net)


def test_an_interrupted_training_leaves_its_checkpoint_in_the_store(
    store, dataset, make_recipe, monkeypatch, same_bits
) -> None:
    recipe = make_recipe(1, checkpoint_every=1)
    stopped: list[int] = []

    def stop(index: int) -> None:
        stopped.append(index)
        if len(stopped) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.train_kept(store, [recipe], [dataset], "cpu", lambda index, trained: None, stop)
    assert len(list((store.root / "checkpoints").glob("*.pt"))) == 1
    assert store.entries() == []
    told: list[int] = []
    (done,) = kept.train_kept(store, [recipe], [dataset], "cpu", lambda index, trained: None, told.append)
    assert len(told) == 2  # the second epoch, whose checkpoint was not written yet, and the third
    assert same_bits(done.net, train_replicas([recipe], dataset)[0].net)
    assert store.clear() > 0
    assert list(store.root.glob("*.safetensors")) == []
