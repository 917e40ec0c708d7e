"""Activations that torch does not have. `elementwise = True` says that a unit's output depends on its own input alone,
so that nets with them may be trained as one stack."""

import math
from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from dlexp.models.gaussian_moments import gaussian_moments

TORCH_WEIGHT_VARIANCE = 1 / 3
"""Variance of a weight times its fan-in as torch.nn.Linear and Conv2d draw it: uniform in +-1 / sqrt(fan-in)."""

Positive = Annotated[float, Field(gt=0)]


class CriticalLinearUnit(nn.Module):
    r"""scale (s(x) + offset) with s(x) = x for x >= 0 and x / sqrt(1 + (x / width)^2) for x < 0.

    s is the inverse square root linear unit (Carlile et al. 2017): twice differentiable, -width in the limit, without
    an exponential. Scale and offset follow from two conditions on a layer whose inputs are z ~ N(0, 1) and whose
    weights have the variance v = `weight_variance` / fan-in: it keeps the mean square of what goes forward,
    v E f(z)^2 = 1, and of the gradient that comes back, v E f'(z)^2 = 1. With m = E s(z) these are

        scale = (v E s'(z)^2)^(-1/2),    offset = -m + sqrt(m^2 + E s'(z)^2 - E s(z)^2).

    By the second the net is critical ("edge of chaos", Poole et al. 2016, Schoenholz et al. 2017). The fixed point of
    the first is stable because s is steeper at 0 than on average far from it; that of GELU and SiLU is not.
    """

    elementwise = True

    def __init__(self, width: Positive = 1.0, weight_variance: Positive = TORCH_WEIGHT_VARIANCE) -> None:
        super().__init__()
        self.width = width
        of = gaussian_moments(self.shape)
        self.offset = -of.mean + math.sqrt(of.mean**2 + of.slope_square - of.square)
        self.scale = 1 / math.sqrt(weight_variance * of.slope_square)

    def shape(self, x: Tensor) -> Tensor:
        """s(x)."""
        # hypot, as a square would overflow where x does not.
        return x / torch.hypot(x.clamp(max=0) / self.width, x.new_ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape and type as `x`."""
        return (self.shape(x) + self.offset) * self.scale

    def extra_repr(self) -> str:
        return f"width={self.width:g}, scale={self.scale:g}, offset={self.offset:g}"


class VariancePreserving(nn.Module):
    """scale * activation(x), the scale such that a layer of many units keeps the mean square of its inputs at 1.

    With weights of variance `weight_variance` / fan-in and inputs z ~ N(0, 1) before the activation, the outputs have
    the variance weight_variance E f(z)^2 (Poole et al. 2016, Eq. 3), so scale = (weight_variance E f(z)^2)^(-1/2). The
    gain that one would give to the weights (He et al. 2015) is given to the activation.

    Raises:
        ValueError: E f(z)^2 is 0 or not finite, so that no scale would do.
    """

    elementwise = True

    def __init__(self, activation: Callable[[], nn.Module], weight_variance: Positive = TORCH_WEIGHT_VARIANCE) -> None:
        super().__init__()
        self.activation = activation()
        square = gaussian_moments(self.activation).square
        if not 0 < square < math.inf:
            raise ValueError(f"E f(z)^2 = {square:g}, and no scale makes it 1")
        self.scale = 1 / math.sqrt(weight_variance * square)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape and type as `x`."""
        out: Tensor = self.activation(x)
        return out * self.scale

    def extra_repr(self) -> str:
        return f"scale={self.scale:g}"
