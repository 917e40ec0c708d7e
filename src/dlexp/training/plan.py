"""How to train many replicas: a rule of the recipes, the data and the machine, never of a stopwatch.

The same command thus takes the same way every time, and gives the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch.utils.flop_counter import FlopCounterMode

from dlexp.data import Dataset
from dlexp.errors import InputError, nearest
from dlexp.processes import available_cores
from dlexp.training.batches import steps_per_epoch
from dlexp.training.recipe import Recipe, canonical_json
from dlexp.training.single import build
from dlexp.training.stacked import why_not_stackable

Method = Literal["auto", "loop", "processes", "stacked"]
METHODS = ("auto", "loop", "processes", "stacked")

# Measured on one core of a two-core machine; only their order of magnitude matters.
FLOPS_PER_SECOND = 3e10  # of a training step
SECONDS_PER_STEP = 3e-4  # that a step takes however small the net
SECONDS_TO_START_WORKERS = 3.0
ONE_THREAD_UP_TO_FLOPS = 1e8  # per step
STACK_AT_LEAST = 8  # replicas; fewer do not repay what vmap costs
STACK_AT_MOST_FLOPS = 3e7  # per step and replica; beyond, the cores are busy with one replica already


@dataclass(frozen=True)
class Plan:
    """How a list of recipes is trained."""

    method: Literal["loop", "processes", "stacked"]
    threads: int  # of torch, in each process
    device: str = "cpu"

    @property
    def arithmetic(self) -> str:
        """Equal for plans that give the same bits: part of the key under which a net is kept."""
        stacked = " stacked" if self.method == "stacked" else ""  # 'loop' and 'processes' give the same bits
        return f"{self.device} {self.threads}{stacked}"


def plan_replicas(
    recipes: Sequence[Recipe], dataset: Dataset, device: str | torch.device = "cpu", method: Method = "auto"
) -> Plan:
    """The plan for all of `recipes` together.

    'auto': one recipe is trained in this process. Several, on the CPU: as a stack where they can be and the
    net is small enough for it to pay; in worker processes where the work that they take off is worth their
    start; else one by one. All threads are used for one large net only: a step of a small one is so short
    that its threads mostly wait for each other, and on a busy machine many times longer than it takes.

    Raises:
        InputError: `method` is unknown or cannot train these recipes.
    """
    if method not in METHODS:
        raise InputError(f"method={method}: there is no such way to train replicas; {nearest(method, METHODS)}")
    kind = torch.device(device).type
    if method in ("stacked", "processes") and kind != "cpu":
        raise InputError(f"method={method}: for the CPU only, and device={kind}; use method=auto")
    if method == "stacked" and (reason := why_not_stackable(recipes, dataset)):
        raise InputError(f"method=stacked: these replicas cannot be stacked, {reason}; use method=auto")
    if method == "auto":
        method = _choose(recipes, dataset) if kind == "cpu" and len(recipes) > 1 else "loop"
    alone_and_large = len(recipes) == 1 and flops_per_step(recipes[0], dataset) > ONE_THREAD_UP_TO_FLOPS
    return Plan(method, torch.get_num_threads() if method == "loop" and alone_and_large else 1, kind)


def _choose(recipes: Sequence[Recipe], dataset: Dataset) -> Literal["loop", "processes", "stacked"]:
    step_flops = [flops_per_step(recipe, dataset) for recipe in _distinct(recipes)]
    small = max(step_flops) <= STACK_AT_MOST_FLOPS
    if len(recipes) >= STACK_AT_LEAST and small and why_not_stackable(recipes, dataset) is None:
        return "stacked"
    per_step = sum(step_flops) / len(step_flops) / FLOPS_PER_SECOND + SECONDS_PER_STEP
    steps = sum(
        recipe.trainer.epochs * steps_per_epoch(len(dataset.train), recipe.trainer.batch_size) for recipe in recipes
    )
    workers = min(len(recipes), available_cores())
    saved = per_step * steps * (1 - 1 / workers)
    return "processes" if saved > 2 * SECONDS_TO_START_WORKERS else "loop"


def flops_per_step(recipe: Recipe, dataset: Dataset) -> float:
    """Floating-point operations of one training step: three forward passes' worth, from a batch of one."""
    with torch.random.fork_rng([]), torch.no_grad(), FlopCounterMode(display=False) as counter:
        net = build(recipe, dataset).eval()
        net(dataset.train.inputs(slice(0, 1)).cpu())
    return 3.0 * float(counter.get_total_flops()) * min(recipe.trainer.batch_size, len(dataset.train))


def _distinct(recipes: Sequence[Recipe]) -> list[Recipe]:
    """One recipe of each model and batch size: those that may differ in the work of a step."""
    kinds = {canonical_json([recipe.model, recipe.trainer.batch_size]): recipe for recipe in recipes}
    return list(kinds.values())
