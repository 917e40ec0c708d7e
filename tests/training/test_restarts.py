"""The cyclic schedule against its closed form."""

import math
from pathlib import Path

import pytest
import torch
import yaml

from dlexp.schema import instantiate

NODE = yaml.safe_load((Path(__file__).parents[2] / "conf" / "scheduler" / "cosine_restarts.yaml").read_text())


def rates(total: int, cycles: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.4)
    scheduler = instantiate({**NODE, "cycles": cycles}, optimizer, total, where="scheduler")
    found = []
    for _ in range(total):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(("total", "cycles"), [(12, 3), (10, 1), (11, 3), (2, 5)])
def test_equation_2(total: int, cycles: int) -> None:
    length = math.ceil(total / cycles)
    expected = [0.2 * (math.cos(math.pi * (t % length) / length) + 1) for t in range(total)]
    assert rates(total, cycles) == pytest.approx(expected)


def test_the_first_cycles_are_a_shorter_training() -> None:
    assert rates(24, 4)[:12] == rates(12, 2)
