"""How to train many replicas: a rule of the recipes, the data and the machine, never of a stopwatch.

The same command thus takes the same way every time, and gives the same bytes.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch

from dlexp.data import Dataset
from dlexp.errors import InputError, nearest
from dlexp.processes import available_cores
from dlexp.training.batches import steps_per_epoch
from dlexp.training.flops import counted_flops
from dlexp.training.recipe import Recipe, canonical_json
from dlexp.training.single import build
from dlexp.training.stackable import stack_key, why_not_stackable

Method = Literal["auto", "loop", "processes", "stacked"]
METHODS = ("auto", "loop", "processes", "stacked")

# Measured on one core of a two-core machine; only their order of magnitude matters.
FLOPS_PER_SECOND = 3e10  # of a training step
SECONDS_PER_STEP = 3e-4  # that a step takes however small the net
SECONDS_PER_STACKED_STEP = 1e-3  # that a step of a stack takes however small the nets
SECONDS_PER_UPDATE = 1e-4  # of a stacked step, for each optimizer with settings of its own
SECONDS_TO_START_WORKERS = 3.0
ONE_THREAD_UP_TO_FLOPS = 1e8  # per step
STACK_AT_LEAST = 8  # replicas; fewer do not repay what vmap costs
STACK_AT_MOST_FLOPS = 3e7  # per step and replica; beyond, the cores are busy with one replica already


@dataclass(frozen=True)
class Plan:
    """How a list of recipes is trained."""

    stacked: tuple[bool, ...]  # per recipe: in a stack, or alone
    threads: int  # of torch, for nets that are trained alone in this process
    device: str = "cpu"
    spread: bool | None = None  # over worker processes; None: where that pays

    def arithmetic(self, index: int) -> str:
        """Equal for ways that give recipe `index` the same bits: part of the key under which its net is kept."""
        return f"{self.device} 1 stacked" if self.stacked[index] else f"{self.device} {self.threads}"

    def part(self, indices: Sequence[int]) -> "Plan":
        """The plan for some of the recipes; each keeps its bits."""
        return Plan(tuple(self.stacked[index] for index in indices), self.threads, self.device, self.spread)


def plan_replicas(
    recipes: Sequence[Recipe], datasets: Sequence[Dataset], device: str | torch.device = "cpu", method: Method = "auto"
) -> Plan:
    """The plan for all of `recipes` together, each with the dataset beside it.

    'auto': one recipe is trained in this process. Several, on the CPU: as a stack those that can be and whose net is
    small enough for it to pay, the others alone; all of it in worker processes where the work that these take off is
    worth their start. All threads are used for one large net only: a step of a small one is so short that its
    threads mostly wait for each other, and on a busy machine many times longer than it takes.

    Raises:
        InputError: `method` is unknown or cannot train these recipes.
    """
    if method not in METHODS:
        raise InputError(f"method={method}: there is no such way to train replicas; {nearest(method, METHODS)}")
    kind = torch.device(device).type
    if method in ("stacked", "processes") and kind != "cpu":
        raise InputError(f"method={method}: for the CPU only, and device={kind}; use method=auto")
    if method == "stacked" and (reason := _why_not_one_stack(recipes, datasets)):
        raise InputError(f"method=stacked: these replicas cannot be stacked, {reason}; use method=auto")
    stacked = [method == "stacked"] * len(recipes)
    if method == "auto" and kind == "cpu":
        for members in _kinds(recipes, datasets):
            first = members[0]
            if len(members) >= STACK_AT_LEAST and why_not_stackable(recipes[first], datasets[first]) is None:
                small = flops_per_step(recipes[first], datasets[first]) <= STACK_AT_MOST_FLOPS
                for index in members:
                    stacked[index] = small
    alone_and_large = len(recipes) == 1 and flops_per_step(recipes[0], datasets[0]) > ONE_THREAD_UP_TO_FLOPS
    threads = torch.get_num_threads() if method in ("auto", "loop") and alone_and_large else 1
    spread = {"processes": True, "auto": None}.get(method, False) if kind == "cpu" else False
    return Plan(tuple(stacked), threads, kind, spread)


def _why_not_one_stack(recipes: Sequence[Recipe], datasets: Sequence[Dataset]) -> str | None:
    if len(_kinds(recipes, datasets)) > 1:
        return "they differ in more than seed, optimizer and schedule"
    return why_not_stackable(recipes[0], datasets[0])


def _kinds(recipes: Sequence[Recipe], datasets: Sequence[Dataset]) -> list[list[int]]:
    """The indices of recipes that go into one stack together, if they can be stacked at all."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for index, (recipe, dataset) in enumerate(zip(recipes, datasets, strict=True)):
        kinds[stack_key(recipe, dataset)].append(index)
    return list(kinds.values())


@dataclass(frozen=True)
class Unit:
    """What is trained in one go: one recipe alone, or several as a stack."""

    indices: tuple[int, ...]
    stacked: bool


def divide(recipes: Sequence[Recipe], datasets: Sequence[Dataset], plan: Plan) -> tuple[list[Unit], bool]:
    """The units of `plan`, and whether they go to worker processes; stacks are cut so that each core gets a part."""
    stacks = [
        members for kind in _kinds(recipes, datasets) if (members := [index for index in kind if plan.stacked[index]])
    ]
    alone = [Unit((index,), False) for index in range(len(recipes)) if not plan.stacked[index]]
    cores = min(len(recipes), available_cores())
    spread = plan.spread
    if spread is None:
        seconds = _seconds(recipes, datasets, stacks, [unit.indices[0] for unit in alone])
        spread = seconds * (1 - 1 / cores) > 2 * SECONDS_TO_START_WORKERS
    parts = cores if spread and len(stacks) < cores else 1
    units = [Unit(tuple(piece), True) for members in stacks for piece in _cut(members, parts)]
    return [*units, *alone], spread


def _cut(members: Sequence[int], parts: int) -> list[Sequence[int]]:
    """`members` in `parts` pieces of nearly equal size, none of them too small for a stack to pay."""
    parts = max(1, min(parts, len(members) // STACK_AT_LEAST))
    ends = [round(part * len(members) / parts) for part in range(parts + 1)]
    return [members[start:end] for start, end in pairwise(ends)]


def _seconds(
    recipes: Sequence[Recipe], datasets: Sequence[Dataset], stacks: Sequence[Sequence[int]], alone: Sequence[int]
) -> float:
    """What all of it takes on one core, roughly."""
    flops: dict[str, float] = {}

    def steps(index: int) -> int:
        trainer = recipes[index].trainer
        return trainer.epochs * steps_per_epoch(len(datasets[index].train), trainer.batch_size)

    def arithmetic(index: int) -> float:
        """Seconds of one step, without what it takes however small the net."""
        recipe = recipes[index]
        key = canonical_json([recipe.model, recipe.trainer.batch_size, datasets[index].input_shape])
        if key not in flops:
            flops[key] = flops_per_step(recipe, datasets[index])
        return flops[key] / FLOPS_PER_SECOND

    total = sum(steps(index) * (arithmetic(index) + SECONDS_PER_STEP) for index in alone)
    for members in stacks:
        updates = len({canonical_json([recipes[index].optimizer, recipes[index].scheduler]) for index in members})
        per_step = SECONDS_PER_STACKED_STEP + SECONDS_PER_UPDATE * updates + len(members) * arithmetic(members[0])
        total += steps(members[0]) * per_step
    return total


def flops_per_step(recipe: Recipe, dataset: Dataset) -> float:
    """Floating-point operations of one training step: three forward passes' worth, from a batch of one."""
    with torch.random.fork_rng([]):
        one = counted_flops(build(recipe, dataset), dataset.train.inputs(slice(0, 1)).cpu())
    return 3.0 * one * min(recipe.trainer.batch_size, len(dataset.train))
