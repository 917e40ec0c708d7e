"""One recipe and a dataset in, one trained net out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dlexp.data import Dataset
from dlexp.models import build_model
from dlexp.schema import instantiate
from dlexp.training.batches import steps_per_epoch
from dlexp.training.callbacks import Callback, Snapshots
from dlexp.training.loop import fit
from dlexp.training.recipe import Recipe


@dataclass
class Trained:
    """A trained net in eval mode, with how it came about."""

    net: nn.Module
    history: list[dict[str, float]]  # one row per epoch
    recipe: Recipe
    snapshots: dict[int, dict[str, Tensor]] = field(default_factory=dict)  # epoch -> state dict; 0: initial

    @property
    def diverged(self) -> bool:
        """Whether the training ended because its loss was not finite (`trainer.if_diverged=stop`)."""
        return bool(self.history) and not math.isfinite(self.history[-1]["train_loss"])

    def forget_weights(self) -> None:
        """NaN for every weight: a diverged net means nothing, however it was trained."""
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.fill_(math.nan)


def train_one(
    recipe: Recipe,
    dataset: Dataset,
    *,
    device: str | torch.device = "cpu",
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | None = None,
) -> Trained:
    """Seed, build, train. The same recipe, data, device and thread count give the same bits.

    torch's global random state is as before afterwards. The net stays on `device`.

    Raises:
        InputError: the recipe does not fit the data or has bad settings, or the checkpoint is another one's.
        DlexpError: the loss is not finite.
    """
    device = torch.device(device)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        net = build(recipe, dataset).to(device)
        optimizer: Optimizer = instantiate(recipe.optimizer, net.parameters(), where="optimizer")
        total_steps = recipe.trainer.epochs * steps_per_epoch(len(dataset.train), recipe.trainer.batch_size)
        augmentation = recipe.augmentation
        snapshots = Snapshots(recipe.trainer.snapshot_epochs)
        own: list[Callback] = [instantiate(node, where="callbacks") for node in recipe.callbacks]
        history = fit(
            net,
            dataset,
            optimizer=optimizer,
            scheduler=instantiate(recipe.scheduler, optimizer, total_steps, where="scheduler"),
            loss=instantiate(recipe.loss, where="loss"),
            trainer=recipe.trainer,
            seed=recipe.seed,
            augment=None if augmentation is None else instantiate(augmentation, where="augmentation"),
            callbacks=[snapshots, *own, *callbacks],
            checkpoint=checkpoint,
            identity=recipe.identity(),
        )
    # As the store gives it back, too: a net in another memory layout would round its sums differently.
    net.to(memory_format=torch.contiguous_format)
    trained = Trained(net.eval(), history, recipe, snapshots.states)
    if trained.diverged:
        trained.forget_weights()
    return trained


def build(recipe: Recipe, dataset: Dataset) -> nn.Module:
    """The untrained net of `recipe`, on the CPU; seeds torch's global generator with the recipe's seed."""
    torch.manual_seed(recipe.seed)
    return build_model(recipe.model, dataset.input_shape, dataset.n_classes, dataset.mean.cpu(), dataset.std.cpu())
