"""From command-line words to what Hydra composes: argument order, scales, and errors in one clear line."""

import difflib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

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
}
"""Hydra's options that are followed by a value of their own."""


def order_arguments(arguments: Sequence[str]) -> list[str]:
    """Hydra's argparse wants its flags before the overrides; people write `-m` anywhere."""
    flags: list[str] = []
    overrides: list[str] = []
    words = iter(arguments)
    for word in words:
        if not word.startswith("-"):
            overrides.append(word)
            continue
        flags.append(word)
        if word in TAKES_VALUE:
            flags.extend(value for value in [next(words, None)] if value is not None)
    return [*flags, *_with_user_folders(overrides)]


def expand_scale(arguments: Sequence[str]) -> list[str]:
    """Put the overrides of the chosen scale, which stand in the exercise's YAML, before the user's own.

    What the user sets wins: a scale's override of the same key is dropped, and so are its values inside a
    group that the user chooses anew. Expanding twice changes nothing. When the exercise or the scale is
    itself swept, the words are returned as they are: the sweeper expands each job.

    Raises:
        InputError: no exercise is named, or there is none of that name.
    """
    flags = [word for word in arguments if word.startswith("-")]
    given = [word for word in arguments if _is_override(word)]
    chosen = {key: value for key, value in map(_key_and_value, given) if key in ("exercise", "scale")}
    if "exercise" not in chosen:
        raise InputError("no exercise named: say exercise=SLUG; `dlexp list` shows them")
    if any(is_swept(f"{key}={value}") for key, value in chosen.items()):
        return list(arguments)
    own = {_key_and_value(word)[0] for word in given}
    groups = {key for key in own if "." not in key}
    scale = registry.find(chosen["exercise"]).scales.get(chosen.get("scale", "default"), [])
    kept = [word for word in scale if not _set_by_user(_key_and_value(word)[0], own, groups)]
    words = [word for word in arguments if word not in given and word not in flags]
    return [*flags, *words, *kept, *given]


def _is_override(word: str) -> bool:
    return not word.startswith("-") and ("=" in word or word.startswith("~"))


def _set_by_user(key: str, own: set[str], groups: set[str]) -> bool:
    return key in own or key.partition(".")[0] in groups


def _key_and_value(word: str) -> tuple[str, str]:
    key, _, value = word.lstrip("+~").partition("=")
    return key.split("@")[0].removeprefix("/"), value


def is_swept(word: str) -> bool:
    """Whether an override like `seed=0,1` or `model.depth=range(8,32,6)` names several values."""
    return bool(OverridesParser.create().parse_override(word).is_sweep_override())


def _with_user_folders(overrides: list[str]) -> list[str]:
    """Put `./conf` and the configs of plugins on Hydra's search path, unless the user sets it."""
    extra = [root.search_path for root in registry.roots()[1:]]
    if not extra or any(word.lstrip("+").startswith("hydra.searchpath=") for word in overrides):
        return overrides
    quoted = ",".join(f"'{path}'" for path in extra)
    return [f"hydra.searchpath=[{quoted}]", *overrides]


def explain(error: Exception, arguments: Sequence[str]) -> InputError:
    """Hydra's and OmegaConf's errors as one line that says what is wrong and names the nearest valid choice."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _explain_missing(error)
    if isinstance(error, OverrideParseException):
        reason = str(error.message).splitlines()[0]
        why = f" ({reason})" if "=" in str(error.override) else ""
        return InputError(f"{error.override}: not a valid override{why}; write KEY=VALUE")
    text = " ".join(str(error) + " " + str(error.__cause__ or "") for error in [error])
    several = re.search(r"(?:Ambiguous value for argument|Sweep parameters) '([^']+)'", text)
    if several:
        word = several.group(1)
        return InputError(f"{word}: several values; add -m to run each of them, or write a list as KEY=[A,B]")
    unknown = re.search(r"Could not (?:override|append to|delete)[^']*'([^']+)'", text)
    if unknown:
        key = unknown.group(1).split("@")[0].split("=")[0]
        return InputError(f"{key}: there is no such key here; {nearest_key(key, known_keys(arguments))}")
    line = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    return InputError(line)


def _explain_missing(error: MissingConfigException) -> InputError:
    group, _, option = str(error.missing_cfg_file).rpartition("/")
    options = [name for name in error.options or [] if not name.startswith("_")]
    if not group:
        return InputError(f"there is no config called {option}")
    return InputError(f"{group}={option}: there is no such {group}; {nearest(option, options)}")


def nearest_key(key: str, known: Iterable[str]) -> str:
    """The hint for an unknown dotted key: the closest key, or the keys beside it."""
    keys = sorted(set(known))
    close = difflib.get_close_matches(key, keys, n=1, cutoff=0.75)
    if close:
        return f"did you mean '{close[0]}'?"
    prefix = key.rpartition(".")[0]
    beside = [each for each in keys if each.rpartition(".")[0] == prefix]
    last = key.rpartition(".")[2]
    same_name = [each for each in keys if each.rpartition(".")[2] == last]
    return f"did you mean '{same_name[0]}'?" if same_name else nearest(last, beside or keys)


def known_keys(arguments: Sequence[str]) -> list[str]:
    """Every dotted key of the configuration that the valid group choices among `arguments` compose to."""
    from hydra import compose, initialize_config_module
    from hydra.core.global_hydra import GlobalHydra

    choices = [
        word
        for word in arguments
        if _is_override(word) and ("." not in _key_and_value(word)[0] or word.startswith("hydra.searchpath"))
    ]
    for tried in (choices, [word for word in choices if word.startswith("exercise=")]):
        GlobalHydra.instance().clear()
        try:
            with initialize_config_module("dlexp.conf", version_base="1.3"):
                composed = compose("config", overrides=list(tried))
                plain: Any = OmegaConf.to_container(composed, resolve=False)
                return flatten(plain)
        except (HydraException, OmegaConfBaseException):
            continue
    return []


def flatten(config: Mapping[Any, Any], prefix: str = "") -> list[str]:
    """Dotted keys of a configuration, inner nodes included."""
    keys: list[str] = []
    for key, value in config.items():
        keys.append(f"{prefix}{key}")
        if isinstance(value, Mapping):
            keys.extend(flatten(value, f"{prefix}{key}."))
    return keys


def show_path(path: Path) -> str:
    """A path relative to the working directory where that is shorter."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def register_resolvers() -> None:
    """`${dlexp.token:}`: four random characters, so that two runs of the same second never share a folder."""
    OmegaConf.register_new_resolver("dlexp.token", lambda: secrets.token_hex(2), use_cache=True, replace=True)
