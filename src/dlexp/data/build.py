"""From the composed `dataset` group to a dataset."""

import inspect
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from dlexp.data.dataset import Dataset
from dlexp.data.prepare import Preparation, prepare
from dlexp.data.source import Source
from dlexp.errors import InputError
from dlexp.schema import build_params, instantiate, locate, refuse_unknown


def build_dataset(node: Mapping[str, Any]) -> Dataset:
    """The dataset that `node` describes (plain values: dicts, lists, numbers, strings), on the CPU.

    `node["_target_"]` names a function of `dlexp.data` that returns a `Source`; its keys stand beside those
    of `Preparation`.

    Raises:
        InputError: unknown keys, wrong types or ranges, files that are missing or faulty.
    """
    if not node:
        raise InputError("dataset: none is chosen; add e.g. dataset=digits")
    preparing = {field.name for field in fields(Preparation)}
    if isinstance(node.get("_target_"), str):
        source_keys = inspect.signature(locate(node["_target_"], "dataset")).parameters
        refuse_unknown(node, dict.fromkeys(["_target_", *preparing, *source_keys]), "dataset")
    settings = {key: value for key, value in node.items() if key in preparing}
    preparation = build_params(Preparation, settings, "dataset")
    rest = {key: value for key, value in node.items() if key not in preparing}
    source = instantiate(rest, where="dataset")
    if not isinstance(source, Source):
        raise InputError(
            f"dataset: {node['_target_']} returned a {type(source).__name__}; it must return a dlexp Source"
        )
    return prepare(source, preparation)
