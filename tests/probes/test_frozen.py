"""Counting what changed by its bits."""

import copy
import math

import pytest
import torch
from torch import nn

from dlexp.probes.frozen import changed_bits, movement


def test_bits_are_compared_not_values() -> None:
    old = torch.tensor([0.0, 1.0, math.nan, 2.0])
    new = torch.tensor([-0.0, 1.0, math.nan, math.nextafter(2.0, 3.0)])
    assert changed_bits(old, new).tolist() == [True, False, False, False]  # 2 + 4e-16 is 2 in float32
    assert changed_bits(old.double(), new.double()).tolist()[:3] == [True, False, False]
    assert changed_bits(torch.tensor(3), torch.tensor(4)).item()  # a counter
    assert changed_bits(torch.tensor([1.0, 2.0]).bfloat16(), torch.tensor([1.0, 3.0]).bfloat16()).tolist() == [
        False,
        True,
    ]


def test_tensors_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^\(2,\) torch.float32 cannot be compared with \(3,\) torch.float32$"):
        changed_bits(torch.zeros(2), torch.zeros(3))
    with pytest.raises(ValueError, match=r"^\(2,\) torch.float32 cannot be compared with \(2,\) torch.float64$"):
        changed_bits(torch.zeros(2), torch.zeros(2).double())


def test_changes_are_put_on_the_right_side_of_the_mask() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    before = copy.deepcopy(net.state_dict())
    masks = {name: torch.zeros(parameter.shape, dtype=torch.bool) for name, parameter in net.named_parameters()}
    masks["0.weight"][0] = True
    masks["1.bias"][:] = True
    same = movement(net, before, masks)
    assert (same.learning, same.learning_changed, same.frozen, same.frozen_changed) == (5, 0, 7, 0)
    assert same.frozen_before == same.frozen_after
    with torch.no_grad():
        net[0].weight[0] += 1
        net[1].running_mean += 1
    learnt = movement(net, before, masks)
    assert (learnt.learning_changed, learnt.frozen_changed, learnt.buffers_changed) == (3, 0, 1)
    assert learnt.frozen_after == same.frozen_before
    with torch.no_grad():
        net[0].weight[1, 2] = -net[0].weight[1, 2]
    wrong = movement(net, before, masks)
    assert (wrong.learning_changed, wrong.frozen_changed) == (3, 1)
    assert wrong.frozen_before == same.frozen_before != wrong.frozen_after
