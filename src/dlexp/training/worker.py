"""A worker process: `python -m dlexp.training.worker FOLDER CORE` trains the units whose numbers it is told.

One number per line comes in on stdin; one JSON line per finished unit goes out on stdout. The datasets, the units
and the results are files in FOLDER. When stdin ends, the parent has died: the worker goes, too.
"""

import json
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor

from dlexp.data import Dataset
from dlexp.errors import DlexpError, InputError
from dlexp.training.handover import read_datasets
from dlexp.training.recipe import Recipe
from dlexp.training.single import Trained, train_one
from dlexp.training.stacked import train_stacked
from dlexp.training.trained_file import save_trained


def main(folder: Path, core: int) -> None:
    """Train until the parent ends this process; `core` is the CPU core to stay on if need be."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    torch.set_num_threads(1)
    numbers: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=_listen, args=(folder, numbers), daemon=True).start()
    datasets = read_datasets(folder)
    decoding = any(not isinstance(dataset.train.x, Tensor) for dataset in datasets)
    if decoding and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})  # images are decoded by as many threads as there are cores
    while True:
        number = numbers.get()
        print(json.dumps({"unit": number, **_train(folder, number, datasets)}), file=answers)


def _train(folder: Path, number: int, datasets: Sequence[Dataset]) -> dict[str, Any]:
    try:
        unit = json.loads((folder / f"unit{number}.json").read_text())
        recipes = [Recipe.from_dict(each) for each in unit["recipes"]]
        data = [datasets[place] for place in unit["datasets"]]
        if unit["stacked"]:
            trained = train_stacked(recipes, data, torch.device("cpu"), unit["indices"])
        else:
            trained = [_alone(recipes[0], data[0], unit["checkpoint"])]
        for index, each in zip(unit["indices"], trained, strict=True):
            save_trained(folder / f"{index}.safetensors", each)
    except Exception as error:
        return {
            "error": str(error),
            "type": None if isinstance(error, DlexpError) else type(error).__name__,
            "bad_input": isinstance(error, InputError),
            "traceback": traceback.format_exc(),
        }
    return {}


def _alone(recipe: Recipe, dataset: Dataset, checkpoint: str | None) -> Trained:
    return train_one(recipe, dataset, checkpoint=Path(checkpoint) if checkpoint else None)


def _listen(folder: Path, numbers: "SimpleQueue[int]") -> None:
    for line in sys.stdin:
        numbers.put(int(line))
    shutil.rmtree(folder, ignore_errors=True)  # nobody else is left to do it
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
