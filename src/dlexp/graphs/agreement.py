"""How far the backward sweep is from derivatives that were found in other ways."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlexp.graphs.autograd import autograd
from dlexp.graphs.backward import backward, local_derivatives
from dlexp.graphs.evaluate import Given, forward
from dlexp.graphs.finite_differences import finite_differences
from dlexp.graphs.graph import Graph
from dlexp.graphs.operations import Value


@dataclass(frozen=True)
class Agreement:
    """The largest distances over all inputs and their entries."""

    autograd: float  # of the sweep from torch's autograd
    differences: float  # of the sweep from central differences
    overwriting: float  # of a sweep that overwrites adjoints, the classic error, from autograd


def distance(one: Value, other: Value) -> float:
    """The largest |p - q| / max(1, |q|) of two derivatives, entry by entry."""
    return float(np.max(np.abs(one - other) / np.maximum(1.0, np.abs(other))))


def agreement(graph: Graph, point: Mapping[str, Given], output: int, seed: Value | None = None) -> Agreement:
    """The distances at one point; `seed` is the adjoint of a vector output (ones where it is None)."""
    values = forward(graph, point)
    local = local_derivatives(graph, values)
    sources = [graph.index(name) for name in graph.inputs]
    swept = backward(graph, values, local, output, seed).derivatives
    overwritten = backward(graph, values, local, output, seed, add=False).derivatives
    by_torch = dict(zip(sources, autograd(graph, point, output, sources, seed), strict=True))
    return Agreement(
        autograd=max(distance(swept[each], by_torch[each]) for each in sources),
        differences=max(
            distance(swept[each], finite_differences(graph, point, output, each, seed=seed)) for each in sources
        ),
        overwriting=max(distance(overwritten[each], by_torch[each]) for each in sources),
    )
