"""Learning rates against their closed forms; `total` steps, peak 0.4."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dlexp.errors import InputError
from dlexp.schema import instantiate

CONF = Path(__file__).parents[2] / "conf"
PEAK = 0.4


def rates(name: str, total: int, **settings: Any) -> list[float]:
    """The learning rate of each of `total` steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    node = {"_target_": f"dlexp.training.schedulers.{name}", **settings}
    scheduler = instantiate(node, optimizer, total, where="scheduler")
    found = []
    for _ in range(total):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def check(found: list[float], expected: Callable[[int], float]) -> None:
    assert found == pytest.approx([expected(t) for t in range(len(found))], rel=1e-9, abs=1e-12)


totals = st.integers(1, 60)


@given(totals)
def test_constant(total: int) -> None:
    check(rates("constant", total), lambda t: PEAK)


@given(totals)
def test_step(total: int) -> None:
    first, second = round(0.5 * total), round(0.75 * total)
    check(
        rates("step", total, milestones=[0.5, 0.75], factor=0.1),
        lambda t: PEAK * 0.1 ** ((t >= first) + (t >= second)),
    )


@given(totals)
def test_cosine(total: int) -> None:
    check(rates("cosine", total, min_lr=0.1), lambda t: 0.1 + 0.3 * (1 + math.cos(math.pi * t / total)) / 2)


@given(totals, st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_warmup_cosine(total: int, warmup: float) -> None:
    rising = round(warmup * total)

    def expected(t: int) -> float:
        if t < rising:
            return PEAK * (t + 1) / rising
        return PEAK * (0.2 + 0.8 * (1 + math.cos(math.pi * (t - rising) / (total - rising))) / 2)

    check(rates("warmup_cosine", total, warmup=warmup, end_factor=0.2), expected)


@given(totals)
def test_inverse_sqrt_is_vaswanis_formula_with_its_peak_at_lr(total: int) -> None:
    warmup_steps = max(round(0.25 * total), 1)

    def expected(t: int) -> float:  # Vaswani et al. 2017, Eq. 3, its d_model factor chosen for the peak
        step_num = t + 1
        return PEAK * math.sqrt(warmup_steps) * min(step_num**-0.5, step_num * warmup_steps**-1.5)

    check(rates("inverse_sqrt", total, warmup=0.25), expected)


@given(st.integers(20, 200), st.sampled_from([0.1, 0.3, 0.5]))
def test_one_cycle_is_two_half_cosines(total: int, warmup: float) -> None:
    top, last = warmup * total - 1, total - 1  # torch puts the peak one step before the fraction

    def half_cosine(start: float, end: float, part: float) -> float:
        return end + (start - end) * (1 + math.cos(math.pi * part)) / 2

    def expected(t: int) -> float:
        if t <= top:
            return half_cosine(0.1 * PEAK, PEAK, t / top)
        return half_cosine(PEAK, 0.01 * PEAK, (t - top) / (last - top))

    check(rates("one_cycle", total, warmup=warmup, start_factor=0.1, end_factor=0.01), expected)


@pytest.mark.parametrize("path", sorted((CONF / "scheduler").glob("*.yaml")), ids=lambda path: path.stem)
@pytest.mark.parametrize("total", [0, 1, 10])
def test_every_schedule_in_conf_starts_positive_for_any_length(path: Path, total: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    instantiate(yaml.safe_load(path.read_text()), optimizer, total, where="scheduler")
    assert 0 < optimizer.param_groups[0]["lr"] <= PEAK


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match=r"scheduler.milestones.1=1.5: input should be less than or equal"):
        rates("step", 10, milestones=[0.5, 1.5], factor=0.1)
    with pytest.raises(InputError, match=r"scheduler.warm: there is no such key; did you mean 'warmup'\?"):
        rates("inverse_sqrt", 10, warm=0.1)
