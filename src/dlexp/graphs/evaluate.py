"""The forward pass: the value of every node, in topological order."""

from collections.abc import Mapping, Sequence

import numpy as np

from dlexp.errors import InputError, nearest
from dlexp.graphs.graph import CONSTANT, INPUT, Graph
from dlexp.graphs.operations import OPERATIONS, SIGNS, Value, compute

Given = float | Sequence[float] | Value


def forward(
    graph: Graph, inputs: Mapping[str, Given], where: str = "values", replaced: Mapping[int, Value] | None = None
) -> list[Value]:
    """The value of each node: a scalar () or a vector (n,).

    Args:
        inputs: a number or a list of numbers for each input of the graph, and nothing else.
        where: how messages call `inputs`.
        replaced: values that some nodes (by position) take instead of computing theirs, as finite differences need.

    Raises:
        InputError: an input has no value, or one that is neither; there is no such input; shapes do not fit; a value
            is not finite. The message names the input or the node.
    """
    for name in inputs:
        if name not in graph.inputs:
            raise InputError(f"{where}.{name}: the graph has no such input; {nearest(name, graph.inputs)}")
    missing = [name for name in graph.inputs if name not in inputs]
    if missing:
        example = ", ".join(f"{name}: 1.0" for name in missing)
        raise InputError(f"{where}.{missing[0]}: it has no value; say {where}={{{example}}}")
    values: list[Value] = []
    for index, node in enumerate(graph.nodes):
        if replaced and index in replaced:
            value = np.asarray(replaced[index], dtype=np.float64)
        elif node.operation == INPUT:
            value = _given(inputs[node.name], f"{where}.{node.name}")
        elif node.operation == CONSTANT:
            value = np.asarray(node.constant, dtype=np.float64)
        else:
            arguments = [values[parent] for parent in node.parents]
            _check_shapes(graph, index, arguments, where)
            value = compute(node.operation, arguments)
        if not np.isfinite(value).all():
            raise _not_finite(graph, index, values, where)
        values.append(value)
    return values


def shown(value: Value, digits: int = 4) -> str:
    """A scalar or vector as people read it."""
    numbers = [f"{each + 0.0:.{digits}g}" for each in np.atleast_1d(value).tolist()]
    return numbers[0] if value.ndim == 0 else f"[{', '.join(numbers)}]"


def written(graph: Graph, index: int) -> str:
    """What a node computes from its arguments: "a - b", "sin(v1)"; its name or number for a leaf."""
    node = graph.nodes[index]
    if not node.parents:
        return node.name if node.constant is None else f"{node.constant:g}"
    arguments = [graph.nodes[parent] for parent in node.parents]
    return applied(node.operation, [each.name if each.constant is None else f"{each.constant:g}" for each in arguments])


def applied(operation: str, arguments: Sequence[str]) -> str:
    """An operation on arguments that are already written."""
    if operation in SIGNS:
        sign = SIGNS[operation]
        return f"{arguments[0]} {sign} {arguments[1]}" if sign in "+-@" else f"{arguments[0]}{sign}{arguments[1]}"
    if operation in ("same", "neg"):
        return f"-{arguments[0]}" if operation == "neg" else arguments[0]
    return f"{operation}({arguments[0]})"


def _given(value: Given, where: str) -> Value:
    array = np.asarray(value, dtype=np.float64)
    if array.ndim > 1 or array.size == 0:
        raise InputError(f"{where}={value}: must be a number or a list of numbers")
    if not np.isfinite(array).all():
        raise InputError(f"{where}={value}: must be finite")
    return array


def _check_shapes(graph: Graph, index: int, arguments: Sequence[Value], where: str) -> None:
    node = graph.nodes[index]
    said = f"{where}: {node.name} = {written(graph, index)}"
    if node.operation == "dot" and not arguments[0].shape == arguments[1].shape != ():
        raise InputError(f"{said}: @ takes two vectors of one length")
    lengths = list(dict.fromkeys(argument.size for argument in arguments if argument.ndim))
    if len(lengths) > 1:
        raise InputError(f"{said}: vectors of {lengths[0]} and {lengths[1]} numbers do not fit each other")
    if OPERATIONS[node.operation].reduces and not lengths:
        raise InputError(f"{said}: {node.operation} takes a vector")


def _not_finite(graph: Graph, index: int, values: Sequence[Value], where: str) -> InputError:
    node = graph.nodes[index]
    divided = node.operation == "div" and not values[node.parents[1]].all()
    why = "division by zero" if divided else "its value is not finite"
    return InputError(
        f"{where}: the node {node.name} = {written(graph, index)}: {why}{arguments_at(graph, index, values)}"
    )


def arguments_at(graph: Graph, index: int, values: Sequence[Value]) -> str:
    """The values of the arguments of a node, for a message: " at a = 1, b = 0"; empty where all are numbers."""
    nodes = {parent: graph.nodes[parent] for parent in graph.nodes[index].parents}
    said = [f"{node.name} = {shown(values[parent])}" for parent, node in nodes.items() if node.constant is None]
    return f" at {', '.join(said)}" if said else ""
