"""The same nets whichever way they are trained."""

import dataclasses
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch

from dlexp.data import Dataset, Split
from dlexp.errors import DlexpError, InputError
from dlexp.training import processes
from dlexp.training.callbacks import Callback, Training
from dlexp.training.plan import plan_replicas
from dlexp.training.replicas import train_replicas
from dlexp.training.single import train_one

BROKEN_RATE = 1e20
CONSTANT = {"_target_": "dlexp.training.schedulers.constant"}
PLATEAU = {
    "_target_": "dlexp.training.schedulers.plateau",
    "factor": 0.5,
    "patience": 0,
    "threshold": 0.2,
    "min_lr": 0.0,
}


def test_processes_give_the_bits_of_the_loop(make_dataset, make_recipe, same_bits) -> None:
    data = make_dataset(shape=(1, 8, 8))
    cnn = {"_target_": "dlexp.models.cifar_resnet.cifar_resnet", "depth": 8, "shortcut": "B", "width": 1}
    recipes = [
        make_recipe(seed=3, snapshot_epochs=[0, 2]),
        make_recipe(seed=4, model={"dropout": 0.4, "batch_norm": True}),
        make_recipe(optimizer={"_target_": "torch.optim.AdamW", "lr": 0.01}, epochs=2, batch_size=7),
    ]
    recipes.append(type(recipes[0])(**{**vars(make_recipe(epochs=1)), "model": cnn}))
    done: list[int] = []
    looped = train_replicas(recipes, data, method="loop")
    spread = train_replicas(recipes, data, method="processes", on_done=lambda index, trained: done.append(index))
    assert sorted(done) == [0, 1, 2, 3]
    for one, other, recipe in zip(looped, spread, recipes, strict=True):
        assert same_bits(one.net, other.net)
        assert one.history == other.history
        assert one.recipe is other.recipe is recipe
        assert not other.net.training
    for epoch in (0, 2):
        one, other = looped[0].snapshots[epoch], spread[0].snapshots[epoch]
        assert all(one[name].equal(other[name]) for name in one)


@pytest.mark.parametrize(
    "optimizer",
    [
        {"_target_": "torch.optim.SGD", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True},
        {"_target_": "torch.optim.Adam", "lr": 0.01},
        {"_target_": "torch.optim.AdamW", "lr": 0.01, "weight_decay": 0.1},
    ],
    ids=lambda node: node["_target_"].rpartition(".")[2],
)
@pytest.mark.parametrize("shape", [(6,), (1, 4, 4)], ids=["table", "images"])
def test_stacked_replicas_are_those_of_the_loop(optimizer, shape, make_dataset, make_recipe) -> None:
    data = make_dataset(n=49, shape=shape)  # the last batch has 17 samples
    recipes = [
        make_recipe(seed, optimizer=optimizer, model={"widths": [8, 5]}, snapshot_epochs=[0, 1]) for seed in (5, 1, 9)
    ]
    looped = train_replicas(recipes, data, method="loop")
    done: list[int] = []
    stacked = train_replicas(recipes, data, method="stacked", on_done=lambda index, trained: done.append(index))
    assert done == [0, 1, 2]
    for one, other in zip(looped, stacked, strict=True):
        torch.testing.assert_close(other.net.state_dict(), one.net.state_dict(), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(other.snapshots[1], one.snapshots[1], rtol=1e-4, atol=1e-5)
        assert all(other.snapshots[0][name].equal(value) for name, value in one.snapshots[0].items())
        for row, expected in zip(other.history, one.history, strict=True):
            assert row == pytest.approx(expected, rel=1e-5)
        assert not other.net.training


def test_a_stacked_replica_has_the_same_bits_in_any_company(dataset: Dataset, make_recipe, same_bits) -> None:
    together = train_replicas([make_recipe(seed) for seed in range(5)], dataset, method="stacked")
    apart = train_replicas([make_recipe(seed) for seed in (4, 2)], dataset, method="stacked")
    assert same_bits(together[4].net, apart[0].net)
    assert same_bits(together[2].net, apart[1].net)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": {"batch_norm": True}}, "their model has a BatchNorm1d layer"),
        ({"model": {"dropout": 0.1}}, "their model has a Dropout layer"),
        ({"grad_clip": 1.0}, "they use augmentation, grad_clip, compile or bf16"),
        ({"optimizer": {"_target_": "torch.optim.LBFGS"}}, "their optimizer is none of torch.optim.SGD, "),
    ],
)
def test_what_cannot_be_stacked_is_refused(changes, reason: str, dataset: Dataset, make_recipe) -> None:
    with pytest.raises(InputError) as caught:
        train_replicas([make_recipe(seed, **changes) for seed in (0, 1)], dataset, method="stacked")
    assert str(caught.value).startswith(f"method=stacked: these replicas cannot be stacked, {reason}")


def test_replicas_of_several_architectures_are_not_one_stack(dataset: Dataset, make_recipe) -> None:
    with pytest.raises(InputError, match="they differ in more than seed, optimizer and schedule"):
        train_replicas([make_recipe(), make_recipe(model={"widths": [9]})], dataset, method="stacked")


SGD = {"_target_": "torch.optim.SGD", "lr": 0.05, "momentum": 0.9}
ADAM = {"_target_": "torch.optim.Adam", "lr": 0.01}
SETTINGS = [
    {"optimizer": SGD},
    {"optimizer": ADAM},
    {"optimizer": {**SGD, "lr": 0.2}},
    {"optimizer": SGD},  # shares an optimizer with the first, though they are no neighbours
    {"optimizer": SGD, "scheduler": CONSTANT},
    {"optimizer": ADAM, "scheduler": PLATEAU},
    {"optimizer": ADAM, "scheduler": PLATEAU},
    *({"optimizer": {"_target_": f"torch.optim.{name}", "lr": 0.003}} for name in ("NAdam", "RAdam", "RMSprop")),
    *({"optimizer": {"_target_": f"torch.optim.{name}", "lr": 0.003}} for name in ("AdamW", "Adagrad", "Adamax")),
]


@pytest.mark.parametrize("own_data", [False, True])
def test_a_stack_may_differ_in_optimizer_schedule_and_data(own_data: bool, make_dataset, make_recipe) -> None:
    recipes = [make_recipe(seed, epochs=4, **settings) for seed, settings in enumerate(SETTINGS)]
    data = [make_dataset() for _ in recipes]
    if own_data:
        for seed, each in enumerate(data):
            each.train.y.copy_(each.train.y[torch.randperm(50, generator=torch.Generator().manual_seed(seed))])
    else:
        data = data[:1] * len(recipes)
    looped = train_replicas(recipes, data, method="loop")
    stacked = train_replicas(recipes, data, method="stacked")
    for one, other, recipe in zip(looped, stacked, recipes, strict=True):
        assert other.recipe is recipe
        torch.testing.assert_close(other.net.state_dict(), one.net.state_dict(), rtol=2e-4, atol=2e-5)
        for row, expected in zip(other.history, one.history, strict=True):
            assert row == pytest.approx(expected, rel=1e-4)


def test_stacks_and_nets_alone_go_to_workers_together(dataset: Dataset, make_recipe, same_bits) -> None:
    recipes = [make_recipe(seed, lr=0.05 * (1 + seed % 3)) for seed in range(9)]
    recipes.insert(4, make_recipe(20, model={"batch_norm": True}))
    plan = plan_replicas(recipes, [dataset] * 10)
    assert plan.stacked == tuple(index != 4 for index in range(10))
    here = train_replicas(recipes, dataset, method=dataclasses.replace(plan, spread=False))
    away = train_replicas(recipes, dataset, method=dataclasses.replace(plan, spread=True))
    for one, other in zip(here, away, strict=True):
        assert same_bits(one.net, other.net)
        assert (one.history, one.recipe) == (other.history, other.recipe)


@pytest.mark.parametrize("method", ["loop", "processes", "stacked"])
def test_a_diverged_net_may_stop_alone(method, dataset: Dataset, make_recipe, same_bits) -> None:
    recipes = [
        make_recipe(seed, lr=lr, scheduler=CONSTANT, if_diverged="stop")
        for seed, lr in ((1, 0.05), (2, 1e20), (3, 0.1))
    ]
    trained = train_replicas(recipes, dataset, method=method)
    assert [each.diverged for each in trained] == [False, True, False]
    assert trained[1].history[-1]["train_loss"] == math.inf
    assert all(bool(weight.isnan().all()) for weight in trained[1].net.parameters())
    for each in (trained[0], trained[2]):
        alone = train_replicas([each.recipe], dataset, method=method)
        assert same_bits(each.net, alone[0].net)
        assert len(each.history) == 3


@pytest.mark.parametrize("method", ["loop", "processes"])
def test_a_failed_replica_is_named(method, dataset: Dataset, make_recipe) -> None:
    recipes = [make_recipe(7), make_recipe(8, lr=BROKEN_RATE, scheduler=CONSTANT)]
    with pytest.raises(DlexpError, match=r"^replica 1 \(seed 8\): the loss is (nan|inf) in epoch 1, step ") as caught:
        train_replicas(recipes, dataset, method=method)
    assert caught.value.exit_code == 1
    recipes = [make_recipe(7), make_recipe(8, model={"widths": [0]})]
    with pytest.raises(InputError, match=r"^replica 1 \(seed 8\): model\.widths"):
        train_replicas(recipes, dataset, method=method)


def test_a_failed_stacked_replica_is_named(dataset: Dataset, make_recipe) -> None:
    recipes = [make_recipe(seed, lr=BROKEN_RATE, scheduler=CONSTANT) for seed in (7, 8)]
    with pytest.raises(DlexpError, match=r"^replica [01] \(seed [78]\): the loss is (nan|inf) in epoch 1, step \d "):
        train_replicas(recipes, dataset, method="stacked")


def training_workers() -> list[psutil.Process]:
    """The workers of this process; it may have other children, such as one that writes to MLflow."""
    return [child for child in psutil.Process().children() if "dlexp.training.worker" in child.cmdline()]


def test_a_killed_worker_is_named_and_leaves_no_other(dataset: Dataset, make_recipe) -> None:
    def kill_one() -> None:
        while not (children := training_workers()):
            time.sleep(0.01)
        children[0].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(DlexpError) as caught:
        train_replicas([make_recipe(11, epochs=10**6)], dataset, method="processes")
    killer.join()
    assert str(caught.value) == (
        "replica 0 (seed 11): its worker process was killed (SIGKILL); perhaps the machine ran out of memory"
    )
    assert training_workers() == []


def test_workers_go_on_from_their_checkpoints(dataset: Dataset, make_recipe, same_bits, tmp_path: Path) -> None:
    recipes = [make_recipe(seed, epochs=4, checkpoint_every=1) for seed in (3, 4)]
    files = [tmp_path / f"{recipe.seed}.pt" for recipe in recipes]

    class Cut(Callback):
        watches_only = True

        def on_epoch_start(self, training: Training) -> None:
            if training.epoch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_one(recipes[1], dataset, callbacks=[Cut()], checkpoint=files[1])
    resumed_from = torch.load(files[1], weights_only=True)["progress"]["epoch"]
    assert resumed_from == 2
    resumed = train_replicas(recipes, dataset, method="processes", checkpoints=files)
    for trained, recipe in zip(resumed, recipes, strict=True):
        assert same_bits(trained.net, train_one(recipe, dataset).net)
    assert torch.load(files[0], weights_only=True)["progress"]["epoch"] == 4


def test_workers_times_threads_never_exceed_the_cores(dataset: Dataset, make_recipe, monkeypatch) -> None:
    started: list[dict[str, str]] = []
    popen = subprocess.Popen

    def counted(*args, env, **kwargs):
        started.append(env)
        return popen(*args, env=env, **kwargs)

    monkeypatch.setattr(processes.subprocess, "Popen", counted)
    monkeypatch.setattr(processes, "available_cores", lambda: 1)
    train_replicas([make_recipe(seed, epochs=0) for seed in range(3)], dataset, method="processes")
    assert [env["OMP_NUM_THREADS"] for env in started] == ["1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_worker_outlives_its_parent(number: signal.Signals, make_recipe, tmp_path: Path) -> None:
    script = """
        import json, sys, torch
        from dlexp.data import Dataset, Split
        from dlexp.training.recipe import Recipe
        from dlexp.training.replicas import train_replicas

        split = Split(torch.rand(64, 6), torch.arange(64) % 3)
        data = Dataset("x", split, None, split, ("a", "b", "c"), torch.zeros(6), torch.ones(6), "x")
        recipe = Recipe.from_dict(json.loads(sys.argv[1]))
        train_replicas([recipe, recipe], data, method="processes")
    """
    from dlexp.training.recipe import canonical_json

    recipe = canonical_json(make_recipe(epochs=10**6).to_dict())
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), recipe],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stderr=subprocess.DEVNULL,
    )
    children: list[psutil.Process] = []
    while not children:
        assert parent.poll() is None
        children = psutil.Process(parent.pid).children()
        time.sleep(0.01)
    parent.send_signal(number)
    assert parent.wait(timeout=60) != 0
    _, alive = psutil.wait_procs(children, timeout=60)
    assert alive == []
    assert list(tmp_path.iterdir()) == []  # the handed-over dataset is gone as well


def test_lazily_decoded_images_reach_the_workers(make_recipe, same_bits, tmp_path: Path) -> None:
    from PIL import Image

    from dlexp.data.images import Form, encoded_images

    generator = torch.Generator().manual_seed(0)
    paths = [tmp_path / f"{index}.png" for index in range(20)]
    for path in paths:
        Image.fromarray(torch.randint(0, 256, (6, 6), generator=generator, dtype=torch.uint8).numpy()).save(path)
    images = encoded_images(paths, [path.name for path in paths], Form(1, None, False, False), "images")
    split = Split(images, torch.arange(20) % 3)
    data = Dataset("lazy", split, None, split, ("a", "b", "c"), torch.zeros(1), torch.ones(1), "lazy")
    recipe = make_recipe(epochs=1)
    spread = train_replicas([recipe], data, method="processes")
    assert same_bits(spread[0].net, train_one(recipe, data).net)


def test_nothing_to_train_is_nothing(dataset: Dataset) -> None:
    assert train_replicas([], dataset) == []
