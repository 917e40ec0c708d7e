"""Training through the store: what is kept is read, the rest is trained side by side and kept."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from dlexp.data import Dataset
from dlexp.store import Store
from dlexp.training.recipe import Recipe
from dlexp.training.replicas import Trained, plan_replicas, train_replicas
from dlexp.training.single import build


def train_kept(
    store: Store,
    recipes: Sequence[Recipe],
    datasets: Sequence[Dataset],
    device: str,
    on_done: Callable[[int, Trained], None],
    on_epoch: Callable[[int], None] | None = None,
) -> list[Trained]:
    """What `train_replicas` would return, each net trained once over all runs that share the store.

    The plan is made for all recipes, kept or not, so that a half-filled store gives the same bits as an empty one.
    Nets are kept one by one as they finish, and with `trainer.checkpoint_every` a net in training every so many
    epochs: an interrupted run goes on where it was. Two processes that want the same nets share the work of one: the
    other waits.
    """
    if not recipes:
        return []
    plan = plan_replicas(recipes, datasets, device)
    keys = [
        store.key(recipe, dataset.fingerprint, plan.arithmetic(index))
        for index, (recipe, dataset) in enumerate(zip(recipes, datasets, strict=True))
    ]
    results: dict[int, Trained] = {}

    def look(indices: Sequence[int]) -> list[int]:
        """Take what is kept; returns what is not."""
        missing = []
        for index in indices:
            found = store.get(keys[index], partial(build, dataset=datasets[index]))
            if found is None:
                missing.append(index)
            else:
                found.net.to(device)
                found.recipe = recipes[index]
                results[index] = found
                on_done(index, found)
        return missing

    missing = look(range(len(recipes)))
    with ExitStack() as locks:
        for lock in store.locks(keys[index] for index in missing):  # one order for all: nobody waits in a circle
            locks.enter_context(lock)
        missing = look(missing)

        def keep(position: int, trained: Trained) -> None:
            index = missing[position]
            store.put(keys[index], trained)
            store.checkpoint(keys[index]).unlink(missing_ok=True)
            on_done(index, trained)

        def tell(position: int) -> None:
            if on_epoch is not None:
                on_epoch(missing[position])

        trained = train_replicas(
            [recipes[index] for index in missing],
            [datasets[index] for index in missing],
            device=device,
            method=plan.part(missing),
            on_done=keep,
            on_epoch=tell,
            checkpoints=[store.checkpoint(keys[index]) for index in missing],
        )
        results.update(zip(missing, trained, strict=True))
    return [results[index] for index in range(len(recipes))]
