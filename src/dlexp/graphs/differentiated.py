"""A text as a graph with everything that follows from it at one point: values, local derivatives, adjoints."""

from collections.abc import Mapping
from dataclasses import dataclass

from dlexp.errors import InputError
from dlexp.graphs.backward import backward, local_derivatives
from dlexp.graphs.evaluate import Given, forward
from dlexp.graphs.graph import Edge, Graph
from dlexp.graphs.operations import Value
from dlexp.graphs.parser import parse


@dataclass(frozen=True)
class Differentiated:
    """A graph after the forward pass and the backward sweep; nodes are known by their positions."""

    graph: Graph
    point: Mapping[str, Given]  # the value of each input
    where: str  # how messages call the point
    output: int
    values: list[Value]
    local: dict[Edge, Value]
    adjoints: list[Value]  # d output / d node; of a vector output the sum is differentiated

    @property
    def sources(self) -> list[int]:
        """The inputs."""
        return [self.graph.index(name) for name in self.graph.inputs]

    @property
    def shared(self) -> list[str]:
        """The nodes, constants apart, whose value is read more than once: their adjoints are sums."""
        read = [parent for parent, _, _ in self.graph.edges if self.graph.nodes[parent].constant is None]
        return [node.name for index, node in enumerate(self.graph.nodes) if read.count(index) > 1]


def differentiated(
    text: str, point: Mapping[str, Given], where: str, at: str, output: tuple[str, str] | None = None
) -> Differentiated:
    """Parse, forward, backward.

    Args:
        text, where: the statements, and how messages call them.
        point, at: the value of each input, and how messages call them.
        output: the name of the output, and how messages call it; None: the one that no statement reads.

    Raises:
        InputError: whatever parsing, evaluation and differentiation refuse; there is no variable, or no single output.
    """
    graph = parse(text, where)
    if not graph.inputs:
        raise InputError(f"{where}: it has no variable, so there is nothing to differentiate by")
    if output is None and len(graph.outputs) > 1:
        raise InputError(f"{where}: no statement reads {' and '.join(graph.outputs)}; there must be one output")
    end = graph.index(*output) if output else graph.index(graph.outputs[0])
    values = forward(graph, point, at)
    local = local_derivatives(graph, values, where=at)
    return Differentiated(graph, point, at, end, values, local, backward(graph, values, local, end).derivatives)
