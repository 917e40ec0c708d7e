"""What a drawn graph says: operation, forward value and adjoint in each box, the local derivative on each arrow."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

from dlexp.graphs.asked import Asked
from dlexp.graphs.drawing import Arrow, Box, Kind, draw_graph
from dlexp.graphs.evaluate import shown, written
from dlexp.graphs.graph import CONSTANT, INPUT, Edge, Graph
from dlexp.graphs.operations import Value
from dlexp.graphs.paths import PathSum, Route
from dlexp.plots import COLOURS, LINES

if TYPE_CHECKING:
    import sympy
    from matplotlib.figure import Figure

LONGEST_TITLE, LONGEST_LABEL = 28, 22  # characters in a box and on an arrow
OFF, SHARED = "#777777", "#000000"  # arrows on no path, and on several
MAX_COLOURED = len(COLOURS) - 1  # paths that get a look of their own; black is for what they share


def elementary_picture(
    graph: Graph, values: Sequence[Value], local: Mapping[Edge, Value], adjoint: Sequence[Value], output: int
) -> "Figure":
    """One box per operation, with its value and the derivative of the output by it."""
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    for index, node in enumerate(graph.nodes):
        if node.operation == CONSTANT:
            continue
        for position, parent in enumerate(node.parents):
            key: Hashable = parent
            if graph.nodes[parent].operation == CONSTANT:  # one box for each use: fewer long arrows
                key = ("constant", index, position)
                boxes.append(Box(key, (minus(shown(values[parent])),), "constant"))
            label = local.get((parent, index, position))
            arrows.append(Arrow(key, index, "" if label is None else minus(shown(label))))
        title = node.name if node.operation == INPUT else f"{node.name} = {pretty(written(graph, index))}"
        lines = (title, f"value {minus(shown(values[index]))}", f"adjoint {minus(shown(adjoint[index]))}")
        kind: Kind = "input" if node.operation == INPUT else "output" if index == output else "operation"
        boxes.append(Box(index, lines, kind))
    return draw_graph(boxes, arrows)


def statement_picture(asked: Asked, formulas: Mapping[tuple[int, int], "sympy.Matrix"], summed: PathSum) -> "Figure":
    """One box per statement, local derivatives as `formulas` on the arrows; the paths that are summed stand out."""
    graph, values = asked.at.graph, asked.at.values
    boxes = []
    for index in (index for index, node in enumerate(graph.nodes) if node.named):
        name = graph.nodes[index].name
        title = f"{name} = {pretty(graph.sources[name])}" if name in graph.sources else name
        title = title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 3]}..."
        kind: Kind = "output" if index == asked.at.output else "operation" if name in graph.sources else "input"
        lines = (title, f"value {minus(shown(values[index]))}", f"adjoint {minus(shown(asked.at.adjoints[index]))}")
        boxes.append(Box(index, lines, kind))
    numbers = {(link.parent, link.child): link.jacobian.squeeze() for link in asked.links()}
    labels = {edge: _label(matrix, numbers.get(edge)) for edge, matrix in formulas.items()}
    names = []
    for route, product in zip(summed.routes, summed.products, strict=True):
        nodes = " → ".join(graph.nodes[index].name for index in (asked.source, *(link.child for link in route)))
        names.append(f"{nodes}, product {minus(shown(product.squeeze()))}")
    return draw_graph(boxes, *_marked(labels, summed.routes, names))


def formula_text(matrix: "sympy.Matrix") -> str:
    """A 1 x 1 matrix as its entry, one row as a list, anything else as rows."""
    rows = [", ".join(str(entry) for entry in row) for row in matrix.tolist()]
    return rows[0] if matrix.shape == (1, 1) else f"[{'; '.join(rows)}]"


def _label(matrix: "sympy.Matrix", number: Value | None) -> str:
    """A local derivative: as a formula, as a number where that is too long, else by its shape."""
    text = pretty(formula_text(matrix))
    if len(text) > LONGEST_LABEL and number is not None and number.ndim < 2:
        text = minus(shown(number, 3))
    return text if len(text) <= LONGEST_LABEL else f"{matrix.rows} × {matrix.cols} matrix"  # noqa: RUF001


def _marked(
    labels: Mapping[tuple[int, int], str], routes: Sequence[Route], names: Sequence[str]
) -> tuple[list[Arrow], dict[str, Arrow]]:
    """Arrows with the look of the path that they are on, and the legend."""
    on: dict[tuple[int, int], list[int]] = {}
    for number, route in enumerate(routes):
        for link in route:
            on.setdefault((link.parent, link.child), []).append(number)
    own = len(routes) <= MAX_COLOURED
    arrows = []
    for (parent, child), label in labels.items():
        paths = on.get((parent, child), [])
        if not paths:
            arrows.append(Arrow(parent, child, label, OFF))
        elif len(paths) == 1 and own:
            number = paths[0]
            arrows.append(Arrow(parent, child, label, COLOURS[number], LINES[number], 2.0))
        else:
            arrows.append(Arrow(parent, child, label, SHARED, "-", 2.0))
    if not own:
        return arrows, {f"on a path ({len(routes)} in all)": Arrow("", "", "", SHARED, "-", 2.0)}
    looks = {f"path {k + 1}: {name}": Arrow("", "", "", COLOURS[k], LINES[k], 2.0) for k, name in enumerate(names)}
    if any(len(paths) > 1 for paths in on.values()):
        looks["shared by paths"] = Arrow("", "", "", SHARED, "-", 2.0)
    return arrows, looks


def pretty(text: str) -> str:
    """Formulas as one writes them by hand: a dot for *, small exponents, a minus as long as a plus."""
    powers = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
    parts = text.split("**")
    for number in range(1, len(parts)):
        digits = len(parts[number]) - len(parts[number].lstrip("0123456789"))
        rest = parts[number][digits:]
        base = number + 1 < len(parts) and not rest  # 2 in a**2**3
        whole = digits and not base and not rest.startswith(".")
        parts[number] = parts[number][:digits].translate(powers) + rest if whole else f"^{parts[number]}"
    return minus("".join(parts).replace("*", "·"))


def minus(text: str) -> str:
    """Hyphens as minus signs, those of exponents (1e-05) included."""
    return text.replace("-", "−")  # noqa: RUF001
