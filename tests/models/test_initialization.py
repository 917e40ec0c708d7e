"""The variances that the rules are named after, and that nothing else is touched."""

import math

import pytest
import torch
from torch import nn

from dlexp.models.initialization import SMALL, initialize


@pytest.mark.parametrize(
    ("rule", "variance"),
    [("he", 2 / 400), ("glorot", 2 / 700), ("lecun", 1 / 400), ("orthogonal", 1 / 400), ("small", SMALL**2)],
)
def test_the_variance_is_the_papers(rule, variance: float) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(400, 300)
    initialize(layer, rule)
    # 120,000 draws: the standard error of a variance is its sqrt(2 / n) share, below half a percent.
    assert float(layer.weight.var()) == pytest.approx(variance, rel=0.03)
    assert abs(float(layer.weight.mean())) < 5 * math.sqrt(variance / 120_000)
    assert not layer.bias.any()


def test_orthogonal_rows_are_orthonormal() -> None:
    layer = nn.Linear(40, 30)
    initialize(layer, "orthogonal")
    torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(30), atol=1e-5, rtol=0)


def test_convolutions_count_their_kernel_in_the_fan() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 64, 3)
    initialize(layer, "he")
    assert float(layer.weight.var()) == pytest.approx(2 / (16 * 9), rel=0.1)


def test_default_leaves_what_torch_drew_and_norms_are_left_alone() -> None:
    net = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    initialize(net, "default")
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())
    initialize(net, "he")
    assert all(value.equal(before[name]) for name, value in net.state_dict().items() if name.startswith("1."))
    assert not net[0].weight.equal(before["0.weight"])
