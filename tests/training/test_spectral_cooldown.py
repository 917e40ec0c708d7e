"""The proposed schedule: its closed form, its limits, that it is the optimum it is said to be, and exact resuming."""

import io
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize

from dlexp.data import Dataset
from dlexp.errors import InputError
from dlexp.schema import instantiate
from dlexp.training.callbacks import Callback, Training
from dlexp.training.schedule_rates import schedule_rates
from dlexp.training.single import train_one
from dlexp.training.spectral_cooldown import SpectralCooldown, end_factor

PEAK = 0.4


def node(hold: float = 0.5, curvature_decay: float = 1.0, sharpness: float = 1.0) -> dict[str, Any]:
    target = "dlexp.training.spectral_cooldown.SpectralCooldown"
    return {"_target_": target, "hold": hold, "curvature_decay": curvature_decay, "sharpness": sharpness}


def rates(total: int, **settings: float) -> list[float]:
    found = schedule_rates(node(**settings), total, PEAK)
    assert found is not None
    return found


totals = st.integers(1, 300)
holds = st.floats(0, 1)
decays = st.floats(0.5, 100)
sharpnesses = st.floats(1e-6, 1e6)


@given(totals, holds, st.floats(0.01, 1e4))
def test_with_curvature_1_over_k_it_is_a_line(total: int, hold: float, sharpness: float) -> None:
    n = total - round(hold * total)
    tau = (1 + math.sqrt(1 + 4 * sharpness * n)) / (2 * sharpness)  # the quadratic equation solved by hand
    expected = [PEAK * min(1.0, (total - t + tau) / (n + tau)) for t in range(total)]
    assert rates(total, hold=hold, sharpness=sharpness) == pytest.approx(expected, rel=1e-9)


@given(totals, holds, decays, sharpnesses)
def test_it_starts_at_the_peak_holds_it_and_never_rises(
    total: int, hold: float, decay: float, sharpness: float
) -> None:
    found = rates(total, hold=hold, curvature_decay=decay, sharpness=sharpness)
    held = round(hold * total)
    assert all(rate == PEAK for rate in found[: held + 1])
    assert all(0 < later <= earlier for earlier, later in pairwise(found))


@given(st.integers(0, 10_000), decays, sharpnesses)
def test_the_end_is_the_root_of_its_equation(steps: int, decay: float, sharpness: float) -> None:
    end = end_factor(steps, decay, sharpness)
    assert 0 < end <= 1
    left_side = math.log(end) + (2 * decay - 1) * math.log1p(sharpness * end * steps / decay)
    assert left_side == pytest.approx(0, abs=1e-9)


@given(totals, holds, decays, sharpnesses)
def test_the_end_is_what_the_schedule_comes_to(total: int, hold: float, decay: float, sharpness: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    schedule = SpectralCooldown(optimizer, total, hold=hold, curvature_decay=decay, sharpness=sharpness)
    n = total - round(hold * total)
    assert schedule.factor(total) == pytest.approx(end_factor(n, decay, sharpness), rel=1e-6)
    assert schedule.factor(total + 5) == schedule.factor(total)  # more steps than planned: it stays there


def test_limits() -> None:
    constant = [PEAK] * 40
    assert rates(40, curvature_decay=0.5) == constant
    assert rates(40, hold=1.0) == constant
    assert rates(40, sharpness=1e-9) == pytest.approx(constant)
    power = [PEAK * ((40 - t) / 40) ** 3 for t in range(40)]  # alpha 2: p = 3
    assert rates(40, hold=0.0, curvature_decay=2.0, sharpness=1e9) == pytest.approx(power, abs=1e-3)
    steep = np.log(rates(40, hold=0.0, curvature_decay=100.0))
    assert np.diff(steep) == pytest.approx(np.diff(steep)[0], rel=0.1)  # a constant ratio: geometric
    assert end_factor(10_000, 1.0, 1.0) == pytest.approx(1 / math.sqrt(10_000), rel=0.01)


@pytest.mark.parametrize(("alpha", "sharpness", "hold"), [(1.0, 1.0, 0.5), (1.0, 0.3, 0.0), (2.0, 1.0, 0.25)])
def test_no_schedule_of_equal_length_and_learning_leaves_less_noise(
    alpha: float, sharpness: float, hold: float
) -> None:
    """Among all rates(u) up to the peak, u being the learning still to come, with the same sum and number of steps."""
    steps, cells = 400, 24
    fine = 50  # points per step: the statement is about continuous time
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = SpectralCooldown(optimizer, steps, hold=hold, curvature_decay=alpha, sharpness=sharpness)
    left = (np.arange(steps * fine) + 0.5) / fine  # steps left
    end = (left + schedule.offset) / (schedule.cooldown_steps + schedule.offset)
    rate = np.minimum(1.0, end**schedule.power)
    assert rate[:: 20 * fine] == pytest.approx([schedule.factor(steps - 20 * i) for i in range(20)], abs=0.02)
    to_come = np.cumsum(rate) / fine  # u at each of these
    width = to_come[-1] / cells
    u = (np.arange(cells) + 0.5) * width
    ours = np.interp(u, to_come, rate)
    phi = (1 + 2 * sharpness * u) ** -(2 - 1 / alpha)  # largest curvature H = sharpness, as the peak is 1

    def spent(rates_of_u: Any) -> float:
        return float((width / rates_of_u).sum())

    # Whatever a general solver finds, it is no better.
    budget = {"type": "eq", "fun": lambda x: (spent(x) - spent(ours)) / steps}
    start = np.full(cells, min(1.0, to_come[-1] / spent(ours)))
    bounds = [(1e-4, 1.0)] * cells
    options = {"maxiter": 500, "ftol": 1e-10}
    found = minimize(lambda x: x @ phi, start, method="SLSQP", bounds=bounds, constraints=budget, options=options)
    assert found.success
    assert ours @ phi == pytest.approx(found.fun, rel=2e-3)

    # And the conditions of Karush, Kuhn and Tucker hold: the peak, or the root of a constant over phi.
    def optimum(constant: float) -> Any:
        return np.minimum(1.0, np.sqrt(constant / phi))

    constant = brentq(lambda each: spent(optimum(each)) - spent(ours), 1e-12, 1e3)
    assert ours == pytest.approx(optimum(constant), abs=2e-3)


def test_a_restored_state_goes_on_with_the_same_rates() -> None:
    def make(total: int) -> tuple[torch.optim.Optimizer, Any]:
        groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in (0.4, 0.1)]
        optimizer = torch.optim.SGD(groups)
        return optimizer, instantiate(node(hold=0.3, curvature_decay=1.7), optimizer, total)

    def go(optimizer: torch.optim.Optimizer, schedule: Any, steps: int) -> list[tuple[float, ...]]:
        seen = []
        for _ in range(steps):
            seen.append(tuple(group["lr"] for group in optimizer.param_groups))
            optimizer.step()
            schedule.step()
        return seen

    whole = go(*make(50), 50)
    optimizer, schedule = make(50)
    before = go(optimizer, schedule, 23)
    kept = io.BytesIO()
    torch.save([optimizer.state_dict(), schedule.state_dict()], kept)
    kept.seek(0)
    states = torch.load(kept, weights_only=True)
    optimizer, schedule = make(7)  # what it is made with does not matter: the state says it all
    optimizer.load_state_dict(states[0])
    schedule.load_state_dict(states[1])
    assert before + go(optimizer, schedule, 27) == whole
    assert whole[0] == (0.4, 0.1)
    assert all(one / other == pytest.approx(4) for one, other in whole)


def test_it_can_start_in_the_middle_as_torchs_own() -> None:
    optimizer = torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "initial_lr": PEAK}], lr=PEAK)
    SpectralCooldown(optimizer, 50, hold=0.3, curvature_decay=1.0, sharpness=1.0, last_epoch=29)
    assert optimizer.param_groups[0]["lr"] == rates(50, hold=0.3)[30]


class PowerCut(Callback):
    def on_step_end(self, training: Training) -> None:
        if training.step == 10:
            raise KeyboardInterrupt


def test_an_interrupted_training_ends_in_the_same_bits(
    dataset: Dataset, make_recipe: Any, same_bits: Any, tmp_path: Path
) -> None:
    recipe = make_recipe(scheduler=node(hold=0.4), epochs=5, checkpoint_every=1)  # 4 steps in each epoch
    whole = train_one(recipe, dataset)
    with pytest.raises(KeyboardInterrupt):
        train_one(recipe, dataset, callbacks=[PowerCut()], checkpoint=tmp_path / "last.pt")
    resumed = train_one(recipe, dataset, callbacks=[Callback()], checkpoint=tmp_path / "last.pt")
    assert same_bits(resumed.net, whole.net)
    assert resumed.history == whole.history
    assert whole.history[-1]["lr"] == pytest.approx(rates(20, hold=0.4)[-1] * 0.05 / PEAK)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"hold": 1.5}, "scheduler.hold=1.5: input should be less than or equal to 1"),
        ({"curvature_decay": 0.4}, "scheduler.curvature_decay=0.4: input should be greater than or equal to 0.5"),
        ({"sharpness": 0.0}, "scheduler.sharpness=0.0: input should be greater than 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], line: str) -> None:
    with pytest.raises(InputError) as refused:
        rates(10, **settings)
    assert str(refused.value) == line
