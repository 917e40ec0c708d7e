"""Replicas of one architecture trained as one net with stacked weights (torch.func).

They may differ in seed, data, optimizer and schedule: replicas of equal settings share an optimizer, which works on
their slice of the stack.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from dlexp.data import Dataset, Split
from dlexp.errors import DlexpError
from dlexp.schema import instantiate
from dlexp.training.batches import batches, steps_per_epoch
from dlexp.training.recipe import Recipe, canonical_json
from dlexp.training.single import Trained, build

PLATEAU = "dlexp.training.schedulers.plateau"


@dataclass
class Slice:
    """Neighbouring replicas that share an optimizer."""

    members: range
    optimizer: Optimizer
    scheduler: LRScheduler | ReduceLROnPlateau

    @property
    def learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])


def train_stacked(
    recipes: Sequence[Recipe],
    datasets: Sequence[Dataset],
    device: torch.device,
    numbers: Sequence[int] | None = None,
) -> list[Trained]:
    """What the plain loop gives for each recipe, up to rounding, in one pass over the stack.

    Replica r sees the same samples in the same order as alone. The loss of the stack is the sum of the
    replicas' losses, whose gradient with respect to the weights of replica r is that of its own loss.
    `numbers` are what error messages call the replicas by.

    Raises:
        DlexpError: a replica's loss is not finite; names the replica, epoch, step and learning rate.
    """
    order = sorted(range(len(recipes)), key=lambda index: _settings(recipes[index], index))
    names = [index if numbers is None else numbers[index] for index in order]
    trained = _train_sorted([recipes[index] for index in order], [datasets[index] for index in order], device, names)
    results = dict(zip(order, trained, strict=True))
    return [results[index] for index in range(len(recipes))]


def _settings(recipe: Recipe, index: int) -> str:
    """Equal for replicas that can share an optimizer; what waits for a plateau, or may, looks at one replica alone."""
    target = str(recipe.scheduler.get("_target_"))
    own = index if target == PLATEAU or not target.startswith("dlexp.") else None
    return canonical_json([recipe.optimizer, recipe.scheduler, own])


def _train_sorted(
    recipes: Sequence[Recipe], datasets: Sequence[Dataset], device: torch.device, numbers: Sequence[int]
) -> list[Trained]:
    trainer = recipes[0].trainer
    on_device = {id(dataset): dataset.train.to(device) for dataset in datasets}
    splits = [on_device[id(dataset)] for dataset in datasets]
    n_samples = len(splits[0])
    with torch.random.fork_rng([]):
        nets = [build(recipe, data).to(device).train() for recipe, data in zip(recipes, datasets, strict=True)]
    weights, buffers = stack_module_state(nets)
    skeleton = copy.deepcopy(nets[0]).to("meta")

    def forward(weights: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Any:
        return functional_call(skeleton, (weights, buffers), (x,))

    all_logits = vmap(forward)
    all_losses = vmap(instantiate(recipes[0].loss, where="loss"))
    n_steps = steps_per_epoch(n_samples, trainer.batch_size)
    slices = _slices(recipes, weights, trainer.epochs * n_steps)
    orders = [torch.Generator().manual_seed(each.seed) for each in recipes]
    trained = [Trained(net, [], each) for net, each in zip(nets, recipes, strict=True)]

    keep_snapshots(trained, weights, 0)
    for epoch in range(1, trainer.epochs + 1):
        loss_sums = torch.zeros(len(recipes), device=device)
        orders_of_epoch = [batches(n_samples, trainer.batch_size, each, splits[0].y.device) for each in orders]
        rates: list[float] = []
        for step in range(n_steps):
            index = torch.stack([each[step] for each in orders_of_epoch])  # (replicas, batch)
            x, y = gather(splits, index)
            losses = all_losses(all_logits(weights, buffers, x), y)
            rates = [each.learning_rate for each in slices]
            end_diverged(losses, trained, slices, numbers, epoch, (epoch - 1) * n_steps + step + 1)
            for weight in weights.values():  # in place: the slices' gradients are views of these
                assert weight.grad is not None
                weight.grad.zero_()
            losses.sum().backward()
            for each in slices:
                each.optimizer.step()
                if not isinstance(each.scheduler, ReduceLROnPlateau):
                    each.scheduler.step()
            loss_sums.add_(losses.detach(), alpha=index.shape[1])
        end_epoch(trained, slices, rates, (loss_sums / n_samples).tolist(), epoch)
        keep_snapshots(trained, weights, epoch)
    for r, one in enumerate(trained):
        one.net.load_state_dict(replica_weights(weights, r), strict=False)  # the buffers never change
        if one.diverged:
            one.forget_weights()
        one.net.eval()
    return trained


def gather(splits: Sequence[Split], index: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs (R, B, ...) and labels (R, B): for replica r the samples `index[r]` of its split; index is (R, B)."""
    first = splits[0]
    if all(split is first for split in splits):
        x = first.inputs(index.flatten())
        return x.reshape(*index.shape, *x.shape[1:]), first.y[index]
    pairs = list(zip(splits, index, strict=True))
    return (
        torch.stack([split.inputs(chosen) for split, chosen in pairs]),
        torch.stack([split.y[chosen] for split, chosen in pairs]),
    )


def _slices(recipes: Sequence[Recipe], weights: dict[str, Tensor], total_steps: int) -> list[Slice]:
    """One optimizer and schedule for each run of replicas with equal settings, on views of the stacked weights."""
    for weight in weights.values():
        weight.grad = torch.zeros_like(weight)
    keys = [_settings(recipe, index) for index, recipe in enumerate(recipes)]
    slices = []
    start = 0
    while start < len(keys):
        end = start + keys[start:].count(keys[start])
        views = []
        for weight in weights.values():
            view = nn.Parameter(weight.data[start:end])
            assert weight.grad is not None
            view.grad = weight.grad[start:end]
            views.append(view)
        optimizer = instantiate(recipes[start].optimizer, views, where="optimizer")
        scheduler = instantiate(recipes[start].scheduler, optimizer, total_steps, where="scheduler")
        slices.append(Slice(range(start, end), optimizer, scheduler))
        start = end
    return slices


def replica_weights(weights: dict[str, Tensor], r: int) -> dict[str, Tensor]:
    """The weights of replica `r` alone, in memory of their own."""
    return {name: stack[r].detach().clone() for name, stack in weights.items()}


def keep_snapshots(trained: Sequence[Trained], weights: dict[str, Tensor], epoch: int) -> None:
    """Add the state dicts after `epoch` to each replica's snapshots where its recipe asks for them."""
    if epoch in trained[0].recipe.trainer.snapshot_epochs:
        for r, each in enumerate(trained):
            if not each.diverged:
                state = {**each.net.state_dict(), **replica_weights(weights, r)}
                each.snapshots[epoch] = {name: tensor.cpu().clone() for name, tensor in state.items()}


def end_epoch(
    trained: Sequence[Trained], slices: Sequence[Slice], rates: Sequence[float], losses: Sequence[float], epoch: int
) -> None:
    """One more row in the history of each replica; schedules that wait for a plateau see the epoch's loss."""
    for each, rate in zip(slices, rates, strict=True):
        for r in each.members:
            if not trained[r].diverged:
                trained[r].history.append({"epoch": float(epoch), "train_loss": losses[r], "lr": rate})
        if isinstance(each.scheduler, ReduceLROnPlateau):
            each.scheduler.step(losses[each.members.start])


def end_diverged(
    losses: Tensor,
    trained: Sequence[Trained],
    slices: Sequence[Slice],
    numbers: Sequence[int],
    epoch: int,
    step: int,
) -> None:
    """Replicas whose loss is not finite: their history ends, or DlexpError where the recipe says so.

    A diverged replica stays in the stack; its numbers touch no other's.
    """
    if bool(losses.isfinite().all()):
        return
    for each in slices:
        for r in each.members:
            value, one = losses[r].item(), trained[r]
            if math.isfinite(value) or one.diverged:
                continue
            if one.recipe.trainer.if_diverged == "fail":
                raise DlexpError(
                    f"replica {numbers[r]} (seed {one.recipe.seed}): the loss is {value} in epoch {epoch}, step {step} "
                    f"(learning rate {each.learning_rate:.3g}); try a smaller learning rate, "
                    "or look for NaN in the data"
                )
            one.history.append({"epoch": float(epoch), "train_loss": math.inf, "lr": each.learning_rate})
