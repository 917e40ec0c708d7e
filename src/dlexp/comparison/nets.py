"""Several nets to compare, as a parameter of an exercise names them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dlexp.errors import InputError
from dlexp.lab import Lab

LABEL = re.compile(r"[A-Za-z0-9_.-]+")  # what names of claims and metrics are made of


def named_nets(lab: Lab, entries: Sequence[Mapping[str, Any]], where: str = "params.nets") -> dict[str, dict[str, Any]]:
    """Label -> config node of each of `entries`: `model` is an option of that group, other keys change its own ones.

    `{model: mlp, widths: [64, 64]}` is called `mlp`, or what its key `label` says. `where` is for messages.

    Raises:
        InputError: an entry names no model, or one that does not exist, or a key that it does not have; a label is
            used twice or is no plain word.
    """
    nodes: dict[str, dict[str, Any]] = {}
    for entry in entries:
        model = entry.get("model")
        if not isinstance(model, str):
            raise InputError(f"{where}: {dict(entry)} names no model; write {{model: mlp, ...}}")
        node, label = lab.option("model", model), str(entry.get("label", model))
        keys = {str(key): value for key, value in entry.items() if key not in ("model", "label")}
        if unknown := [key for key in keys if key not in node or key.startswith("_")]:
            known = ", ".join(key for key in node if not key.startswith("_"))
            raise InputError(f"{where}: model={model} has no key {unknown[0]}; it has {known}")
        if not LABEL.fullmatch(label):
            raise InputError(f"{where}: label: {label!r} may only have letters, digits, '_', '.' and '-'")
        if label in nodes:
            raise InputError(f"{where}: two nets are called {label}; give each a label of its own")
        nodes[label] = {**node, **keys}
    return nodes
