"""Subsets of the parameters: what may learn, and that all else keeps its bits whatever the optimizer does."""

import dataclasses
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from dlexp.errors import InputError
from dlexp.models.cifar_resnet import cifar_resnet
from dlexp.models.inputs import Normalized
from dlexp.models.mlp import mlp
from dlexp.probes.frozen import movement
from dlexp.training.callbacks import Callback, Training
from dlexp.training.recipe import Recipe
from dlexp.training.single import Trained, build, train_one
from dlexp.training.subsets import MASK_STREAM, Subset, affine_names, learning_masks, output_names, random_mask

SUBSETS = get_args(Subset)
WITH_NORM = {"widths": [8, 6], "batch_norm": True}
OPTIMIZERS = [
    {"_target_": "torch.optim.SGD", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.1},
    {"_target_": "torch.optim.AdamW", "lr": 0.01, "weight_decay": 0.1},
]


def only(recipe: Recipe, subset: str) -> Recipe:
    """The recipe, of whose net `subset` learns, with a snapshot of the initialisation."""
    callback = {"_target_": "dlexp.training.subsets.LearnOnly", "subset": subset}
    trainer = dataclasses.replace(recipe.trainer, snapshot_epochs=[0])
    return dataclasses.replace(recipe, callbacks=[callback], trainer=trainer)


def resnet() -> nn.Module:
    torch.manual_seed(0)
    net = cifar_resnet((1, 8, 8), 10, depth=8, shortcut="B")
    return Normalized(net, torch.tensor([0.5]), torch.tensor([1.0]))


def counts(subset: Subset) -> int:
    return sum(int(mask.sum()) for mask in learning_masks(resnet(), subset, seed=3).values())


def test_subsets_have_the_sizes_that_can_be_counted_by_hand() -> None:
    # channels: stem 16; two convolutions in each of the three blocks; a projection in the second and third (option B)
    channels = 16 + 2 * (16 + 32 + 64) + (32 + 64)
    total = sum(parameter.numel() for parameter in resnet().parameters())
    assert counts("batchnorm") == counts("random") == 2 * channels
    assert counts("output") == 64 * 10 + 10
    assert counts("batchnorm+output") == counts("batchnorm") + counts("output")
    assert (counts("all"), counts("none")) == (total, 0)


def test_names_are_those_of_the_modules() -> None:
    net = resnet()
    expected = [name for name, _ in net.named_parameters() if ".bn" in name or ".shortcut.1." in name]
    assert affine_names(net) == expected
    assert output_names(net) == ["net.fc.weight", "net.fc.bias"]


def test_random_numbers_are_others_and_follow_the_seed() -> None:
    net = resnet()
    masks = learning_masks(net, "random", seed=3)
    assert not any(masks[name].any() for name in affine_names(net))
    others = torch.cat([mask.flatten() for name, mask in masks.items() if name not in affine_names(net)])
    chosen = np.random.default_rng([3, MASK_STREAM]).choice(len(others), int(others.sum()), replace=False)
    assert sorted(chosen) == others.nonzero().flatten().tolist()
    again, other = (learning_masks(net, "random", seed) for seed in (3, 4))
    assert all(masks[name].equal(again[name]) for name in masks)
    assert not all(masks[name].equal(other[name]) for name in masks)


@given(st.integers(1, 300), st.data())
@settings(max_examples=20)
def test_a_random_mask_has_the_number_asked_for(total: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, total))
    mask = random_mask(total, count, data.draw(st.integers(0, 2**31)))
    assert (mask.shape, int(mask.sum())) == ((total,), count)


def test_every_number_is_drawn_equally_often() -> None:
    drawn = torch.stack([random_mask(20, 5, seed) for seed in range(2000)]).double().mean(dim=0)
    assert (drawn - 0.25).abs().max() < 0.04  # four standard errors


def moved(trained: Trained, subset: Subset) -> Any:
    return movement(trained.net, trained.snapshots[0], learning_masks(trained.net, subset, trained.recipe.seed))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["sgd", "adamw"])
@pytest.mark.parametrize("subset", SUBSETS)
def test_frozen_numbers_keep_their_bits_and_the_others_learn(
    dataset, make_recipe, subset: Subset, optimizer: dict[str, Any]
) -> None:
    recipe = only(make_recipe(seed=5, model=WITH_NORM, optimizer=optimizer, grad_clip=1.0), subset)
    trained = train_one(recipe, dataset)
    found = moved(trained, subset)
    assert found.frozen_changed == 0
    assert found.frozen_before == found.frozen_after
    assert found.learning_changed >= 0.7 * found.learning  # the rest are weights behind units that are off
    assert found.buffers_changed == 6  # mean, variance and count of both batch normalisations
    assert all(parameter.requires_grad for parameter in trained.net.parameters())


def test_without_the_callback_weight_decay_and_momentum_move_everything(dataset, make_recipe) -> None:
    recipe = make_recipe(model=WITH_NORM, optimizer=OPTIMIZERS[0], snapshot_epochs=[0])
    found = moved(train_one(recipe, dataset), "none")
    assert found.frozen_changed == found.frozen


def test_all_is_the_plain_training(dataset, make_recipe, same_bits) -> None:
    recipe = make_recipe(model=WITH_NORM)
    assert same_bits(train_one(only(recipe, "all"), dataset).net, train_one(recipe, dataset).net)


def test_whole_parameters_learn_as_with_an_optimizer_of_their_own(dataset, make_recipe) -> None:
    """An independent loop over the same batches, whose optimizer is given nothing but gamma and beta."""
    recipe = only(make_recipe(model=WITH_NORM, optimizer=OPTIMIZERS[0], epochs=1, batch_size=50), "batchnorm")
    recipe = dataclasses.replace(recipe, scheduler={"_target_": "dlexp.training.schedulers.constant"})
    net = build(recipe, dataset).train()
    wanted = set(affine_names(net))
    parameters = [parameter for name, parameter in net.named_parameters() if name in wanted]
    optimizer = torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=0.1)
    cross_entropy(net(dataset.train.inputs()), dataset.train.y).backward()
    optimizer.step()
    trained = train_one(recipe, dataset).net
    for (name, expected), (_, got) in zip(net.named_parameters(), trained.named_parameters(), strict=True):
        torch.testing.assert_close(got, expected, msg=name)


def test_masked_numbers_take_the_step_of_plain_descent(dataset, make_recipe) -> None:
    sgd = {"_target_": "torch.optim.SGD", "lr": 0.05, "weight_decay": 0.1}
    recipe = only(make_recipe(seed=2, model=WITH_NORM, optimizer=sgd, epochs=1, batch_size=50), "random")
    recipe = dataclasses.replace(recipe, scheduler={"_target_": "dlexp.training.schedulers.constant"})
    net = build(recipe, dataset).train()
    masks = learning_masks(net, "random", seed=2)
    cross_entropy(net(dataset.train.inputs()), dataset.train.y).backward()
    trained = dict(train_one(recipe, dataset).net.named_parameters())
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        step = 0.05 * (parameter.grad + 0.1 * parameter) * masks[name]
        torch.testing.assert_close(trained[name], parameter - step, msg=name)


@pytest.mark.parametrize("subset", ["random", "batchnorm"])
def test_a_resumed_training_ends_in_the_same_bits(
    dataset, make_recipe, same_bits, tmp_path: Path, subset: Subset
) -> None:
    class Stop(Callback):
        watches_only = True

        def on_epoch_end(self, training: Training) -> None:
            if training.epoch == 2:
                raise KeyboardInterrupt

    recipe = only(make_recipe(seed=7, model=WITH_NORM, optimizer=OPTIMIZERS[0], checkpoint_every=1), subset)
    whole = train_one(recipe, dataset)
    file = tmp_path / "checkpoint.pt"
    with pytest.raises(KeyboardInterrupt):
        train_one(recipe, dataset, checkpoint=file, callbacks=[Stop()])
    assert file.exists()
    resumed = train_one(recipe, dataset, checkpoint=file)
    assert same_bits(resumed.net, whole.net)
    assert moved(resumed, subset).frozen_changed == 0


def test_nets_without_batch_normalisation_or_with_too_little_else_are_refused() -> None:
    net = mlp((6,), 3, widths=[4], activation=nn.ReLU)
    assert sum(int(mask.sum()) for mask in learning_masks(net, "output", 0).values()) == 15
    with pytest.raises(InputError, match=r"^model: it has no batch normalisation whose gamma and beta could learn;"):
        learning_masks(net, "batchnorm", 0)
    small = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 1, bias=False))
    with pytest.raises(InputError, match=r"^model: gamma and beta are 12 numbers, and there are only 6 others"):
        learning_masks(small, "random", 0)
