"""Reverse mode: one sweep from an output back to all inputs; and forward mode: one sweep from one input to all outputs.

Chain rule on a graph: with the adjoint a_v = d y / d v, a_u is the sum of a_v * (d v / d u) over all edges (u, v). The
reverse sweep forms these sums in reverse topological order, so every edge is used once. Griewank and Walther,
Evaluating Derivatives (2008), sections 3.1 and 3.2; Baydin et al., Automatic differentiation in machine learning: a
survey (2018), section 3.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlexp.errors import InputError
from dlexp.graphs.evaluate import arguments_at, written
from dlexp.graphs.graph import Edge, Graph
from dlexp.graphs.operations import Value, differentiate

Locals = Mapping[Edge, Value]


@dataclass(frozen=True)
class Sweep:
    """Derivatives of one output by every node (reverse), or of every node by one source (forward)."""

    derivatives: list[Value]  # one per node; 0 where there is no dependence
    multiplications: int  # of a derivative with a local one: one per edge on the way


def local_derivatives(
    graph: Graph, values: Sequence[Value], sources: Iterable[int] | None = None, where: str = "values"
) -> dict[Edge, Value]:
    """d child / d parent for every edge whose parent is or depends on a source (an input, where none are given).

    Raises:
        InputError: one of them is not finite, such as that of sqrt at 0; the message names the node.
    """
    depends = graph.depends_on(sources)
    found: dict[Edge, Value] = {}
    for index, node in enumerate(graph.nodes):
        if not any(depends[parent] for parent in node.parents):
            continue
        derivatives = differentiate(node.operation, [values[parent] for parent in node.parents])
        for position, (parent, derivative) in enumerate(zip(node.parents, derivatives, strict=True)):
            if not depends[parent]:
                continue
            if not np.isfinite(derivative).all():
                said = f"the node {node.name} = {written(graph, index)} has no finite derivative"
                raise InputError(f"{where}: {said}{arguments_at(graph, index, values)}")
            found[parent, index, position] = derivative
    return found


def backward(
    graph: Graph, values: Sequence[Value], local: Locals, output: int, seed: Value | None = None, add: bool = True
) -> Sweep:
    """Reverse mode: d (seed . output) / d node for every node.

    Args:
        values: of all nodes, from the forward pass.
        local: the local derivatives; nodes without any get 0.
        seed: in the shape of the output; ones where it is None, so of a vector its sum is differentiated.
        add: False keeps only the last contribution to each node: the classic error, here as a control.
    """
    adjoint = [np.zeros_like(value) for value in values]
    adjoint[output] = np.ones_like(values[output]) if seed is None else np.asarray(seed, dtype=np.float64)
    needed, count = graph.ancestors(output), 0
    for index in range(output, -1, -1):
        for position, parent in enumerate(graph.nodes[index].parents):
            edge = (parent, index, position)
            if not needed[index] or edge not in local:
                continue
            contribution = pulled_back(adjoint[index], local[edge], values[parent])
            adjoint[parent] = adjoint[parent] + contribution if add else contribution
            count += 1
    return Sweep(adjoint, count)


def forward_mode(graph: Graph, values: Sequence[Value], local: Locals, source: int, tangent: Value) -> Sweep:
    """Forward mode: the derivative of every node along `tangent`, a direction in the shape of the source's value."""
    tangents = [np.zeros_like(value) for value in values]
    tangents[source] = np.asarray(tangent, dtype=np.float64)
    depends, count = graph.depends_on([source]), 0
    for index in range(source + 1, len(graph.nodes)):
        for position, parent in enumerate(graph.nodes[index].parents):
            edge = (parent, index, position)
            if not depends[parent] or edge not in local:
                continue
            tangents[index] = tangents[index] + pushed_forward(tangents[parent], local[edge], values[index])
            count += 1
    return Sweep(tangents, count)


def pulled_back(adjoint: Value, local: Value, parent: Value) -> Value:
    """An adjoint times a local derivative, in the shape of the parent: summed where a scalar had been broadcast."""
    product = adjoint * local
    return product if product.shape == parent.shape else np.asarray(product.sum())


def pushed_forward(tangent: Value, local: Value, child: Value) -> Value:
    """A tangent times a local derivative, in the shape of the child: summed where a vector is reduced."""
    product = tangent * local
    return product if product.shape == child.shape else np.asarray(product.sum())
