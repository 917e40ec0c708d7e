"""Expectations of a function of a normal variable, by Gauss-Hermite quadrature."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

NODES = 128  # even: no node at 0, where many activations have a kink; by symmetry relu is still integrated exactly


@dataclass(frozen=True)
class GaussianMoments:
    """What an elementwise f does to z ~ N(0, variance)."""

    mean: float  # E f(z)
    square: float  # E f(z)^2
    slope_square: float  # E f'(z)^2


def gaussian_moments(function: Callable[[Tensor], Tensor], variance: float = 1.0) -> GaussianMoments:
    """The moments of an elementwise `function`, in float64, its derivative by automatic differentiation.

    Exact for polynomials of degree < 128 and for piecewise linear functions with their kink at 0. At variance 1 better
    than 1e-9 for smooth activations (at 3, 2e-7), 2e-5 for ELU, whose second derivative jumps, 2e-3 for the mean of
    ReLU.

    Raises:
        ValueError: `variance` is negative or not finite.
    """
    if not 0 <= variance < math.inf:
        raise ValueError(f"variance={variance}: must be at least 0 and finite")
    nodes, weights = hermite_nodes()
    z = (nodes * math.sqrt(variance)).requires_grad_()
    with torch.enable_grad():
        values = function(z.clone())  # a leaf as a module's input would break torch's FlopCounterMode around this
        (slopes,) = torch.autograd.grad(values.sum(), z)
    values = values.detach()
    return GaussianMoments(*(float(weights @ each) for each in (values, values**2, slopes**2)))


@functools.cache
def hermite_nodes() -> tuple[Tensor, Tensor]:
    """Nodes and weights (NODES,) of the quadrature for N(0, 1): E f(z) = sum_k weights_k f(nodes_k)."""
    from scipy.special import roots_hermitenorm

    nodes, weights = roots_hermitenorm(NODES)
    return torch.from_numpy(np.asarray(nodes)), torch.from_numpy(np.asarray(weights / weights.sum()))
