"""The user's own callables: `_target_: experiments.FILE.NAME` is NAME in ./experiments/FILE.py.

A scheduler, activation, loss, model or augmentation of one's own is one Python file there and one YAML in
./conf/GROUP/. A plugin's callables are named by its package (`my_course.losses.MyLoss`).
"""

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from dlexp.errors import InputError, nearest, one_line

FOLDER = "experiments"


def import_file(name: str, path: Path) -> ModuleType:
    """The module in the file `path`, under `name` in `sys.modules`.

    Raises:
        InputError: it cannot be imported.
    """
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up while it is being executed
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            del sys.modules[name]
            if isinstance(error, Exception):
                raise InputError(f"{path}: cannot be imported: {one_line(error)}") from error
            raise
    return sys.modules[name]


def is_own(target: str) -> bool:
    """Whether a `_target_` names a callable of the user's folder or of an installed plugin."""
    from dlexp.registry import plugin_packages

    return target.partition(".")[0] in (FOLDER, *plugin_packages())


def locate_own(target: str, where: str) -> Callable[..., Any]:
    """The callable behind `experiments.FILE.NAME` (FILE may lie in a folder: `experiments.ideas.FILE.NAME`).

    Raises:
        InputError: there is no such file, it cannot be imported, or it has no such callable.
    """
    module_name, _, name = target.rpartition(".")
    path = source_of(target)
    if path is None:
        wanted = "/".join([*module_name.split("."), ""])[:-1] + ".py"
        raise InputError(f"{where}: _target_ '{target}' does not exist: there is no {wanted} here")
    module = import_file(f"dlexp.own.{module_name}", path)
    found: Callable[..., Any] | None = getattr(module, name, None)
    if found is None or not callable(found):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise InputError(f"{where}: _target_ '{target}' does not exist; {nearest(name, public)}")
    return found


def source_of(target: str) -> Path | None:
    """The file that `target` is defined in; None if there is none."""
    from dlexp.registry import roots

    package, *inside = target.split(".")[:-1]
    if package != FOLDER:
        spec = importlib.util.find_spec(".".join([package, *inside]))
        return Path(spec.origin) if spec is not None and spec.origin else None
    files = (root.experiments.joinpath(*inside).with_suffix(".py") for root in roots() if inside)
    return next((file for file in files if file.is_file()), None)


def own_sources(node: Any) -> dict[str, str]:
    """SHA-256 of the file behind each of the user's callables in a config node: part of what identifies a net."""
    return {target: _sha256(source_of(target)) for target in sorted(set(_targets(node))) if is_own(target)}


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "_target_":
                yield str(value)
            else:
                yield from _targets(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _targets(value)


def _sha256(path: Path | None) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None else ""
