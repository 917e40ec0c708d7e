import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from dlexp.data import Dataset
from dlexp.errors import InputError
from dlexp.store import Store
from dlexp.training.callbacks import Callback, Evaluate, Snapshots, Training
from dlexp.training.evaluate import accuracy
from dlexp.training.recipe import Recipe
from dlexp.training.replicas import plan_replicas, train_replicas
from dlexp.training.single import train_one

HOOKS = ("on_start", "on_epoch_start", "on_gradients", "on_step_end", "on_epoch_end", "on_end")


class Recorder(Callback):
    """Writes down each hook with the epochs and steps completed by then."""

    def __init__(self, name: str, log: list[tuple[Any, ...]]) -> None:
        for hook in HOOKS:
            setattr(self, hook, lambda t, hook=hook: log.append((name, hook, t.epoch, t.step)))


def test_hooks_come_in_the_order_of_the_training_and_of_the_list(make_dataset, make_recipe) -> None:
    log: list[tuple[Any, ...]] = []
    train_one(
        make_recipe(epochs=2, batch_size=16), make_dataset(n=32), callbacks=[Recorder("a", log), Recorder("b", log)]
    )
    expected = [("on_start", 0, 0)]
    for epoch in range(2):
        expected.append(("on_epoch_start", epoch, 2 * epoch))
        for step in (2 * epoch, 2 * epoch + 1):
            expected += [("on_gradients", epoch, step), ("on_step_end", epoch, step + 1)]
        expected.append(("on_epoch_end", epoch + 1, 2 * epoch + 2))
    expected.append(("on_end", 2, 4))
    assert log == [(name, *event) for event in expected for name in "ab"]


def test_evaluate_adds_accuracies_every_k_epochs_and_at_the_end(dataset: Dataset, make_recipe) -> None:
    trained = train_one(make_recipe(epochs=5), dataset, callbacks=[Evaluate(every=2)])
    rows = [{key for key in row if key.endswith("accuracy")} for row in trained.history]
    all_three = {"train_accuracy", "val_accuracy", "test_accuracy"}
    assert rows == [set(), all_three, set(), all_three, all_three]
    assert trained.history[-1]["test_accuracy"] == accuracy(trained.net, dataset.test)


def test_evaluating_changes_nothing_in_the_training(dataset: Dataset, make_recipe, same_bits) -> None:
    recipe = make_recipe(model={"batch_norm": True, "dropout": 0.3})
    plain = train_one(recipe, dataset)
    assert same_bits(plain.net, train_one(recipe, dataset, callbacks=[Evaluate()]).net)


def test_snapshots_are_the_nets_of_shorter_trainings(dataset: Dataset, make_recipe, same_bits) -> None:
    constant = {"_target_": "dlexp.training.schedulers.constant"}
    trained = train_one(make_recipe(epochs=3, scheduler=constant, snapshot_epochs=[0, 2, 3]), dataset)
    assert sorted(trained.snapshots) == [0, 2, 3]
    for epoch, state in trained.snapshots.items():
        shorter = train_one(make_recipe(epochs=epoch, scheduler=constant), dataset).net.state_dict()
        assert all(torch.equal(shorter[name], state[name]) for name in shorter)


def test_a_callback_can_freeze_rewind_and_stop(dataset: Dataset, make_recipe) -> None:
    class FreezeFirstLayer(Callback):
        def on_epoch_start(self, training: Training) -> None:
            if training.epoch == 1:
                training.net.net.layer1.requires_grad_(False)

    class RewindLastLayer(Callback):
        def __init__(self, snapshots: Snapshots) -> None:
            self.snapshots = snapshots

        def on_epoch_end(self, training: Training) -> None:
            training.net.load_state_dict(
                {k: v for k, v in self.snapshots.states[0].items() if ".fc." in k}, strict=False
            )
            training.stop = training.epoch == 2

    snapshots = Snapshots([0, 1, 2])
    trained = train_one(
        make_recipe(epochs=9), dataset, callbacks=[snapshots, FreezeFirstLayer(), RewindLastLayer(snapshots)]
    )
    initial, first, second = (snapshots.states[epoch] for epoch in (0, 1, 2))
    layer = "net.layer1.linear.weight"
    assert not first[layer].equal(initial[layer])
    assert second[layer].equal(first[layer])  # frozen from the second epoch on
    assert not second["net.fc.weight"].equal(initial["net.fc.weight"])
    assert trained.net.state_dict()["net.fc.weight"].equal(initial["net.fc.weight"])  # rewound
    assert len(trained.history) == 2  # stopped


EVALUATE = {"_target_": "dlexp.training.callbacks.Evaluate", "splits": ["test"]}


def test_a_recipe_brings_its_own_callbacks_in_every_way_of_training(dataset: Dataset, make_recipe) -> None:
    recipes = [dataclasses.replace(make_recipe(epochs=2, seed=seed), callbacks=[EVALUATE]) for seed in (0, 1)]
    for method in ("loop", "processes"):
        for trained in train_replicas(recipes, dataset, method=method):
            assert [set(row) for row in trained.history] == [{"epoch", "train_loss", "lr", "test_accuracy"}] * 2
            assert trained.history[-1]["test_accuracy"] == accuracy(trained.net, dataset.test)


def test_a_stack_has_no_hooks_to_call(dataset: Dataset, make_recipe) -> None:
    recipes = [dataclasses.replace(make_recipe(seed=seed), callbacks=[EVALUATE]) for seed in range(8)]
    assert plan_replicas(recipes, [dataset] * 8).stacked == (False,) * 8
    with pytest.raises(InputError, match="they have callbacks of their own"):
        train_replicas(recipes, dataset, method="stacked")


def test_callbacks_are_part_of_what_a_net_is_kept_under(dataset: Dataset, make_recipe, tmp_path: Path) -> None:
    plain = make_recipe()
    keys = {
        Store(tmp_path, 10**9).key(recipe, dataset.fingerprint)
        for recipe in (plain, dataclasses.replace(plain, callbacks=[EVALUATE]))
    }
    assert len(keys) == 2
    assert Recipe.from_dict(dataclasses.replace(plain, callbacks=[EVALUATE]).to_dict()).callbacks == [EVALUATE]
