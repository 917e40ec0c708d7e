"""Deficits: what they make of images and labels, and that they end."""

import dataclasses
from typing import Any

import pytest
import torch

from dlexp.data import Dataset
from dlexp.data.resize import resize
from dlexp.errors import InputError
from dlexp.training.callbacks import Callback, Training
from dlexp.training.deficits import Deficit, blurred, noise_like, with_deficit
from dlexp.training.single import train_one


def spoilt(dataset: Dataset, kind: Any, factor: int = 2, seed: int = 0) -> Dataset:
    return with_deficit(dataset, kind, factor, seed, torch.Generator().manual_seed(5))


def test_blur_keeps_flat_images_and_what_it_leaves_fits_into_the_small_image() -> None:
    flat = torch.full((2, 3, 8, 8), 0.3)
    assert torch.allclose(blurred(flat, 4), flat)
    x = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert blurred(x, 1).equal(x)
    whole = blurred(x, 100)  # one pixel is left: the mean, up to the weights of the antialiasing
    assert torch.allclose(whole, whole[..., :1, :1].expand_as(x))
    # Linear in x, and of no higher rank than the small image has pixels.
    basis = torch.eye(64).view(64, 1, 8, 8)
    assert int(torch.linalg.matrix_rank(blurred(basis, 4).flatten(1), atol=1e-5)) == 4
    stripes = torch.arange(8).remainder(2).float().expand(1, 1, 8, 8)
    assert float(blurred(stripes, 2).var()) < 0.1 * float(stripes.var())


def test_blur_is_the_one_resize_there_and_back() -> None:
    x = torch.rand(3, 2, 9, 6, generator=torch.Generator().manual_seed(0))
    assert blurred(x, 3).equal(resize(resize(x, (3, 2), antialias=True), (9, 6), antialias=False))


def test_noise_has_the_statistics_it_is_given() -> None:
    mean, std = torch.tensor([0.2, 0.7]), torch.tensor([0.1, 0.3])
    noise = noise_like(torch.zeros(4000, 2, 3, 3), mean, std, torch.Generator().manual_seed(0))
    assert torch.allclose(noise.mean(dim=(0, 2, 3)), mean, atol=0.01)
    assert torch.allclose(noise.std(dim=(0, 2, 3)), std, atol=0.01)
    assert noise_like(torch.zeros(5, 2), mean, std, torch.Generator()).shape == (5, 2)


def test_only_what_the_deficit_is_about_changes(make_dataset) -> None:
    dataset = make_dataset(shape=(1, 4, 6))
    x, y = dataset.train.inputs(), dataset.train.y
    index = torch.tensor([4, 1])
    for kind in ("blur", "noise", "upside_down", "shuffled_labels"):
        changed = spoilt(dataset, kind)
        assert changed.test is dataset.test
        assert changed.val is dataset.val
        seen = changed.train.inputs(index)
        assert seen.shape == (2, 1, 4, 6)
        assert changed.train.y.equal(y) == (kind != "shuffled_labels")
        assert seen.equal(x[index]) == (kind == "shuffled_labels")
    assert spoilt(dataset, "upside_down").train.inputs(index).equal(x[index].flip(2))
    assert spoilt(dataset, "blur").train.inputs(index).equal(blurred(x[index], 2))
    noise = spoilt(dataset, "noise").train
    assert not noise.inputs(index).equal(noise.inputs(index))  # drawn anew
    labels = [spoilt(dataset, "shuffled_labels", seed=seed).train.y for seed in (0, 0, 1)]
    assert labels[0].equal(labels[1])
    assert not labels[0].equal(labels[2])
    assert labels[0].sort().values.equal(y.sort().values)
    assert dataset.train.inputs().equal(x)


def test_a_deficit_begins_and_ends_with_its_period(make_dataset, make_recipe) -> None:
    class Watch(Callback):
        def __init__(self) -> None:
            self.during: list[str] = []
            self.after: list[bool] = []

        def on_step_end(self, training: Training) -> None:
            self.during.append(type(training.dataset.train).__name__)

        def on_epoch_end(self, training: Training) -> None:
            self.after.append(training.dataset.train.inputs().equal(dataset.train.inputs()))

    dataset, watch = make_dataset(n=16, shape=(1, 4, 4)), Watch()
    train_one(make_recipe(epochs=5, batch_size=16), dataset, callbacks=[Deficit(1, 3, "blur"), watch])
    assert watch.during == ["Split", "ChangedInputs", "ChangedInputs", "Split", "Split"]
    assert watch.after == [True] * 5


def test_a_deficit_of_no_epoch_and_a_blur_of_nothing_change_nothing(make_dataset, make_recipe, same_bits) -> None:
    dataset, recipe = make_dataset(shape=(1, 4, 4)), make_recipe()
    plain = train_one(recipe, dataset).net
    for settings in ({"start": 1, "stop": 1}, {"start": 0, "stop": 3, "factor": 1}):
        node = {"_target_": "dlexp.training.deficits.Deficit", "kind": "blur", **settings}
        assert same_bits(train_one(dataclasses.replace(recipe, callbacks=[node]), dataset).net, plain)
    assert not same_bits(train_one(recipe, dataset, callbacks=[Deficit(0, 1, "blur", 2)]).net, plain)


def test_images_are_needed_for_deficits_of_images(dataset: Dataset) -> None:
    with pytest.raises(InputError) as refused:
        spoilt(dataset, "blur")
    expected = "kind=blur: a deficit of images, and these inputs are rows of numbers; use kind=noise"
    assert str(refused.value) == expected
