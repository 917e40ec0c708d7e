"""Averaged weights: the mean of snapshots, batch norm recomputed, exact on resume; and the schedule for it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from dlexp.data import Dataset, Split
from dlexp.schema import instantiate
from dlexp.training.batch_statistics import recompute_batch_norm
from dlexp.training.callbacks import Callback, Training
from dlexp.training.recipe import Recipe
from dlexp.training.single import train_one
from dlexp.training.weight_averaging import RunningMean

CONF = Path(__file__).parents[2] / "conf" / "scheduler" / "swa.yaml"
AVERAGED = {"_target_": "dlexp.training.weight_averaging.AveragedWeights"}
Make = Callable[..., Any]


def averaged(recipe: Recipe, **settings: Any) -> Recipe:
    return replace(recipe, callbacks=[{**AVERAGED, **settings}])


def test_running_mean_is_the_mean_and_keeps_whole_numbers() -> None:
    states = [{"w": torch.full((2,), float(value)), "n": torch.tensor(value)} for value in (1, 2, 6)]
    running = RunningMean()
    for state in states:
        running.add(state)
    assert running.mean["w"].tolist() == [3.0, 3.0]
    assert running.mean["n"] == 6
    assert states[0]["w"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [({"start": 0.5}, [3, 4, 5, 6]), ({"start": 0.4, "every": 2}, [3, 5]), ({"start": 1.0}, [6])],
)
def test_the_net_ends_with_the_mean_of_these_epochs(
    dataset: Dataset, make_recipe: Make, settings: dict[str, Any], epochs: list[int]
) -> None:
    trained = train_one(averaged(make_recipe(epochs=6, snapshot_epochs=list(range(7))), **settings), dataset)
    plain = train_one(make_recipe(epochs=6), dataset)
    for name, value in trained.net.state_dict().items():
        expected = torch.stack([trained.snapshots[epoch][name].double() for epoch in epochs]).mean(0).float()
        assert torch.allclose(value, expected, rtol=0, atol=1e-7), name
        assert torch.equal(trained.snapshots[6][name], plain.net.state_dict()[name])  # the path itself is unchanged


def test_resumed_averaging_is_uninterrupted_averaging(
    dataset: Dataset, make_recipe: Make, tmp_path: Path, same_bits: Make
) -> None:
    recipe = averaged(make_recipe(epochs=6, checkpoint_every=1), start=0.3)
    whole = train_one(recipe, dataset)
    file = tmp_path / "checkpoint.pt"

    class PowerCut(Callback):
        watches_only = True

        def on_epoch_start(self, training: Training) -> None:
            if training.epoch == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_one(recipe, dataset, callbacks=[PowerCut()], checkpoint=file)
    assert file.exists()
    assert same_bits(train_one(recipe, dataset, checkpoint=file).net, whole.net)


def test_a_diverged_training_keeps_no_average(dataset: Dataset, make_recipe: Make) -> None:
    recipe = averaged(make_recipe(epochs=4, lr=1e20, if_diverged="stop"), start=0.1)
    trained = train_one(recipe, dataset)
    assert trained.diverged
    assert all(bool(parameter.isnan().all()) for parameter in trained.net.parameters())


def test_batch_norm_is_recomputed_from_the_training_split(make_dataset: Make, make_recipe: Make) -> None:
    model = {"_target_": "dlexp.models.mlp.mlp", "widths": [5], "batch_norm": True, "dropout": 0.5}
    recipe = averaged(make_recipe(epochs=4, eval_batch_size=100, model=model), start=0.5)
    data = make_dataset(50)
    net = train_one(recipe, data).net
    layer = net.get_submodule("net.layer1")
    with torch.no_grad():
        before = layer.linear(net.prepare(data.train.x))
    assert torch.allclose(layer.bn.running_mean, before.mean(0), atol=1e-5)
    assert torch.allclose(layer.bn.running_var, before.var(0), atol=1e-5)
    assert layer.bn.momentum == 0.1


def test_recomputing_changes_running_statistics_alone() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    net[1].eval()  # frozen by someone
    split = Split(torch.randn(9, 3), torch.zeros(9, dtype=torch.int64))
    kept = {name: value.clone() for name, value in net.named_parameters()}
    recompute_batch_norm(net, split, batch_size=4)
    assert [module.training for module in net] == [True, False, True, True]
    assert all(torch.equal(value, kept[name]) for name, value in net.named_parameters())
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    hidden = [net[0](split.x[index]).detach() for index in (order[:4], order[4:])]  # no batch of one sample
    assert torch.allclose(net[1].running_mean, torch.stack([each.mean(0) for each in hidden]).mean(0), atol=1e-6)
    assert torch.allclose(net[1].running_var, torch.stack([each.var(0) for each in hidden]).mean(0), atol=1e-6)


@pytest.mark.parametrize(("start", "factor"), [(0.75, 0.5), (0.5, 0.1), (1.0, 0.0), (0.0, 0.3)])
def test_schedule(start: float, factor: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    node = {**yaml.safe_load(CONF.read_text()), "start": start, "factor": factor}
    scheduler = instantiate(node, optimizer, 100, where="scheduler")
    found = []
    for _ in range(100):
        found.append(optimizer.param_groups[0]["lr"] / 0.4)
        optimizer.step()
        scheduler.step()
    for t, rate in enumerate(found):
        share = t / (100 * start) if start else 1.0
        high_or_low = 1.0 if share <= 0.5 else factor
        expected = 1 - (1 - factor) * (share - 0.5) / 0.4 if 0.5 < share < 0.9 else high_or_low
        assert rate == pytest.approx(expected, abs=1e-12), t
