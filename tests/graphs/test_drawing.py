"""Drawn graphs: layers, crossings, and no text upon another."""

import io
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dlexp.graphs import symbolic
from dlexp.graphs.asked import ask
from dlexp.graphs.cost_graphs import diamonds
from dlexp.graphs.differentiated import differentiated
from dlexp.graphs.layout import DUMMY_SHARE, crossings, lay_out
from dlexp.graphs.pictures import elementary_picture, formula_text, minus, pretty, statement_picture

FIGURE_1 = "b = 5 - 3*a; c = 2*b + 3; d = 5*b + 6; e = 7*c + d**2; f = 2*e; g = 3*f - o"
DRAWN = {
    "y = 2*(a - b) + c": {"a": 3.0, "b": 1.0, "c": 0.5},
    "y = x @ w + b": {"x": [1.0, 2.0, -1.0], "w": [0.5, -1.0, 2.0], "b": 0.25},
    "y = ((x - mu)/sigma)*gamma + delta": {"x": [1, 2, 4], "mu": 1.5, "sigma": 2, "gamma": 3, "delta": 0.5},
    "y = a*a + sin(a*a)/mean(x*a) + x @ x": {"a": 0.3, "x": [1.0, 2.0]},
    FIGURE_1: {"a": 1.0, "o": 2.0},
}


def picture(text: str) -> Figure:
    """The drawing of the elementary operations."""
    each = differentiated(text, DRAWN[text], "graph", "values")
    return elementary_picture(each.graph, each.values, each.local, each.adjoints, each.output)


def picture_of_figure_1() -> Figure:
    """The drawing of its statements."""
    asked = ask(FIGURE_1, DRAWN[FIGURE_1], "g", "b")
    formulas = symbolic.statement_jacobians(asked.at.graph, asked.at.values)
    return statement_picture(asked, formulas, asked.by_paths())


def texts(made: Figure) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Each text with the rectangle that it covers, in pixels."""
    renderer = FigureCanvasAgg(made).get_renderer()
    found = [text for text in made.axes[0].texts if text.get_text()]
    return [(text.get_text(), text.get_window_extent(renderer).extents) for text in found]


@pytest.mark.parametrize("text", [*DRAWN, "statements"])
def test_no_text_lies_upon_another_or_outside(text: str) -> None:
    made = picture_of_figure_1() if text == "statements" else picture(text)
    width, height = made.get_size_inches() * made.dpi
    for (one, a), (other, b) in itertools.combinations(texts(made), 2):
        overlap = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        assert min(overlap) <= 1, (one, other)  # a pixel of leading between the lines of a box
    for said, (left, bottom, right, top) in texts(made):
        assert left >= 0, said
        assert bottom >= 0, said
        assert right <= width, said
        assert top <= height, said


def test_boxes_hold_their_text() -> None:
    made = picture("y = ((x - mu)/sigma)*gamma + delta")
    renderer = FigureCanvasAgg(made).get_renderer()
    boxes = [patch.get_window_extent(renderer).extents for patch in made.axes[0].patches]

    def is_inside(at: tuple[float, float, float, float], box: tuple[float, float, float, float]) -> bool:
        return box[0] <= at[0] and at[2] <= box[2] and box[1] - 1 <= at[1] and at[3] <= box[3] + 1

    inside = [text for text, at in texts(made) if any(is_inside(at, box) for box in boxes)]
    assert len(boxes) == 9
    assert len(inside) == 27  # name, value and adjoint of each
    assert "value [−0.75, 0.75, 3.75]" in inside  # noqa: RUF001


def test_what_the_drawing_of_figure_1_says() -> None:
    said = [text for text, _ in texts(picture_of_figure_1())]
    for part in ("e = 7·c + d²", "value 305", "adjoint 1044", "2·d", "path 1: b → c → e → f → g, product 84",
                 "path 2: b → d → e → f → g, product 960", "shared by paths"):  # fmt: skip
        assert part in said, part


def test_many_paths_are_marked_together() -> None:
    asked = ask(diamonds(3), {"x0": 0.5}, "x3", "x0")
    formulas = symbolic.statement_jacobians(asked.at.graph, asked.at.values)
    said = [text for text, _ in texts(statement_picture(asked, formulas, asked.by_paths()))]
    assert "on a path (8 in all)" in said
    assert not any(text.startswith("path ") for text in said)


def test_equal_graphs_are_equal_files() -> None:
    files = []
    for _ in range(2):
        file = io.BytesIO()
        picture("y = 2*(a - b) + c").savefig(file, format="png", metadata={"Software": None})
        files.append(file.getvalue())
    assert files[0] == files[1]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=18))
@settings(max_examples=60)
def test_edges_go_to_later_layers_and_nodes_keep_apart(pairs: list[tuple[int, int]]) -> None:
    edges = [(u, v) for u, v in pairs if u < v]
    layout = lay_out(range(10), edges)
    assert all(layout.layer[u] < layout.layer[v] for u, v in edges)
    assert min(layout.layer.values()) == 0
    for one, other in itertools.combinations(range(10), 2):
        if layout.layer[one] == layout.layer[other]:
            assert abs(layout.height[one] - layout.height[other]) >= 1 - 1e-9
    for (u, v), passes in layout.passes.items():
        assert len(passes) == layout.layer[v] - layout.layer[u] - 1
        for number, height in enumerate(passes, start=layout.layer[u] + 1):
            near = [abs(layout.height[node] - height) for node in range(10) if layout.layer[node] == number]
            assert all(each >= (1 + DUMMY_SHARE) / 2 - 1e-9 for each in near)  # an arrow passes beside the boxes


def test_leaves_stand_right_before_their_first_reader() -> None:
    layout = lay_out(["a", "b", "late", "u", "v", "y"], [("a", "u"), ("b", "u"), ("u", "v"), ("v", "y"), ("late", "y")])
    assert [layout.layer[key] for key in ("a", "b", "u", "v", "late", "y")] == [0, 0, 1, 2, 2, 3]


def test_crossings_by_hand_and_removed() -> None:
    assert crossings([["a", "b"], ["c", "d"]], [("a", "d"), ("b", "c")]) == 1
    assert crossings([["a", "b"], ["c", "d"]], [("a", "c"), ("b", "d"), ("a", "d")]) == 0
    layout = lay_out(["a", "b", "c", "d"], [("a", "d"), ("b", "c")])
    assert np.sign(layout.height["a"] - layout.height["b"]) == np.sign(layout.height["d"] - layout.height["c"])


def test_formulas_as_one_writes_them() -> None:
    assert pretty("7*c + d**2") == "7·c + d²"
    assert pretty("a**12*b**-1") == "a¹²·b^−1"  # noqa: RUF001
    assert pretty("a**2.5 - b") == "a^2.5 − b"  # noqa: RUF001
    assert pretty("2**x") == "2^x"
    assert pretty("a**2**3 + b") == "a^2³ + b"
    assert minus("-1e-05") == "−1e−05"  # noqa: RUF001
    import sympy

    assert formula_text(sympy.Matrix([[1, 2]])) == "[1, 2]"
    assert formula_text(sympy.Matrix([[1, 2], [3, 4]])) == "[1, 2; 3, 4]"
