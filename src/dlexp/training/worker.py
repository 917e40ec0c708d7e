"""A worker process: `python -m dlexp.training.worker FOLDER CORE` trains the recipes whose numbers it is told.

One number per line comes in on stdin; one JSON line per finished recipe goes out on stdout. The dataset, the
recipes and the results are files in FOLDER. When stdin ends, the parent has died: the worker goes, too.
"""

import json
import os
import shutil
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import torch
from torch import Tensor

from dlexp.data import Dataset
from dlexp.errors import InputError
from dlexp.training.handover import read_dataset
from dlexp.training.recipe import Recipe
from dlexp.training.single import train_one
from dlexp.training.trained_file import save_trained


def main(folder: Path, core: int) -> None:
    """Train until the parent ends this process; `core` is the CPU core to stay on if need be."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    torch.set_num_threads(1)
    numbers: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=_listen, args=(folder, numbers), daemon=True).start()
    dataset = read_dataset(folder)
    if not isinstance(dataset.train.x, Tensor) and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})  # images are decoded by as many threads as there are cores
    while True:
        index = numbers.get()
        print(json.dumps({"index": index, **_train(folder, index, dataset)}), file=answers)


def _train(folder: Path, index: int, dataset: Dataset) -> dict[str, Any]:
    try:
        task = json.loads((folder / f"{index}.json").read_text())
        checkpoint = Path(task["checkpoint"]) if task["checkpoint"] else None
        trained = train_one(Recipe.from_dict(task["recipe"]), dataset, checkpoint=checkpoint)
        save_trained(folder / f"{index}.safetensors", trained)
    except Exception as error:
        return {
            "error": str(error),
            "type": type(error).__name__,
            "bad_input": isinstance(error, InputError),
            "traceback": traceback.format_exc(),
        }
    return {}


def _listen(folder: Path, numbers: "SimpleQueue[int]") -> None:
    for line in sys.stdin:
        numbers.put(int(line))
    shutil.rmtree(folder, ignore_errors=True)  # nobody else is left to do it
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
