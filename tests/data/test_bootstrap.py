"""Bootstrap samples: as many as before, from those there were, and nothing else changed."""

import pytest
import torch

from dlexp.data import Dataset, Split
from dlexp.data.bootstrap import bootstrap


@pytest.fixture
def dataset() -> Dataset:
    n = 2000
    train = Split(torch.arange(n, dtype=torch.float32)[:, None], torch.arange(n) % 3)
    other = Split(torch.rand(5, 1), torch.zeros(5, dtype=torch.int64))
    return Dataset("small", train, other, other, ("a", "b", "c"), torch.zeros(1), torch.ones(1), "small")


def test_samples_are_drawn_with_their_labels_and_with_replacement(dataset: Dataset) -> None:
    drawn = bootstrap(dataset, 0)
    index = drawn.train.x[:, 0].long()
    assert len(index) == 2000
    assert torch.equal(drawn.train.y, index % 3)
    # The share of samples that are drawn: mean 1 - 1/e, standard deviation 0.31 / sqrt(n) = 0.007.
    assert len(index.unique()) / 2000 == pytest.approx(0.632, abs=0.03)
    assert (drawn.val, drawn.test) == (dataset.val, dataset.test)
    assert drawn.mean is dataset.mean


def test_a_seed_is_one_sample(dataset: Dataset) -> None:
    one, same, other = bootstrap(dataset, 1), bootstrap(dataset, 1), bootstrap(dataset, 2)
    assert torch.equal(one.train.x, same.train.x)
    assert one.fingerprint == same.fingerprint
    assert not torch.equal(one.train.x, other.train.x)
    assert len({dataset.fingerprint, one.fingerprint, other.fingerprint}) == 3
