"""Stochastic weight averaging (Izmailov et al. 2018): the mean of the weights that a training passes through."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from dlexp.training.batch_statistics import recompute_batch_norm
from dlexp.training.callbacks import Callback, Training

Fraction = Annotated[float, Field(ge=0, le=1)]
State = Mapping[str, Tensor]


class RunningMean:
    """The mean of state dicts, one after the other, in float64 on their device; integers are those of the latest."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: dict[str, Tensor] = {}

    def add(self, state: State) -> None:
        """Take one more state dict into the mean."""
        self.count += 1
        for name, tensor in state.items():
            value = tensor.detach()
            if not value.is_floating_point():
                self.mean[name] = value.clone()
            elif name not in self.mean:
                self.mean[name] = value.to(torch.float64, copy=True)
            else:
                self.mean[name] += (value.double() - self.mean[name]) / self.count


class AveragedWeights(Callback):
    """Ends a training with the mean of its weights after every `every`-th epoch from the fraction `start` on.

    The first to count is the epoch ceil(`start` x epochs), at least 1. At the end the running statistics of batch
    normalisation, which belong to no average of weights, are computed anew from the training split (without
    augmentation). A training that diverged keeps its own weights.
    """

    def __init__(self, *, start: Fraction, every: Annotated[int, Field(ge=1)] = 1) -> None:
        self.start, self.every, self.running = start, every, RunningMean()

    def on_epoch_end(self, training: Training) -> None:
        first = max(math.ceil(self.start * training.trainer.epochs - 1e-9), 1)
        if training.epoch >= first and (training.epoch - first) % self.every == 0:
            self.running.add(training.net.state_dict())

    def on_end(self, training: Training) -> None:
        if self.running.count == 0 or not math.isfinite(training.history[-1]["train_loss"]):
            return
        training.net.load_state_dict(self.running.mean)  # rounds to the net's own precision
        recompute_batch_norm(training.net, training.dataset.train, training.trainer.eval_batch_size)

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.running.count, "mean": self.running.mean}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.running.count, self.running.mean = state["count"], dict(state["mean"])


def swa(optimizer: Optimizer, total_steps: int, *, start: Fraction, factor: Fraction) -> LRScheduler:
    """lr until half of the fraction `start`, a line down to `factor` x lr at 0.9 of it, and constant from there on.

    The rate that stays lets the weights wander around in a flat region whose centre the average finds (Izmailov et al.
    2018, section 3; the line is that of the code they published).
    """
    until = start * total_steps

    def rate(t: int) -> float:
        if until == 0:
            return factor
        if t <= 0.5 * until:
            return 1.0
        return max(1 - (1 - factor) * (t / until - 0.5) / 0.4, factor)

    return LambdaLR(optimizer, rate)
