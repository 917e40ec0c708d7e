"""Trained nets kept by content: train once, probe many times."""

import functools
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from filelock import BaseFileLock, FileLock
from torch import nn

from dlexp.own_code import own_sources
from dlexp.training.recipe import Recipe, canonical_json
from dlexp.training.single import Trained
from dlexp.training.trained_file import DamagedFileError, load_trained, read_header, save_trained

log = logging.getLogger(__name__)

CODE = ("data", "models", "training", "probes/fisher.py", "probes/gradient_squares.py")
"""The packages and files whose source decides what a training gives: its weights, and what is measured on the way."""

ABANDONED_AFTER = 3600.0
"""Seconds after which the temporary file of a writer that was killed is removed."""


@dataclass(frozen=True)
class Entry:
    """A kept net, as `dlexp store` lists it."""

    key: str
    bytes: int
    last_used: float  # seconds since the epoch
    recipe: dict[str, Any]
    history: list[dict[str, float]]

    @property
    def description(self) -> str:
        """The net in one line: model and its numbers, epochs, seed, last training loss."""
        model = self.recipe["model"]
        keys = [f"{key}={value}" for key, value in model.items() if key[0] != "_" and isinstance(value, int | list)]
        name = str(model.get("_target_", "?")).rpartition(".")[2]
        loss = f", train_loss {self.history[-1]['train_loss']:.3g}" if self.history else ""
        return f"{' '.join([name, *keys])}; {len(self.history)} epochs, seed {self.recipe['seed']}{loss}"


SLACK = 0.01
"""Share of its size by which a store may outgrow it between two looks."""

MANY_LOCKS = 128


class Store:
    """A folder of trained nets, one file for each, safe with several processes at once.

    Files are written whole or not at all; a damaged one counts as absent and is removed. When the folder
    outgrows `max_bytes` (by a hundredth, or more), the nets that have not been used for longest go, but never the one
    just written.
    """

    def __init__(self, root: Path, max_bytes: int) -> None:
        self.root = Path(root)
        self.max_bytes = max_bytes
        self._grown = max_bytes  # bytes written since the size was last looked at: the first write looks

    def key(self, recipe: Recipe, fingerprint: str, arithmetic: str = "") -> str:
        """SHA-256 over all that determines a trained net.

        These are the recipe (and the contents of its weights file), the dataset's `fingerprint`, the source
        code of the training path and of the user's own callables, torch's version, and the `arithmetic` of the
        `Plan`, because a sum in another order rounds differently.
        """
        weights = recipe.model.get("weights")
        return hashlib.sha256(
            canonical_json(
                {
                    "recipe": recipe.identity(),
                    "weights": _file_sha256(Path(weights)) if weights else None,
                    "dataset": fingerprint,
                    "arithmetic": arithmetic,
                    "own_code": own_sources(recipe.to_dict()),
                    "code": code_version(),
                    "torch": torch.__version__,
                }
            ).encode()
        ).hexdigest()

    def get(self, key: str, build: Callable[[Recipe], nn.Module]) -> Trained | None:
        """The net kept under `key`, on the CPU and in eval mode, or None; `build` makes the untrained net."""
        path = self.path(key)
        try:
            trained = load_trained(path, build)
            os.utime(path)
        except FileNotFoundError:
            return None
        except DamagedFileError as error:
            log.warning("a kept net is damaged and will be trained again: %s", error)
            path.unlink(missing_ok=True)
            return None
        return trained

    def put(self, key: str, trained: Trained) -> None:
        """Keep `trained` under `key`; make room now and then."""
        save_trained(self.path(key), trained)
        self._grown += _size(self.path(key))
        if self._grown > self.max_bytes * SLACK:  # looking at every file after every net would take longer than a net
            self._make_room(keep=self.path(key))
            self._grown = 0

    def lock(self, key: str) -> BaseFileLock:
        """A lock that one process at a time holds while it trains the net of `key`; it ends with its process.

        Whoever had to wait should look with `get` again. Take several locks in the order of their keys.
        """
        folder = self.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{key}.lock")

    def locks(self, keys: Iterable[str]) -> list[BaseFileLock]:
        """The locks of `keys`, in their order; one for all together where they are many (each is an open file)."""
        ordered = sorted(set(keys))
        if len(ordered) > MANY_LOCKS:
            ordered = [hashlib.sha256("".join(ordered).encode()).hexdigest()]
        return [self.lock(key) for key in ordered]

    def get_or_train(self, key: str, build: Callable[[Recipe], nn.Module], train: Callable[[], Trained]) -> Trained:
        """The net kept under `key`; if there is none, this or another process trains it, and one only."""
        found = self.get(key, build)
        if found is None:
            with self.lock(key):
                found = self.get(key, build)
                if found is None:
                    found = train()
                    self.put(key, found)
        return found

    def entries(self) -> list[Entry]:
        """What is kept, the last used first; damaged files are left out."""
        found = []
        for path in self._by_age():
            try:
                status, header = path.stat(), read_header(path)
            except (DamagedFileError, FileNotFoundError):
                continue
            found.append(Entry(path.stem, status.st_size, status.st_mtime, **header))
        return found[::-1]

    def clear(self) -> int:
        """Remove every net and the checkpoints of interrupted trainings; returns how many bytes that freed."""
        return sum(self._remove(path) for path in [*self._by_age(), *self._checkpoints()])

    def path(self, key: str) -> Path:
        """The file of `key`, there or not."""
        return self.root / f"{key}.safetensors"

    def checkpoint(self, key: str) -> Path:
        """Where the net of `key` leaves its checkpoints while it is trained, there or not."""
        return self.root / "checkpoints" / f"{key}.pt"

    def _make_room(self, keep: Path) -> None:
        with FileLock(self.root / "room.lock"):  # else two processes would each remove enough for both
            for path in [*self.root.glob(".*.tmp"), *self.root.glob("checkpoints/.*.tmp")]:
                if time.time() - _modified(path) > ABANDONED_AFTER:
                    path.unlink(missing_ok=True)
            paths = sorted([*self._by_age(), *self._checkpoints()], key=_modified)
            excess = sum(_size(path) for path in paths) - self.max_bytes
            for path in paths:
                if excess <= 0:
                    return
                if path != keep:
                    excess -= self._remove(path)

    def _remove(self, path: Path) -> int:
        size = _size(path)
        path.unlink(missing_ok=True)
        if path.parent == self.root:  # else its net is perhaps being trained, under this lock
            (self.root / "locks" / f"{path.stem}.lock").unlink(missing_ok=True)
        return size

    def _checkpoints(self) -> list[Path]:
        return list((self.root / "checkpoints").glob("[!.]*.pt"))

    def _by_age(self) -> Sequence[Path]:
        """All nets, the least recently used first."""
        return sorted(self.root.glob("[!.]*.safetensors"), key=_modified)


@functools.cache
def code_version() -> str:
    """SHA-256 over the source files in `CODE`, by relative path and contents."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    parts = [here / part for part in CODE]
    for path in sorted(path for part in parts for path in (part.rglob("*.py") if part.is_dir() else [part])):
        digest.update(f"{path.relative_to(here).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _file_sha256(path: Path) -> str | None:
    """None if there is no such file: building the model will say so."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _modified(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0
