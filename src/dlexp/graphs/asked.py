"""One derivative of a graph, of any node by any other, found in every way."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dlexp.errors import InputError, nearest
from dlexp.graphs import symbolic
from dlexp.graphs.autograd import autograd
from dlexp.graphs.backward import backward, forward_mode, local_derivatives
from dlexp.graphs.differentiated import Differentiated, differentiated
from dlexp.graphs.evaluate import Given, forward
from dlexp.graphs.finite_differences import CENTRAL_STEP, Kind, finite_differences
from dlexp.graphs.operations import Value
from dlexp.graphs.paths import Link, PathSum, statement_links, sum_over_paths

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class Asked:
    """d output / d source at one point; the output is a scalar, the source may be an intermediate node or a vector."""

    at: Differentiated
    source: int

    @property
    def names(self) -> tuple[str, str]:
        """Of output and source."""
        return self.at.graph.nodes[self.at.output].name, self.at.graph.nodes[self.source].name

    @property
    def value(self) -> Value:
        """Of the source."""
        return self.at.values[self.source]

    def links(self) -> list[Link]:
        """The local derivatives between statements, of what depends on the source."""
        local = local_derivatives(self.at.graph, self.at.values, [self.source], self.at.where)
        return statement_links(self.at.graph, self.at.values, local)

    def by_paths(self) -> PathSum:
        """The sum over the paths between statements."""
        return sum_over_paths(self.links(), self.source, self.at.output, (1, self.value.size), "params.graph")

    def formula(self) -> "sympy.Matrix":
        """The derivative in terms of the source and of the inputs beside it; 1 x (size of the source)."""
        return symbolic.derivative(self.at.graph, self.at.values, self.at.output, self.source)

    def by_steps(self, step: float = CENTRAL_STEP, kind: Kind = "central") -> Value:
        """Finite differences in which the source is moved on its own."""
        at = self.at
        return finite_differences(at.graph, at.point, at.output, self.source, step, kind, where=at.where)

    def by_methods(self, formula: "sympy.Matrix") -> dict[str, Value]:
        """The derivative by every method, in the shape of the source; `formula` is that of any point."""
        graph, values, output, shape = self.at.graph, self.at.values, self.at.output, self.value.shape
        local = local_derivatives(graph, values, [self.source], self.at.where)
        tangents = [tangent.reshape(shape) for tangent in np.eye(self.value.size)]
        forwards = [forward_mode(graph, values, local, self.source, each).derivatives[output] for each in tangents]
        return {
            "sum over paths": self.by_paths().total.reshape(shape),
            "reverse sweep": backward(graph, values, local, output).derivatives[self.source],
            "forward sweep": np.reshape([float(each) for each in forwards], shape),
            "formula (sympy)": np.reshape(symbolic.at_point(graph, values, formula)[0], shape),
            "autograd (torch)": autograd(graph, self.at.point, output, [self.source])[0],
            "central differences": self.by_steps(),
        }

    def moved(self, point: Mapping[str, Given]) -> "Asked":
        """The same question at another point."""
        graph, output, where = self.at.graph, self.at.output, self.at.where
        values = forward(graph, point, where)
        local = local_derivatives(graph, values, where=where)
        adjoints = backward(graph, values, local, output).derivatives
        return replace(self, at=replace(self.at, point=point, values=values, local=local, adjoints=adjoints))


def ask(text: str, point: Mapping[str, Given], output: str, source: str, where: str = "params") -> Asked:
    """The question for d output / d source of the graph of `text`.

    Raises:
        InputError: the graph or the point is refused; there is no such variable; the output is a vector, or does not
            depend on the source. Messages call these `where`.graph, .values, .output and .input.
    """
    at = differentiated(text, point, f"{where}.graph", f"{where}.values", (output, f"{where}.output"))
    graph, index = at.graph, at.graph.index(source, f"{where}.input")
    if at.values[at.output].ndim:
        scalars = [name for name in graph.names if at.values[graph.index(name)].ndim == 0]
        hint = f"it is a vector, and the output must be a number; {nearest(output, scalars)}"
        raise InputError(f"{where}.output={output}: {hint}")
    depends = graph.depends_on([index])
    if index == at.output or not depends[at.output]:
        readers = [name for name in graph.names if name != source and depends[graph.index(name)]]
        hint = nearest(output, readers) if readers else f"nothing depends on {source}"
        raise InputError(f"{where}.output={output}: it does not depend on {source}; {hint}")
    return Asked(at, index)
