"""From command-line words to what Hydra composes: flags, overrides, scales."""

import contextlib
import io
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import OverrideParseException
from omegaconf import OmegaConf

from dlexp import registry
from dlexp.errors import InputError, nearest

TAKES_VALUE = {
    "--cfg",
    "-c",
    "--package",
    "-p",
    "--config-path",
    "-cp",
    "--config-name",
    "-cn",
    "--config-dir",
    "-cd",
    "--experimental-rerun",
}
"""Hydra's options that are followed by a value of their own; that of `--info`, one of `INFO`, may be left out."""
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Hydra's flags with their values, and the overrides: its parser wants them in this order, people write any.

    Raises:
        InputError: there is no such flag, or its value is missing or not valid.
    """
    flags: list[str] = []
    overrides: list[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        (flags if word.startswith("-") else overrides).append(word)
        if word in ("--info", "-i"):  # Hydra would take an override for its value
            flags.append(words.pop(0) if words and words[0] in INFO else "all")
        elif word in TAKES_VALUE and words:
            flags.append(words.pop(0))
    _check_flags(flags)
    return flags, overrides


def _check_flags(flags: Sequence[str]) -> None:
    parser = get_args_parser()
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            _, unknown = parser.parse_known_args(flags)
    except SystemExit as stop:
        if not stop.code:  # --version has said what it had to say
            raise
        raise InputError(" ".join(said.getvalue().partition("error: ")[2].split())) from stop
    if unknown:
        options = ["--debug", *(action.option_strings[0] for action in parser._actions if action.option_strings)]
        raise InputError(f"{unknown[0]}: there is no such option; {nearest(unknown[0], options)}")


def with_user_folders(overrides: Sequence[str]) -> list[str]:
    """Put `./conf` and the configs of plugins on Hydra's search path, unless the user sets it."""
    extra = [root.search_path for root in registry.roots()[1:] if root.conf.is_dir()]
    if not extra or any(word.lstrip("+").startswith("hydra.searchpath=") for word in overrides):
        return list(overrides)
    escaped = (path.replace("\\", "\\\\").replace("'", "\\'") for path in extra)
    quoted = ",".join(f"'{path}'" for path in escaped)
    return [f"hydra.searchpath=[{quoted}]", *overrides]


def expand_scale(overrides: Sequence[str]) -> list[str]:
    """Put the overrides of the chosen scale, which stand in the exercise's YAML, before the user's own.

    What the user sets wins: a scale's override of the same key is dropped, and so are its values inside a
    group that the user chooses anew. Expanding twice changes nothing. When the exercise or the scale is
    itself swept, the words are returned as they are: the sweeper expands each job.

    Raises:
        InputError: no exercise is named, there is none of that name, or an override is not a valid one.
        OverrideParseException: an override is not in Hydra's grammar.
    """
    given = [_parse(word) for word in overrides]
    chosen = {each.key_or_group: each for each in given if each.key_or_group in ("exercise", "scale")}
    if "exercise" not in chosen or chosen["exercise"].is_delete():
        raise InputError("no exercise named: say exercise=SLUG; `dlexp list` shows them")
    if any(each.is_sweep_override() for each in chosen.values()):
        return list(overrides)
    exercise = registry.find(_text(chosen["exercise"]))
    scale = _text(chosen["scale"]) if "scale" in chosen else "default"
    own = {each.key_or_group for each in given}
    groups = {key for key in own if "." not in key}
    kept = []
    for word in exercise.scales.get(scale, []):
        try:
            key = _parse(word).key_or_group
        except (OverrideParseException, InputError) as error:
            raise InputError(
                f"{exercise.file}: scales.{scale}: {word!r} is not an override; write KEY=VALUE"
            ) from error
        if key not in own and key.partition(".")[0] not in groups:
            kept.append(word)
    return [*kept, *overrides]


def is_swept(word: str) -> bool:
    """Whether an override like `seed=0,1` or `model.depth=range(8,32,6)` names several values."""
    return bool(OverridesParser.create().parse_override(word).is_sweep_override())


def _text(override: Override) -> str:
    value = override.value()
    return value if isinstance(value, str) else override.input_line.partition("=")[2]


def _parse(word: str) -> Override:
    """One override, refused where Hydra's own message would be of no use."""
    (override,) = OverridesParser.create().parse_overrides([word])  # its error, unlike parse_override's, has the word
    key, value = override.key_or_group, override.value()
    if not key:
        raise InputError(f"{word}: not a valid override; write KEY=VALUE")
    root, known = re.split("[./]", key)[0], registry.root_keys()
    if override.is_delete():
        if root in known and root not in registry.optional_groups():
            raise InputError(f"{word}: {key} cannot be left out")
    elif override.type is not OverrideType.CHANGE and override.package is None and root not in known:
        raise InputError(f"{key}: there is no such key; {nearest(root, known)}")
    if key in registry.groups() and not override.is_delete() and not override.is_sweep_override():
        if value is None and key in registry.optional_groups():
            raise InputError(f"{word}: to leave the group out say ~{key}")
        if not isinstance(value, str | list) or ".." in str(value):
            raise InputError(f"{word}: there is no such {key}; {nearest(str(value), registry.options(key))}")
    return override


def show_path(path: Path) -> str:
    """A path relative to the working directory where that is shorter."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def register_resolvers() -> None:
    """`${dlexp.token:}`: four random characters, so that two runs of the same second never share a folder."""
    OmegaConf.register_new_resolver("dlexp.token", lambda: secrets.token_hex(2), use_cache=True, replace=True)
