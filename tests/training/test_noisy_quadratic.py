"""The noisy quadratic model against simulation, closed forms and finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlexp.training.noisy_quadratic import NoisyQuadratic
from dlexp.training.schedule_rates import schedule_rates

SPECTRUM = 1.0 / np.arange(1, 501)


def test_the_loss_is_that_of_simulated_sgd() -> None:
    h, rates = np.array([1.0, 0.3, 0.05]), np.linspace(0.9, 0.1, 15)
    generator = np.random.default_rng(0)
    theta = generator.normal(0, np.sqrt(1.5), (200_000, 3))
    for rate in rates:
        gradient = h * theta + generator.normal(0, 1, theta.shape) * np.sqrt(0.4 * h)
        theta -= rate * gradient
    simulated = (h * theta**2).sum(1) / 2
    error = simulated.std() / np.sqrt(len(simulated))
    assert NoisyQuadratic(h, 1.5, 0.4).loss(rates) == pytest.approx(simulated.mean(), abs=4 * error)


@given(st.floats(0, 1.9), st.integers(0, 30))
def test_without_noise_every_direction_shrinks_geometrically(rate: float, steps: int) -> None:
    h = np.array([1.0, 0.5, 0.1])
    expected = (h * 2.0 * (1 - rate * h) ** (2 * steps)).sum() / 2
    assert NoisyQuadratic(h, 2.0, 0.0).loss(np.full(steps, rate)) == pytest.approx(expected)


def test_many_schedules_at_once_give_what_each_gives_alone() -> None:
    model = NoisyQuadratic(SPECTRUM, 1.0, 0.5)
    schedules = np.random.default_rng(0).uniform(0, 1, (2, 3, 20))
    together = model.loss(schedules)
    assert together.shape == (2, 3)
    assert together == pytest.approx(np.array([[model.loss(one) for one in row] for row in schedules]))


def test_the_gradient_is_that_of_finite_differences() -> None:
    model = NoisyQuadratic(SPECTRUM[:20], 1.0, 0.5)
    rates = np.random.default_rng(1).uniform(0.1, 0.9, 8)
    loss, gradient = model._loss_and_gradient(rates)
    assert loss == pytest.approx(float(model.loss(rates)))
    for t in range(8):
        step = 1e-6 * np.eye(8)[t]
        difference = (model.loss(rates + step) - model.loss(rates - step)) / 2e-6
        assert gradient[t] == pytest.approx(float(difference), rel=1e-5)


def test_the_best_schedule_of_one_direction_is_the_harmonic_one() -> None:
    # Greedy is optimal there: 1/E theta^2 grows by h/noise at every step, and the rate is E / (h E + noise).
    h, noise, steps = 0.7, 0.3, 12
    model = NoisyQuadratic(np.array([h]), 2.0, noise)
    square = 1 / (1 / 2.0 + h / noise * np.arange(steps + 1))
    best = model.best_schedule(steps, 5.0)
    assert model.loss(best) == pytest.approx(h * square[-1] / 2, rel=1e-8)
    assert best == pytest.approx(square[:-1] / (h * square[:-1] + noise), rel=1e-3)


def test_the_derived_schedule_is_nearly_the_best_of_all() -> None:
    # alpha = 1, kappa = 1, signal to noise 2, half of the steps held: what the derivation says.
    model = NoisyQuadratic(SPECTRUM, 1.0, 0.5)
    best = model.best_schedule(100, 1.0)
    settings = {"hold": 0.5, "curvature_decay": 1.0, "sharpness": 1.0}
    derived = schedule_rates({"_target_": "dlexp.training.spectral_cooldown.SpectralCooldown", **settings}, 100, 1.0)
    assert model.loss(best) <= model.loss(derived) < 1.03 * model.loss(best)
    assert model.loss(np.full(100, 1.0)) > 1.3 * model.loss(best)
    held = int((best > 0.999).sum())
    assert 30 <= held <= 55  # 1 - 1/2 in the limit of many steps
    assert (np.diff(best[held:]) < 0).all()
