"""Spectral cooldown: the peak rate is held, then falls as the spectrum of the curvature asks."""

import math
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler


class SpectralCooldown(LRScheduler):
    r"""Hold the peak rate, then cool down so that the last iterate keeps as little gradient noise as possible.

    With T = `total_steps`, n = T - round(`hold` T) steps of cooldown, r = T - t steps left (step t = 0, 1, ...),
    p = 2 alpha - 1:

        lr(t) = lr                                  while r >= n
        lr(t) = lr ((r + tau) / (n + tau))^p        afterwards, down to lr e at r = 0

    e in (0, 1] is the one root of e (1 + kappa e n / alpha)^p = 1, and tau = alpha / (kappa e).

    This minimises the noise at the end of SGD in a quadratic bowl whose k-th largest curvature is H k^-alpha and whose
    gradient noise has a covariance proportional to the Hessian (the noisy quadratic model of Zhang et al. 2019), among
    all schedules of the same length and the same sum of rates that never exceed the peak. Limits: alpha = 1/2, hold = 1
    or kappa -> 0 is the constant rate; alpha = 1 is a line down to lr tau / (n + tau), about lr / sqrt(kappa n);
    kappa -> infinity is the power law (r / n)^p down to 0; alpha -> infinity is a geometric decay.

    Args:
        hold: share of the steps at the peak, [0, 1].
        curvature_decay: alpha >= 1/2; Xie et al. 2022 measure about 1 in trained nets.
        sharpness: kappa > 0, the peak rate times the largest curvature H; SGD on a quadratic is stable up to 2. With
            momentum mu the rate counts as lr / (1 - mu).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_steps: int,
        *,
        hold: Annotated[float, Field(ge=0, le=1)],
        curvature_decay: Annotated[float, Field(ge=0.5, le=100)],
        sharpness: Annotated[float, Field(gt=0, le=1e9)],
        last_epoch: int = -1,
    ) -> None:
        self.total_steps = total_steps
        self.cooldown_steps = total_steps - round(hold * total_steps)
        self.power = 2 * curvature_decay - 1
        end = end_factor(self.cooldown_steps, curvature_decay, sharpness)
        self.offset = curvature_decay / (sharpness * end)  # tau, in steps
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float | Tensor]:
        """The rate of each parameter group at the coming step: a closed form of the steps done, exact to resume."""
        factor = self.factor(self.last_epoch)
        return [base * factor for base in self.base_lrs]

    def factor(self, t: int) -> float:
        """lr(t) / lr."""
        left = max(self.total_steps - t, 0)
        if left >= self.cooldown_steps:
            return 1.0
        return float(((left + self.offset) / (self.cooldown_steps + self.offset)) ** self.power)


def end_factor(steps: int, curvature_decay: float, sharpness: float) -> float:
    """The root e in (0, 1] of e (1 + kappa e n / alpha)^(2 alpha - 1) = 1.

    Newton's method on log e, from e = 1: the logarithm of the left side is convex and increasing there, so that the
    iterates fall towards the root and never pass it.
    """
    power, growth, log_end = 2 * curvature_decay - 1, sharpness * steps / curvature_decay, 0.0
    for _ in range(200):
        grown = growth * math.exp(log_end)
        excess = log_end + power * math.log1p(grown)
        if excess <= 1e-15:
            break
        log_end -= excess / (1 + power * grown / (1 + grown))
    return math.exp(log_end)
