"""Datasets with their structure destroyed: what changes, what stays, and that the fingerprint tells."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dlexp.data import Dataset, Split
from dlexp.data.randomization import gaussian_pixels, random_labels, random_pixels, shuffled_pixels
from dlexp.errors import InputError

Change = Callable[[Dataset, int], Dataset]
CHANGES: list[Change] = [shuffled_pixels, random_pixels, gaussian_pixels]


def images(n: int = 60, shape: tuple[int, ...] = (3, 4, 5), classes: int = 10) -> Dataset:
    generator = torch.Generator().manual_seed(1)

    def split(size: int) -> Split:
        x = torch.randint(256, (size, *shape), generator=generator, dtype=torch.uint8)
        return Split(x, torch.arange(size) % classes)

    names = tuple(map(str, range(classes)))
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.4, 0.5, 0.6])
    return Dataset("images", split(n), split(20), split(30), names, mean, std, "old")


def table(n: int = 60) -> Dataset:
    """Columns of very different scales, the last one constant."""
    generator = torch.Generator().manual_seed(2)
    scale, offset = torch.tensor([1.0, 10.0, 1000.0, 0.0]), torch.tensor([0.0, -5.0, 2000.0, 7.0])

    def split(size: int) -> Split:
        return Split(torch.randn(size, 4, generator=generator) * scale + offset, torch.arange(size) % 3)

    train = split(n)
    std = train.x[:].std(dim=0, correction=0)
    std[3] = 1.0
    return Dataset("table", train, split(20), split(30), ("a", "b", "c"), train.x[:].mean(dim=0), std, "old")


def tensor(split: Split) -> Tensor:
    assert isinstance(split.x, Tensor)
    return split.x


def splits(dataset: Dataset) -> list[Split]:
    assert dataset.val is not None
    return [dataset.train, dataset.val, dataset.test]


@settings(max_examples=30, deadline=None)
@given(fraction=st.floats(0, 1), seed=st.integers(0, 10**6))
def test_only_that_many_training_labels_can_change(fraction: float, seed: int) -> None:
    before = images()
    after = random_labels(before, fraction, seed)
    assert int((after.train.y != before.train.y).sum()) <= round(fraction * 60)
    assert 0 <= int(after.train.y.min()) <= int(after.train.y.max()) < 10
    for old, new in zip(splits(before), splits(after), strict=True):
        assert new.x is old.x
    assert after.test.y is before.test.y
    assert before.val is not None
    assert after.val is not None
    assert after.val.y is before.val.y


def test_redrawn_labels_are_uniform_over_all_classes_and_keep_the_true_one_by_chance() -> None:
    before = images(n=20_000)
    after = random_labels(before, 0.5, seed=0)
    kept = float((after.train.y == before.train.y).double().mean())
    assert kept == pytest.approx(0.5 + 0.5 / 10, abs=0.01)  # four standard errors
    everything = random_labels(before, 1.0, seed=0)
    joint = torch.bincount(before.train.y * 10 + everything.train.y, minlength=100).double()
    chi_square = float(((joint - 200) ** 2 / 200).sum())  # 90 degrees of freedom: rows are fixed
    assert chi_square < 90 + 5 * 180**0.5


def test_a_larger_fraction_redraws_the_same_labels_and_more() -> None:
    before = images(n=1000)
    few, many = (random_labels(before, fraction, seed=4).train.y for fraction in (0.3, 0.6))
    changed = few != before.train.y
    assert torch.equal(few[changed], many[changed])
    assert int((many != before.train.y).sum()) > int(changed.sum())


def test_redrawn_samples_are_not_the_first_ones_that_a_training_with_the_same_seed_meets() -> None:
    before = images(n=1000)
    changed = set((random_labels(before, 0.3, seed=7).train.y != before.train.y).nonzero().ravel().tolist())
    met_first = set(torch.randperm(1000, generator=torch.Generator().manual_seed(7))[:300].tolist())
    assert len(changed & met_first) < 150  # about 81 by chance, all of them if the streams were one


def test_no_random_labels_is_the_dataset_itself() -> None:
    before = images()
    assert random_labels(before, 0.0, seed=0) is before


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_a_fraction_that_is_none_is_refused(fraction: float) -> None:
    with pytest.raises(InputError) as caught:
        random_labels(images(), fraction, seed=0)
    assert str(caught.value) == f"fraction={fraction}: the share of random labels lies in 0..1"


def test_every_operation_fraction_and_seed_has_a_fingerprint_of_its_own() -> None:
    before = images()
    made = [change(before, seed) for change in CHANGES for seed in (0, 1)]
    made += [random_labels(before, fraction, seed) for fraction in (0.5, 1.0) for seed in (0, 1)]
    made += [shuffled_pixels(replace(before, fingerprint="another"), 0)]
    fingerprints = [each.fingerprint for each in made]
    assert len({*fingerprints, before.fingerprint}) == len(fingerprints) + 1
    assert all(len(each) == 64 for each in fingerprints)
    assert shuffled_pixels(before, 0).fingerprint == fingerprints[0]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("make", [images, table])
def test_inputs_change_in_every_split_by_the_seed_and_labels_stay(change: Change, make: Callable[[], Dataset]) -> None:
    before, again = make(), make()
    after = change(before, 3)
    for old, new, same, other in zip(
        splits(before), splits(after), splits(change(again, 3)), splits(change(again, 4)), strict=True
    ):
        assert new.y is old.y
        assert new.x.shape == old.x.shape
        assert not torch.equal(tensor(new), tensor(old))
        assert torch.equal(tensor(new), tensor(same))
        assert not torch.equal(tensor(new), tensor(other))
    for untouched, old in zip(splits(before), splits(again), strict=True):
        assert torch.equal(tensor(untouched), tensor(old))


def test_shuffled_pixels_move_in_the_same_way_everywhere_and_channels_move_together() -> None:
    where = torch.arange(20).reshape(4, 5).expand(3, 4, 5) + torch.tensor([0, 100, 200])[:, None, None]
    marked = images()
    marked = replace(marked, train=Split(where.to(torch.uint8).repeat(60, 1, 1, 1), marked.train.y))
    after = shuffled_pixels(replace(marked, test=marked.train), 0)
    first = tensor(after.train)[0].flatten(1).long()
    assert sorted(first[0].tolist()) == list(range(20))
    assert torch.equal(first[1], first[0] + 100)
    assert torch.equal(first[2], first[0] + 200)
    assert torch.equal(tensor(after.train)[0].expand(60, 3, 4, 5), tensor(after.train))
    assert torch.equal(tensor(after.test), tensor(after.train))
    assert (after.mean is marked.mean, after.std is marked.std) == (True, True)
    assert tensor(after.train).dtype == torch.uint8


def test_random_pixels_move_differently_in_every_image_and_channels_together() -> None:
    where = torch.arange(20).reshape(4, 5).expand(3, 4, 5) + torch.tensor([0, 100, 200])[:, None, None]
    marked = images()
    after = random_pixels(replace(marked, train=Split(where.to(torch.uint8).repeat(60, 1, 1, 1), marked.train.y)), 0)
    flat = tensor(after.train).flatten(2).long()
    assert torch.equal(flat[:, 0].sort(dim=1).values, torch.arange(20).expand(60, 20))
    assert torch.equal(flat[:, 1], flat[:, 0] + 100)
    assert len({tuple(row) for row in flat[:, 0].tolist()}) == 60
    assert (after.mean is marked.mean, after.std is marked.std) == (True, True)


def test_the_columns_of_a_table_take_their_statistics_with_them() -> None:
    before = table()
    after = shuffled_pixels(before, 1)
    for column in range(4):
        (origin,) = [old for old in range(4) if torch.equal(tensor(after.test)[:, column], tensor(before.test)[:, old])]
        assert after.mean[column] == before.mean[origin]
        assert after.std[column] == before.std[origin]


def test_random_pixels_of_a_table_have_the_statistics_of_the_new_columns() -> None:
    after = random_pixels(table(n=5000), 1)
    x = tensor(after.train).double()
    torch.testing.assert_close(after.mean.double(), x.mean(dim=0), rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(after.std.double(), x.std(dim=0, correction=0), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("make", [images, table])
def test_gaussian_pixels_have_the_mean_and_variance_of_the_training_inputs(make: Callable[..., Dataset]) -> None:
    before = make(n=20_000)
    after = gaussian_pixels(before, 0)
    axes = tuple(axis for axis in range(tensor(before.train).ndim) if axis != 1)
    x, noise = before.train.inputs().double(), after.train.inputs().double()
    spread = x.std(dim=axes, correction=0)
    assert float(((noise.mean(dim=axes) - x.mean(dim=axes)).abs() / (spread + 1e-3)).max()) < 0.04
    torch.testing.assert_close(noise.std(dim=axes, correction=0), spread, rtol=0.03, atol=1e-3)
    assert tensor(after.train).dtype == torch.float32
    assert after.mean is before.mean  # what the net normalises with fits still
    correlation = torch.corrcoef(noise.reshape(len(noise), -1)[:, :3].T)
    assert float(correlation[0, 1].abs()) < 0.04


def test_a_constant_column_stays_constant_as_noise() -> None:
    after = gaussian_pixels(table(), 0)
    assert torch.equal(tensor(after.train)[:, 3], torch.full((60,), 7.0))


class Lazy:
    """Images that are decoded when they are indexed."""

    def __init__(self, x: Tensor) -> None:
        self.x = x
        self.shape, self.dtype = tuple(x.shape), x.dtype

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        return self.x[index]

    def take(self, index: Tensor) -> "Lazy":
        return Lazy(self.x[index])


@pytest.mark.parametrize("change", CHANGES)
def test_lazily_decoded_images_are_as_good(change: Change) -> None:
    before = images()
    lazy = replace(before, train=Split(Lazy(tensor(before.train)), before.train.y))
    assert torch.equal(tensor(change(lazy, 5).train), tensor(change(before, 5).train))


def test_a_dataset_without_validation_split_has_none_afterwards() -> None:
    without = replace(images(), val=None)
    assert all(change(without, 0).val is None for change in CHANGES)
    assert random_labels(without, 1.0, 0).val is None
