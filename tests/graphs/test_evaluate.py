"""Forward values against Python's own arithmetic, shapes, and points that are refused by the name of the node."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlexp.errors import InputError
from dlexp.graphs.evaluate import forward, shown
from dlexp.graphs.operations import FUNCTIONS
from dlexp.graphs.parser import parse
from dlexp.graphs.random_graphs import random_statements

PYTHONS = {
    "abs": np.abs, "cos": np.cos, "exp": np.exp, "log": np.log, "mean": np.mean, "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)), "sin": np.sin, "sqrt": np.sqrt, "sum": np.sum, "tan": np.tan,
    "tanh": np.tanh,
}  # fmt: skip


def output(text: str, **inputs: float | list[float]) -> np.ndarray:
    """The value of the output."""
    graph = parse(text)
    return forward(graph, inputs)[graph.index(graph.outputs[0])]


def test_the_three_expressions() -> None:
    assert output("y = 2*(a-b) + c", a=3, b=1, c=0.5) == 4.5
    assert output("y = x @ w + b", x=[1, 2, -1], w=[0.5, -1, 2], b=0.25) == -3.25
    value = output("y = ((x-mu)/sigma)*gamma + delta", x=[1, 2, 4], mu=1.5, sigma=2, gamma=3, delta=0.5)
    assert value.tolist() == [-0.25, 1.25, 4.25]


@given(st.integers(0, 10**6))
def test_random_graphs_have_the_values_that_python_computes(seed: int) -> None:
    text, point = random_statements(np.random.default_rng(seed))
    graph = parse(text)
    values = forward(graph, point)
    space = {name: np.asarray(value) for name, value in point.items()}
    exec(text, {**PYTHONS}, space)  # our own text, of the test: an independent evaluation
    for name in graph.names:
        np.testing.assert_allclose(values[graph.index(name)], space[name], rtol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_on_a_vector(name: str) -> None:
    x = [0.3, 1.2, 2.5]
    np.testing.assert_allclose(output(f"{name}(x)", x=x), PYTHONS[name](np.array(x)), rtol=1e-15, atol=1e-16)


def test_sigmoid_and_relu_hold_far_out() -> None:
    assert output("sigmoid(a)", a=-800.0) == pytest.approx(0.0, abs=1e-300)
    assert output("sigmoid(a)", a=800.0) == 1.0
    assert output("relu(a)", a=-3.0) == 0.0


def test_a_replaced_node_ignores_its_arguments() -> None:
    graph = parse("b = 5 - 3*a; c = 2*b")
    values = forward(graph, {"a": 1.0}, replaced={graph.index("b"): np.asarray(10.0)})
    assert values[graph.index("c")] == 20.0
    assert values[graph.index("a")] == 1.0


def test_values_as_people_read_them() -> None:
    assert shown(np.asarray(1044.0)) == "1044"
    assert shown(np.array([-0.0, 1 / 3, 1e-9])) == "[0, 0.3333, 1e-09]"


@pytest.mark.parametrize(
    ("text", "inputs", "message"),
    [
        ("a/b", {"a": 1, "b": 0}, "values: the node y = a/b: division by zero at a = 1, b = 0"),
        ("x/2 + 1/(x - x)", {"x": [1, 2]}, "values: the node v3 = 1/v2: division by zero at v2 = [0, 0]"),
        ("log(a - 2)", {"a": 1}, "values: the node y = log(v1): its value is not finite at v1 = -1"),
        ("exp(a)", {"a": 1000}, "values: the node y = exp(a): its value is not finite at a = 1000"),
        ("a**b", {"a": -2, "b": 0.5}, "values: the node y = a**b: its value is not finite at a = -2, b = 0.5"),
        ("a + b*c", {"b": 1}, "values.a: it has no value; say values={a: 1.0, c: 1.0}"),
        ("sigma", {"sigmaa": 1}, "values.sigmaa: the graph has no such input; did you mean 'sigma'?"),
        ("b = a; c = b", {"a": 1, "b": 2}, "values.b: the graph has no such input; choose from: a"),
        ("x + w", {"x": [1, 2], "w": [1, 2, 3]}, "values: y = x + w: vectors of 2 and 3 numbers do not fit each other"),
        ("x @ w", {"x": [1, 2], "w": [1, 2, 3]}, "values: y = x @ w: @ takes two vectors of one length"),
        ("x @ w", {"x": 1, "w": 2}, "values: y = x @ w: @ takes two vectors of one length"),
        ("1 @ 2 + a", {"a": 1}, "values: v1 = 1 @ 2: @ takes two vectors of one length"),
        ("mean(a)", {"a": 1}, "values: y = mean(a): mean takes a vector"),
        ("a", {"a": []}, "values.a=[]: must be a number or a list of numbers"),
        ("a", {"a": [[1.0]]}, "values.a=[[1.0]]: must be a number or a list of numbers"),
        ("a", {"a": float("nan")}, "values.a=nan: must be finite"),
    ],
)
def test_bad_points_are_refused_by_name(text: str, inputs: dict[str, float], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        forward(parse(text), inputs)
    assert str(refusal.value) == message
