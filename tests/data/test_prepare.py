"""Splitting and fitting: what must hold for any data."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dlexp.data.dataset import Split
from dlexp.data.prepare import Preparation, prepare, read_through
from dlexp.data.source import Source
from dlexp.data.stratify import allot, hold_out, subsample
from dlexp.errors import InputError

class_counts = st.lists(st.integers(2, 40), min_size=2, max_size=6)
seeds = st.integers(0, 2**31 - 1)
quick = settings(max_examples=40, deadline=None)


def labels_of(counts: list[int]) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


def numbered_source(counts: list[int], test: Split | None = None) -> Source:
    """Inputs that are their own row numbers, so that a sample can be recognised in any split."""
    y = labels_of(counts)
    x = torch.arange(len(y), dtype=torch.float32)[:, None]
    return Source("numbered", Split(x, y), test, tuple(str(c) for c in range(len(counts))))


def images(n: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (n, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@given(class_counts, st.data())
@quick
def test_allotment_is_within_one_of_the_exact_share_and_adds_up(counts, data):
    total = sum(counts)
    size = data.draw(st.integers(0, total))
    taken = allot(torch.tensor(counts), size, torch.zeros(len(counts), dtype=torch.int64), torch.tensor(counts))
    assert taken.sum() == size
    for count, number in zip(counts, taken.tolist(), strict=True):
        assert 0 <= number <= count
        assert abs(number - size * count / total) < 1


def test_allotment_by_hand_gives_the_spare_sample_to_the_largest_remainder():
    zero, counts = torch.zeros(3, dtype=torch.int64), torch.tensor([5, 3, 2])
    assert allot(counts, 4, zero, counts).tolist() == [2, 1, 1]  # shares 2.0, 1.2, 0.8


@given(class_counts, st.floats(0.05, 0.5), seeds)
@quick
def test_a_held_out_set_and_the_rest_are_disjoint_exhaustive_and_keep_every_class(counts, fraction, seed):
    y = labels_of(counts)
    generator = torch.Generator().manual_seed(seed)
    if round(fraction * len(y)) == 0:
        with pytest.raises(ValueError, match="cannot hold out 0 of"):
            hold_out(y, fraction, generator)
        return
    kept, held = hold_out(y, fraction, generator)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(y)))
    assert len(held) == round(fraction * len(y))
    assert set(y[kept].tolist()) == set(range(len(counts)))


def test_the_only_sample_of_a_class_is_never_held_out():
    y = labels_of([4, 4, 1, 1])  # exact shares of a half: 2, 2, 0.5, 0.5
    kept, held = hold_out(y, 0.5, torch.Generator().manual_seed(0))
    assert torch.bincount(y[kept]).tolist()[2:] == [1, 1]
    assert len(held) == 5


@given(class_counts, seeds, st.data())
@quick
def test_a_subsample_has_its_size_and_all_classes(counts, seed, data):
    y = labels_of(counts)
    size = data.draw(st.integers(len(counts), len(y)))
    index = subsample(y, size, torch.Generator().manual_seed(seed))
    assert len(set(index.tolist())) == size
    assert set(y[index].tolist()) == set(range(len(counts)))


@given(st.lists(st.integers(10, 40), min_size=2, max_size=5), seeds)
@quick
def test_splits_are_disjoint_and_exhaustive(counts, seed):
    dataset = prepare(numbered_source(counts), Preparation(0.2, 0.25, split_seed=seed))
    assert dataset.val is not None
    rows = torch.cat([split.x[:, 0] for split in (dataset.train, dataset.val, dataset.test)])
    assert sorted(rows.tolist()) == list(range(sum(counts)))
    n_test = round(0.2 * sum(counts))
    assert [len(dataset.test), len(dataset.val)] == [n_test, round(0.25 * (sum(counts) - n_test))]
    for split in (dataset.train, dataset.val, dataset.test):
        assert torch.equal(split.y, labels_of(counts)[split.x[:, 0].long()])


def test_train_size_changes_neither_the_validation_nor_the_test_samples():
    source = numbered_source([30, 30, 40])
    whole, small = (prepare(source, Preparation(train_size=size)) for size in (None, 10))
    assert (len(whole.train), len(small.train)) == (72, 10)
    assert set(small.train.x[:, 0].tolist()) < set(whole.train.x[:, 0].tolist())
    assert torch.equal(small.val.x, whole.val.x)
    assert torch.equal(small.test.x, whole.test.x)
    assert torch.bincount(small.train.y).tolist() == [3, 3, 4]


def test_split_seed_decides_the_split_and_nothing_else_does():
    source = numbered_source([50, 50])
    torch.manual_seed(1)
    first = prepare(source, Preparation())
    torch.manual_seed(2)
    assert prepare(source, Preparation()).fingerprint == first.fingerprint
    assert prepare(source, Preparation(split_seed=1)).fingerprint != first.fingerprint


def test_a_source_with_a_test_set_keeps_it_whole():
    test = Split(torch.full((4, 1), 7.0), torch.tensor([0, 1, 0, 1]))
    dataset = prepare(numbered_source([10, 10], test), Preparation(test_fraction=0.9, val_fraction=0))
    assert dataset.val is None
    assert (len(dataset.train), len(dataset.test)) == (20, 4)


@given(seeds, st.floats(-1e6, 1e6))
@quick
def test_mean_and_std_come_from_the_training_split_only(seed, elsewhere):
    source = numbered_source([20, 20])
    dataset = prepare(source, Preparation(split_seed=seed))
    x = source.train.x.clone()
    x[torch.cat([dataset.val.x, dataset.test.x])[:, 0].long()] = elsewhere
    changed = prepare(Source("n", Split(x, source.train.y), None, source.classes), Preparation(split_seed=seed))
    assert torch.equal(changed.mean, dataset.mean)
    assert torch.equal(changed.std, dataset.std)
    rows = dataset.train.x.numpy().astype(np.float64)
    assert dataset.mean.item() == pytest.approx(rows.mean())
    assert dataset.std.item() == pytest.approx(rows.std())


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_statistics_of_uint8_images_are_those_of_the_floats_however_they_are_read(monkeypatch, chunk):
    monkeypatch.setattr("dlexp.data.prepare.CHUNK", chunk)
    x = images(20)
    reading = read_through(Split(x, torch.zeros(20, dtype=torch.int64)))
    floats = x.double() / 255
    torch.testing.assert_close(reading.mean, floats.mean((0, 2, 3)).float())
    torch.testing.assert_close(reading.std, floats.std((0, 2, 3), correction=0).float())


@pytest.mark.parametrize("x", [torch.full((6, 2), 0.1), torch.full((6, 2, 3, 3), 25, dtype=torch.uint8)])
def test_what_does_not_vary_has_standard_deviation_one(x):
    reading = read_through(Split(x, torch.zeros(6, dtype=torch.int64)))
    assert reading.std.tolist() == [1, 1]


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("what", ["pixel", "label"])
def test_the_fingerprint_changes_with_any_pixel_and_any_label(part, what):
    def fingerprint(change: bool) -> str:
        parts = {name: Split(images(10, seed), torch.arange(10) % 2) for seed, name in enumerate(("train", "test"))}
        if change and what == "pixel":
            parts[part].x[3, 1, 2, 2] ^= 1
        if change and what == "label":
            parts[part].y[3] ^= 1
        source = Source("any", parts["train"], parts["test"], ("a", "b"))
        return prepare(source, Preparation(val_fraction=0)).fingerprint

    assert fingerprint(False) == fingerprint(False)
    assert fingerprint(True) != fingerprint(False)


def test_the_fingerprint_tells_given_statistics_and_moved_samples_from_the_same_data():
    source = numbered_source([10, 10])
    variants = [
        Preparation(val_fraction=0),
        Preparation(val_fraction=0, mean=[0.0]),
        Preparation(val_fraction=0, std=[2.0]),
        Preparation(val_fraction=0.5),
        Preparation(val_fraction=0, test_fraction=0.5),
    ]
    assert len({prepare(source, variant).fingerprint for variant in variants}) == len(variants)


def test_given_statistics_are_taken_as_they_are():
    dataset = prepare(numbered_source([10, 10]), Preparation(mean=[0.5], std=[0.25]))
    assert (dataset.mean.tolist(), dataset.std.tolist()) == ([0.5], [0.25])


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"mean": [0.1, 0.2]}, "dataset.mean=[0.1, 0.2]: has 2 values; the data have 1 channels or columns"),
        ({"std": [0.0]}, "dataset.std=[0.0]: must be finite and positive"),
        ({"mean": [math.nan]}, "dataset.mean=[nan]: must be finite"),
        ({"train_size": 1000}, "dataset.train_size=1000: must be 2 (one of each class) to 14 (all)"),
        ({"test_size": 1}, "dataset.test_size=1: must be 2 (one of each class) to 4 (all)"),
        (
            {"val_fraction": 0.01},
            "dataset.val_fraction=0.01: cannot hold out 0 of 16 samples and keep one of each class;"
            " choose another fraction",
        ),
    ],
)
def test_settings_that_the_data_cannot_meet(settings_, message):
    with pytest.raises(InputError) as caught:
        prepare(numbered_source([10, 10]), Preparation(**settings_))
    assert str(caught.value) == message


def test_inputs_scales_uint8_to_the_unit_interval_and_leaves_floats():
    split = Split(torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1), torch.tensor([0, 1, 0]))
    assert split.inputs().flatten().tolist() == pytest.approx([0, 0.2, 1])
    assert split.inputs(torch.tensor([2, 0])).flatten().tolist() == [1, 0]
    assert split.inputs(slice(1, 3)).shape == (2, 1, 1, 1)
    assert split.x.dtype == torch.uint8
    table = Split(torch.tensor([[300.0], [-1.0]]), torch.tensor([0, 1]))
    assert table.inputs().flatten().tolist() == [300, -1]
