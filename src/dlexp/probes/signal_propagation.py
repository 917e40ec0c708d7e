"""How activations and gradients travel through a deep random net: the theory of wide nets, and measurements.

The net: h^1 = W^1 x + b^1 and h^l = W^l f(h^(l-1)) + b^l for l = 2, ..., L, all layers `width` wide, independent
weights of variance `weight_variance` / fan-in, biases of variance `bias_variance`, f an elementwise activation.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear

from dlexp.models.gaussian_moments import gaussian_moments

Activation = Callable[[Tensor], Tensor]
Profile = NDArray[np.float64]  # (depth,): one number per layer


@dataclass(frozen=True)
class Initialization:
    """How the weights and biases of the random net are drawn, both uniform around 0 as torch.nn.Linear draws them."""

    weight_variance: float  # times fan-in
    bias_variance: float = 0.0


@dataclass(frozen=True)
class Propagation:
    """Layer by layer, from the first to the last."""

    variance: Profile  # mean square of the pre-activations h^l
    gradient: Profile  # mean square of the gradient with respect to h^l, over that with respect to h^L


def gain(activation: Activation) -> float:
    """The standard deviation of the weights times sqrt(fan-in) that keeps h ~ N(0, 1): (E f(z)^2)^(-1/2).

    sqrt(2) for ReLU (He et al. 2015, Eq. 10). `torch.nn.init.calculate_gain` says 5/3 for tanh, by another rule.
    """
    return 1 / math.sqrt(gaussian_moments(activation).square)


def variance_exponent(activation: Activation) -> float:
    """d log E f(sqrt(q) z)^2 / d log q at q = 1: a layer turns the variance 1 + d into 1 + exponent d if it keeps 1.

    Below 1 the fixed point is stable: variances return to it from layer to layer; above 1 they run away. 1 for
    ReLU, whose square scales with q. By central differences, to about 1e-6.
    """
    step = 1e-3
    squares = [gaussian_moments(activation, math.exp(sign * step)).square for sign in (1, -1)]
    return math.log(squares[0] / squares[1]) / (2 * step)


def torch_default(width: int) -> Initialization:
    """torch.nn.Linear's own: weights and biases uniform in +-1 / sqrt(width)."""
    return Initialization(1 / 3, 1 / (3 * width))


def predict_propagation(
    activation: Activation, depth: int, start: Initialization, input_square: float = 1.0
) -> Propagation:
    """The limit of infinite width (Poole et al. 2016, Eq. 3; Schoenholz et al. 2017).

    q^1 = v input_square + c and q^(l+1) = v E f(sqrt(q^l) z)^2 + c for the variances, with v and c those of weights and
    biases; a step from layer l + 1 down to l multiplies the squared gradient by v E f'(sqrt(q^l) z)^2.
    """
    variance = [start.weight_variance * input_square + start.bias_variance]
    factors = []
    for _ in range(depth - 1):
        moments = gaussian_moments(activation, variance[-1])
        variance.append(start.weight_variance * moments.square + start.bias_variance)
        factors.append(start.weight_variance * moments.slope_square)
    gradient = [1.0]  # from the last layer to the first
    for factor in reversed(factors):
        gradient.append(gradient[-1] * factor)
    return Propagation(np.array(variance), np.array(gradient[::-1]))


def measure_propagation(
    activation: Activation, depth: int, width: int, start: Initialization, samples: int, generator: torch.Generator
) -> Propagation:
    """One random net of this depth and width, with `samples` standard normal inputs, in float32 on the CPU.

    The gradient is that of a random linear function of the last layer's pre-activations.
    """

    def draw(variance: float, *shape: int) -> Tensor:
        return (torch.rand(shape, generator=generator) * 2 - 1) * math.sqrt(3 * variance)

    layers: list[Tensor] = []
    inputs = torch.randn(samples, width, generator=generator)
    for _ in range(depth):
        weights, bias = draw(start.weight_variance / width, width, width), draw(start.bias_variance, width)
        layers.append(linear(inputs, weights, bias).requires_grad_())
        inputs = activation(layers[-1])
    direction = torch.randn(samples, width, generator=generator)
    gradients = torch.autograd.grad(layers[-1], layers, direction)
    squares = np.array([float(each.double().square().mean()) for each in gradients])
    variance = np.array([float(each.detach().double().square().mean()) for each in layers])
    return Propagation(variance, squares / squares[-1])
