"""Indicators of cost against closed forms, and timings on a clock of our own."""

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from dlexp.models.mlp import mlp
from dlexp.probes import step_cost
from dlexp.probes.efficiency import (
    BLOCKS,
    Timing,
    mlp_flops,
    prediction,
    prediction_bytes,
    side_by_side,
    stored_bytes,
    training_bytes,
    training_step,
)
from dlexp.training.flops import counted_flops


def net_of(widths: list[int]) -> nn.Sequential:
    return mlp((6,), 3, widths=widths, activation=nn.ReLU)


@settings(max_examples=20)
@given(st.lists(st.integers(1, 20), max_size=5), st.integers(1, 9))
def test_counted_flops_are_the_formula(widths: list[int], batch: int) -> None:
    assert counted_flops(net_of(widths), torch.ones(batch, 6)) == mlp_flops((6, *widths, 3), batch)


def test_flops_of_a_convolution() -> None:
    net = nn.Conv2d(3, 5, 3, padding=1)
    assert counted_flops(net, torch.ones(2, 3, 8, 8)) == 2 * 2 * (3 * 9) * 5 * 64


def test_counting_leaves_the_net_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    before = net[1].running_mean.clone()
    counted_flops(net, torch.ones(3, 6))
    prediction_bytes(net, torch.ones(3, 6))
    assert net.training
    assert torch.equal(net[1].running_mean, before)


def test_stored_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    net = nn.Sequential(OrderedDict(linear=nn.Linear(6, 4), bn=nn.BatchNorm1d(4)))
    save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, tmp_path / "net")
    assert stored_bytes(net) == (tmp_path / "net").stat().st_size
    payload = 4 * (6 * 4 + 4 + 4 * 4) + 8  # weights, biases, four vectors of bn, one int64
    header = stored_bytes(net) - payload
    assert 0 < header < 120 * 7


def test_bytes_of_prediction_and_training() -> None:
    net, x = net_of([50, 50]), torch.ones(40, 6)
    weights = 4 * sum(parameter.numel() for parameter in net.parameters())
    # The input of a layer, and what is before and after its activation.
    assert prediction_bytes(net, x) == weights + x.nbytes + 3 * 4 * 40 * 50
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, foreach=False)
    step = training_step(net, optimizer, nn.CrossEntropyLoss(), x, torch.zeros(40, dtype=torch.int64))
    found = training_bytes(net, step, x)
    saved = 2 * 4 * 40 * 50  # the two hidden layers' outputs at the least, and all gradients at the end
    assert weights + x.nbytes + max(saved, weights) <= found <= 2 * weights + x.nbytes + 3 * saved


def test_a_training_step_trains_and_a_prediction_does_not() -> None:
    net, x = net_of([5]), torch.ones(4, 6)
    y, loss = torch.zeros(4, dtype=torch.int64), nn.CrossEntropyLoss()
    step = training_step(net, torch.optim.SGD(net.parameters(), lr=0.5), loss, x, y)
    before = loss(net(x), y).item()
    prediction(net, x)()
    assert loss(net(x), y).item() == before
    step()
    assert loss(net(x), y).item() < before


def test_median_quartiles_and_blocks() -> None:
    timing = Timing(tuple(float(value) for value in (1, 2, 3, 4, 100, 6, 7, 8, 9, 10)))
    assert timing.median == 6.5
    assert timing.quartiles == (3.25, 8.75)
    assert timing.blocks == [1.5, 3.5, 53.0, 7.5, 9.5]
    assert len(Timing((1.0,) * 13).blocks) == BLOCKS


def test_candidates_are_timed_in_turn_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls, threads = [0.0], [], set()

    def candidate(name: str, seconds: float) -> None:
        calls.append(name)
        threads.add(torch.get_num_threads())
        clock[0] += seconds

    monkeypatch.setattr(step_cost.time, "perf_counter", lambda: clock[0])
    found = side_by_side({"a": lambda: candidate("a", 1.0), "b": lambda: candidate("b", 3.0)}, rounds=6, warm_up=2)
    assert calls == ["a", "b"] * 2 + ["a", "b", "b", "a"] * 3
    assert threads == {1}
    assert found["a"].seconds == pytest.approx([1.0] * 6)
    assert found["b"].median == pytest.approx(3.0)
    with pytest.raises(ValueError, match=r"^4 rounds cannot be cut into 5 blocks$"):
        side_by_side({}, rounds=4)
