"""Which trainings can share a stack."""

import torch
from torch import nn
from torch.nn.modules import activation as activations

from dlexp.data import Dataset
from dlexp.models.inputs import bare
from dlexp.training.recipe import Recipe, canonical_json
from dlexp.training.single import build

ELEMENTWISE_OPTIMIZERS = (
    "torch.optim.SGD",
    "torch.optim.Adam",
    "torch.optim.AdamW",
    "torch.optim.NAdam",
    "torch.optim.RAdam",
    "torch.optim.RMSprop",
    "torch.optim.Adagrad",
    "torch.optim.Adamax",
)
"""Each weight's update depends on that weight alone, so the optimizer need not know of the stack."""

LAYERS = (nn.Sequential, nn.Flatten, nn.Identity, nn.Linear)
RANDOM_OR_MIXING = (nn.RReLU, nn.MultiheadAttention)


def stack_key(recipe: Recipe, dataset: Dataset) -> str:
    """Equal for trainings that could share a stack: all but seed, optimizer, schedule and the data's values."""
    values = {**recipe.identity(), "elementwise": is_elementwise(recipe)}
    for free in ("seed", "optimizer", "scheduler"):
        del values[free]
    values["model"].pop("initialization", None)  # decides where the weights start, not what is computed with them
    return canonical_json([values, dataset.input_shape, dataset.n_classes, len(dataset.train)])


def is_elementwise(recipe: Recipe) -> bool:
    """Whether the optimizer treats each weight apart from the others."""
    return recipe.optimizer.get("_target_") in ELEMENTWISE_OPTIMIZERS


def why_not_stackable(recipe: Recipe, dataset: Dataset) -> str | None:
    """What keeps replicas of `recipe` from being trained as a stack, as the end of a sentence; None if nothing does."""
    if not is_elementwise(recipe):
        return f"their optimizer is none of {', '.join(ELEMENTWISE_OPTIMIZERS)}"
    trainer = recipe.trainer
    if recipe.augmentation or trainer.grad_clip or trainer.compile or trainer.precision == "bf16":
        return "they use augmentation, grad_clip, compile or bf16"
    if recipe.callbacks:
        return "they have callbacks of their own"
    if trainer.checkpoint_every:
        return "they write checkpoints"
    if not str(recipe.loss.get("_target_")).startswith(("torch.nn.", "dlexp.")):
        return "their loss is one of the user's own"
    with torch.random.fork_rng([]):
        modules = list(bare(build(recipe, dataset)).modules())
    for module in modules:
        plain_activation = type(module).__module__ == activations.__name__ or getattr(module, "elementwise", False)
        if isinstance(module, RANDOM_OR_MIXING) or not (plain_activation or isinstance(module, LAYERS)):
            return f"their model has a {type(module).__name__} layer"
    return None
