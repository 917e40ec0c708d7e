"""Replicas that differ only in the seed, trained as one net with stacked weights (torch.func)."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.modules import activation as activations

from dlexp.data import Dataset
from dlexp.errors import DlexpError
from dlexp.models.inputs import bare
from dlexp.schema import instantiate
from dlexp.training.batches import batches, steps_per_epoch
from dlexp.training.recipe import Recipe
from dlexp.training.single import Trained, build

ELEMENTWISE_OPTIMIZERS = ("torch.optim.SGD", "torch.optim.Adam", "torch.optim.AdamW")
"""Each weight's update depends on that weight alone, so the optimizer need not know of the stack."""

LAYERS = (nn.Sequential, nn.Flatten, nn.Identity, nn.Linear)
RANDOM_OR_MIXING = (nn.RReLU, nn.MultiheadAttention)


def why_not_stackable(recipes: Sequence[Recipe], dataset: Dataset) -> str | None:
    """What keeps `recipes` from being trained as a stack, as the end of a sentence; None if nothing does."""
    first = recipes[0]
    if any({**recipe.to_dict(), "seed": 0} != {**first.to_dict(), "seed": 0} for recipe in recipes):
        return "they differ in more than the seed"
    if first.optimizer.get("_target_") not in ELEMENTWISE_OPTIMIZERS:
        return f"their optimizer is none of {', '.join(ELEMENTWISE_OPTIMIZERS)}"
    if first.scheduler.get("_target_") == "dlexp.training.schedulers.plateau":
        return "their learning rates would fall at different times"
    trainer = first.trainer
    if first.augmentation or trainer.grad_clip or trainer.compile or trainer.precision == "bf16":
        return "they use augmentation, grad_clip, compile or bf16"
    if trainer.checkpoint_every:
        return "they write checkpoints"
    with torch.random.fork_rng([]):
        modules = list(bare(build(first, dataset)).modules())
    for module in modules:
        plain_activation = type(module).__module__ == activations.__name__
        if isinstance(module, RANDOM_OR_MIXING) or not (plain_activation or isinstance(module, LAYERS)):
            return f"their model has a {type(module).__name__} layer"
    return None


def train_stacked(
    recipes: Sequence[Recipe], dataset: Dataset, device: torch.device, on_done: Callable[[int, Trained], None]
) -> list[Trained]:
    """What the plain loop gives for each recipe, up to rounding, in one pass over the stack.

    Replica r sees the same samples in the same order as alone. The loss of the stack is the sum of the
    replicas' losses, whose gradient with respect to the weights of replica r is that of its own loss.

    Raises:
        DlexpError: a replica's loss is not finite; names the replica, epoch, step and learning rate.
    """
    recipe, data = recipes[0], dataset.train.to(device)
    trainer = recipe.trainer
    with torch.random.fork_rng([]):
        nets = [build(each, dataset).to(device).train() for each in recipes]
    weights, buffers = stack_module_state(nets)
    skeleton = copy.deepcopy(nets[0]).to("meta")

    def forward(weights: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Any:
        return functional_call(skeleton, (weights, buffers), (x,))

    all_logits = vmap(forward)
    all_losses = vmap(instantiate(recipe.loss, where="loss"))
    optimizer = instantiate(recipe.optimizer, list(weights.values()), where="optimizer")
    n_steps = steps_per_epoch(len(data), trainer.batch_size)
    scheduler = instantiate(recipe.scheduler, optimizer, trainer.epochs * n_steps, where="scheduler")
    orders = [torch.Generator().manual_seed(each.seed) for each in recipes]
    trained = [Trained(net, [], each) for net, each in zip(nets, recipes, strict=True)]

    keep_snapshots(trained, weights, 0)
    for epoch in range(1, trainer.epochs + 1):
        loss_sums = torch.zeros(len(recipes), device=device)
        orders_of_epoch = [batches(len(data), trainer.batch_size, order, data.y.device) for order in orders]
        for step in range(n_steps):
            index = torch.stack([order[step] for order in orders_of_epoch])  # (replicas, batch)
            x = data.inputs(index.flatten()).reshape(*index.shape, *data.x.shape[1:])
            losses = all_losses(all_logits(weights, buffers, x), data.y[index])
            learning_rate = float(optimizer.param_groups[0]["lr"])
            refuse_non_finite(losses, recipes, epoch, (epoch - 1) * n_steps + step + 1, learning_rate)
            optimizer.zero_grad()
            losses.sum().backward()
            optimizer.step()
            scheduler.step()
            loss_sums.add_(losses.detach(), alpha=index.shape[1])
        for each, loss_sum in zip(trained, loss_sums.tolist(), strict=True):
            row = {"epoch": float(epoch), "train_loss": loss_sum / len(data), "lr": learning_rate}
            each.history.append(row)
        keep_snapshots(trained, weights, epoch)
    for r, each in enumerate(trained):
        each.net.load_state_dict(replica_weights(weights, r), strict=False)  # the buffers never change
        each.net.eval()
        on_done(r, each)
    return trained


def replica_weights(weights: dict[str, Tensor], r: int) -> dict[str, Tensor]:
    """The weights of replica `r` alone, in memory of their own."""
    return {name: stack[r].detach().clone() for name, stack in weights.items()}


def keep_snapshots(trained: Sequence[Trained], weights: dict[str, Tensor], epoch: int) -> None:
    """Add the state dicts after `epoch` to each replica's snapshots where its recipe asks for them."""
    if epoch in trained[0].recipe.trainer.snapshot_epochs:
        for r, each in enumerate(trained):
            state = {**each.net.state_dict(), **replica_weights(weights, r)}
            each.snapshots[epoch] = {name: tensor.cpu().clone() for name, tensor in state.items()}


def refuse_non_finite(losses: Tensor, recipes: Sequence[Recipe], epoch: int, step: int, learning_rate: float) -> None:
    """Raise DlexpError for the first replica whose loss is not finite."""
    if bool(losses.isfinite().all()):
        return
    r = int((~losses.isfinite()).nonzero()[0])
    raise DlexpError(
        f"replica {r} (seed {recipes[r].seed}): the loss is {losses[r].item()} in epoch {epoch}, step {step} "
        f"(learning rate {learning_rate:.3g}); try a smaller learning rate, or look for NaN in the data"
    )
