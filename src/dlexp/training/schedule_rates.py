"""What a schedule does, without training anything."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import ReduceLROnPlateau

from dlexp.schema import instantiate


def schedule_rates(node: Mapping[str, Any], steps: int, peak: float, where: str = "scheduler") -> list[float] | None:
    """The learning rate of each of `steps` steps under the scheduler of `node`; None for one that waits for losses.

    Raises:
        InputError: the scheduler refuses its settings; the message says `where`.
    """
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    scheduler = instantiate(node, optimizer, steps, where=where)
    if isinstance(scheduler, ReduceLROnPlateau):
        return None
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates
