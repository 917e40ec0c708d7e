"""A trained net as one safetensors file: weights, snapshots, and in the header its history and recipe.

The header also holds a SHA-256 of the tensors, so that a damaged file is never taken for a net.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dlexp.training.callbacks import copied_state
from dlexp.training.checkpoint import replacing
from dlexp.training.recipe import Recipe, canonical_json
from dlexp.training.single import Trained


class DamagedFileError(Exception):
    """The file is torn, altered or something else."""


def save_trained(path: Path, trained: Trained) -> None:
    """Write `trained` to `path`, which is either whole or as before."""
    tensors = {f"net/{name}": tensor for name, tensor in copied_state(trained.net).items()}
    for epoch, state in trained.snapshots.items():
        tensors |= {f"snapshot/{epoch}/{name}": tensor.contiguous() for name, tensor in state.items()}
    header = {
        "recipe": canonical_json(trained.recipe.to_dict()),
        "history": json.dumps(trained.history),
        "sha256": _sha256(tensors),
    }
    with replacing(path, durable=False) as temporary:  # a torn file is found by its checksum, and trained again
        save_file(tensors, temporary, metadata=header)


def load_trained(path: Path, build: Callable[[Recipe], nn.Module]) -> Trained:
    """What `save_trained` wrote, on the CPU and in eval mode; `build` makes the net the weights go into.

    torch's global random state is left alone.

    Raises:
        DamagedFileError: the file is damaged.
        FileNotFoundError: there is none.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
            # Copies: the file behind a mapped tensor could go while the tensor is in use.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        if header["sha256"] != _sha256(tensors):
            raise DamagedFileError(f"{path}: the checksum does not fit")
        recipe, history = Recipe.from_dict(json.loads(header["recipe"])), json.loads(header["history"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{path}: {error}") from error
    with torch.random.fork_rng([]):
        net = build(recipe)
    net.load_state_dict(_below("net/", tensors))
    epochs = sorted({int(name.split("/")[1]) for name in tensors if name.startswith("snapshot/")})
    snapshots = {epoch: _below(f"snapshot/{epoch}/", tensors) for epoch in epochs}
    return Trained(net.eval(), history, recipe, snapshots)


def read_header(path: Path) -> dict[str, Any]:
    """`recipe` (dict) and `history` of the file without reading its weights. Raises DamagedFileError."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata()
        return {name: json.loads(header[name]) for name in ("recipe", "history")}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise DamagedFileError(f"{path}: {error}") from error


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _sha256(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
