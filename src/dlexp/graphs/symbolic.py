"""Derivatives as formulas: sympy objects are built from the parsed graph, node by node; no text reaches sympy.

A vector is a list of scalars (x is x_1, x_2, ...), so every derivative is a matrix (size of the one, of the other).
"""

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from math import comb
from typing import TYPE_CHECKING, Any

from dlexp.errors import InputError
from dlexp.graphs.graph import CONSTANT, Graph
from dlexp.graphs.operations import Value

if TYPE_CHECKING:
    import sympy

MAX_OPERATIONS = 2000  # of the unfolded formula, where a node counts as often as it is used
MAX_DEGREE = 4096  # of the polynomials in it
MAX_TERMS = 200  # of a polynomial that is multiplied out
DIGITS = 40  # of the arithmetic in which formulas are evaluated

Entries = list["sympy.Expr"]  # one for a scalar


def symbols_of(graph: Graph, values: Sequence[Value], index: int) -> Entries:
    """The symbol of a node, or one for each entry of a vector."""
    import sympy

    name, size = graph.nodes[index].name, values[index].size
    names = [name] if values[index].ndim == 0 else [f"{name}_{entry + 1}" for entry in range(size)]
    return [sympy.Symbol(each, real=True) for each in names]


def formula(graph: Graph, values: Sequence[Value], index: int, cut: Collection[int]) -> Entries:
    """A node as a formula of the inputs and of the nodes in `cut`, which stay symbols (node `index` itself does not).

    Raises:
        InputError: the formula would be too large.
    """
    import sympy

    _refuse_large(graph, values, index, cut)
    operations, known = _operations(), dict[int, Entries]()
    needed = graph.ancestors(index)
    for position, node in enumerate(graph.nodes[: index + 1]):
        if not needed[position]:
            continue
        if node.operation == CONSTANT:
            assert node.constant is not None
            known[position] = [sympy.Rational(*Decimal(repr(node.constant)).as_integer_ratio())]
        elif not node.parents or (position in cut and position != index):
            known[position] = symbols_of(graph, values, position)
        else:
            arguments = [known[parent] for parent in node.parents]
            known[position] = operations[node.operation](*arguments)
    return known[index]


def jacobian(entries: Entries, by: Entries) -> "sympy.Matrix":
    """d entries / d symbols, multiplied out where it is a small polynomial."""
    import sympy

    return sympy.Matrix([[tidy(entry.diff(symbol)) for symbol in by] for entry in entries])


def derivative(graph: Graph, values: Sequence[Value], output: int, source: int) -> "sympy.Matrix":
    """d output / d source in terms of the source and of the inputs that reach the output beside it."""
    return jacobian(formula(graph, values, output, {source}), symbols_of(graph, values, source))


def statement_jacobians(graph: Graph, values: Sequence[Value]) -> "dict[tuple[int, int], sympy.Matrix]":
    """d child / d parent for each named node and each named node that it reads, in terms of the named nodes."""
    named = [index for index, node in enumerate(graph.nodes) if node.named]
    found = {}
    for child in (index for index in named if graph.nodes[index].parents):
        entries = formula(graph, values, child, named)
        free = set().union(*(entry.free_symbols for entry in entries))
        for parent in named:
            symbols = symbols_of(graph, values, parent)
            if parent != child and free & set(symbols):
                found[parent, child] = jacobian(entries, symbols)
    return found


def at_point(graph: Graph, values: Sequence[Value], matrix: "sympy.Matrix") -> list[list[float]]:
    """The numbers of a matrix of formulas at the point of the forward `values`, computed with 40 digits."""
    import sympy

    point = {
        symbol: sympy.Float(float(value), DIGITS)
        for index, node in enumerate(graph.nodes)
        if node.named
        for symbol, value in zip(symbols_of(graph, values, index), values[index].ravel(), strict=True)
    }
    return [[float(sympy.N(entry.xreplace(point), DIGITS)) for entry in row] for row in matrix.tolist()]


def tidy(entry: "sympy.Expr") -> "sympy.Expr":
    """A polynomial with few terms multiplied out; anything else as it is."""
    import sympy

    symbols = sorted(entry.free_symbols, key=str)
    if not symbols or not entry.is_polynomial(*symbols):
        return entry
    degree = _degree(entry)
    return sympy.expand(entry) if comb(degree + len(symbols), degree) <= MAX_TERMS else entry


def _degree(entry: "sympy.Expr") -> int:
    """A bound of a polynomial's degree, without multiplying it out."""
    if not entry.free_symbols:
        return 0
    if entry.is_Add:
        return max(_degree(each) for each in entry.args)
    if entry.is_Mul:
        return sum(_degree(each) for each in entry.args)
    return int(entry.exp) * _degree(entry.base) if entry.is_Pow else 1


def _operations() -> dict[str, Callable[..., Entries]]:
    """Each operation on lists of scalars, which broadcast as scalars and vectors do."""
    import sympy

    def binary(function: Callable[[Any, Any], Any]) -> Callable[..., Entries]:
        def applied(a: Entries, b: Entries) -> Entries:
            size = max(len(a), len(b))
            return [function(p, q) for p, q in zip(a * (size // len(a)), b * (size // len(b)), strict=True)]

        return applied

    def unary(function: Callable[[Any], Any]) -> Callable[..., Entries]:
        return lambda a: [function(each) for each in a]

    return {
        "add": binary(lambda a, b: a + b),
        "sub": binary(lambda a, b: a - b),
        "mul": binary(lambda a, b: a * b),
        "div": binary(lambda a, b: a / b),
        "pow": binary(lambda a, b: a**b),
        "dot": lambda a, b: [sympy.Add(*(p * q for p, q in zip(a, b, strict=True)))],
        "neg": unary(lambda a: -a),
        "same": unary(lambda a: a),
        "abs": unary(sympy.Abs),
        "cos": unary(sympy.cos),
        "exp": unary(sympy.exp),
        "log": unary(sympy.log),
        "mean": lambda a: [sympy.Add(*a) / len(a)],
        "relu": unary(lambda a: sympy.Piecewise((a, a > 0), (0, True))),
        "sigmoid": unary(lambda a: 1 / (1 + sympy.exp(-a))),
        "sin": unary(sympy.sin),
        "sqrt": unary(sympy.sqrt),
        "sum": lambda a: [sympy.Add(*a)],
        "tan": unary(sympy.tan),
        "tanh": unary(sympy.tanh),
    }


def _refuse_large(graph: Graph, values: Sequence[Value], index: int, cut: Collection[int]) -> None:
    """Bounds of what sympy would have to hold, computed on the graph, where shared nodes are counted once."""
    size, degree = list[int](), list[float]()
    for position, node in enumerate(graph.nodes[: index + 1]):
        if not node.parents or (position in cut and position != index):
            size.append(values[position].size)
            degree.append(1.0)
            continue
        size.append(sum(size[parent] for parent in node.parents) + values[position].size)
        degrees = [degree[parent] for parent in node.parents]
        exponent = graph.nodes[node.parents[1]].constant if node.operation == "pow" else None
        if node.operation in ("mul", "div", "dot"):
            degree.append(sum(degrees))
        else:
            degree.append(max(degrees) * max(1.0, abs(exponent or 1.0)))
    if size[index] > MAX_OPERATIONS or degree[index] > MAX_DEGREE:
        name = graph.nodes[index].name
        what = f"{size[index]} operations" if size[index] > MAX_OPERATIONS else f"degree {degree[index]:g}"
        limit = MAX_OPERATIONS if size[index] > MAX_OPERATIONS else MAX_DEGREE
        raise InputError(f"graph: written out, {name} has {what}; formulas are made up to {limit}")
