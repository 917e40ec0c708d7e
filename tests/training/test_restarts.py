"""The cyclic schedule against its closed form."""

import math
from pathlib import Path

import pytest
import yaml

from dlexp.training.schedule_rates import schedule_rates

NODE = yaml.safe_load((Path(__file__).parents[2] / "conf" / "scheduler" / "cosine_restarts.yaml").read_text())


def rates(total: int, cycles: int) -> list[float]:
    found = schedule_rates({**NODE, "cycles": cycles}, total, peak=0.4)
    assert found is not None
    return found


@pytest.mark.parametrize(("total", "cycles"), [(12, 3), (10, 1), (11, 3), (2, 5)])
def test_equation_2(total: int, cycles: int) -> None:
    length = math.ceil(total / cycles)
    expected = [0.2 * (math.cos(math.pi * (t % length) / length) + 1) for t in range(total)]
    assert rates(total, cycles) == pytest.approx(expected)


def test_the_first_cycles_are_a_shorter_training() -> None:
    assert rates(24, 4)[:12] == rates(12, 2)
