"""Many nets, equal to training them one by one: how it gets there is what pays on the machine at hand."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from dlexp.data import Dataset
from dlexp.errors import DlexpError, InputError
from dlexp.parallel import torch_threads
from dlexp.training.callbacks import AfterEpoch
from dlexp.training.plan import Method, Plan, plan_replicas
from dlexp.training.processes import replica_error, train_in_processes
from dlexp.training.recipe import Recipe
from dlexp.training.single import Trained, train_one
from dlexp.training.stacked import train_stacked

__all__ = ["Plan", "Trained", "plan_replicas", "train_one", "train_replicas"]

Done = Callable[[int, Trained], None]


def train_replicas(
    recipes: Sequence[Recipe],
    dataset: Dataset,
    *,
    device: str | torch.device = "cpu",
    method: Method | Plan = "auto",
    on_done: Done | None = None,
    on_epoch: Callable[[int], None] | None = None,
    checkpoints: Sequence[Path] | None = None,
) -> list[Trained]:
    """Train every recipe on `dataset`; the results are in the order of `recipes`.

    Args:
        method: 'loop' one after the other; 'processes' in worker processes of one thread each, the same bits
            as 'loop'; 'stacked' as one net with stacked weights, equal to 'loop' up to rounding, for MLPs that
            differ only in the seed; 'auto' by the rule of `plan_replicas`; or a plan made before, which
            keeps its bits for any part of the recipes it was made for.
        on_done: called with (index, trained) in this process as each one finishes, in any order.
        on_epoch: called with the index after each epoch of a net that is trained alone in this process.
        checkpoints: one file per recipe, written every `trainer.checkpoint_every` epochs and resumed from if it is
            there already; the caller removes them. Stacks have none.

    Raises:
        InputError: the recipes cannot be trained by `method`, or one has bad settings.
        DlexpError: a replica failed; names it.
    """
    if not recipes:
        return []
    device = torch.device(device)
    plan = method if isinstance(method, Plan) else plan_replicas(recipes, dataset, device, method)
    tell = on_done or (lambda index, trained: None)
    files: Sequence[Path | None] = checkpoints or [None] * len(recipes)
    if plan.method == "processes":
        return train_in_processes(recipes, dataset, tell, files)
    with torch_threads(plan.threads):
        if plan.method == "stacked":
            return train_stacked(recipes, dataset, device, tell)
        return _train_in_turn(recipes, dataset, device, tell, on_epoch, files)


def _train_in_turn(
    recipes: Sequence[Recipe],
    dataset: Dataset,
    device: torch.device,
    on_done: Done,
    on_epoch: Callable[[int], None] | None,
    checkpoints: Sequence[Path | None],
) -> list[Trained]:
    dataset = dataset.to(device)
    results = []
    for index, (recipe, checkpoint) in enumerate(zip(recipes, checkpoints, strict=True)):
        try:
            told = [] if on_epoch is None else [AfterEpoch(partial(on_epoch, index))]
            trained = train_one(recipe, dataset, device=device, callbacks=told, checkpoint=checkpoint)
        except Exception as error:
            if len(recipes) == 1 and isinstance(error, DlexpError):
                raise
            kind, bad_input = type(error).__name__, isinstance(error, InputError)
            raise replica_error(index, recipe, str(error), kind, bad_input) from error
        results.append(trained)
        on_done(index, trained)
    return results
