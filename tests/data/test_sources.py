"""The sources that need no files: known facts about the data, and the keys of their YAML."""

import inspect
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from dlexp import conf
from dlexp.data import build_dataset
from dlexp.data.embedded import breast_cancer, digits, wine
from dlexp.data.generators import blobs, classification, cylinder_bell_funnel, moons, spirals
from dlexp.data.prepare import Preparation
from dlexp.errors import InputError
from dlexp.schema import locate

FOLDER = Path(conf.__path__[0]) / "dataset"
DATASETS = sorted(path.stem for path in FOLDER.glob("*.yaml") if not path.stem.startswith("_"))


def node(*overrides: str) -> dict:
    with initialize_config_module("dlexp.conf", version_base=None):
        return OmegaConf.to_container(compose(overrides=[f"+{overrides[0]}", *overrides[1:]]).dataset)


@pytest.mark.parametrize("name", DATASETS)
def test_the_yaml_gives_every_key_of_the_source_and_of_the_preparation_and_no_other(name):
    keys = node(f"dataset={name}")
    source = inspect.signature(locate(keys.pop("_target_"))).parameters
    assert set(keys) == {field.name for field in fields(Preparation)} | set(source)


def test_the_yaml_of_the_preparation_states_the_defaults_of_the_dataclass():
    keys = node("dataset=digits")
    assert {field.name: field.default for field in fields(Preparation)}.items() <= keys.items()


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_key_has_a_comment(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    keys = [line for line in lines if line[:1].isalpha() and not line.startswith("defaults:")]
    assert [line for line in keys if "#" not in line] == []


@pytest.mark.parametrize(("name", "source"), [("digits", digits), ("breast_cancer", breast_cancer), ("wine", wine)])
def test_embedded_data_are_those_that_scikit_learn_loads(name, source):
    import sklearn.datasets

    theirs = getattr(sklearn.datasets, f"load_{name}")()
    ours = source()
    x = ours.train.x * 16 if name == "digits" else ours.train.x
    np.testing.assert_array_equal(x.flatten(1).numpy(), theirs.data.astype(np.float32))
    np.testing.assert_array_equal(ours.train.y.numpy(), theirs.target)
    assert ours.classes == tuple(str(c) for c in theirs.target_names)


def test_digits_prepared():
    dataset = build_dataset(node("dataset=digits"))
    assert (dataset.name, dataset.input_shape, dataset.n_classes) == ("digits", (1, 8, 8), 10)
    assert [len(split) for split in (dataset.train, dataset.val, dataset.test)] == [1294, 144, 359]
    assert (dataset.train.x.min(), dataset.train.x.max()) == (0, 1)
    assert dataset.train.x.dtype == torch.float32
    assert dataset.train.y.dtype == torch.int64


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: blobs(n_samples=60, n_features=2, n_classes=3, spread=1.0, seed=seed),
        lambda seed: moons(n_samples=60, noise=0.1, seed=seed),
        lambda seed: spirals(n_samples=60, n_classes=3, turns=1.5, noise=0.1, seed=seed),
        lambda seed: classification(
            n_samples=60,
            n_features=6,
            n_informative=3,
            n_redundant=1,
            n_classes=3,
            class_sep=1.0,
            flip_y=0.0,
            seed=seed,
        ),
        lambda seed: cylinder_bell_funnel(n_samples=60, length=128, noise=1.0, seed=seed),
    ],
)
def test_generated_data_follow_their_seed(make):
    first, again, other = make(3), make(3), make(4)
    assert torch.equal(first.train.x, again.train.x)
    assert torch.equal(first.train.y, again.train.y)
    assert not torch.equal(first.train.x, other.train.x)
    assert torch.bincount(first.train.y).min() >= 60 // len(first.classes) - 1


def test_noiseless_moons_lie_on_two_half_circles():
    source = moons(n_samples=100, noise=0.0, seed=0)
    centres = torch.tensor([[0.0, 0.0], [1.0, 0.5]])[source.train.y]
    radius = (source.train.x - centres).norm(dim=1)
    torch.testing.assert_close(radius, torch.ones(100), atol=1e-5, rtol=0)


def test_noiseless_spirals_lie_on_their_arms():
    source = spirals(n_samples=90, n_classes=3, turns=2.0, noise=0.0, seed=0)
    x, y = source.train.x.double().numpy(), source.train.y.numpy()
    radius = np.hypot(*x.T)
    angle = 2 * np.pi * (2.0 * radius + y / 3)
    np.testing.assert_allclose(x, radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), atol=1e-5)
    assert radius.max() <= 1


def test_noiseless_cylinders_bells_and_funnels_have_their_published_shape():
    source = cylinder_bell_funnel(n_samples=300, length=128, noise=0.0, seed=0)
    assert source.classes == ("cylinder", "bell", "funnel")
    for series, label in zip(source.train.x.double(), source.train.y.tolist(), strict=True):
        shown = series.nonzero().squeeze(1)
        steps = series[shown].diff()
        start, end = int(shown[0]) + 1, int(shown[-1]) + 1  # times count from 1
        assert len(shown) == end - start + 1  # one piece
        if label == 0:
            assert 16 <= start <= 32
            assert 32 <= end - start <= 96
            assert steps.abs().max() < 1e-6
        else:  # linear, and 0 at one end: the bell's first, the funnel's last
            torch.testing.assert_close(steps, steps[:1].expand_as(steps), atol=1e-5, rtol=0)
            assert (steps[0] > 0) == (label == 1) or series[shown].max() < 0
            zero_end = series[shown[0]] if label == 1 else series[shown[-1]]
            torch.testing.assert_close(zero_end.abs(), steps[0].abs(), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_features": 4}, "dataset.n_features=4: is less than n_informative + n_redundant = 7; raise it"),
        (
            {"n_informative": 1},
            "dataset.n_classes=3: 1 informative features have only 2 corners; raise n_informative",
        ),
        ({"n_samples": 3}, "dataset.n_samples=3: input should be greater than or equal to 10"),
        ({"seed": "x"}, "dataset.seed='x': input should be a valid integer"),
        ({"val_fraction": 1.0}, "dataset.val_fraction=1.0: input should be less than 1"),
        ({"val_fracton": 0.1}, "dataset.val_fracton: there is no such key; did you mean 'val_fraction'?"),
        ({"n_sample": 9}, "dataset.n_sample: there is no such key; did you mean 'n_samples'?"),
        (
            {"_target_": "dlexp.data.dataset.Split", "x": 1},
            "dataset.n_samples: there is no such key; choose from: _target_, mean, split_seed, std,"
            " test_fraction, test_size, train_size, val_fraction, x, y",
        ),
    ],
)
def test_bad_settings_are_refused_in_one_line(change, message):
    with pytest.raises(InputError) as caught:
        build_dataset(node("dataset=classification") | change)
    assert str(caught.value) == message


def test_no_dataset_and_a_target_that_is_not_a_source():
    with pytest.raises(InputError, match=r"^dataset: none is chosen; add e\.g\. dataset=digits$"):
        build_dataset({})
    with pytest.raises(InputError, match=r"returned a int; it must return a dlexp Source$"):
        build_dataset({"_target_": "dlexp.data.images.available_cores"})
