"""Symmetric label noise: exactly as many wrong labels as asked for, and nothing else changed."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlexp.data import Dataset, Split
from dlexp.data.label_noise import noisy_labels, noisy_training_labels, symmetric_noise
from dlexp.errors import InputError


def labels(n: int, k: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, k, (n,), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def dataset() -> Callable[[], Dataset]:
    def make() -> Dataset:
        splits = [
            Split(torch.rand(40, 3, generator=torch.Generator().manual_seed(i)), labels(40, 4, i)) for i in range(3)
        ]
        return Dataset("small", *splits, ("a", "b", "c", "d"), torch.zeros(3), torch.ones(3), "small")

    return make


@given(st.integers(1, 300), st.integers(2, 12), st.floats(0, 1), st.integers(0, 2**31))
def test_exactly_the_share_is_wrong(n: int, k: int, share: float, seed: int) -> None:
    y = labels(n, k, 1)
    before = y.clone()
    noisy = symmetric_noise(y, share, k, seed)
    assert int((noisy != y).sum()) == round(share * n)
    assert int(noisy.min()) >= 0
    assert int(noisy.max()) < k
    assert torch.equal(y, before)
    assert torch.equal(noisy, symmetric_noise(y, share, k, seed))


def test_every_other_class_is_as_likely() -> None:
    y = torch.full((90_000,), 3)
    counts = torch.bincount(symmetric_noise(y, 1.0, 10, 0), minlength=10)
    assert counts[3] == 0
    others = counts[counts > 0].double()
    assert len(others) == 9
    assert float(((others - 10_000) ** 2 / 10_000).sum()) < 26.1  # chi-square, 8 degrees, 1 in 1000


def test_what_is_wrong_at_a_smaller_share_is_wrong_in_the_same_way_at_a_larger() -> None:
    y = labels(500, 6)
    small, large = (symmetric_noise(y, share, 6, 7) for share in (0.2, 0.5))
    wrong = small != y
    assert torch.equal(small[wrong], large[wrong])
    assert not torch.equal(symmetric_noise(y, 0.2, 6, 8), small)


def test_only_training_labels_change(dataset: Callable[[], Dataset]) -> None:
    data = dataset()
    noisy = noisy_training_labels(data, 0.5, 3)
    assert int((noisy.train.y != data.train.y).sum()) == 20
    assert noisy.train.x is data.train.x
    assert (noisy.val, noisy.test) == (data.val, data.test)
    assert noisy.name == "small, 0.5 wrong labels"


def test_fingerprints_tell_noises_apart(dataset: Callable[[], Dataset]) -> None:
    data = dataset()
    made = [noisy_training_labels(data, share, seed).fingerprint for share, seed in [(0.2, 0), (0.2, 1), (0.4, 0)]]
    assert len({*made, data.fingerprint}) == 4
    assert made[0] == noisy_training_labels(dataset(), 0.2, 0).fingerprint
    assert noisy_training_labels(data, 0.0, 5) is data
    assert noisy_training_labels(data, 0.01, 5) is data  # rounds to no label at all


def test_noisy_labels_of_a_split(dataset: Callable[[], Dataset]) -> None:
    split = dataset().test
    noisy = noisy_labels(split, 0.25, 4, 0)
    assert int((noisy.y != split.y).sum()) == 10
    assert noisy.x is split.x


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_what_is_no_share_is_refused(share: float) -> None:
    with pytest.raises(InputError) as refused:
        symmetric_noise(labels(5, 2), share, 2, 0)
    assert str(refused.value) == f"share={share}: the share of wrong labels lies in 0..1"


def test_one_class_has_no_wrong_label() -> None:
    with pytest.raises(InputError, match=r"^label noise needs two classes or more; there are 1$"):
        symmetric_noise(torch.zeros(5, dtype=torch.int64), 0.5, 1, 0)
