"""The one training loop. What it does more for some experiments is added by callbacks, never by a copy."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from dlexp.data import Dataset
from dlexp.training.acceleration import accelerated
from dlexp.training.batches import batches
from dlexp.training.callbacks import Callback, Training
from dlexp.training.checkpoint import Checkpoint, read_checkpoint
from dlexp.training.finite import DivergedError, FiniteLoss
from dlexp.training.recipe import Trainer

log = logging.getLogger(__name__)


def fit(
    net: nn.Module,
    dataset: Dataset,
    *,
    optimizer: Optimizer,
    scheduler: LRScheduler | None,
    loss: Callable[[Tensor, Tensor], Tensor],
    trainer: Trainer,
    seed: int,
    augment: Callable[[Tensor, torch.Generator], Tensor] | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | None = None,
    identity: Mapping[str, Any] | None = None,
) -> list[dict[str, float]]:
    """Train `net` in place on `dataset.train`, on the device the net is on.

    Dropout and the like draw from torch's global generator, which the caller seeds; the order of the samples
    and the augmentation have generators of their own, seeded with `seed`. With a `checkpoint` path and
    `trainer.checkpoint_every`, an interrupted training goes on from there; `identity` is what the two must
    have in common besides the data.

    Returns:
        The history: for each epoch `epoch` (1, 2, ...), `train_loss` (mean over the samples, as met during
        the epoch), `lr` (of its last step), and what callbacks add. With `trainer.if_diverged=stop` a training whose
        loss is not finite ends with a row whose `train_loss` is infinite.

    Raises:
        DivergedError: the loss is not finite.
        InputError: the checkpoint is torn or belongs to another training.
    """
    device = next(net.parameters()).device
    dataset = dataset.to(device)
    data_order = torch.Generator().manual_seed(seed)  # on the CPU: the same order on every device
    noise = torch.Generator(device).manual_seed(seed + 1_000_003)  # a stream of its own
    training = Training(net, optimizer, scheduler, loss, augment, dataset, trainer, data_order, noise)
    callbacks = list(callbacks)
    if checkpoint is not None and trainer.checkpoint_every:
        identity = {"dataset": dataset.fingerprint, **(identity or {"trainer": vars(trainer), "seed": seed})}
        kept = [callback for callback in callbacks if not callback.watches_only]
        if checkpoint.exists():
            read_checkpoint(checkpoint, training, identity, kept)
            log.info("seed %d goes on after epoch %d of %d", seed, training.epoch, trainer.epochs)
        callbacks.append(Checkpoint(checkpoint, trainer.checkpoint_every, identity, kept))

    _call(callbacks, "on_start", training)
    forward = accelerated(training)
    while training.epoch < trainer.epochs and not training.stop:
        net.train()
        _call(callbacks, "on_epoch_start", training)
        try:
            row = train_epoch(training, forward, callbacks)
        except DivergedError as error:
            if trainer.if_diverged == "fail":
                raise
            log.warning("seed %d stops: %s", seed, error)
            lr = training.learning_rate
            training.history.append({"epoch": training.epoch + 1.0, "train_loss": math.inf, "lr": lr})
            break
        training.epoch += 1
        training.history.append({"epoch": float(training.epoch), **row})
        _call(callbacks, "on_epoch_end", training)
    _call(callbacks, "on_end", training)
    return training.history


def train_epoch(
    training: Training, forward: Callable[[Tensor], Tensor], callbacks: Sequence[Callback]
) -> dict[str, float]:
    """One pass over the training split; `forward` maps inputs (B, ...) to logits (B, K)."""
    net, optimizer, scheduler = training.net, training.optimizer, training.scheduler
    data, trainer = training.dataset.train, training.trainer
    by_epoch = isinstance(scheduler, ReduceLROnPlateau)
    finite = FiniteLoss(training)
    loss_sum = torch.zeros((), device=data.y.device)  # stays there: reading it would wait for the GPU
    learning_rate = training.learning_rate

    for index in batches(len(data), trainer.batch_size, training.data_order, data.y.device):
        x = data.inputs(index)
        if training.augment is not None:
            x = training.augment(x, training.noise)
        batch_loss = training.loss(forward(x), data.y[index])
        finite.check(batch_loss)
        optimizer.zero_grad()
        batch_loss.backward()  # type: ignore[no-untyped-call]
        _call(callbacks, "on_gradients", training)
        if trainer.grad_clip is not None:
            clip_grad_norm_(net.parameters(), trainer.grad_clip)
        learning_rate = training.learning_rate
        optimizer.step()
        if scheduler is not None and not by_epoch:
            scheduler.step()
        training.step += 1
        training.batch_loss = batch_loss.detach()
        loss_sum.add_(training.batch_loss, alpha=len(index))
        _call(callbacks, "on_step_end", training)

    finite.check_pending()
    train_loss = float(loss_sum) / len(data)
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(train_loss)
    return {"train_loss": train_loss, "lr": learning_rate}


def _call(callbacks: Sequence[Callback], hook: str, training: Training) -> None:
    for callback in callbacks:
        getattr(callback, hook)(training)
