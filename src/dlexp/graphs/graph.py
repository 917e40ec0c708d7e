"""A computational graph: a directed acyclic graph whose nodes are inputs, constants and elementary operations.

An edge (u, v) says that the operation of v reads the value of u. One node may read another twice (a * a): edges are
told apart by the position of the argument.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dlexp.errors import InputError, nearest
from dlexp.graphs.operations import OPERATIONS

INPUT, CONSTANT = "input", "constant"
Edge = tuple[int, int, int]  # parent, child, position of the argument


@dataclass(frozen=True)
class Node:
    """An input, a constant, or one operation on earlier nodes."""

    name: str  # the user's, else v1, v2, ... (c1, c2, ... for constants)
    operation: str  # INPUT, CONSTANT or one of OPERATIONS
    parents: tuple[int, ...] = ()  # where its arguments stand among the graph's nodes, in the order of the arguments
    constant: float | None = None  # the value of a constant
    named: bool = False  # the user gave the name: an input, or what a statement defines


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order: every argument stands before the operation that reads it.

    Raises:
        ValueError: an argument stands behind its reader, an operation is unknown, or two nodes have one name.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]  # what the statements define and no other statement reads, in their order
    sources: Mapping[str, str] = field(default_factory=dict)  # the right-hand side of each statement, as text

    def __post_init__(self) -> None:
        if len({node.name for node in self.nodes}) != len(self.nodes):
            raise ValueError("two nodes have the same name")
        for index, node in enumerate(self.nodes):
            if node.operation not in (INPUT, CONSTANT, *OPERATIONS):
                raise ValueError(f"node {node.name}: there is no operation {node.operation}")
            if any(parent >= index for parent in node.parents):
                raise ValueError(f"node {node.name} reads a node that stands behind it")

    @property
    def inputs(self) -> tuple[str, ...]:
        """The free variables, in the order in which the expressions name them."""
        return tuple(node.name for node in self.nodes if node.operation == INPUT)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that the user gave: inputs and what the statements define."""
        return tuple(node.name for node in self.nodes if node.named)

    @property
    def edges(self) -> list[Edge]:
        """In topological order of the children."""
        return [(u, v, k) for v, node in enumerate(self.nodes) for k, u in enumerate(node.parents)]

    def index(self, name: str, where: str = "graph") -> int:
        """The position of the node that the user calls `name`.

        Raises:
            InputError: there is none; the message starts with `where`.
        """
        for index, node in enumerate(self.nodes):
            if node.named and node.name == name:
                return index
        raise InputError(f"{where}={name}: the graph has no such variable; {nearest(name, self.names)}")

    def depends_on(self, sources: Iterable[int] | None = None) -> list[bool]:
        """For each node, whether it is or depends on a source; without `sources`, on any input."""
        if sources is None:
            sources = (index for index, node in enumerate(self.nodes) if node.operation == INPUT)
        chosen, depends = set(sources), list[bool]()
        for index, node in enumerate(self.nodes):
            depends.append(index in chosen or any(depends[parent] for parent in node.parents))
        return depends

    def ancestors(self, index: int) -> list[bool]:
        """For each node, whether node `index` is it or depends on it."""
        needed = [position == index for position in range(len(self.nodes))]
        for position in range(index, -1, -1):
            if needed[position]:
                for parent in self.nodes[position].parents:
                    needed[parent] = True
        return needed
