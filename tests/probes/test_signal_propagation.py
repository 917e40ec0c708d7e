"""Signals in random nets: closed forms, independent computations, and theory against measurement."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from dlexp.models.activations import CriticalLinearUnit
from dlexp.probes.signal_propagation import (
    Initialization,
    gain,
    measure_propagation,
    predict_propagation,
    torch_default,
    variance_exponent,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_gains_of_the_literature() -> None:
    assert gain(nn.ReLU()) == pytest.approx(math.sqrt(2))
    assert gain(nn.LeakyReLU(0.1)) == pytest.approx(math.sqrt(2 / 1.01))  # He et al. 2015, Eq. 15
    assert gain(nn.Identity()) == pytest.approx(1)
    assert gain(nn.Tanh()) == pytest.approx(1.5925374197)


def test_the_gain_is_a_fixed_point_and_relu_is_critical_there() -> None:
    found = predict_propagation(nn.ReLU(), 50, Initialization(2.0), input_square=0.5)
    assert found.variance == pytest.approx(np.ones(50))
    assert found.gradient == pytest.approx(np.ones(50))
    tanh = predict_propagation(nn.Tanh(), 50, Initialization(gain(nn.Tanh()) ** 2), input_square=gain(nn.Tanh()) ** -2)
    assert tanh.variance == pytest.approx(np.ones(50))
    assert tanh.gradient[0] == pytest.approx(1.1778072313**49, rel=1e-6)


def test_torch_default_loses_signals_at_the_known_rate() -> None:
    start = torch_default(10**9)  # so wide that the biases do not matter
    found = predict_propagation(nn.Identity(), 5, start)
    assert found.variance == pytest.approx([3.0**-layer for layer in range(1, 6)])
    assert found.gradient == pytest.approx([3.0**-layer for layer in (4, 3, 2, 1, 0)])
    relu = predict_propagation(nn.ReLU(), 5, start)
    assert relu.gradient == pytest.approx([6.0**-layer for layer in (4, 3, 2, 1, 0)])


def test_torch_default_is_what_torch_draws() -> None:
    torch.manual_seed(0)
    layer, start = nn.Linear(400, 400), torch_default(400)
    assert float(layer.weight.detach().var()) * 400 == pytest.approx(start.weight_variance, rel=0.02)
    assert float(layer.bias.detach().var()) == pytest.approx(start.bias_variance, rel=0.15)


def test_exponents() -> None:
    assert variance_exponent(nn.ReLU()) == pytest.approx(1)
    assert variance_exponent(torch.square) == pytest.approx(2)
    assert variance_exponent(nn.Tanh()) < 1 < variance_exponent(nn.SiLU())
    # By Stein's lemma it is E[z f f'] / E f^2.
    z = torch.randn(2_000_000, generator=seeded(), dtype=torch.float64)
    f = z.tanh()
    assert variance_exponent(nn.Tanh()) == pytest.approx(float((z * f * (1 - f**2)).mean() / (f**2).mean()), rel=0.01)


def test_a_disturbed_variance_heals_by_the_exponent() -> None:
    unit = CriticalLinearUnit()
    disturbed = predict_propagation(unit, 3, Initialization(1 / 3), input_square=3 * 1.01)
    errors = np.log(disturbed.variance)
    assert errors[1:] / errors[:-1] == pytest.approx([variance_exponent(unit)] * 2, abs=0.01)


def test_measurement_equals_products_of_matrices() -> None:
    depth, width, samples = 4, 7, 3
    start = Initialization(0.8, 0.2)
    found = measure_propagation(lambda x: 2 * x, depth, width, start, samples, seeded(3))
    generator = seeded(3)  # the same draws in the same order
    h = torch.randn(samples, width, generator=generator) / 2
    matrices, variances = [], []
    for _ in range(depth):
        weights = (torch.rand(width, width, generator=generator) * 2 - 1) * math.sqrt(3 * 0.8 / width)
        bias = (torch.rand(width, generator=generator) * 2 - 1) * math.sqrt(3 * 0.2)
        h = 2 * h @ weights.T + bias
        matrices.append(weights)
        variances.append(float(h.square().mean()))
    g = torch.randn(samples, width, generator=generator)
    squares = [float(g.square().mean())]
    for weights in reversed(matrices[1:]):
        g = 2 * g @ weights
        squares.insert(0, float(g.square().mean()))
    assert found.variance == pytest.approx(variances, rel=1e-4)
    assert found.gradient == pytest.approx([each / squares[-1] for each in squares], rel=1e-4)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh(), nn.GELU(), CriticalLinearUnit()])
@pytest.mark.parametrize("scaled", [False, True])
def test_wide_nets_follow_the_theory(activation: nn.Module, scaled: bool) -> None:
    width, depth = 512, 6
    start = Initialization(gain(activation) ** 2, 0.05) if scaled else torch_default(width)
    theory = predict_propagation(activation, depth, start)
    nets = [measure_propagation(activation, depth, width, start, 16, seeded(seed)) for seed in range(3)]
    assert np.mean([net.variance for net in nets], axis=0) == pytest.approx(theory.variance, rel=0.15)
    assert np.mean([net.gradient for net in nets], axis=0) == pytest.approx(theory.gradient, rel=0.2)
    again = measure_propagation(activation, depth, width, start, 16, seeded(0))
    assert np.array_equal(again.variance, nets[0].variance)
