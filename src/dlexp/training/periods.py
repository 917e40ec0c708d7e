"""What holds only in a period of the training: weight decay, augmentation, or learning at all.

A period [start, stop) counts epochs from 0: start = 0, stop = t is "until epoch t", stop = epochs is "until the end",
and start = stop is never. All are functions of the epoch alone, so a resumed training needs no memory of them.
"""

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from dlexp.errors import InputError
from dlexp.training.callbacks import Callback, Training

Epoch = Annotated[int, Field(ge=0)]


class Period(Callback):
    """The epochs from `start` (>= 0) until before `stop` (>= start)."""

    def __init__(self, start: Epoch, stop: Epoch) -> None:
        if stop < start:
            raise InputError(f"stop={stop}: a period that starts at epoch {start} cannot stop before it")
        self.start, self.stop = start, stop

    def active(self, training: Training) -> bool:
        """Whether the epoch that begins, or is under way, lies in the period."""
        return self.start <= training.epoch < self.stop


class WeightDecayPeriod(Period):
    """The optimizer's `weight_decay` (>= 0) in the period, and 0 outside (Golatkar et al. 2019)."""

    def __init__(self, start: Epoch, stop: Epoch, weight_decay: Annotated[float, Field(ge=0)]) -> None:
        super().__init__(start, stop)
        self.weight_decay = weight_decay

    def on_start(self, training: Training) -> None:
        """Refuse an optimizer that knows no weight decay."""
        if any("weight_decay" not in group for group in training.optimizer.param_groups):
            name = type(training.optimizer).__name__
            raise InputError(f"optimizer: {name} has no weight_decay to be set in a period; use sgd or adamw")

    def on_epoch_start(self, training: Training) -> None:
        for group in training.optimizer.param_groups:
            group["weight_decay"] = self.weight_decay if self.active(training) else 0.0


class AugmentationPeriod(Period):
    """The recipe's augmentation in the period, and none outside (Golatkar et al. 2019)."""

    def __init__(self, start: Epoch, stop: Epoch) -> None:
        super().__init__(start, stop)
        self.augment: Callable[[Tensor, torch.Generator], Tensor] | None = None

    def on_start(self, training: Training) -> None:
        """Remember the augmentation, of which there must be one."""
        if training.augment is None:
            raise InputError("augmentation: there is none that could be applied in a period; say augmentation=...")
        self.augment = training.augment

    def on_epoch_start(self, training: Training) -> None:
        training.augment = self.augment if self.active(training) else None


class Pause(Period):
    """Nothing is learnt in the period: weights and batch statistics stay as they are, the schedule goes on.

    The control of any harm done in a period: how much comes from the mere loss of its epochs.
    """

    def on_epoch_start(self, training: Training) -> None:
        if self.active(training):
            training.net.eval()  # batch norm does not follow the data; the loop sets train mode before each epoch

    def on_gradients(self, training: Training) -> None:
        """Optimizers leave a parameter without a gradient alone, its momentum and weight decay included."""
        if self.active(training):
            for parameter in training.net.parameters():
                parameter.grad = None
