"""Datasets on their way to worker processes: through a private folder, memory-mapped, read once by each.

Files rather than shared memory, because /dev/shm is small in many containers.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from dlexp.data import Dataset


def write_datasets(folder: Path, datasets: Sequence[Dataset]) -> None:
    """Write `datasets` into `folder`, which is the caller's own.

    A tensor that several of them share (the same images under other labels) is written once.
    """
    with (folder / "datasets.pickle").open("wb") as file:
        pickler = _Pickler(file)
        pickler.dump(list(datasets))
    torch.save(pickler.tensors, folder / "tensors.pt")


def read_datasets(folder: Path) -> list[Dataset]:
    """The datasets of `write_datasets`; pages of their tensors are shared by all processes that read them."""
    tensors = torch.load(folder / "tensors.pt", mmap=True, weights_only=True)
    with (folder / "datasets.pickle").open("rb") as file:
        datasets: list[Dataset] = _Unpickler(file, tensors).load()
    return datasets


class _Pickler(pickle.Pickler):
    """Pickles everything but the tensors, which it collects."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.tensors: list[Tensor] = []
        self._places: dict[int, int] = {}

    def persistent_id(self, obj: Any) -> int | None:
        if not isinstance(obj, Tensor):
            return None
        if id(obj) not in self._places:
            self._places[id(obj)] = len(self.tensors)
            self.tensors.append(obj.detach().cpu())
        return self._places[id(obj)]


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, tensors: list[Tensor]) -> None:
        super().__init__(file)
        self.tensors = tensors

    def persistent_load(self, pid: int) -> Tensor:
        return self.tensors[pid]
