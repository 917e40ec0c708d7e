"""Finding exercises: by YAML and file name, in dlexp itself, in plugins and in the user's own folder.

An exercise is `conf/exercise/SLUG.yaml` plus `experiments/CHAPTER/SLUG.py`; there is no list to keep.
Listing reads YAML only; an experiment's module is imported when it is about to run.
"""

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

from dlexp.errors import InputError, nearest

REQUIRED = ("title", "chapter", "number", "statement", "references")


@dataclass(frozen=True)
class Root:
    """A folder of exercises: Hydra's name for its `conf`, and the two folders on disk."""

    search_path: str  # "pkg://dlexp.conf" or "file:///home/me/course/conf"
    conf: Path
    experiments: Path


@dataclass(frozen=True)
class Exercise:
    """What is known about an exercise without importing it."""

    slug: str
    chapter: str  # folder of the experiment, e.g. "residual"
    number: str  # as in the course's list, e.g. "7.5"
    title: str
    starred: bool
    statement: dict[str, str]  # {"pt": ..., "en": ...}
    references: tuple[str, ...]
    groups: dict[str, str]  # {"dataset": "digits", ...}: the config groups it uses and its choice in each
    parameters: dict[str, Any]  # defaults of its own parameters
    scales: dict[str, list[str]]  # scale -> overrides, as a user would type them
    root: Root

    @property
    def order(self) -> tuple[int, ...]:
        """Sorts by number: 7.5 before 7.10."""
        return tuple(int(part) for part in self.number.split(".") if part.isdigit())

    @property
    def source(self) -> Path:
        """The experiment's Python file."""
        return self.root.experiments / self.chapter / f"{self.slug}.py"


@functools.cache
def roots() -> tuple[Root, ...]:
    """dlexp's own folders, those of installed plugins, and the working directory's, in this order."""
    found = [Root("pkg://dlexp.conf", *_package_folders("dlexp"))]
    for name in _plugin_packages():
        found.append(Root(f"pkg://{name}.conf", *_package_folders(name)))
    here = Root(f"file://{Path.cwd() / 'conf'}", Path.cwd() / "conf", Path.cwd() / "experiments")
    if here.conf.is_dir() and not any(root.conf.samefile(here.conf) for root in found):
        found.append(here)
    _refuse_clashes(found)
    return tuple(found)


@functools.cache
def exercises() -> dict[str, Exercise]:
    """Every exercise by slug, in the order of the course's list."""
    found = [_read(path, root) for root in roots() for path in sorted((root.conf / "exercise").glob("*.yaml"))]
    return {exercise.slug: exercise for exercise in sorted(found, key=lambda each: (each.order, each.slug))}


def find(slug: str) -> Exercise:
    """The exercise called `slug`; InputError with the nearest name when there is none."""
    known = exercises()
    if slug not in known:
        raise InputError(f"exercise={slug}: there is no such exercise; {nearest(slug, known)}")
    return known[slug]


def load(exercise: Exercise) -> ModuleType:
    """The experiment's module, with its `Params` dataclass and its `run(lab, params)` function."""
    path = _existing_source(exercise)
    name = f"dlexp.experiments.{exercise.chapter}.{exercise.slug}"
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
            if isinstance(error, SyntaxError | ImportError):
                raise InputError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
            raise
    module = sys.modules[name]
    for part in ("Params", "run"):
        if not hasattr(module, part):
            raise InputError(f"exercise={exercise.slug}: {path} has no `{part}`")
    return module


def parameter_comments(exercise: Exercise) -> dict[str, tuple[str, str]]:
    """Each parameter's annotation and comment, read from the source of `Params` without importing it."""
    path = _existing_source(exercise)
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise InputError(f"{path}: cannot be read: SyntaxError: {error}") from error
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Params":
            return {
                field.target.id: (
                    ast.unparse(field.annotation),
                    lines[(field.end_lineno or 1) - 1][field.end_col_offset or 0 :].partition("#")[2].strip(),
                )
                for field in node.body
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            }
    return {}


def chapter_title(exercise: Exercise) -> str:
    """The chapter's title: the first line of its folder's docstring, else the folder's name."""
    module = exercise.source.parent / "__init__.py"
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) if module.is_file() else None
    return docstring.splitlines()[0] if docstring else exercise.chapter


def _existing_source(exercise: Exercise) -> Path:
    if not exercise.source.is_file():
        raise InputError(f"exercise={exercise.slug}: its experiment is missing; expected {exercise.source}")
    return exercise.source


def _read(path: Path, root: Root) -> Exercise:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not valid YAML: {reason}") from error
    meta = loaded.get("exercise") if isinstance(loaded, dict) else None
    if not isinstance(meta, dict):
        raise InputError(f"{path}: there is no `exercise:` section; `# @package _global_` files need one")
    missing = [key for key in REQUIRED if key not in meta]
    if missing:
        raise InputError(f"{path}: the `exercise:` section lacks {', '.join(missing)}")
    return Exercise(
        slug=path.stem,
        chapter=str(meta["chapter"]),
        number=str(meta["number"]),
        title=meta["title"],
        starred=bool(meta.get("starred", False)),
        statement=meta["statement"],
        references=tuple(meta["references"]),
        groups=dict(_group_choices(loaded.get("defaults") or [])),
        parameters=loaded.get("params") or {},
        scales={str(key): list(value or []) for key, value in (meta.get("scales") or {}).items()},
        root=root,
    )


def _group_choices(defaults: list[Any]) -> Iterator[tuple[str, str]]:
    for entry in defaults:
        if isinstance(entry, dict):
            for key, choice in entry.items():
                if key.startswith("override /"):
                    yield key.removeprefix("override /"), str(choice)


def _package_folders(package: str) -> tuple[Path, Path]:
    folders = []
    for part in ("conf", "experiments"):
        spec = importlib.util.find_spec(f"{package}.{part}")
        if spec is None or not spec.submodule_search_locations:
            raise InputError(f"the installed package {package} has no {part} folder; reinstall it")
        folders.append(Path(next(iter(spec.submodule_search_locations))))
    return folders[0], folders[1]


def _plugin_packages() -> list[str]:
    from importlib.metadata import entry_points

    return sorted({point.value.partition(":")[0] for point in entry_points(group="dlexp.plugins")})


def _refuse_clashes(found: list[Root]) -> None:
    """Hydra takes the first of two files of one name and silently ignores the other; we refuse."""
    owner: dict[Path, Root] = {}
    for root in found:
        for path in sorted(root.conf.rglob("*.yaml")):
            name = path.relative_to(root.conf)
            if name in owner:
                raise InputError(f"{path} has the same name as {owner[name].conf / name}; rename yours")
            owner[name] = root
