"""Indicators side by side: ratios, agreement of orders, and the table of rank correlations."""

import math

import pytest
import torch
from torch import nn

from dlexp.probes.efficiency import Timing, training_step
from dlexp.probes.indicators import (
    COUNTED,
    DISK,
    FLOPS,
    PARAMETERS,
    STEP_SECONDS,
    Costs,
    agreement,
    count,
    latency,
    rank_rows,
    ratio,
    time_nets,
)


def costs(parameters: int, *seconds: float) -> Costs:
    return Costs({PARAMETERS: parameters}, {latency(1): Timing(seconds)})


def test_ratios_of_counts_are_exact_and_of_times_geometric_means() -> None:
    one, other = costs(30, 1.0, 4.0, 1.0, 4.0, 2.0), costs(40, 1.0, 1.0, 1.0, 1.0, 1.0)
    exact = ratio(one, other, PARAMETERS)
    assert (exact.mean, exact.low, exact.high, exact.n) == (0.75, 0.75, 0.75, 1)
    timed, inverse = ratio(one, other, latency(1)), ratio(other, one, latency(1))
    assert timed.mean == pytest.approx(2.0)
    assert timed.low is not None
    assert inverse.high is not None
    assert 0 < timed.low < 2 < (timed.high or 0)
    assert inverse.mean == pytest.approx(1 / 2)
    assert inverse.high == pytest.approx(1 / timed.low)
    assert timed.n == 5


def test_agreement_is_judged_block_by_block() -> None:
    falls = [costs(n, *([1.0 / n] * 4 + [float(n)])) for n in (1, 2, 3)]  # as parameters grow, but in the last block
    found = agreement(falls, PARAMETERS, latency(1))
    assert found.mean == pytest.approx((4 * -1 + 1) / 5)
    assert agreement(falls, PARAMETERS, PARAMETERS).mean == 1
    assert falls[1].typical(latency(1)) == 0.5
    assert falls[1].typical(PARAMETERS) == 2


def test_rank_table_holds_each_pair_once() -> None:
    rows = rank_rows({"a": [1, 2, 3], "b": [1, 3, 2], "c in seconds": [3, 2, 1]})
    assert rows == [
        {"indicator": "a", "b": pytest.approx(0.5), "c in seconds": pytest.approx(-1.0)},
        {"indicator": "b", "b": None, "c in seconds": pytest.approx(-0.5)},
    ]


def test_all_indicators_of_real_nets() -> None:
    x, y = torch.ones(4, 6), torch.zeros(4, dtype=torch.int64)
    nets = {name: nn.Sequential(nn.Linear(6, width), nn.Linear(width, 3)) for name, width in (("a", 2), ("b", 9))}
    steps = {
        name: training_step(net, torch.optim.Adam(net.parameters()), nn.CrossEntropyLoss(), x, y)
        for name, net in nets.items()
    }
    counted = {name: count(nets[name], steps[name], x, torch.ones(5, 6)) for name in nets}
    assert tuple(counted["a"]) == COUNTED
    assert counted["a"][PARAMETERS] == 6 * 2 + 2 + 2 * 3 + 3
    assert counted["a"][FLOPS] == 2 * (6 * 2 + 2 * 3)
    assert counted["b"][DISK] - counted["a"][DISK] == pytest.approx(
        4 * (counted["b"][PARAMETERS] - counted["a"][PARAMETERS]), abs=8
    )
    timed = time_nets(nets, steps, [x[:1], x], rounds=10)
    for name in nets:
        assert list(timed[name]) == [latency(1), latency(4), STEP_SECONDS]
        assert [len(each.seconds) for each in timed[name].values()] == [10, 10, 5]
        assert all(math.isfinite(second) and second > 0 for each in timed[name].values() for second in each.seconds)
