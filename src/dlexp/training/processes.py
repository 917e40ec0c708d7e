"""Replicas in worker processes of one thread each: the same bits as in this process with one thread."""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from dlexp.data import Dataset
from dlexp.errors import DlexpError, InputError
from dlexp.processes import available_cores
from dlexp.training.handover import write_datasets
from dlexp.training.plan import Unit
from dlexp.training.recipe import Recipe, canonical_json
from dlexp.training.single import Trained, build
from dlexp.training.trained_file import load_trained

Worker = subprocess.Popen[bytes]


def train_in_processes(
    units: Sequence[Unit],
    recipes: Sequence[Recipe],
    datasets: Sequence[Dataset],
    on_done: Callable[[int, Trained], None],
    checkpoints: Sequence[Path | None],
) -> list[Trained]:
    """Train each unit in one of at most `available_cores()` workers; `on_done` for each recipe as its unit finishes.

    No worker outlives this call, nor this process, however it ends.

    Raises:
        InputError, DlexpError: a replica failed or its worker died; names the replica. The others are ended.
    """
    trained: dict[int, Trained] = {}
    waiting = deque(range(len(units)))
    with tempfile.TemporaryDirectory(prefix="dlexp-replicas-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_units(folder, units, recipes, datasets, checkpoints)
        with workers(folder, min(len(units), available_cores())) as (team, selector):
            busy = {worker: give(worker, waiting.popleft()) for worker in team}
            while busy:
                for key, _ in selector.select():
                    worker: Worker = key.data
                    unit = units[busy.pop(worker)]
                    receive(worker, unit, recipes)
                    for index in unit.indices:
                        path = folder / f"{index}.safetensors"
                        trained[index] = load_trained(path, partial(build, dataset=datasets[index]))
                        trained[index].recipe = recipes[index]
                        path.unlink()
                    if waiting:
                        busy[worker] = give(worker, waiting.popleft())
                    else:
                        selector.unregister(key.fileobj)
                        worker.kill()
                    for index in unit.indices:
                        on_done(index, trained[index])
    return [trained[index] for index in range(len(recipes))]


def write_units(
    folder: Path,
    units: Sequence[Unit],
    recipes: Sequence[Recipe],
    datasets: Sequence[Dataset],
    checkpoints: Sequence[Path | None],
) -> None:
    """Everything that the workers read."""
    distinct = {id(dataset): dataset for dataset in datasets}
    places = {key: place for place, key in enumerate(distinct)}
    write_datasets(folder, list(distinct.values()))
    for number, unit in enumerate(units):
        checkpoint = checkpoints[unit.indices[0]]
        task = {
            "indices": unit.indices,
            "recipes": [recipes[index].to_dict() for index in unit.indices],
            "datasets": [places[id(datasets[index])] for index in unit.indices],
            "stacked": unit.stacked,
            "checkpoint": checkpoint and str(checkpoint.absolute()),
        }
        (folder / f"unit{number}.json").write_text(canonical_json(task))


@contextmanager
def workers(folder: Path, count: int) -> Iterator[tuple[list[Worker], selectors.BaseSelector]]:
    """`count` running workers and a selector of their answers; they are killed when the block ends."""
    # -P: a file of the user's working directory must not stand in for a module.
    command = [sys.executable, "-P", "-m", "dlexp.training.worker", str(folder)]
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(count))
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    team: list[Worker] = []
    with selectors.DefaultSelector() as selector:
        try:
            for number in range(count):
                worker = subprocess.Popen(
                    [*command, str(cores[number % len(cores)])],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env=one_thread,
                    start_new_session=True,  # Ctrl-C goes to this process alone, which then ends the workers
                )
                team.append(worker)
                assert worker.stdout is not None
                selector.register(worker.stdout, selectors.EVENT_READ, worker)
            yield team, selector
        finally:
            for worker in team:
                worker.kill()
            for worker in team:
                worker.communicate()  # closes the pipes and waits for the end


def give(worker: Worker, number: int) -> int:
    """Tell `worker` the number of its next unit."""
    assert worker.stdin is not None
    try:
        worker.stdin.write(f"{number}\n".encode())
        worker.stdin.flush()
    except BrokenPipeError:  # it has died; `receive` will find that its answers have ended
        pass
    return number


def receive(worker: Worker, unit: Unit, recipes: Sequence[Recipe]) -> None:
    """Read the answer of `worker`; raises if `unit` has failed."""
    assert worker.stdout is not None
    line = worker.stdout.readline()
    index = unit.indices[0]
    if not line:
        raise DlexpError(f"replica {index} (seed {recipes[index].seed}): its worker process {ending(worker)}")
    answer: dict[str, Any] = json.loads(line)
    if "error" in answer:
        cause = WorkerError("\n" + answer["traceback"])
        kind, bad_input = answer["type"], answer["bad_input"]
        raise replica_error(index, recipes[index], answer["error"], kind, bad_input) from cause


class WorkerError(Exception):
    """Carries the traceback of another process."""


def replica_error(index: int, recipe: Recipe, message: str, kind: str | None, bad_input: bool) -> DlexpError:
    """The error that names the replica at fault, the same for every method; `kind` of one that is not dlexp's own."""
    place = "" if message.startswith("replica ") else f"replica {index} (seed {recipe.seed}): "
    if bad_input:
        return InputError(f"{place}{message}")
    return DlexpError(f"{place}{message}" if kind is None else f"{place}{kind}: {message}")


def ending(worker: Worker) -> str:
    """How a process that says no more has ended."""
    code = worker.wait(timeout=60)
    if code == -signal.SIGKILL:
        return "was killed (SIGKILL); perhaps the machine ran out of memory"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}; its own message is above"
