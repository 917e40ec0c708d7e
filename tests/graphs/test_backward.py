"""Derivatives: closed forms, autograd, finite differences, the duality of the two modes, and what they cost."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlexp.errors import InputError
from dlexp.graphs.agreement import agreement, distance
from dlexp.graphs.autograd import _functions, autograd
from dlexp.graphs.backward import Sweep, backward, forward_mode, local_derivatives
from dlexp.graphs.evaluate import forward
from dlexp.graphs.finite_differences import finite_differences
from dlexp.graphs.graph import Graph
from dlexp.graphs.operations import FUNCTIONS, OPERATIONS
from dlexp.graphs.parser import parse
from dlexp.graphs.random_graphs import random_statements
from dlexp.graphs.symbolic import _operations


def swept(text: str, add: bool = True, **inputs: float | list[float]) -> tuple[Graph, Sweep]:
    """The reverse sweep from the output."""
    graph = parse(text)
    values = forward(graph, inputs)
    return graph, backward(graph, values, local_derivatives(graph, values), graph.index(graph.outputs[0]), add=add)


def gradient(text: str, **inputs: float | list[float]) -> dict[str, object]:
    """The derivative by each input."""
    graph, sweep = swept(text, **inputs)
    return {name: sweep.derivatives[graph.index(name)].tolist() for name in graph.inputs}


def test_closed_forms_of_the_three_expressions() -> None:
    assert gradient("y = 2*(a-b) + c", a=3, b=1, c=0.5) == {"a": 2, "b": -2, "c": 1}
    x, w = [1.0, 2.0, -1.0], [0.5, -1.0, 2.0]
    assert gradient("y = x @ w + b", x=x, w=w, b=0.25) == {"x": w, "w": x, "b": 1}
    found = gradient("y = ((x-mu)/sigma)*gamma + delta", x=[1, 2, 4], mu=1.5, sigma=2, gamma=3, delta=0.5)
    # Of the sum of the entries: gamma/sigma; -n gamma/sigma; -gamma sum(x - mu)/sigma^2; sum(x - mu)/sigma; n.
    assert found == {"x": [1.5] * 3, "mu": -4.5, "sigma": -1.875, "gamma": 1.25, "delta": 3}


def test_contributions_of_several_readers_add_up() -> None:
    assert gradient("y = a*a*a", a=2) == {"a": 12}
    assert gradient("b = 2*a; y = b*b + b + a", a=3) == {"a": 2 * (2 * 6 + 1) + 1}
    graph, wrong = swept("y = a*a", add=False, a=2)
    assert wrong.derivatives[graph.index("a")] == 2  # the control keeps one of the two


@given(st.integers(0, 10**6), st.integers(1, 12))
@settings(max_examples=40)
def test_random_graphs_agree_with_autograd_and_finite_differences(seed: int, statements: int) -> None:
    text, point = random_statements(np.random.default_rng(seed), statements)
    graph = parse(text)
    found = agreement(graph, point, graph.index("y"))
    assert found.autograd < 1e-12
    assert found.differences < 1e-6


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_reverse_and_forward_mode_are_adjoint(seed: int) -> None:
    # <w, J t> = <J^T w, t> for every node as output and every input as source.
    rng = np.random.default_rng(seed)
    text, point = random_statements(rng)
    graph = parse(text)
    values = forward(graph, point)
    local = local_derivatives(graph, values)
    source = graph.index(str(rng.choice(graph.inputs)))
    tangent = rng.normal(size=values[source].shape)
    pushed = forward_mode(graph, values, local, source, np.asarray(tangent)).derivatives
    for output in range(len(graph.nodes)):
        weights = np.asarray(rng.normal(size=values[output].shape))
        pulled = backward(graph, values, local, output, weights).derivatives[source]
        assert (weights * pushed[output]).sum() == pytest.approx((pulled * tangent).sum(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", [*FUNCTIONS, "neg", "same"])
@pytest.mark.parametrize("x", [0.7, [0.3, 1.2, 2.5]])
def test_every_function_has_the_derivative_of_torch(name: str, x: float | list[float]) -> None:
    if OPERATIONS[name].reduces and isinstance(x, float):
        return
    graph = parse({"neg": "-x", "same": "y = x"}.get(name, f"{name}(x)"))
    found = agreement(graph, {"x": x}, 1)
    assert found.autograd < 1e-15
    assert found.differences < 1e-9


def test_kinks_and_zeros_follow_torch() -> None:
    for text in ("relu(a)", "abs(a)", "a**2", "a**1", "a**3", "a**0"):
        graph = parse(text)
        assert agreement(graph, {"a": 0.0}, graph.index("y")).autograd == 0.0, text
    assert gradient("a**b", a=0, b=2.0) == {"a": 0, "b": 0}
    assert gradient("a**b", a=2, b=3.0) == {"a": 12, "b": pytest.approx(8 * np.log(2))}


def test_a_vector_output_takes_a_seed() -> None:
    graph = parse("y = x*a")
    point = {"x": [1.0, 2.0], "a": 3.0}
    values = forward(graph, point)
    seed = np.array([10.0, -1.0])
    sweep = backward(graph, values, local_derivatives(graph, values), graph.index("y"), seed)
    assert sweep.derivatives[graph.index("x")].tolist() == [30, -3]
    assert sweep.derivatives[graph.index("a")] == 8  # 10 * 1 - 1 * 2
    torchs = autograd(graph, point, graph.index("y"), [0, 1], seed)
    assert [each.tolist() for each in torchs] == [[30, -3], 8]


def test_an_edge_costs_one_multiplication_and_only_where_it_matters() -> None:
    graph, sweep = swept("y = 2*(a-b) + c", a=3, b=1, c=0.5)
    assert sweep.multiplications == 5  # six edges, one of them from a constant
    graph = parse("u = sin(a); y = u*b; z = cos(u)")
    values = forward(graph, {"a": 1.0, "b": 2.0})
    local = local_derivatives(graph, values)
    assert backward(graph, values, local, graph.index("y")).multiplications == 3  # z is not on the way
    one = np.asarray(1.0)
    assert forward_mode(graph, values, local, graph.index("b"), one).multiplications == 1
    assert forward_mode(graph, values, local, graph.index("a"), one).multiplications == 3


def test_a_source_in_the_middle_is_moved_on_its_own() -> None:
    graph, point = parse("b = a**2; y = b*a"), {"a": 3.0}
    b, y = graph.index("b"), graph.index("y")
    assert autograd(graph, point, y, [b])[0] == 3  # a stays, although b is made of it
    assert finite_differences(graph, point, y, b) == pytest.approx(3, rel=1e-9)
    values = forward(graph, point)
    assert backward(graph, values, local_derivatives(graph, values), y).derivatives[b] == 3


def test_finite_differences_have_their_textbook_errors() -> None:
    # f = x^3 at 1: central 3 + h^2, forward 3 + 3h + h^2, exactly.
    graph, point, h = parse("x**3"), {"x": 1.0}, 2.0**-7
    assert finite_differences(graph, point, 1 + 1, 0, h) == pytest.approx(3 + h**2, rel=1e-12)
    assert finite_differences(graph, point, 1 + 1, 0, h, "forward") == pytest.approx(3 + 3 * h + h**2, rel=1e-12)


def test_no_dependence_is_a_derivative_of_zero() -> None:
    graph = parse("u = sin(a); y = 2*b")
    assert [float(each) for each in autograd(graph, {"a": 1.0, "b": 1.0}, graph.index("y"), [0, 1])] == [0.0, 2.0]


@pytest.mark.parametrize(
    ("text", "inputs", "message"),
    [
        ("sqrt(a)", {"a": 0}, "values: the node y = sqrt(a) has no finite derivative at a = 0"),
        ("a**b", {"a": -2, "b": 2}, "values: the node y = a**b has no finite derivative at a = -2, b = 2"),
        (
            "c + (a*b)**0.5",
            {"a": 0, "b": 2, "c": 1},
            "values: the node v2 = v1**0.5 has no finite derivative at v1 = 0",
        ),
    ],
)
def test_points_without_a_derivative_are_refused_by_name(text: str, inputs: dict[str, float], message: str) -> None:
    graph = parse(text)
    with pytest.raises(InputError) as refusal:
        local_derivatives(graph, forward(graph, inputs))
    assert str(refusal.value) == message


def test_an_exponent_that_is_a_number_needs_no_logarithm() -> None:
    assert gradient("a**2", a=-3) == {"a": -6}
    assert gradient("a**(1 + 1)", a=-3) == {"a": -6}


def test_the_same_operations_in_numpy_torch_and_sympy() -> None:
    assert set(_functions()) == set(OPERATIONS)
    assert set(_operations()) == set(OPERATIONS)


def test_distance_is_absolute_below_one_and_relative_above() -> None:
    assert distance(np.asarray(0.1), np.asarray(0.0)) == 0.1
    assert distance(np.array([110.0, 5.0]), np.array([100.0, 5.0])) == pytest.approx(0.1)


def test_a_small_net_has_the_gradients_of_torch_modules() -> None:
    # Independent of our torch graph: tanh(w x + b) with a squared loss, in torch's own layers.
    x, w, b, target = [0.5, -1.0, 2.0], [0.1, 0.2, -0.3], 0.4, 0.7
    found = gradient("h = tanh(x @ w + b); y = (h - t)**2", x=x, w=w, b=b, t=target)
    layer = torch.nn.Linear(3, 1, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([w]))
        layer.bias.copy_(torch.tensor([b]))
    loss = torch.nn.functional.mse_loss(
        layer(torch.tensor(x, dtype=torch.float64)).tanh(), torch.tensor([target]).double()
    )
    loss.backward()
    assert found["w"] == pytest.approx(layer.weight.grad[0].tolist(), rel=1e-6)
    assert found["b"] == pytest.approx(float(layer.bias.grad), rel=1e-6)
