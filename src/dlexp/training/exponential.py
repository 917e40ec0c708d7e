"""A learning rate that falls by the same factor at every step."""

from typing import Annotated

from pydantic import Field
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ExponentialLR, LRScheduler


def exponential(
    optimizer: Optimizer, total_steps: int, *, end_factor: Annotated[float, Field(gt=0, le=1)]
) -> LRScheduler:
    """lr(t) = lr end_factor^(t / T) over the T steps of the training.

    Golatkar et al. 2019 multiply by 0.97 after each of 200 epochs: end_factor = 0.97^200 = 0.00226.
    """
    return ExponentialLR(optimizer, gamma=end_factor ** (1 / max(total_steps, 1)))
