"""From text to a graph: arithmetic and the listed functions only; equal subexpressions become one node.

So a value that is used twice is one node with two readers, and its gradient is a sum. Only what a statement defines is
always a node of its own, even where it equals another: `c = 2*b; d = 2*b` has a node c and a node d.
"""

import ast
import graphlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from dlexp.errors import InputError
from dlexp.graphs import syntax
from dlexp.graphs.graph import CONSTANT, INPUT, Graph, Node
from dlexp.graphs.operations import SIGNS, compute

MAX_NODES = 300
MAX_EXPONENT = 64  # the largest size of a constant exponent


def parse(text: str, where: str = "expression") -> Graph:
    """The graph of `text`, in the language of `dlexp.graphs.syntax`.

    Raises:
        InputError: the text is not in the language; a name is defined twice or through itself; a constant part has no
            finite value or a huge exponent; there are too many nodes. The message, one line, starts with `where`.
    """
    statements = syntax.read(text, where)
    builder = _Builder(text, where)
    for name in _sorted(statements, where):
        if name in statements:
            builder.define(name, statements[name])
        else:
            builder.places[name] = builder.append(Node(name, INPUT, named=True))
    read = {used for expression in statements.values() for used in syntax.names(expression)}
    outputs = tuple(name for name in statements if name not in read)
    return Graph(_with_names(builder.nodes), outputs, {name: _text(each) for name, each in statements.items()})


def _text(expression: ast.expr) -> str:
    """Syntax as text again, evenly spaced: 7*c + d**2."""
    text = ast.unparse(expression)
    for sign in ("**", "*", "/"):
        text = text.replace(f" {sign} ", sign)
    return text


def _sorted(statements: dict[str, ast.expr], where: str) -> list[str]:
    """All variables in topological order: inputs as they are read, then definitions, arguments before readers."""
    reads = {name: syntax.names(expression) for name, expression in statements.items()}
    try:
        ready = list(graphlib.TopologicalSorter(reads).static_order())
    except graphlib.CycleError as error:
        around = list(reversed(error.args[1]))
        raise InputError(f"{where}: {around[0]} is defined through itself ({' <- '.join(around)})") from error
    depth: dict[str, int] = {}
    for name in ready:
        depth[name] = 1 + max((depth[used] for used in reads.get(name, ())), default=-1 if name not in reads else 0)
    known = [*dict.fromkeys(used for each in reads.values() for used in each if used not in reads), *reads]
    return sorted(known, key=lambda name: depth[name])  # stable: the user's order among equals


@dataclass
class _Builder:
    """The nodes so far."""

    text: str
    where: str
    nodes: list[Node] = field(default_factory=list)
    known: dict[Node, int] = field(default_factory=dict)  # unnamed nodes, to find equal ones
    places: dict[str, int] = field(default_factory=dict)  # of the user's names
    constants: dict[int, float] = field(default_factory=dict)  # values of the nodes that depend on no input

    def define(self, name: str, expression: ast.expr) -> None:
        """A statement: its outermost operation is a node of its own, with the statement's name."""
        while isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.UAdd):
            expression = expression.operand
        operation, arguments = _operation_of(expression)
        if operation is None:  # a name or a number
            node = Node(name, "same", (self.convert(expression),), named=True)
        else:
            node = Node(name, operation, self.converted(operation, arguments), named=True)
        self.places[name] = self.append(node)

    def convert(self, expression: ast.expr) -> int:
        """Where the node of an expression stands; made if there is none yet."""
        if isinstance(expression, ast.Name):
            return self.places[expression.id]
        number = _number_of(expression)
        if number is not None:
            return self.shared(Node("", CONSTANT, constant=number))
        if isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.UAdd):
            return self.convert(expression.operand)
        operation, arguments = _operation_of(expression)
        assert operation is not None
        return self.shared(Node("", operation, self.converted(operation, arguments)))

    def converted(self, operation: str, arguments: list[ast.expr]) -> tuple[int, ...]:
        """Where the arguments of an operation stand."""
        places = tuple(self.convert(argument) for argument in arguments)
        if operation == "pow" and abs(self.constants.get(places[1], 0.0)) > MAX_EXPONENT:
            said = f"the exponent {self.constants[places[1]]:g}"
            raise InputError(f"{self.where}: {said} is too large; a constant exponent may be {MAX_EXPONENT} at most")
        return places

    def shared(self, node: Node) -> int:
        """Where an equal node stands, else a new one."""
        if node not in self.known:
            self.known[node] = self.append(node)
        return self.known[node]

    def append(self, node: Node) -> int:
        """Add a node; what depends on no input must have a finite value."""
        if len(self.nodes) == MAX_NODES:
            raise InputError(f"{self.where}: its graph has more than {MAX_NODES} nodes, which is the limit")
        self.nodes.append(node)
        index = len(self.nodes) - 1
        if node.constant is not None:
            self.constants[index] = node.constant
        elif node.parents and all(parent in self.constants for parent in node.parents) and node.operation != "dot":
            self.constants[index] = self._folded(node)
        return index

    def _folded(self, node: Node) -> float:
        arguments = [np.asarray(self.constants[parent]) for parent in node.parents]
        value = float(compute(node.operation, arguments))
        if not math.isfinite(value):
            sign, written = SIGNS.get(node.operation), [f"{float(argument):g}" for argument in arguments]
            said = f" {sign} ".join(written) if sign else f"{node.operation}({written[0]})"
            raise InputError(f"{self.where}: the constant part {said} has no finite value")
        return value


def _operation_of(expression: ast.expr) -> tuple[str | None, list[ast.expr]]:
    """The outermost operation of checked syntax and its arguments; None for a name or a number."""
    if _number_of(expression) is not None or isinstance(expression, ast.Name):
        return None, []
    if isinstance(expression, ast.UnaryOp):
        return "neg", [expression.operand]
    if isinstance(expression, ast.BinOp):
        return syntax.BINARY[type(expression.op)], [expression.left, expression.right]
    assert isinstance(expression, ast.Call)
    assert isinstance(expression.func, ast.Name)
    return expression.func.id, expression.args


def _number_of(expression: ast.expr) -> float | None:
    """The value of a number, with its sign; None for anything else."""
    if isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.USub):
        number = _number_of(expression.operand) if isinstance(expression.operand, ast.Constant) else None
        return None if number is None else -number
    return float(expression.value) if isinstance(expression, ast.Constant) else None  # type: ignore[arg-type]


def _with_names(nodes: list[Node]) -> tuple[Node, ...]:
    """Unnamed operations become v1, v2, ..., constants c1, c2, ..., as far as the user left these names free."""
    taken = {node.name for node in nodes if node.named}
    operations, constants = _free_names("v", taken), _free_names("c", taken)
    return tuple(
        node if node.named else replace(node, name=next(constants if node.operation == CONSTANT else operations))
        for node in nodes
    )


def _free_names(letter: str, taken: set[str]) -> Iterator[str]:
    return (name for k in itertools.count(1) if (name := f"{letter}{k}") not in taken)
