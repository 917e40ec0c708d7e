"""Sums over paths and formulas: Figure 1 by hand, brute force, growth, and questions that are refused."""

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from dlexp.errors import InputError
from dlexp.graphs import symbolic
from dlexp.graphs.agreement import distance
from dlexp.graphs.asked import ask
from dlexp.graphs.backward import backward, local_derivatives
from dlexp.graphs.cost_graphs import diamond_cost, diamonds, funnel_cost
from dlexp.graphs.differentiated import differentiated
from dlexp.graphs.evaluate import forward
from dlexp.graphs.operations import FUNCTIONS, OPERATIONS
from dlexp.graphs.parser import parse
from dlexp.graphs.paths import Link, count_paths, elementary_links, find_paths, statement_links, sum_over_paths
from dlexp.graphs.random_graphs import random_point, random_statements

FIGURE_1 = "b = 5 - 3*a; c = 2*b + 3; d = 5*b + 6; e = 7*c + d**2; f = 2*e; g = 3*f - o"


def test_figure_1_by_hand() -> None:
    asked = ask(FIGURE_1, {"a": 1.0, "o": 2.0}, "g", "b")
    summed = asked.by_paths()
    named = [[asked.at.graph.nodes[link.child].name for link in route] for route in summed.routes]
    assert named == [["c", "e", "f", "g"], ["d", "e", "f", "g"]]
    factors = [[link.jacobian.item() for link in route] for route in summed.routes]
    assert factors == [[2, 7, 2, 3], [5, 32, 2, 3]]  # d = 16
    assert [product.item() for product in summed.products] == [84, 960]
    assert summed.total.item() == 300 * 2 + 444
    assert summed.multiplications == 8
    (formula,) = asked.formula()
    b = sympy.Symbol("b", real=True)
    assert formula == 300 * b + 444
    assert all(value == 1044 or abs(value / 1044 - 1) < 1e-9 for value in asked.by_methods(asked.formula()).values())


@given(st.floats(-5, 5), st.floats(-5, 5))
@settings(max_examples=25)
def test_the_closed_form_holds_everywhere(a: float, o: float) -> None:
    asked = ask(FIGURE_1, {"a": a, "o": o}, "g", "b")
    assert asked.by_paths().total.item() == pytest.approx(300 * (5 - 3 * a) + 444, rel=1e-12, abs=1e-9)


def test_the_local_derivatives_of_figure_1_as_formulas() -> None:
    asked = ask(FIGURE_1, {"a": 1.0, "o": 2.0}, "g", "b")
    graph = asked.at.graph
    found = symbolic.statement_jacobians(graph, asked.at.values)
    by_name = {f"{graph.nodes[v].name} by {graph.nodes[u].name}": str(matrix[0]) for (u, v), matrix in found.items()}
    assert by_name == {"b by a": "-3", "c by b": "2", "d by b": "5", "e by c": "7", "e by d": "2*d", "f by e": "2",
                       "g by f": "3", "g by o": "-1"}  # fmt: skip


@given(st.integers(0, 10**6))
@settings(max_examples=30)
def test_both_levels_of_paths_equal_the_reverse_sweep(seed: int) -> None:
    rng = np.random.default_rng(seed)
    text, point = random_statements(rng, 6)
    graph = parse(text)
    values = forward(graph, point)
    source, output = graph.index(str(rng.choice(graph.inputs))), graph.index("y")
    local = local_derivatives(graph, values, [source])
    expected = backward(graph, values, local, output).derivatives[source]
    for links in (elementary_links(values, local), statement_links(graph, values, local)):
        summed = sum_over_paths(links, source, output, (1, expected.size))
        assert distance(summed.total.reshape(expected.shape), expected) < 1e-12
        assert len(summed.routes) == count_paths(links, source, output)
        assert summed.multiplications == sum(map(len, summed.routes))


@given(st.integers(0, 10**6))
@settings(max_examples=8)
def test_formulas_equal_the_sweep_at_random_points(seed: int) -> None:
    text, point = random_statements(np.random.default_rng(seed), 4)
    graph = parse(text)
    for source in graph.inputs:
        if graph.depends_on([graph.index(source)])[graph.index("y")]:
            asked = ask(text, point, "y", source)
            swept = asked.at.adjoints[asked.source]
            number = np.reshape(symbolic.at_point(asked.at.graph, asked.at.values, asked.formula())[0], swept.shape)
            assert distance(number, swept) < 1e-12


def test_a_jacobian_between_vectors_is_a_matrix() -> None:
    each = differentiated("u = x*a; v = u*(u @ w)", {"x": [1.0, 2.0], "a": 3.0, "w": [0.5, -1.0]}, "graph", "values")
    graph = each.graph
    (link,) = [k for k in statement_links(graph, each.values, each.local)
               if (graph.nodes[k.parent].name, graph.nodes[k.child].name) == ("u", "v")]  # fmt: skip
    u, w = np.array([3.0, 6.0]), np.array([0.5, -1.0])
    np.testing.assert_allclose(link.jacobian, (u @ w) * np.eye(2) + np.outer(u, w))  # by hand


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=14), st.integers(0, 6), st.integers(0, 6))
def test_counting_paths_equals_walking_them(pairs: list[tuple[int, int]], source: int, target: int) -> None:
    links = [Link(u, v, np.ones((1, 1))) for u, v in pairs if u < v]

    def walk(node: int) -> int:
        return 1 if node == target else sum(walk(link.child) for link in links if link.parent == node)

    assert count_paths(links, source, target) == walk(source) == len(find_paths(links, source, target))


def test_paths_double_with_each_diamond_and_the_sweep_does_not() -> None:
    assert [diamond_cost(k)["paths"] for k in (1, 2, 5, 8)] == [2, 4, 32, 256]
    assert [diamond_cost(k)["sum over paths"] for k in (1, 2, 5)] == [2 * k * 2**k for k in (1, 2, 5)]
    assert [diamond_cost(k)["reverse sweep"] for k in (1, 2, 5)] == [4, 8, 20]
    assert funnel_cost(1, 20) == {"inputs": 1, "edges": 21, "forward sweeps": 21, "reverse sweep": 21}
    wide = funnel_cost(8, 20)
    assert wide["reverse sweep"] == wide["edges"] == 1 + 2 * 7 + 20
    assert wide["forward sweeps"] == (1 + 7 + 20) + sum(1 + (8 - k) + 20 for k in range(2, 9))


def test_too_many_paths_are_counted_and_refused() -> None:
    with pytest.raises(InputError) as refusal:
        ask(diamonds(17), {"x0": 0.5}, "x17", "x0").by_paths()
    assert str(refusal.value) == "params.graph: 131072 paths are too many to list; the limit is 100000"


@pytest.mark.parametrize("name", [*FUNCTIONS, "neg"])
def test_every_function_has_value_and_derivative_as_a_formula(name: str) -> None:
    x = [0.7, 1.9] if OPERATIONS[name].reduces else 0.7
    each = differentiated("-x" if name == "neg" else f"{name}(x)", {"x": x}, "graph", "values")
    formula = sympy.Matrix(symbolic.formula(each.graph, each.values, each.output, ()))
    (value,) = symbolic.at_point(each.graph, each.values, formula)[0]
    assert value == pytest.approx(float(each.values[each.output]), rel=1e-14)
    derivative = symbolic.derivative(each.graph, each.values, each.output, each.sources[0])
    found = symbolic.at_point(each.graph, each.values, derivative)[0]
    assert found == pytest.approx(np.atleast_1d(each.adjoints[0]).tolist(), rel=1e-14)


def test_decimal_numbers_stay_what_was_written() -> None:
    each = differentiated("0.1*a + a**2/3", {"a": 1.0}, "graph", "values")
    assert str(symbolic.derivative(each.graph, each.values, each.output, 0)[0]) == "2*a/3 + 1/10"


def test_a_polynomial_is_multiplied_out_only_while_it_is_small() -> None:
    each = differentiated("(a + b)**2", {"a": 1.0, "b": 1.0}, "graph", "values")
    assert str(symbolic.derivative(each.graph, each.values, each.output, 0)[0]) == "2*a + 2*b"
    each = differentiated("(a + b)**64", {"a": 0.5, "b": 0.5}, "graph", "values")
    assert str(symbolic.derivative(each.graph, each.values, each.output, 0)[0]) == "64*(a + b)**63"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("b = (a**60)**60; c = b**2", "graph: written out, c has degree 7200; formulas are made up to 4096"),
        (diamonds(10), "graph: written out, x10 has 4093 operations; formulas are made up to 2000"),
    ],
)
def test_formulas_that_would_explode_are_refused(text: str, message: str) -> None:
    graph = parse(text)
    values = forward(graph, {graph.inputs[0]: 0.9})
    with pytest.raises(InputError) as refusal:
        symbolic.formula(graph, values, graph.index(graph.outputs[0]), ())
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("output", "source", "message"),
    [
        ("h", "b", "params.output=h: the graph has no such variable; choose from: a, b, c, d, e, f, g, o"),
        ("g", "h", "params.input=h: the graph has no such variable; choose from: a, b, c, d, e, f, g, o"),
        ("c", "d", "params.output=c: it does not depend on d; choose from: e, f, g"),
        ("g", "g", "params.output=g: it does not depend on g; nothing depends on g"),
    ],
)
def test_pairs_without_a_derivative_are_refused(output: str, source: str, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        ask(FIGURE_1, {"a": 1.0, "o": 2.0}, output, source)
    assert str(refusal.value) == message


def test_a_vector_output_is_refused_and_a_vector_input_is_not() -> None:
    text, point = "u = x*2; y = sum(u*u)", {"x": [1.0, 3.0]}
    with pytest.raises(InputError) as refusal:
        ask(text, point, "u", "x")
    assert str(refusal.value) == ("params.output=u: it is a vector, and the output must be a number; choose from: y")
    asked = ask(text, point, "y", "x")
    methods = asked.by_methods(asked.formula())
    assert all(value == pytest.approx(np.array([8.0, 24.0])) for value in methods.values())


def test_a_moved_question_is_the_question_at_the_new_point() -> None:
    asked = ask(FIGURE_1, {"a": 1.0, "o": 2.0}, "g", "b").moved({"a": 2.0, "o": 0.0})
    assert asked.value == -1
    assert asked.by_paths().total.item() == asked.at.adjoints[asked.source] == 144


def test_random_points_keep_signs_and_avoid_what_has_no_value() -> None:
    graph = parse("y = sqrt(a - 0.9) + 1/b + c")
    rng = np.random.default_rng(0)
    for _ in range(50):
        point = random_point(rng, graph, {"a": 1.0, "b": -2.0, "c": 0.0}, 0.5)
        assert 0.9 < point["a"] < 1.5
        assert -3 < point["b"] < -1
        assert abs(point["c"]) < 0.5
    with pytest.raises(InputError, match=r"^values: the node y = log\(v1\): its value is not finite at v1 = -"):
        random_point(rng, parse("log(a - 100)"), {"a": 1.0}, 0.5)


def test_the_same_seed_draws_the_same_graph() -> None:
    one, other = (random_statements(np.random.default_rng(5)) for _ in range(2))
    assert one == other
    assert one != random_statements(np.random.default_rng(6))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u = 2; y = u*3", "graph: it has no variable, so there is nothing to differentiate by"),
        ("u = a; v = 2*a", "graph: no statement reads u and v; there must be one output"),
    ],
)
def test_a_text_without_one_variable_and_one_output_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        differentiated(text, {} if "a" not in text else {"a": 1.0}, "graph", "values")
    assert str(refusal.value) == message
