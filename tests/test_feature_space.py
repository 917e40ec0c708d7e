"""A dataset as one table, and repetitions of it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dlexp.answer import Answer
from dlexp.data import build_dataset
from dlexp.errors import InputError
from dlexp.feature_space import Table, all_samples, fresh_draw, is_generated
from dlexp.lab import Lab
from dlexp.settings import Settings

BLOBS = {"_target_": "dlexp.data.generators.blobs", "n_samples": 100, "n_features": 4, "n_classes": 3, "spread": 1.0}
DIGITS = {"_target_": "dlexp.data.embedded.digits"}


def lab_on(node: dict) -> Lab:
    settings = Settings(seed=0, seeds=2, scale="smoke", device="cpu", threads=1)
    answer = Answer("test", "test", "smoke", [0, 1], Path())
    return Lab(settings, {"dataset": node}, "cpu", answer, build_dataset(node))


def test_all_samples_are_there_in_order() -> None:
    data = build_dataset({**BLOBS, "seed": 0})
    table = all_samples(data)
    assert data.val is not None
    expected = torch.cat([data.train.x, data.val.x, data.test.x])  # type: ignore[list-item]
    assert table.x.dtype == np.float64
    np.testing.assert_array_equal(table.x, expected.numpy())
    assert np.bincount(table.y).tolist() == [34, 33, 33]
    assert table.names == ["x1", "x2", "x3", "x4"]
    assert not table.images


def test_images_are_flattened_and_a_subset_keeps_the_shares() -> None:
    data = build_dataset(DIGITS)
    table = all_samples(data, 200, np.random.default_rng(0))
    assert table.x.shape == (200, 64)
    assert table.images
    assert table.x.max() == 1
    counts = np.bincount(all_samples(data).y)
    np.testing.assert_allclose(np.bincount(table.y), 200 * counts / counts.sum(), atol=1)
    other = all_samples(data, 200, np.random.default_rng(1))
    assert not np.array_equal(other.x, table.x)
    np.testing.assert_array_equal(all_samples(data, 200, np.random.default_rng(0)).x, table.x)
    assert len(all_samples(data, 5000)) == 1797
    with pytest.raises(InputError, match=r"^9 samples cannot hold one of each of 10 classes; ask for more$"):
        all_samples(data, 9)


def test_a_generator_is_drawn_afresh_and_other_data_are_not() -> None:
    generated, fixed = lab_on({**BLOBS, "seed": 0}), lab_on(DIGITS)
    assert is_generated(generated)
    assert not is_generated(fixed)
    draws = [fresh_draw(generated, at).x for at in ((0, 0), (0, 1), (1, 0), (0, 0))]
    np.testing.assert_array_equal(draws[0], draws[3])
    assert all(np.abs(draws[0] - each).max() > 0.1 for each in draws[1:3])
    another = fresh_draw(lab_on({**BLOBS, "seed": 7}), (0, 0)).x
    assert np.abs(draws[0] - another).max() > 0.1  # dataset.seed counts too
    np.testing.assert_array_equal(fresh_draw(fixed, (0, 0)).x, all_samples(fixed.dataset).x)
    first, second = (fresh_draw(fixed, at, 50).x for at in ((0, 0), (0, 1)))
    assert not np.array_equal(first, second)


def numbered(counts: tuple[int, ...]) -> Table:
    """Samples whose only feature is their number."""
    y = np.repeat(np.arange(len(counts)), counts)
    return Table(np.arange(len(y), dtype=float)[:, None], y, tuple("abcdef"[: len(counts)]))


def test_a_split_is_disjoint_and_keeps_shares() -> None:
    table = numbered((10, 40))
    kept, held = table.split(0.3, np.random.default_rng(0))
    assert np.bincount(kept.y).tolist() == [7, 28]
    assert np.bincount(held.y).tolist() == [3, 12]
    assert sorted([*kept.x[:, 0], *held.x[:, 0]]) == table.x[:, 0].tolist()
    with pytest.raises(InputError, match=r"^class a: 2 samples cannot be split with 0\.1 held out; add some$"):
        numbered((2, 40)).split(0.1, np.random.default_rng(0))


def test_a_bootstrap_sample_keeps_the_classes() -> None:
    table = numbered((50, 200))
    drawn = table.resampled(np.random.default_rng(0))
    assert np.bincount(drawn.y).tolist() == [50, 200]
    np.testing.assert_array_equal(drawn.y, table.y[drawn.x[:, 0].astype(int)])
    assert len(np.unique(drawn.x)) == pytest.approx((1 - np.exp(-1)) * 250, abs=25)
