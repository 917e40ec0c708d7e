"""Behaviour that is added to the loop: measuring, keeping, freezing, rewinding, schedules of anything."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dlexp.data import Dataset
from dlexp.training.evaluate import accuracy
from dlexp.training.recipe import Trainer


@dataclass
class Training:
    """A training under way: all that a callback may look at and change."""

    net: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler | None
    loss: Callable[[Tensor, Tensor], Tensor]  # (logits (B, K), labels (B,)) -> scalar
    augment: Callable[[Tensor, torch.Generator], Tensor] | None  # (x (B, C, H, W), noise) -> x
    dataset: Dataset
    trainer: Trainer
    data_order: torch.Generator  # draws the order of the samples
    noise: torch.Generator  # draws the augmentations
    epoch: int = 0  # epochs completed; during an epoch, those before it
    step: int = 0  # optimisation steps completed
    history: list[dict[str, float]] = field(default_factory=list)  # one row per epoch
    batch_loss: Tensor | None = None  # of the latest step, on the device
    stop: bool = False  # set it to end the training after this epoch

    @property
    def learning_rate(self) -> float:
        """Learning rate of the first parameter group, as the next step will use it."""
        return float(self.optimizer.param_groups[0]["lr"])


class Callback:
    """Override the hooks you need. The loop calls the callbacks of a hook in the order they were given.

    Freezing sets `requires_grad` in `on_epoch_start`; a rewind loads a snapshot there; a penalty's gradient
    is added in `on_gradients`; a schedule of weight decay or dropout sets its value in `on_epoch_start`.
    A callback that remembers things must give them in `state_dict`, so that a resumed training continues
    with them: tensors, numbers, text, lists and dicts only.
    """

    watches_only = False
    """True: it changes nothing of the training, so that a resumed one may do with or without it."""

    def on_start(self, training: Training) -> None:
        """Before the first epoch of this call, after a checkpoint has been read."""

    def on_epoch_start(self, training: Training) -> None:
        """Before the first step of an epoch."""

    def on_gradients(self, training: Training) -> None:
        """Gradients are there (and not yet clipped), the step is still to come."""

    def on_step_end(self, training: Training) -> None:
        """After an optimisation step; `training.batch_loss` is the loss it started from."""

    def on_epoch_end(self, training: Training) -> None:
        """`training.history[-1]` is this epoch's row, and may be added to."""

    def on_end(self, training: Training) -> None:
        """After the last epoch; not called when the training failed."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep of this callback."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""


class Evaluate(Callback):
    """Adds `train_accuracy`, `val_accuracy`, `test_accuracy` to the history every `every` epochs and at the end.

    `splits` chooses among them; a dataset without a val split has no `val_accuracy`.
    """

    def __init__(self, every: int = 1, splits: Collection[str] = ("train", "val", "test")) -> None:
        self.every = every
        self.splits = splits

    def on_epoch_end(self, training: Training) -> None:
        last = training.epoch == training.trainer.epochs or training.stop
        if not last and training.epoch % self.every:
            return
        for name in self.splits:
            split = getattr(training.dataset, name)
            if split is not None:
                value = accuracy(training.net, split, training.trainer.eval_batch_size)
                training.history[-1][f"{name}_accuracy"] = value


class AfterEpoch(Callback):
    """Calls `function` after each epoch: what shows progress."""

    watches_only = True

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function

    def on_epoch_end(self, training: Training) -> None:
        self.function()


class Snapshots(Callback):
    """Keeps the state dict after each epoch of `epochs` (0: the initialisation) in `self.states`, on the CPU."""

    def __init__(self, epochs: Collection[int]) -> None:
        self.epochs = frozenset(epochs)
        self.states: dict[int, dict[str, Tensor]] = {}

    def on_start(self, training: Training) -> None:
        self._keep(training)

    def on_epoch_end(self, training: Training) -> None:
        self._keep(training)

    def _keep(self, training: Training) -> None:
        if training.epoch in self.epochs and training.epoch not in self.states:
            self.states[training.epoch] = copied_state(training.net)

    def state_dict(self) -> dict[str, Any]:
        return {"states": self.states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.states = dict(state["states"])


def copied_state(net: nn.Module) -> dict[str, Tensor]:
    """A state dict of its own: on the CPU, contiguous, sharing no memory with the net."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in net.state_dict().items()}
