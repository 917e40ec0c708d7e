"""Hydra's and OmegaConf's errors as one line that says what is wrong and names the nearest valid choice."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlexp.errors import InputError, nearest


def explain(error: HydraException | OmegaConfBaseException, words: Sequence[str]) -> InputError:
    """The line for `error`, which came up while Hydra composed `words` or the run read the configuration."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing_config(error, words)
    if isinstance(error, OverrideParseException):
        return _not_an_override(error)
    text = f"{error} {error.__cause__ or ''}"
    several = re.search(r"(?:Ambiguous value for argument|Sweep parameters) '([^']+)'", text)
    if several:
        word = several.group(1)
        return InputError(f"{word}: several values; add -m to run each of them, or write a list as KEY=[A,B]")
    twice = re.search(r"Multiple values for (\S+?)\. To override", text)
    if twice:
        key = twice.group(1)
        return InputError(f"+{key}: {key} is chosen already; leave out the + to choose another")
    unknown = re.search(r"Could not (?:override|append to|delete)[^']*'([^']+)'", text)
    if unknown:
        key = unknown.group(1).split("@")[0].split("=")[0]
        return InputError(f"{key}: there is no such key here; {nearest_key(key, known_keys(words, key))}")
    line = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    key = getattr(error, "full_key", None)
    return InputError(f"{key}: {line}" if key else line)


def _missing_config(error: MissingConfigException, words: Sequence[str]) -> InputError:
    """What was asked for, in the user's own words: an option may itself hold a slash."""
    missing = str(error.missing_cfg_file)
    typed = (word.lstrip("+").partition("=")[::2] for word in words)
    group = next((key.split("@")[0] for key, value in typed if f"{key.split('@')[0]}/{value}" == missing), None)
    if group is None:
        group = missing.rpartition("/")[0]
    if not group:
        return InputError(f"there is no config called {missing}")
    option = missing.removeprefix(f"{group}/")
    options = [name for name in error.options or [] if not name.startswith("_")]
    return InputError(f"{group}={option}: there is no such {group}; {nearest(option, options)}")


def _not_an_override(error: OverrideParseException) -> InputError:
    word, reason = str(error.override), str(error.message).splitlines()[0]
    if "=" not in word:
        return InputError(f"{word!r} is not an override; write KEY=VALUE")
    why = "" if "Exception" in reason or word in reason else f" ({reason})"
    return InputError(f"{word}: not a valid override{why}; write KEY=VALUE, or KEY='\"VALUE\"' if it holds symbols")


def nearest_key(key: str, known: Iterable[str]) -> str:
    """The hint for an unknown dotted key: the closest one, one of the same last name, or the keys beside it."""
    keys = sorted(set(known))
    close = difflib.get_close_matches(key, keys, n=1, cutoff=0.75)
    if close:
        return f"did you mean '{close[0]}'?"
    parent, _, last = key.rpartition(".")
    same_name = [each for each in keys if each.rpartition(".")[2] == last]
    if same_name:
        return f"did you mean '{same_name[0]}'?"
    while parent and parent not in keys:
        parent, _, last = parent.rpartition(".")
    return nearest(last, [each.rpartition(".")[2] for each in keys if each.rpartition(".")[0] == parent])


def known_keys(words: Sequence[str], key: str = "") -> list[str]:
    """Every dotted key of the configuration that the group choices among `words` compose to.

    Hydra's own settings are among them when `key` is one.
    """
    from hydra import compose, initialize_config_module
    from hydra.core.global_hydra import GlobalHydra

    choices = [word for word in words if "." not in word.partition("=")[0] or word.startswith("hydra.searchpath")]
    choices = [word for word in choices if not word.startswith("-") and "=" in word]
    of_hydra = key.partition(".")[0] == "hydra"
    for tried in (choices, [word for word in choices if word.startswith(("exercise=", "hydra.searchpath"))], []):
        GlobalHydra.instance().clear()
        try:
            with initialize_config_module("dlexp.conf", version_base="1.3"):
                composed = compose("config", overrides=tried, return_hydra_config=of_hydra)
                plain: Any = OmegaConf.to_container(composed, resolve=False)
                return flatten({"hydra": plain["hydra"]} if of_hydra else plain)
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
