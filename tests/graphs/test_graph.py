"""The graph itself: order, names, who depends on whom."""

import pytest

from dlexp.errors import InputError
from dlexp.graphs.graph import CONSTANT, INPUT, Graph, Node
from dlexp.graphs.parser import parse

FIGURE_1 = "b = 5 - 3*a; c = 2*b + 3; d = 5*b + 6; e = 7*c + d**2; f = 2*e; g = 3*f - o"


def test_arguments_stand_before_their_readers() -> None:
    graph = parse("g = 3*f - o; f = 2*e; e = 7*c + d**2; d = 5*b + 6; c = 2*b + 3; b = 5 - 3*a")
    assert all(parent < child for parent, child, _ in graph.edges)
    assert graph.outputs == ("g",)


def test_a_node_read_twice_has_two_edges() -> None:
    graph = parse("y = a*a")
    assert graph.edges == [(0, 1, 0), (0, 1, 1)]


def test_dependence_both_ways() -> None:
    graph = parse(FIGURE_1)
    from_d = {name for name in graph.names if graph.depends_on([graph.index("d")])[graph.index(name)]}
    assert from_d == {"d", "e", "f", "g"}
    to_c = {name for name in graph.names if graph.ancestors(graph.index("c"))[graph.index(name)]}
    assert to_c == {"a", "b", "c"}
    inactive = {node.operation for node, active in zip(graph.nodes, graph.depends_on(), strict=True) if not active}
    assert inactive == {CONSTANT}


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"^params\.output=sigm: the graph has no such variable; did you mean 'sigma'\?$"
    ):
        parse("y = x/sigma").index("sigm", "params.output")
    with pytest.raises(InputError, match=r"no such variable"):
        parse("y = sin(x) + 1").index("v1")  # the graph's name, not the user's


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((Node("a", INPUT), Node("a", INPUT)), "two nodes have the same name"),
        ((Node("a", "neg", (1,)), Node("b", INPUT)), "node a reads a node that stands behind it"),
        ((Node("a", INPUT), Node("b", "floor", (0,))), "node b: there is no operation floor"),
    ],
)
def test_a_graph_that_is_none_is_an_error(nodes: tuple[Node, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Graph(nodes, ())
