"""Learning-rate schedules, stepped once per optimisation step.

Each is a function `(optimizer, total_steps, **settings)` that returns one of torch's own schedulers.
The learning rates that the optimizer was made with are the peak values. `t` is the number of steps done.
"""

import math
from typing import Annotated

from pydantic import Field
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
)

Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0)]


def constant(optimizer: Optimizer, total_steps: int) -> LRScheduler:
    """lr(t) = lr."""
    return LambdaLR(optimizer, lambda t: 1.0)


def step(optimizer: Optimizer, total_steps: int, *, milestones: list[Fraction], factor: Fraction) -> LRScheduler:
    """lr times `factor` at each of `milestones`, which are fractions of the training.

    He et al. 2016, section 4.2, divides by 10 after 32k and 48k of 64k steps: milestones 0.5 and 0.75.
    """
    return MultiStepLR(optimizer, [round(at * total_steps) for at in sorted(milestones)], gamma=factor)


def cosine(optimizer: Optimizer, total_steps: int, *, min_lr: Rate) -> LRScheduler:
    """min_lr + (lr - min_lr) (1 + cos(pi t / T)) / 2: Loshchilov and Hutter 2017, Eq. 5, without restarts."""
    return CosineAnnealingLR(optimizer, T_max=max(total_steps, 1), eta_min=min_lr)


def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    *,
    warmup: Annotated[float, Field(gt=0, lt=1)],
    start_factor: Annotated[float, Field(gt=0, le=1)],
    end_factor: Annotated[float, Field(gt=0, le=1)],
) -> LRScheduler:
    """From `start_factor` x lr up to lr during the fraction `warmup`, then down to `end_factor` x lr.

    Both legs are half cosines and the momentum stays as it is (Smith and Topin 2018 also cycle the momentum).
    """
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=max(total_steps, 1),
        pct_start=warmup,
        div_factor=1 / start_factor,
        final_div_factor=start_factor / end_factor,  # torch counts it from the start, not from the peak
        cycle_momentum=False,
    )


def warmup_cosine(optimizer: Optimizer, total_steps: int, *, warmup: Fraction, end_factor: Fraction) -> LRScheduler:
    """A line from lr / W to lr over the first W = `warmup` x T steps, then a cosine to `end_factor` x lr."""
    rising = round(warmup * total_steps)
    falling = max(total_steps - rising, 1)

    def factor(t: int) -> float:
        if t < rising:
            return (t + 1) / rising
        cosine_part = (1 + math.cos(math.pi * min((t - rising) / falling, 1.0))) / 2
        return end_factor + (1 - end_factor) * cosine_part

    return LambdaLR(optimizer, factor)


def inverse_sqrt(optimizer: Optimizer, total_steps: int, *, warmup: Fraction) -> LRScheduler:
    """lr min(t / W, sqrt(W / t)) at step t = 1, 2, ..., with W = `warmup` x T steps, at least 1.

    Vaswani et al. 2017, Eq. 3, scaled so that its peak is lr.
    """
    rising = max(round(warmup * total_steps), 1)
    return LambdaLR(optimizer, lambda t: min((t + 1) / rising, math.sqrt(rising / (t + 1))))


def plateau(
    optimizer: Optimizer,
    total_steps: int,
    *,
    factor: Annotated[float, Field(gt=0, lt=1)],
    patience: Annotated[int, Field(ge=0)],
    threshold: Rate,
    min_lr: Rate,
) -> ReduceLROnPlateau:
    """lr times `factor` once the training loss has not improved for more than `patience` epochs.

    The one schedule that is stepped at the end of an epoch, with its mean training loss; improved means
    lower by the fraction `threshold` of the best.
    """
    return ReduceLROnPlateau(optimizer, factor=factor, patience=patience, threshold=threshold, min_lr=min_lr)
