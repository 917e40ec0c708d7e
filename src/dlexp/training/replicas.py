"""Many nets, equal to training them one by one: how it gets there is what pays on the machine at hand."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from dlexp.data import Dataset
from dlexp.errors import DlexpError, InputError
from dlexp.parallel import torch_threads
from dlexp.training.callbacks import AfterEpoch
from dlexp.training.plan import Method, Plan, Unit, divide, plan_replicas
from dlexp.training.processes import replica_error, train_in_processes
from dlexp.training.recipe import Recipe
from dlexp.training.single import Trained, train_one
from dlexp.training.stacked import train_stacked

__all__ = ["Plan", "Trained", "plan_replicas", "train_one", "train_replicas"]

Done = Callable[[int, Trained], None]


def train_replicas(
    recipes: Sequence[Recipe],
    dataset: Dataset | Sequence[Dataset],
    *,
    device: str | torch.device = "cpu",
    method: Method | Plan = "auto",
    on_done: Done | None = None,
    on_epoch: Callable[[int], None] | None = None,
    checkpoints: Sequence[Path] | None = None,
) -> list[Trained]:
    """Train every recipe on `dataset`, or each on its own; the results are in the order of `recipes`.

    Args:
        method: 'loop' one after the other; 'processes' in worker processes of one thread each, the same bits
            as 'loop'; 'stacked' as one net with stacked weights, equal to 'loop' up to rounding, for MLPs that
            differ in seed, data, optimizer or schedule only; 'auto' by the rule of `plan_replicas`, some in stacks
            and some alone; or a plan made before.
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
    datasets = [dataset] * len(recipes) if isinstance(dataset, Dataset) else list(dataset)
    device = torch.device(device)
    plan = method if isinstance(method, Plan) else plan_replicas(recipes, datasets, device, method)
    units, spread = divide(recipes, datasets, plan)
    files: Sequence[Path | None] = checkpoints or [None] * len(recipes)
    tell = on_done or (lambda index, trained: None)
    if spread:
        return train_in_processes(units, recipes, datasets, tell, files)
    results: dict[int, Trained] = {}

    def done(index: int, trained: Trained) -> None:
        results[index] = trained
        tell(index, trained)

    on_device = {id(each): each.to(device) for each in datasets}
    for unit in units:
        with torch_threads(1 if unit.stacked else plan.threads):
            _train_unit(unit, recipes, [on_device[id(each)] for each in datasets], device, done, on_epoch, files)
    return [results[index] for index in range(len(recipes))]


def _train_unit(
    unit: Unit,
    recipes: Sequence[Recipe],
    datasets: Sequence[Dataset],
    device: torch.device,
    on_done: Done,
    on_epoch: Callable[[int], None] | None,
    checkpoints: Sequence[Path | None],
) -> None:
    if unit.stacked:
        members, data = [recipes[index] for index in unit.indices], [datasets[index] for index in unit.indices]
        for index, trained in zip(unit.indices, train_stacked(members, data, device, unit.indices), strict=True):
            on_done(index, trained)
        return
    (index,) = unit.indices
    recipe = recipes[index]
    try:
        told = [] if on_epoch is None else [AfterEpoch(partial(on_epoch, index))]
        trained = train_one(recipe, datasets[index], device=device, callbacks=told, checkpoint=checkpoints[index])
    except Exception as error:
        if len(recipes) == 1 and isinstance(error, DlexpError):
            raise
        kind = None if isinstance(error, DlexpError) else type(error).__name__
        bad_input = isinstance(error, InputError)
        raise replica_error(index, recipe, str(error), kind, bad_input) from error
    on_done(index, trained)
