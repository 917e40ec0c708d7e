"""Moments of functions of a normal variable against closed forms and adaptive integration."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from dlexp.models.gaussian_moments import gaussian_moments, hermite_nodes


def integrated(function: Callable[[Tensor], Tensor], variance: float) -> float:
    """E f(z)^2 by adaptive integration."""

    def integrand(z: float) -> float:
        value = float(function(torch.tensor(z * math.sqrt(variance), dtype=torch.float64)))
        return value**2 * math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)

    return float(quad(integrand, -12, 12, points=[0], limit=200)[0])


@given(st.floats(0.01, 100))
def test_closed_forms(variance: float) -> None:
    relu = gaussian_moments(torch.relu, variance)
    assert (relu.square, relu.slope_square) == (pytest.approx(variance / 2), pytest.approx(0.5))
    square = gaussian_moments(torch.square, variance)
    assert square.mean == pytest.approx(variance)
    assert square.square == pytest.approx(3 * variance**2)
    assert square.slope_square == pytest.approx(4 * variance)
    line = gaussian_moments(lambda x: 2 * x + 1, variance)
    assert (line.mean, line.square) == (pytest.approx(1), pytest.approx(4 * variance + 1))


@pytest.mark.parametrize("activation", [nn.GELU(), nn.SiLU(), nn.Mish(), nn.Tanh(), nn.Softplus()])
@pytest.mark.parametrize("variance", [0.1, 1.0, 3.0])
def test_smooth_activations_agree_with_adaptive_integration(activation: nn.Module, variance: float) -> None:
    found = gaussian_moments(activation, variance).square
    assert found == pytest.approx(integrated(activation, variance), rel=1e-9 if variance <= 1 else 2e-7)


def test_accuracy_where_there_is_a_kink_is_as_documented() -> None:
    assert gaussian_moments(nn.ELU()).square == pytest.approx(integrated(nn.ELU(), 1.0), abs=2e-5)
    assert gaussian_moments(nn.ReLU()).mean == pytest.approx(1 / math.sqrt(2 * math.pi), abs=2e-3)


def test_weights_are_a_distribution_and_there_is_no_node_at_zero() -> None:
    nodes, weights = hermite_nodes()
    assert float(weights.sum()) == pytest.approx(1)
    assert float(nodes.abs().min()) > 0.05
    assert torch.equal(nodes, nodes.to(torch.float64))


def test_at_variance_zero_the_function_is_read_at_zero() -> None:
    found = gaussian_moments(lambda x: x.cos(), 0.0)
    assert (found.mean, found.square, found.slope_square) == (pytest.approx(1), pytest.approx(1), 0)


@pytest.mark.parametrize("variance", [-1.0, math.inf, math.nan])
def test_what_is_no_variance_is_refused(variance: float) -> None:
    with pytest.raises(ValueError, match=rf"^variance={variance}: must be at least 0 and finite$"):
        gaussian_moments(torch.relu, variance)


def test_works_where_gradients_are_off_and_operations_counted() -> None:
    # As nets are built when the cost of a training is estimated; a module that returns its input is the hard case.
    with torch.no_grad(), FlopCounterMode(display=False):
        found = gaussian_moments(nn.Identity())
    assert (found.square, found.slope_square) == (pytest.approx(1), pytest.approx(1))
