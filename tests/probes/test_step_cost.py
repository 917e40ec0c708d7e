"""Timing in turns, and traffic counted by hand."""

import pytest
import torch
from torch import nn

from dlexp.probes import step_cost
from dlexp.probes.step_cost import alternated_seconds, elementwise_traffic


def test_steps_are_timed_in_turn_and_blocks_are_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    clock = [0.0]
    # The durations of a's six timed steps, then of b's; the median of each block of three is what counts.
    durations = {"a": iter([1.0, 9.0, 2.0, 5.0, 4.0, 60.0]), "b": iter([3.0, 3.0, 3.0, 7.0, 8.0, 6.0])}
    warm = {"a": 2, "b": 2}

    def step(name: str) -> None:
        calls.append(name)
        if warm[name]:
            warm[name] -= 1
            clock[0] += 100
        else:
            clock[0] += next(durations[name])

    monkeypatch.setattr(step_cost.time, "perf_counter", lambda: clock[0])
    found = alternated_seconds({"a": lambda: step("a"), "b": lambda: step("b")}, blocks=2, repetitions=3, warm_up=2)
    assert found == {"a": [2.0, 5.0], "b": [3.0, 7.0]}
    assert calls == ["a", "b"] * 2 + ["a", "b", "b", "a"] * 3  # warm-up, then there and back


def test_one_thread_while_timing_and_as_before_afterwards() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen: list[int] = []
        alternated_seconds({"a": lambda: seen.append(torch.get_num_threads())}, 1, 1)
        assert set(seen) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("function", "kernels", "passes"),
    [
        (nn.Identity(), 0, 0),
        (lambda x: x.reshape(2, -1).reshape(-1), 0, 0),  # views are free
        (lambda x: x * 2, 2, 4),  # read x, write; read g, write
        (nn.ReLU(), 2, 5),  # read x, write; read g and the result, write
        (nn.SiLU(), 2, 5),
        (lambda x: (x * 2) * 3, 4, 8),
        (lambda x: x.exp(), 2, 5),
    ],
)
def test_traffic(function: nn.Module, kernels: int, passes: int) -> None:
    found = elementwise_traffic(function)
    assert (found.kernels, found.passes) == (kernels, pytest.approx(passes, abs=0.01))
    assert elementwise_traffic(function, 1000).passes == pytest.approx(passes, abs=0.01)


def test_work_in_place_is_counted() -> None:
    plain, in_place = elementwise_traffic(torch.sin), elementwise_traffic(lambda x: x.sin().mul_(2.0))
    assert (plain.kernels, in_place.kernels) == (3, 5)  # the backward pass of sin is a cosine and a product
    assert in_place.passes - plain.passes == pytest.approx(4)
