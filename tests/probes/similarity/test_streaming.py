"""Streaming CKA against all samples at once and against plain means of HSIC; what it keeps in memory."""

import weakref
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.models import state_hash
from dlexp.probes.activations import activations
from dlexp.probes.similarity.cka import hsic, linear_cka, linear_gram, rbf_cka
from dlexp.probes.similarity.streaming import StreamingCKA, against_one_batch, compare_nets


def net(seed: int, *widths: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(*(part for pair in pairwise(widths) for part in (nn.Linear(*pair), nn.ReLU())))


@pytest.fixture
def split() -> Split:
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    return Split(x, torch.zeros(50, dtype=torch.int64))


def draw(seed: int, n: int, features: int) -> Tensor:
    return torch.randn(n, features, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("kernel", "plain"), [("linear", linear_cka), ("rbf", rbf_cka)])
@pytest.mark.parametrize("unbiased", [True, False])
def test_one_batch_of_everything_is_the_plain_measure(split: Split, kernel, plain, unbiased: bool) -> None:
    nets, names = [net(0, 6, 8, 4), net(1, 6, 12, 5, 3)], [["0", "2"], ["0", "2", "4"]]
    found = compare_nets(nets, split, batch_size=50, kernel=kernel, unbiased=unbiased)
    assert found.layers == names
    features = [activations(each, split, layers) for each, layers in zip(nets, names, strict=True)]
    for a in (0, 1):
        for b in (0, 1):
            expected = [[plain(x, y, unbiased) for y in features[b].values()] for x in features[a].values()]
            assert found.between(a, b) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("unbiased", [True, False])
def test_batches_are_means_of_hsic_before_the_ratio(unbiased: bool) -> None:
    x, y = draw(0, 40, 5), draw(1, 40, 7)
    streamed = StreamingCKA(2, unbiased=unbiased)
    for at in range(0, 40, 8):
        streamed.update([x[at : at + 8], y[at : at + 8]])

    def mean_hsic(first: Tensor, second: Tensor) -> float:
        grams = [
            (linear_gram(a), linear_gram(b)) for a, b in zip(torch.split(first, 8), torch.split(second, 8), strict=True)
        ]
        return float(np.mean([hsic(*pair, unbiased=unbiased) for pair in grams]))

    expected = mean_hsic(x, y) / np.sqrt(mean_hsic(x, x) * mean_hsic(y, y))
    assert streamed.samples == 40
    assert streamed.similarities() == pytest.approx(np.array([[1, expected], [expected, 1]]))


def test_null_small_batches_of_independent_features_add_up_to_zero_unless_biased() -> None:
    read = {}
    for unbiased in (True, False):
        streamed = StreamingCKA(2, unbiased=unbiased)
        for seed in range(400):
            streamed.update([draw(2 * seed, 8, 20), draw(2 * seed + 1, 8, 20)])
        read[unbiased] = streamed.similarities()[0, 1]
    assert abs(read[True]) < 0.05
    assert read[False] > 0.6


class Watched(nn.Module):
    """A layer that checks, each time it runs, that nothing keeps what it gave before."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, 1))
        self.given: list[weakref.ref[Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        assert all(each() is None for each in self.given)
        made = x * self.weight
        self.given.append(weakref.ref(made))
        return made


def test_no_batch_outlives_the_next(split: Split) -> None:
    first, second = Watched(), Watched()
    second.given = first.given  # what the first net gave must be gone when the second runs, too
    nets = [nn.Sequential(first), nn.Sequential(second)]
    compare_nets(nets, split, batch_size=10)
    assert len(first.given) == 10


def test_samples_left_over_are_left_out(split: Split) -> None:
    nets = [net(0, 6, 8), net(1, 6, 8)]
    some = compare_nets(nets, split, batch_size=16)  # 16 + 16 + 16, and two that cannot be used
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    by_hand = StreamingCKA(2)
    for at in (0, 16, 32):
        by_hand.update([each[0](split.x[order[at : at + 16]]) for each in nets])
    assert by_hand.samples == 48
    assert some.values == pytest.approx(by_hand.similarities())


def test_samples_sorted_by_class_are_not_compared_class_by_class() -> None:
    # Two clusters far apart: as a whole the representations agree, within a cluster they are independent.
    far = torch.arange(80).div(40, rounding_mode="floor")[:, None] * 100.0
    x = torch.cat([draw(0, 80, 3) + far, draw(1, 80, 3) + far], dim=1)
    nets = [nn.Sequential(nn.Linear(6, 3, bias=False)) for _ in range(2)]
    with torch.no_grad():
        for at, each in enumerate(nets):
            each[0].weight.copy_(torch.eye(6)[3 * at : 3 * at + 3])
    found = compare_nets(nets, Split(x, torch.zeros(80, dtype=torch.int64)), batch_size=20)
    assert found.between(0, 1)[0, 0] > 0.99


def test_maps_flattened_or_pooled_and_the_net_left_alone() -> None:
    images = Split(torch.rand(20, 1, 4, 4), torch.zeros(20, dtype=torch.int64))
    made = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU())
    made.train()
    before = state_hash(made)
    for most in (None, 1):
        found = compare_nets([made, made], images, [["0", "1"], ["2"]], batch_size=20, most=most)
        features = activations(made, images, ["0", "2"], most=most)
        assert found.between(0, 1)[0, 0] == pytest.approx(linear_cka(features["0"], features["2"]))
    assert made.training
    assert state_hash(made) == before


def test_a_dead_layer_is_like_nothing(split: Split) -> None:
    dead = net(0, 6, 8, 4)
    with torch.no_grad():
        dead[2].weight.zero_()
        dead[2].bias.fill_(0.1)
    for kernel in ("linear", "rbf"):
        values = compare_nets([dead], split, batch_size=10, kernel=kernel).values
        assert values.tolist() == [[pytest.approx(1), 0], [0, 0]]


def test_against_one_batch_is_a_plain_difference(split: Split) -> None:
    pair = [net(0, 6, 8), net(1, 6, 8, 4)]
    first, second = (
        list(activations(each, split, names).values()) for each, names in zip(pair, (["0"], ["0", "2"]), strict=True)
    )
    whole = compare_nets(pair, split, [["0"], ["0", "2"]], batch_size=50)
    found = against_one_batch(first, second, [16, 50], unbiased=True, seeds=[3, 4, 5])
    assert found.shape == (2, 3)
    assert found[1] == pytest.approx(np.zeros(3), abs=1e-9)
    streamed = compare_nets(pair, split, [["0"], ["0", "2"]], batch_size=16, seed=4)
    assert found[0, 1] == pytest.approx((streamed.between(0, 1) - whole.between(0, 1)).mean(), abs=1e-7)
    biased = against_one_batch(first, second, [50], unbiased=False, seeds=[0])
    assert biased[0, 0] == pytest.approx(
        np.mean([[linear_cka(x, y, False) - linear_cka(x, y) for y in second] for x in first])
    )


def test_blocks_of_several_nets(split: Split) -> None:
    found = compare_nets([net(0, 6, 8), net(1, 6, 8, 4), net(2, 6, 8)], split, batch_size=50)
    blocks = found.blocks([0, 2], [1])
    assert blocks.shape == (2, 1, 1, 2)
    assert (blocks[1, 0] == found.between(2, 1)).all()
    assert (found.between(2, 1) == found.between(1, 2).T).all()


def test_what_cannot_be_streamed_is_refused(split: Split) -> None:
    with pytest.raises(ValueError, match=r"^50 samples in batches of 3: each needs at least 4$"):
        compare_nets([net(0, 6, 8)], split, batch_size=3)
    with pytest.raises(ValueError, match=r"^the net has no layer 9; it has 0$"):
        compare_nets([net(0, 6, 8)], split, [["9"]])
    with pytest.raises(ValueError, match=r"^no batch has been seen$"):
        StreamingCKA(1).similarities()
    with pytest.raises(ValueError, match=r"^1 representations, where 2 were announced$"):
        StreamingCKA(2).update([torch.rand(5, 2)])
    with pytest.raises(ValueError, match=r"^representation 2 of 2 is of 4 samples, the first of 5$"):
        StreamingCKA(2).update([torch.rand(5, 2), torch.rand(4, 2)])
