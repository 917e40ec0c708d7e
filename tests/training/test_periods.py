"""Periods of weight decay, of augmentation and of no learning at all, and their exactness on resume."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from dlexp.data import Dataset
from dlexp.errors import InputError
from dlexp.training.callbacks import Callback, Training
from dlexp.training.periods import AugmentationPeriod, Period, WeightDecayPeriod
from dlexp.training.recipe import Recipe
from dlexp.training.single import train_one

PERIODS = "dlexp.training.periods"
CONSTANT = {"_target_": "dlexp.training.schedulers.constant"}
SHIFT = {"_target_": "dlexp.data.augment.flip_crop", "_partial_": True, "padding": 1, "flip": 0.5}
DECAY = 0.1


def decay(start: int, stop: int) -> dict[str, Any]:
    return {"_target_": f"{PERIODS}.WeightDecayPeriod", "start": start, "stop": stop, "weight_decay": DECAY}


def augmentation(start: int, stop: int) -> dict[str, Any]:
    return {"_target_": f"{PERIODS}.AugmentationPeriod", "start": start, "stop": stop}


def pause(start: int, stop: int) -> dict[str, Any]:
    return {"_target_": f"{PERIODS}.Pause", "start": start, "stop": stop}


def with_callbacks(recipe: Recipe, *nodes: dict[str, Any]) -> Recipe:
    return dataclasses.replace(recipe, callbacks=list(nodes))


def sgd(weight_decay: float) -> dict[str, Any]:
    return {"_target_": "torch.optim.SGD", "lr": 0.05, "weight_decay": weight_decay}


class Watch(Callback):
    """What holds at each epoch."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, bool]] = []

    def on_step_end(self, training: Training) -> None:
        self.seen.append((training.optimizer.param_groups[0]["weight_decay"], training.augment is not None))


@pytest.mark.parametrize("period", [(0, 0), (0, 2), (1, 3), (3, 5), (0, 5)])
def test_weight_decay_and_augmentation_hold_in_their_period_alone(make_dataset, make_recipe, period) -> None:
    watch, inside = Watch(), [period[0] <= epoch < period[1] for epoch in range(5)]
    recipe = make_recipe(epochs=5, batch_size=16, augmentation=SHIFT)
    callbacks = [WeightDecayPeriod(*period, weight_decay=DECAY), AugmentationPeriod(*period), watch]
    train_one(recipe, make_dataset(n=16, shape=(1, 4, 4)), callbacks=callbacks)
    assert watch.seen == [(DECAY if each else 0.0, each) for each in inside]


def test_always_and_never_are_the_recipes_with_and_without(make_dataset, make_recipe, same_bits) -> None:
    dataset = make_dataset(shape=(1, 4, 4))
    always, never = (make_recipe(optimizer=sgd(value)) for value in (DECAY, 0.0))
    for period, plain in (((0, 3), always), ((0, 0), never), ((2, 2), never)):
        assert same_bits(train_one(with_callbacks(never, decay(*period)), dataset).net, train_one(plain, dataset).net)
    augmented = make_recipe(augmentation=SHIFT)
    for period, plain in (((0, 3), augmented), ((0, 0), make_recipe())):
        periodic = train_one(with_callbacks(augmented, augmentation(*period)), dataset)
        assert same_bits(periodic.net, train_one(plain, dataset).net)


def test_weight_decay_until_t_then_none_is_two_trainings_one_after_the_other(dataset: Dataset, make_recipe) -> None:
    # Plain SGD at a constant rate has no memory but the weights: the snapshot at t is the net with decay always.
    recipe = make_recipe(epochs=4, scheduler=CONSTANT, optimizer=sgd(0.0), snapshot_epochs=[2, 4])
    until = train_one(with_callbacks(recipe, decay(0, 2)), dataset)
    always = train_one(with_callbacks(recipe, decay(0, 4)), dataset)
    name = "net.fc.weight"
    assert until.snapshots[2][name].equal(always.snapshots[2][name])
    assert not until.snapshots[4][name].equal(always.snapshots[4][name])


def test_a_pause_at_the_start_leaves_the_initialisation_and_later_the_net_it_found(make_dataset, make_recipe) -> None:
    model = {"batch_norm": True}
    optimizer = {"_target_": "torch.optim.SGD", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}
    recipe = make_recipe(model=model, optimizer=optimizer, epochs=5, snapshot_epochs=[0, 1, 2, 3, 4, 5])
    dataset = make_dataset()
    states = train_one(with_callbacks(recipe, pause(0, 2)), dataset).snapshots
    assert all(states[0][name].equal(states[2][name]) for name in states[0])  # batch statistics too
    assert not states[2]["net.fc.weight"].equal(states[3]["net.fc.weight"])
    assert not states[2]["net.layer1.bn.running_mean"].equal(states[3]["net.layer1.bn.running_mean"])
    states = train_one(with_callbacks(recipe, pause(2, 4)), dataset).snapshots
    assert not states[0]["net.fc.weight"].equal(states[2]["net.fc.weight"])
    assert all(states[2][name].equal(states[4][name]) for name in states[2])


def test_the_learning_rate_goes_on_during_a_pause(dataset: Dataset, make_recipe) -> None:
    recipe = make_recipe(epochs=4)
    paused = [row["lr"] for row in train_one(with_callbacks(recipe, pause(1, 3)), dataset).history]
    assert paused == [row["lr"] for row in train_one(recipe, dataset).history]


class Interrupt(Callback):
    """Ends the process's work after an epoch, as a signal would."""

    watches_only = True

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_start(self, training: Training) -> None:
        if training.epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.mark.parametrize("interrupted", [2, 3])
def test_resumed_inside_and_after_a_period_equals_uninterrupted(
    make_dataset, make_recipe, same_bits, tmp_path: Path, interrupted: int
) -> None:
    deficits = [
        {"_target_": "dlexp.training.deficits.Deficit", "start": 1, "stop": 3, "kind": kind}
        for kind in ("noise", "shuffled_labels")
    ]
    fisher = {"_target_": "dlexp.training.fisher_history.FisherTrace", "samples": 6, "draws": 1}
    recipe = make_recipe(
        epochs=5, augmentation=SHIFT, optimizer={**sgd(0.0), "momentum": 0.9}, checkpoint_every=1, snapshot_epochs=[0]
    )
    recipe = with_callbacks(recipe, decay(1, 3), augmentation(0, 4), *deficits, pause(4, 5), fisher)
    dataset, file = make_dataset(shape=(1, 4, 4)), tmp_path / "checkpoint.pt"
    whole = train_one(recipe, dataset)
    with pytest.raises(KeyboardInterrupt):
        train_one(recipe, dataset, callbacks=[Interrupt(interrupted)], checkpoint=file)
    resumed = train_one(recipe, dataset, checkpoint=file)
    assert same_bits(whole.net, resumed.net)
    assert whole.history == resumed.history


def test_what_a_period_cannot_change_is_refused(dataset: Dataset, make_recipe) -> None:
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (Period, {"start": 3, "stop": 2}, "stop=2: a period that starts at epoch 3 cannot stop before it"),
        (AugmentationPeriod, {"start": 0, "stop": 1}, "augmentation: there is none that could be applied in a period"),
        (
            WeightDecayPeriod,
            {"start": 0, "stop": 1, "weight_decay": 0.1},
            "optimizer: LBFGS has no weight_decay to be set in a period; use sgd or adamw",
        ),
    ]
    recipe = make_recipe(optimizer={"_target_": "torch.optim.LBFGS"})
    for make, settings, message in cases:
        with pytest.raises(InputError) as refused:
            train_one(recipe, dataset, callbacks=[make(**settings)])
        assert str(refused.value).startswith(message)
