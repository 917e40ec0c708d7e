"""Finding exercises: by YAML and file name, in dlexp itself, in plugins and in the user's own folder.

An exercise is `conf/exercise/SLUG.yaml` plus `experiments/CHAPTER/SLUG.py`; there is no list to keep.
Listing reads YAML only; an experiment's module is imported when it is about to run.
"""

import ast
import functools
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from dlexp.errors import DlexpError, InputError, nearest, one_line
from dlexp.own_code import import_file
from dlexp.schema import build_params

HEADER = "# @package _global_"
"""The line that makes Hydra read an exercise's file as the root of the configuration."""


@dataclass(frozen=True)
class Root:
    """A folder of exercises: Hydra's name for its `conf`, and the two folders on disk."""

    search_path: str  # "pkg://dlexp.conf" or "file:///home/me/course/conf"
    conf: Path
    experiments: Path

    @property
    def folders(self) -> list[Path]:
        """Those of the two that there are."""
        return [folder for folder in (self.conf, self.experiments) if folder.is_dir()]


@dataclass(frozen=True)
class Section:
    """The `exercise:` section of an exercise's YAML."""

    title: str
    chapter: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")]  # names a folder
    number: Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]  # quoted in YAML: 7.10 is not the number 7.1
    statement: dict[str, str]
    references: list[str]
    starred: bool = False
    scales: dict[Literal["smoke", "default", "paper"], list[str] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if set(self.statement) != {"pt", "en"}:
            raise ValueError("the statement needs a text under pt and one under en")


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
        return tuple(int(part) for part in self.number.split("."))

    @property
    def file(self) -> Path:
        """Its YAML."""
        return self.root.conf / "exercise" / f"{self.slug}.yaml"

    @property
    def source(self) -> Path:
        """The experiment's Python file."""
        return self.root.experiments / self.chapter / f"{self.slug}.py"


@functools.cache
def roots() -> tuple[Root, ...]:
    """dlexp's own folders, those of installed plugins, and the working directory's, in this order."""
    found = [Root("pkg://dlexp.conf", *_package_folders("dlexp"))]
    for name in plugin_packages():
        found.append(Root(f"pkg://{name}.conf", *_package_folders(name)))
    here = Root(f"file://{Path.cwd() / 'conf'}", Path.cwd() / "conf", Path.cwd() / "experiments")
    in_dlexp_itself = any(folder.samefile(of) for folder in here.folders for root in found for of in root.folders)
    if here.folders and not in_dlexp_itself:
        found.append(here)
    _refuse_clashes(found)
    return tuple(found)


@functools.cache
def exercises() -> dict[str, Exercise]:
    """Every exercise by slug, in the order of the course's list."""
    found = [_read(path, root) for root in roots() for path in sorted((root.conf / "exercise").glob("[!_]*.yaml"))]
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
    module = import_file(name, path)
    for part in ("Params", "run"):
        if not hasattr(module, part):
            raise InputError(f"exercise={exercise.slug}: {path} has no `{part}`")
    return module


def parameter_comments(exercise: Exercise) -> dict[str, tuple[str, str]]:
    """Each parameter's annotation and comment, read from the source of `Params` without importing it."""
    path = _existing_source(exercise)
    lines = path.read_text(encoding="utf-8").splitlines()
    tree = _parse(path)
    choices = {**_imported_choices(tree), **_choices(tree)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "Params":
            return {
                field.target.id: (
                    re.sub(r"\w+", lambda word: choices.get(word[0], word[0]), ast.unparse(field.annotation)),
                    lines[(field.end_lineno or 1) - 1][field.end_col_offset or 0 :].partition("#")[2].strip(),
                )
                for field in node.body
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            }
    return {}


def _choices(tree: ast.Module) -> dict[str, str]:
    """The names that stand for a `Literal[...]` in a module, with what they stand for."""
    return {
        node.targets[0].id: ast.unparse(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        if isinstance(node.value, ast.Subscript) and ast.unparse(node.value.value) == "Literal"
    }


def _imported_choices(tree: ast.Module) -> dict[str, str]:
    """The same for the names that a module has from one of dlexp's."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dlexp."):
            file = Path(__file__).parent.joinpath(*str(node.module).split(".")[1:]).with_suffix(".py")
            known = _choices(_parse(file)) if file.is_file() else {}
            found |= {name.asname or name.name: known[name.name] for name in node.names if name.name in known}
    return found


def chapter_title(exercise: Exercise) -> str:
    """The chapter's title: the first line of its folder's docstring, else the folder's name."""
    module = exercise.source.parent / "__init__.py"
    docstring = ast.get_docstring(_parse(module)) if module.is_file() else None
    return docstring.splitlines()[0] if docstring else exercise.chapter


def _existing_source(exercise: Exercise) -> Path:
    if not exercise.source.is_file():
        raise InputError(f"exercise={exercise.slug}: its experiment is missing; expected {exercise.source}")
    return exercise.source


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {one_line(error)}") from error


@functools.cache
def root_keys() -> tuple[str, ...]:
    """The keys that stand at the root of a configuration: those of conf/config.yaml and the groups of exercises."""
    of_exercises = (group for exercise in exercises().values() for group in exercise.groups)
    keys = dict.fromkeys([*_defaults(_config()), *_config(), *of_exercises])
    return tuple(key for key in keys if key != "defaults")


def optional_groups() -> list[str]:
    """The groups that a run may leave out: empty in conf/config.yaml."""
    return [group for group, choice in _defaults(_config()).items() if choice is None]


@functools.cache
def groups() -> frozenset[str]:
    """Every config group: the folders of all `conf`, e.g. "model" or "hydra/launcher"."""
    files = ((root.conf, path) for root in roots() for path in root.conf.rglob("*.yaml"))
    return frozenset(path.parent.relative_to(conf).as_posix() for conf, path in files) - {"."}


def options(group: str) -> list[str]:
    """The choices in a config group."""
    return sorted({path.stem for root in roots() for path in (root.conf / group).glob("[!_]*.yaml")})


def option_node(group: str, name: str, config: dict[str, Any]) -> dict[str, Any]:
    """The node of `conf/GROUP/NAME.yaml` with what its own `defaults` name, interpolations resolved in `config`.

    Raises:
        InputError: there is none of that name.
    """
    from omegaconf import OmegaConf

    folder = next((root.conf / group for root in roots() if (root.conf / group / f"{name}.yaml").is_file()), None)
    if folder is None or name.startswith("_"):
        raise InputError(f"{group}={name}: there is no such {group}; {nearest(name, options(group))}")
    merged = OmegaConf.create({**config, group: _with_defaults(folder, name)})
    resolved: dict[str, Any] = OmegaConf.to_container(merged[group], resolve=True)  # type: ignore[assignment]
    return resolved


def _with_defaults(folder: Path, name: str) -> dict[str, Any]:
    from omegaconf import OmegaConf

    try:  # not _load_yaml: the two read numbers such as 1e-4 differently, and Hydra reads them as this does
        loaded: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(folder / f"{name}.yaml"))  # type: ignore[assignment]
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise InputError(f"{folder / name}.yaml: not valid YAML: {' '.join(str(error).split())}") from error
    inherited = [_with_defaults(folder, each) for each in loaded.pop("defaults", []) if each != "_self_"]
    return {key: value for node in [*inherited, loaded] for key, value in node.items()}


@functools.cache
def _config() -> dict[str, Any]:
    loaded: dict[str, Any] = _load_yaml(roots()[0].conf / "config.yaml")
    return loaded


def _defaults(config: dict[str, Any]) -> dict[str, str | None]:
    entries = [entry for entry in config["defaults"] if isinstance(entry, dict)]
    return {key: choice for entry in entries for key, choice in entry.items() if not key.startswith("override ")}


def _load_yaml(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error


def _read(path: Path, root: Root) -> Exercise:
    loaded = _load_yaml(path)
    given = loaded.get("exercise") if isinstance(loaded, dict) else None
    if not isinstance(given, dict):
        raise InputError(f"{path}: there is no `exercise:` section")
    missing = [each.name for each in fields(Section)[:5] if each.name not in given]
    if missing:
        raise InputError(f"{path}: the `exercise:` section lacks {', '.join(missing)}")
    section = build_params(Section, given, f"{path}: exercise")
    if HEADER not in path.read_text(encoding="utf-8").splitlines():
        raise InputError(f"{path}: its first line must be {HEADER}")
    parameters = loaded.get("params") or {}
    if not isinstance(parameters, dict):
        raise InputError(f"{path}: `params:` must hold keys")
    return Exercise(
        slug=path.stem,
        chapter=section.chapter,
        number=section.number,
        title=section.title,
        starred=section.starred,
        statement=section.statement,
        references=tuple(section.references),
        groups=dict(_group_choices(loaded.get("defaults") or [])),
        parameters=parameters,
        scales={str(key): list(value or []) for key, value in section.scales.items()},
        root=root,
    )


def _group_choices(defaults: list[Any]) -> Iterator[tuple[str, str]]:
    """Where each group of an exercise's defaults list lands, and its choice: `/model@teacher: mlp` is `teacher`."""
    for entry in defaults:
        if isinstance(entry, dict):
            for key, choice in entry.items():
                group, _, package = key.removeprefix("override ").removeprefix("/").partition("@")
                if not group.startswith("hydra/"):
                    yield package.removeprefix("_global_.") or group, str(choice)


def _package_folders(package: str) -> tuple[Path, Path]:
    folders = []
    for part in ("conf", "experiments"):
        try:
            spec = importlib.util.find_spec(f"{package}.{part}")
        except Exception as error:  # the package itself cannot be imported
            raise DlexpError(f"the plugin {package} cannot be imported: {one_line(error)}") from error
        if spec is None or not spec.submodule_search_locations:
            raise DlexpError(f"the installed package {package} has no {part} folder; reinstall it")
        folders.append(Path(next(iter(spec.submodule_search_locations))))
    return folders[0], folders[1]


@functools.cache
def plugin_packages() -> tuple[str, ...]:
    """The installed packages that bring exercises of their own (entry points of the group `dlexp.plugins`)."""
    from importlib.metadata import entry_points

    return tuple(sorted({point.value.partition(":")[0] for point in entry_points(group="dlexp.plugins")}))


def _refuse_clashes(found: list[Root]) -> None:
    """Hydra takes the first of two files of one name and silently ignores the other; we refuse."""
    owner: dict[Path, Root] = {}
    for root in found:
        for path in sorted(root.conf.rglob("*.yaml")):
            name = path.relative_to(root.conf)
            if name in owner:
                first = owner[name].conf / name
                if path.read_bytes() == first.read_bytes() and name.name == "config.yaml":
                    raise InputError(
                        f"{root.conf.parent} is a copy of dlexp, but the one that runs is installed in "
                        f"{found[0].conf.parent}; install the copy (pip install -e .) or work in another folder"
                    )
                raise InputError(f"{path} has the same name as {first}; rename yours")
            owner[name] = root
