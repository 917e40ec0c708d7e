"""Derivatives by evaluating the graph nearby: the check that knows nothing of the chain rule."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from dlexp.graphs.evaluate import Given, forward
from dlexp.graphs.graph import Graph
from dlexp.graphs.operations import Value

CENTRAL_STEP = float(np.finfo(np.float64).eps ** (1 / 3))  # balances h^2 against rounding / h, about 6e-6
Kind = Literal["central", "forward"]


def finite_differences(
    graph: Graph,
    inputs: Mapping[str, Given],
    output: int,
    source: int,
    step: float = CENTRAL_STEP,
    kind: Kind = "central",
    seed: Value | None = None,
    where: str = "values",
) -> Value:
    """d (seed . output) / d source, entry by entry of the source, in its shape.

    central: (f(x + h) - f(x - h)) / 2h, error h^2 f'''/6; forward: (f(x + h) - f(x)) / h, error h f''/2; both with
    rounding of about 1e-16 |f| / h. h is `step` times the size of x, or `step` where |x| < 1. The source may be an
    intermediate node, which is then moved on its own, whatever its own arguments are.

    Raises:
        InputError: a neighbouring point has no finite value.
    """
    values = forward(graph, inputs, where)
    weight = np.ones_like(values[output]) if seed is None else seed

    def at(moved: Value) -> float:
        return float((weight * forward(graph, inputs, where, {source: moved})[output]).sum())

    x = np.atleast_1d(values[source])
    found = np.empty_like(x)
    for entry in range(x.size):
        h = step * max(1.0, abs(float(x[entry])))
        ahead, behind = x.copy(), x.copy()
        ahead[entry] += h
        behind[entry] -= h if kind == "central" else 0.0
        shape = values[source].shape
        rise = at(ahead.reshape(shape)) - at(behind.reshape(shape))
        found[entry] = rise / (ahead[entry] - behind[entry])
    return found.reshape(values[source].shape)
