"""A training whose loss is no longer a number stops, and says where and how it happened."""

import math

import torch
from torch import Tensor

from dlexp.errors import DlexpError
from dlexp.training.callbacks import Training

STEPS_BETWEEN_GPU_CHECKS = 50


class DivergedError(DlexpError):
    """The loss is not finite."""


class FiniteLoss:
    """Checks the loss of every step: at once on the CPU, every 50 steps and at each epoch's end elsewhere.

    Reading a value from a GPU waits for all its work, so there the losses are collected and read in blocks;
    the step, epoch and learning rate reported are those of the first bad loss all the same.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.every = 1 if training.noise.device.type == "cpu" else STEPS_BETWEEN_GPU_CHECKS
        self.pending: list[tuple[Tensor, int, float]] = []  # loss, step, learning rate
        self.gradient_norm = (math.nan, 0)  # and the step it was measured at

    def check(self, loss: Tensor) -> None:
        """Before the backward pass of `loss`, while the gradients are those of the step before."""
        if self.every == 1:
            if not math.isfinite(loss.item()):
                self._measure_gradient()
                self._fail(loss.item(), self.training.step, self.training.learning_rate)
            return
        self.pending.append((loss.detach(), self.training.step, self.training.learning_rate))
        if len(self.pending) >= self.every:
            self.check_pending()

    def check_pending(self) -> None:
        """Check the losses that have been collected since the last time."""
        if not self.pending:
            return
        values = torch.stack([loss for loss, _, _ in self.pending]).tolist()
        for value, (_, step, learning_rate) in zip(values, self.pending, strict=True):
            if not math.isfinite(value):
                self._fail(value, step, learning_rate)
        self.pending.clear()
        self._measure_gradient()

    def _measure_gradient(self) -> None:
        gradients = [p.grad for p in self.training.net.parameters() if p.grad is not None]
        if gradients:
            norm = float(torch.nn.utils.get_total_norm(gradients))
            self.gradient_norm = (norm, self.training.step)

    def _fail(self, loss: float, step: int, learning_rate: float) -> None:
        norm, at = self.gradient_norm
        known = f"gradient norm {norm:.3g} at step {at}" if at else "no gradient yet"
        raise DivergedError(
            f"the loss is {loss} in epoch {self.training.epoch + 1}, step {step + 1} "
            f"(learning rate {learning_rate:.3g}, {known}); "
            "try a smaller learning rate, trainer.grad_clip, or look for NaN in the data"
        )
