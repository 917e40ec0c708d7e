"""Exact resume: a training that was interrupted and resumed ends in the same bits as one that was not."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from dlexp.errors import InputError
from dlexp.training.callbacks import Callback, Training
from dlexp.training.recipe import plain


class Checkpoint(Callback):
    """Writes the whole training to `path` after every `every`-th epoch and after the last.

    Give it last, so that the history and the states of `others`, the callbacks before it, are complete.
    """

    def __init__(self, path: Path, every: int, identity: Mapping[str, Any], others: Sequence[Callback]) -> None:
        self.path, self.every, self.identity, self.others = path, every, identity, others

    def on_epoch_end(self, training: Training) -> None:
        last = training.epoch == training.trainer.epochs or training.stop
        if last or training.epoch % self.every == 0:
            write_checkpoint(self.path, training, self.identity, self.others)


def write_checkpoint(
    path: Path, training: Training, identity: Mapping[str, Any], callbacks: Sequence[Callback] = ()
) -> None:
    """Everything the loop needs to go on, in one file that is either whole or absent."""
    device = training.noise.device
    state = {
        "identity": plain(identity),
        "net": training.net.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "scheduler": training.scheduler.state_dict() if training.scheduler else None,
        "callbacks": [callback.state_dict() for callback in callbacks],
        "progress": {
            "epoch": training.epoch,
            "step": training.step,
            "history": training.history,
            "stop": training.stop,
        },
        "rng": {
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            "data_order": training.data_order.get_state(),
            "noise": training.noise.get_state(),
        },
    }
    with replacing(path) as temporary:
        torch.save(state, temporary)


def read_checkpoint(
    path: Path, training: Training, identity: Mapping[str, Any], callbacks: Sequence[Callback] = ()
) -> None:
    """Put `training`, its callbacks and torch's random state where the checkpoint left them.

    Raises:
        InputError: the file is torn or no checkpoint (it is never half-written by `write_checkpoint`, so
            something else went wrong), or it belongs to another recipe or dataset.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        found = state["identity"]
    except Exception as error:  # zipfile, pickle, key and OS errors all mean the same to the user
        raise InputError(
            f"checkpoint={path}: torn or not a checkpoint of dlexp; delete it to train from the start"
        ) from error
    if found != plain(identity):
        raise InputError(
            f"checkpoint={path}: it belongs to another training ({first_difference(found, plain(identity))}); "
            "delete it or choose another path"
        )
    if len(state["callbacks"]) != len(callbacks):
        raise InputError(
            f"checkpoint={path}: it was written with {len(state['callbacks'])} callbacks, "
            f"and now there are {len(callbacks)}; give the same ones"
        )
    training.net.load_state_dict(state["net"])
    training.optimizer.load_state_dict(state["optimizer"])
    if training.scheduler:
        training.scheduler.load_state_dict(state["scheduler"])
    for callback, kept in zip(callbacks, state["callbacks"], strict=True):
        callback.load_state_dict(kept)
    for name, value in state["progress"].items():
        setattr(training, name, value)
    torch.set_rng_state(state["rng"]["cpu"])
    if state["rng"]["cuda"] is not None:
        torch.cuda.set_rng_state(state["rng"]["cuda"], training.noise.device)
    training.data_order.set_state(state["rng"]["data_order"])
    training.noise.set_state(state["rng"]["noise"])


def first_difference(there: Any, here: Any, where: str = "") -> str:
    """The first place where two nested dicts differ, such as `optimizer.lr: 0.1 there, 0.2 here`."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for key in sorted({*there, *here}):
            if there.get(key) != here.get(key):
                return first_difference(there.get(key), here.get(key), f"{where}.{key}" if where else key)
    return f"{where}: {there} there, {here} here"


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """A temporary file in the folder of `path` that takes its place when the block ends without an error.

    `durable`: a power cut leaves the old file or the new one; without, it may leave a torn one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())  # else a power cut can leave the new name on an empty file
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
