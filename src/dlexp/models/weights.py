"""State dicts from files: read without running anything, cleaned of their wrapping, checked, loaded."""

import logging
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlexp.errors import InputError
from dlexp.models.inputs import Normalized, bare
from dlexp.models.mismatch import Mismatch

WRAPPED_IN = ("state_dict", "model_state_dict", "model", "net")
"""Keys under which training scripts keep the state dict in their checkpoints."""

PREFIXES = ("module.", "_orig_mod.", "net.", "model.")
"""Left in front of every name by DataParallel, torch.compile and nets kept as an attribute of another."""

LAST_LAYERS = ("fc", "linear", "classifier", "head")
"""Names that training scripts give the last layer of the same net."""

PICKLE_MARKS = (b"PK", b"\x80")
"""First bytes of what torch.save writes: a zip archive, before PyTorch 1.6 a bare pickle."""

log = logging.getLogger(__name__)


def load_weights(net: nn.Module, path: str | Path, where: str = "model.weights") -> None:
    """Load a state dict (PyTorch or safetensors) into `net`, which is untouched if anything does not fit.

    Accepted: wrapped in `state_dict`, `model` or the like; names with the prefixes `module.`, `net.`; the
    last layer called `linear` for `fc` (or another of `LAST_LAYERS`); no `num_batches_tracked`. If the file
    was saved from a `Normalized` net, the normalisation in it is loaded as well: the net was trained with it.

    Raises:
        InputError: no such file, not a whole state dict, anything in it but tensors, or names or shapes that
            do not fit (says which). `where` names the setting at fault.
    """
    place = f"{where}={path}"
    target = bare(net)
    wants = target.state_dict()
    has, normalisation = strip_prefixes(find_state_dict(read_file(Path(path).expanduser(), place), place), wants)
    has = rename_last_layer(has, wants)
    mismatch = Mismatch(wants, has)
    if mismatch:
        cause = mismatch.likely_cause()
        raise InputError(
            f"{place}: does not fit {type(target).__name__}: {mismatch.describe()}" + (f" ({cause})" if cause else "")
        )
    if isinstance(net, Normalized):
        _load_normalisation(net, normalisation, place)
    target.load_state_dict({**wants, **has})


def read_file(path: Path, place: str) -> Any:
    """What the file holds, on the CPU. Only tensors and plain containers are read, so nothing can be run."""
    if not path.exists():
        raise InputError(f"{place}: there is no such file")
    if path.is_dir():
        raise InputError(f"{place}: is a folder; give the file with the state dict")
    try:
        with path.open("rb") as file:
            start = file.read(9)
        if path.suffix == ".safetensors" or _starts_as_safetensors(start):
            from safetensors.torch import load_file

            return load_file(path)
        with warnings.catch_warnings():  # about pickle protocols; what matters is raised
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{place}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged file can raise anything in the parsers
        raise InputError(f"{place}: {_why_unread(error, start)}") from error


def _starts_as_safetensors(start: bytes) -> bool:
    """A length of eight bytes, then a JSON object; zip archives and pickles begin with marks of their own."""
    return start[8:] == b"{" and not start.startswith(PICKLE_MARKS)


def _why_unread(error: Exception, start: bytes) -> str:
    advice = "save net.state_dict() with torch.save and give that file"
    if asked_for := re.search(r"GLOBAL (\S+)", str(error)):
        return (
            f"refused, because it holds more than tensors (it asks for {asked_for[1]}) and loading it could "
            f"run code; {advice}"
        )
    if "Unsupported operand" in str(error) and start.startswith(PICKLE_MARKS):
        return f"refused, because it is a pickle that may hold more than tensors and run code; {advice}"
    name = type(error).__name__
    return f"is damaged, cut off, or no PyTorch or safetensors file ({name}); fetch or save it again"


def find_state_dict(content: Any, place: str) -> dict[str, Tensor]:
    """The mapping from names to tensors in `content`, unwrapped from a checkpoint if need be."""
    for key in WRAPPED_IN:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            return find_state_dict(content[key], place)
    if isinstance(content, Mapping) and content:
        others = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
        if not others:
            return {str(key): value for key, value in content.items()}
        found = f"no tensors under {', '.join(others[:3])}" + (", ..." if len(others) > 3 else "")
    else:
        found = "an empty mapping" if isinstance(content, Mapping) else f"a {type(content).__name__}"
    raise InputError(f"{place}: holds no state dict but {found}; save net.state_dict()")


def strip_prefixes(
    state: Mapping[str, Tensor], wants: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """`state` with the names that `wants` uses, and apart from it `mean` and `std` of a `Normalized` net."""
    state, normalisation = dict(state), dict[str, Tensor]()
    while True:
        inner = {key: value for key, value in state.items() if key not in ("mean", "std") or key in wants}
        prefix = next((p for p in PREFIXES if inner and all(key.startswith(p) for key in inner)), None)
        if prefix is None or any(key.startswith(prefix) for key in wants):
            return state, normalisation
        if prefix == "net.":
            normalisation = {key: value for key, value in state.items() if key not in inner}
            state = inner
        state = {key.removeprefix(prefix): value for key, value in state.items()}


def rename_last_layer(state: dict[str, Tensor], wants: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` with its last layer called as in `wants` (`linear` in many CIFAR nets, `fc` here)."""
    there = [name for name in LAST_LAYERS if f"{name}.weight" in state and f"{name}.weight" not in wants]
    here = [name for name in LAST_LAYERS if f"{name}.weight" in wants and f"{name}.weight" not in state]
    if len(there) != 1 or len(here) != 1:
        return state
    old, new = f"{there[0]}.", f"{here[0]}."
    return {new + key.removeprefix(old) if key.startswith(old) else key: value for key, value in state.items()}


def _load_normalisation(net: Normalized, file: Mapping[str, Tensor], place: str) -> None:
    own = {name: getattr(net, name) for name in file}
    for name, value in file.items():
        if value.numel() not in (1, own[name].numel()):
            raise InputError(f"{place}: its {name} has {value.numel()} values, the data need {own[name].numel()}")
    for name, value in file.items():
        value = value.to(own[name]).reshape(own[name].shape if value.numel() > 1 else ())
        if not torch.equal(value.expand_as(own[name]), own[name]):
            log.warning("%s: brings its own %s, used instead of the dataset's", place, name)
        own[name].copy_(value)
