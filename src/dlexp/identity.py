"""What a run is called, recognised and found by."""

import itertools
import json
import os
import platform
import socket
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dlexp import __version__
from dlexp.processes import process_identity
from dlexp.registry import Exercise
from dlexp.settings import Settings

if TYPE_CHECKING:
    from dlexp.lab import Lab

NOT_IDENTITY = ("tracking", "store", "device", "threads")
"""Parts of a configuration that do not change what is asked: two runs that differ only here repeat each other."""


def identity(config: Mapping[str, Any]) -> str:
    """Hash of what a run computes: equal for two runs that repeat each other."""
    kept = {key: value for key, value in config.items() if key not in NOT_IDENTITY}
    return sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()[:16]


def flat_params(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """The configuration as dotted keys, without what is the same for every run of an exercise."""
    flat: dict[str, str] = {}
    for key, value in config.items():
        if prefix == "" and key in ("exercise", "tracking", "store"):
            continue
        if isinstance(value, Mapping):
            flat.update(flat_params(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def run_name(exercise: Exercise, settings: Settings, overrides: list[str]) -> str:
    """What tells this run from its neighbours in a list: its scale and what the user changed."""
    hidden = ("exercise=", "scale=", "tracking", "hydra")
    of_scale = exercise.scales.get(settings.scale, [])  # `expand_scale` put these first
    own = itertools.dropwhile(lambda word: word in of_scale, overrides)
    told = [word for word in own if not word.lstrip("+~").startswith(hidden)]
    return " ".join([settings.scale, *told])[:120]


def run_tags(exercise: Exercise, settings: Settings, config: Mapping[str, Any], lab: "Lab") -> dict[str, str]:
    """What MLflow can search runs by."""
    return {
        "dlexp.exercise": exercise.slug,
        "dlexp.chapter": exercise.chapter,
        "dlexp.scale": settings.scale,
        "dlexp.config_hash": identity(config),
        "dlexp.version": __version__,
        "dlexp.torch": f"{version('torch')} (torchvision {version('torchvision')})",
        "dlexp.python": platform.python_version(),
        "dlexp.device": lab.device,
        "dlexp.dataset_fingerprint": lab.data.fingerprint if lab.data is not None else "none",
        "dlexp.host": socket.gethostname(),
        "dlexp.process": process_identity(os.getpid()),
    }
