"""The cyclic schedule of snapshot ensembles: every cycle ends in another minimum, whose weights are worth keeping."""

import math
from typing import Annotated

from pydantic import Field
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


def cosine_restarts(optimizer: Optimizer, total_steps: int, *, cycles: Annotated[int, Field(ge=1)]) -> LRScheduler:
    """lr / 2 (cos(pi (t mod C) / C) + 1) at step t = 0, 1, ..., with cycles of C = ceil(T / cycles) steps.

    Huang et al. 2017, Eq. 2: half a cosine from lr to 0, and back to lr at once, `cycles` times. Keep the weights at
    the end of each cycle (`trainer.snapshot_epochs`).
    """
    length = max(math.ceil(total_steps / cycles), 1)
    return LambdaLR(optimizer, lambda t: (1 + math.cos(math.pi * (t % length) / length)) / 2)
