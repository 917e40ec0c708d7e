"""Criticality of a net that one can see through, and the verdicts on its layers."""

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.models import state_hash
from dlexp.probes.criticality import (
    Criticality,
    by_layer,
    kinds_of_layers,
    measure_criticality,
    over_nets,
    over_seeds,
    verdict,
)
from dlexp.stats import Interval


def planted() -> tuple[nn.Module, dict[int, dict[str, Tensor]], Split]:
    """Sample i is the unit vector e_i of class i. Both layers are the identity in the end.

    The first has been so from the start. The second was zero at first (class 0 for all), at epoch 1 it knew half.
    """
    net = nn.Sequential(OrderedDict(first=nn.Linear(4, 4, bias=False), second=nn.Linear(4, 4, bias=False)))
    half = torch.diag(torch.tensor([1.0, 1.0, 0.0, 0.0]))
    with torch.no_grad():
        net[0].weight.copy_(torch.eye(4))
        net[1].weight.copy_(torch.eye(4))
    snapshots = {
        1: {"first.weight": torch.eye(4), "second.weight": half},
        0: {"first.weight": torch.eye(4), "second.weight": torch.zeros(4, 4)},
    }
    return net, snapshots, Split(torch.eye(4), torch.arange(4))


def measured(net: nn.Module, snapshots: dict[int, dict[str, Tensor]], split: Split) -> Criticality:
    swapped = torch.eye(4)[[1, 0, 2, 3]]
    fresh = [
        {"first.weight": swapped, "second.weight": torch.eye(4)},
        {"first.weight": torch.eye(4), "second.weight": -torch.eye(4)},
    ]
    val = split.select(torch.tensor([0, 1]))
    generator = torch.Generator().manual_seed(0)
    return measure_criticality(net, snapshots, fresh, split, val, split, "reestimated", generator, batch_size=3)


def test_a_net_that_one_can_see_through() -> None:
    net, snapshots, split = planted()
    before = state_hash(net)
    found = measured(net, snapshots, split)
    assert (found.layers, found.epochs, found.accuracy) == (["first", "second"], [0, 1], 1.0)
    # Equal logits count as class 0; at epoch 1 classes 2 and 3 have them.
    assert found.back.tolist() == [[0.0, 0.0], [0.75, 0.5]]
    assert found.initial.tolist() == [0.0, 0.75]
    assert found.validation.tolist() == [0.0, 0.5]
    assert found.fresh.tolist() == [0.25, 0.5]  # two of four wrong in one draw; all four in the other
    assert found.moved[0] == 0.0
    assert found.redrawn.tolist() == pytest.approx([0.5, 1.0])  # 2/2 and 0; 0 and 4/2, over the draws
    assert found.statistics == {}
    assert found.random[0] == 0.0  # as far as it has moved: not at all
    assert state_hash(net) == before


def test_intervals_over_seeds_nets_and_layers() -> None:
    found = measured(*planted())
    assert by_layer([found, found], lambda each: each.initial)[1].mean == 0.75
    assert over_seeds([found, found], lambda each: each.accuracy).n == 2
    both = over_nets({"a": [found, found], "b": [found, found]}, lambda each: float(each.initial.sum()))
    assert (both.mean, both.n) == (0.75, 2)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 0.04, "robust"), (0.06, 0.9, "critical"), (0.04, 0.06, "undecided"), (0.05, 0.05, "undecided")],
)
def test_a_verdict_needs_the_whole_interval(low: float, high: float, expected: str) -> None:
    assert verdict(Interval((low + high) / 2, low, high, 5), 0.05) == expected


def test_one_training_decides_nothing() -> None:
    found = measured(*planted())
    assert verdict(Interval(0.9, None, None, 1), 0.05) == "undecided"
    assert kinds_of_layers([found], 0.05) == {"robust": [], "critical": [], "undecided": ["first", "second"]}
    assert kinds_of_layers([found] * 2, 0.05) == {"robust": ["first"], "critical": ["second"], "undecided": []}
