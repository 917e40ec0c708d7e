"""The same architecture made wider, until it has as many parameters as one wants."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from dlexp.errors import InputError
from dlexp.schema import instantiate

LISTS = ("widths", "channels")  # keys of the model group that hold the width of each layer
FACTORS = ("width",)  # and those that multiply all of them


def parameter_count(node: Mapping[str, Any], input_shape: Sequence[int], n_classes: int) -> int:
    """Parameters of the net that the `model` group `node` describes; no memory is taken for them."""
    options = {key: value for key, value in node.items() if key != "weights"}
    with torch.random.fork_rng([]), torch.device("meta"):
        net = instantiate(options, tuple(input_shape), n_classes, where="model")
    return sum(parameter.numel() for parameter in net.parameters())


def widened(node: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """`node` with every width times `factor`, rounded, at least 1.

    Raises:
        InputError: the model has no width.
    """
    lists = {key: [max(1, round(factor * width)) for width in node[key]] for key in LISTS if node.get(key)}
    factors = {key: max(1, round(factor * node[key])) for key in FACTORS if node.get(key)}
    if not (lists or factors):
        target = str(node.get("_target_")).rpartition(".")[2]
        keys = ", ".join(f"model.{key}" for key in (*LISTS, *FACTORS))
        raise InputError(
            f"model={target}: it cannot be made wider, having none of {keys}; use mlp, cnn or cifar_resnet"
        )
    return {**node, **lists, **factors}


def sized(node: Mapping[str, Any], parameters: int, input_shape: Sequence[int], n_classes: int) -> dict[str, Any]:
    """`node`, wider or narrower, with the number of parameters nearest to `parameters` (as a ratio; a tie: the wider).

    Raises:
        InputError: the model has no width.
    """

    def count(factor: float) -> int:
        return parameter_count(widened(node, factor), input_shape, n_classes)

    low, high = 0.0, 1.0
    while count(high) < parameters:
        low, high = high, 2 * high
    for _ in range(40):  # widths are rounded: the two ends become neighbours long before
        middle = (low + high) / 2
        low, high = (middle, high) if count(middle) < parameters else (low, middle)
        if widened(node, low) == widened(node, high):
            break
    return widened(node, min((high, low), key=lambda factor: abs(math.log(count(factor) / parameters))))
