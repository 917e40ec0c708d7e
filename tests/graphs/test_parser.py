"""Text to graph: what becomes a node, what is shared, and all that is refused."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlexp.errors import InputError
from dlexp.graphs.evaluate import written
from dlexp.graphs.graph import Graph
from dlexp.graphs.operations import FUNCTIONS
from dlexp.graphs.parser import MAX_NODES, parse
from dlexp.graphs.syntax import MAX_DEPTH

LISTED = f"use names, numbers, + - * / ** @ and {', '.join(FUNCTIONS)}"
EXAMPLE = "write for example y = 2*(a - b) + c"


def operations(graph: Graph) -> list[str]:
    """What each node that is no leaf computes."""
    return [f"{node.name} = {written(graph, k)}" for k, node in enumerate(graph.nodes) if node.parents]


def test_the_nodes_of_the_three_expressions() -> None:
    assert operations(parse("2*(a-b)+c")) == ["v1 = a - b", "v2 = 2*v1", "y = v2 + c"]
    assert operations(parse("y = x @ w + b")) == ["v1 = x @ w", "y = v1 + b"]
    graph = parse("y = ((x-mu)/sigma)*gamma + delta")
    assert operations(graph) == ["v1 = x - mu", "v2 = v1/sigma", "v3 = v2*gamma", "y = v3 + delta"]
    assert graph.inputs == ("x", "mu", "sigma", "gamma", "delta")


def test_equal_sub_expressions_are_one_node_with_several_readers() -> None:
    graph = parse("y = sin(a*b) + cos(a*b)*(a*b)")
    shared = next(k for k, node in enumerate(graph.nodes) if node.operation == "mul" and not node.named)
    assert [node.operation for node in graph.nodes].count("mul") == 2  # a*b, and the product with it
    assert sum(parent == shared for parent, _, _ in graph.edges) == 3
    assert len(parse("y = a*b + b*a").nodes) == 5  # equal in value, not in text


def test_what_a_statement_defines_is_a_node_of_its_own() -> None:
    graph = parse("c = 2*b; d = 2*b; e = d; y = c + e")
    assert operations(graph) == ["c = 2*b", "d = 2*b", "e = d", "y = c + e"]
    assert graph.nodes[graph.index("e")].operation == "same"
    assert graph.outputs == ("y",)
    assert graph.names == ("b", "c", "d", "e", "y")


def test_statements_may_stand_in_any_order_and_on_lines_of_their_own() -> None:
    one, other = parse("b = 5 - 3*a; c = 2*b + 3; y = b*c"), parse("  y = b*c\n\n c = 2*b + 3\n b = 5 - 3*a\n")
    assert operations(one) == operations(other)
    assert parse("u = a + z; v = b*u").outputs == ("v",)
    assert parse("u = a; v = a").outputs == ("u", "v")


def test_names_of_nodes_avoid_those_of_the_user() -> None:
    graph = parse("v2 + sin(v1)*3 + c1")
    names = [node.name for node in graph.nodes]
    assert len(set(names)) == len(names)
    assert graph.inputs == ("v2", "v1", "c1")
    assert parse("sin(y)").outputs == ("out",)
    assert parse("y + out + out2").outputs == ("out3",)


def test_signs_belong_to_numbers_and_powers_bind_as_in_python() -> None:
    assert [node.constant for node in parse("a*-3 + +2").nodes if node.constant is not None] == [-3.0, 2.0]
    assert operations(parse("-a**2")) == ["v1 = a**2", "y = -v1"]
    assert operations(parse("a**b**c")) == ["v1 = b**c", "y = a**v1"]
    assert parse("y = ( 7*c+d ** 2 )").sources == {"y": "7*c + d**2"}


REFUSED = {
    "a.b": f"'a.b': attribute access is not allowed; {LISTED}",
    "x.T @ w": f"'x.T': attribute access is not allowed; {LISTED}",
    "sin.__class__": f"'sin.__class__': attribute access is not allowed; {LISTED}",
    "a.b(c)": f"'a.b(c)': attribute access is not allowed; {LISTED}",
    "x[0]": f"'x[0]': a subscript is not allowed; {LISTED}",
    "lambda x: x": f"'lambda x: x': a lambda is not allowed; {LISTED}",
    "(lambda: 1)()": f"'(lambda: 1)()': a lambda is not allowed; {LISTED}",
    "y = lambda y: y": f"'lambda y: y': a lambda is not allowed; {LISTED}",
    "[a for a in x]": f"'[a for a in x]': a comprehension is not allowed; {LISTED}",
    "sum(a for a in x)": f"'(a for a in x)': a comprehension is not allowed; {LISTED}",
    "'a'": f"''a'': a string is not allowed; {LISTED}",
    "f'{a}'": f"'f'{{a}}'': a string is not allowed; {LISTED}",
    "b'a'": f"'b'a'': a string is not allowed; {LISTED}",
    "a + True": f"'True': a boolean is not allowed; {LISTED}",
    "None": f"'None': None is not allowed; {LISTED}",
    "2j*a": f"'2j': a complex number is not allowed; {LISTED}",
    "a < b": f"'a < b': a comparison is not allowed; {LISTED}",
    "a and b": f"'a and b': a logical operation is not allowed; {LISTED}",
    "not a": f"'not a': a logical operation is not allowed; {LISTED}",
    "a if b else c": f"'a if b else c': a condition is not allowed; {LISTED}",
    "(a := 1)": f"'a := 1': an assignment inside an expression is not allowed; {LISTED}",
    "[1, 2]": f"'[1, 2]': a list (vectors are values of variables) is not allowed; {LISTED}",
    "(a, b)": f"'(a, b)': a tuple is not allowed; {LISTED}",
    "{a: b}": f"'{{a: b}}': a dictionary is not allowed; {LISTED}",
    "a^2": f"'a^2': ^ (powers are written **) is not allowed; {LISTED}",
    "a % 2": f"'a % 2': % is not allowed; {LISTED}",
    "a // 2": f"'a // 2': // is not allowed; {LISTED}",
    "~a": f"'~a': ~ is not allowed; {LISTED}",
    "__import__('os')": f"there is no function __import__; choose from: {', '.join(FUNCTIONS)}",
    "exp2(a)": "there is no function exp2; did you mean 'exp'?",
    "sin(a, b)": "'sin(a, b)' is not allowed; sin takes one argument",
    "sin(x=a)": "'sin(x=a)' is not allowed; sin takes one argument",
    "sin(*a)": "'sin(*a)' is not allowed; sin takes one argument",
    "sin()": "'sin()' is not allowed; sin takes one argument",
    "sin + 1": "sin is a function; write sin(...), or give the variable another name",
    "sin = a": "sin is a function; write sin(...), or give the variable another name",
    "id + 1": "the name id is not allowed, as Python uses it itself; choose another",
    "__name__": "the name __name__ is not allowed, as Python uses it itself; choose another",
    "_a + 1": "the name _a is not allowed, as Python uses it itself; choose another",
    "print = a": "the name print is not allowed, as Python uses it itself; choose another",
    "µ + 1": "the name μ is not allowed; use up to 24 of A-Z, a-z, 0-9 and _",
    "a = a + 1": "a is defined through itself (a <- a)",
    "a = b*2; b = c; c = a": "a is defined through itself (a <- b <- c <- a)",
    "a = 1; a = 2": "a is defined twice; give each value a name of its own",
    "a += 1": "'a += 1' is not allowed; statements have the form NAME = EXPRESSION",
    "a, b = c": "'a, b = c' is not allowed; statements have the form NAME = EXPRESSION",
    "a = b = c": "'a = b = c' is not allowed; statements have the form NAME = EXPRESSION",
    "x[0] = 1": "'x[0] = 1' is not allowed; statements have the form NAME = EXPRESSION",
    "import os": "'import os' is not allowed; statements have the form NAME = EXPRESSION",
    "a + b; c": "'a + b' is not allowed; statements have the form NAME = EXPRESSION",
    "def f(): pass": "'def f(): pass' is not allowed; statements have the form NAME = EXPRESSION",
    "": f"it is empty; {EXAMPLE}",
    " \n ": f"it is empty; {EXAMPLE}",
    "2a + 1": f"cannot be read at '2a + 1' (invalid decimal literal); {EXAMPLE}",
    "a +": f"cannot be read (invalid syntax); {EXAMPLE}",
    "9**9**9": "the exponent 3.8742e+08 is too large; a constant exponent may be 64 at most",
    "a**65": "the exponent 65 is too large; a constant exponent may be 64 at most",
    "a**-65": "the exponent -65 is too large; a constant exponent may be 64 at most",
    "a**(8*9)": "the exponent 72 is too large; a constant exponent may be 64 at most",
    "n = 99; y = a**n": "the exponent 99 is too large; a constant exponent may be 64 at most",
    "a + ((9**64)**64)": "the constant part 1.17901845777386e+61 ** 64 has no finite value".replace(
        "1.17901845777386e+61", "1.17902e+61"
    ),
    "1/0 + a": "the constant part 1 / 0 has no finite value",
    "log(0)*a": "the constant part log(0) has no finite value",
    "1e999 + a": "the number 1e999 is too large; it must be below 1.8e308",
    f"{'9' * 400} + a": f"the number {'9' * 37}... is too large; it must be below 1.8e308",
    "a" * 2001: "2001 characters are too long; at most 2000 are read",
    "-" * 1500 + "a": f"too deeply nested; at most {MAX_DEPTH} levels are read",
    "(" * 300 + "a" + ")" * 300: f"too deeply nested; at most {MAX_DEPTH} levels are read",
    "+".join(["a"] * (MAX_DEPTH + 2)): f"too deeply nested; at most {MAX_DEPTH} levels are read",
    "; ".join(f"a{k}=sin({k}-x)" for k in range(101)): f"its graph has more than {MAX_NODES} nodes, which is the limit",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=[text[:25] for text in REFUSED])
def test_what_is_not_arithmetic_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse(text, "params.expression")
    assert str(refusal.value) == f"params.expression: {message}"
    assert len(str(refusal.value).splitlines()) == 1


def test_long_sums_and_the_largest_powers_are_read() -> None:
    assert len(parse("+".join(["a"] * 60)).nodes) == 60
    assert operations(parse("a**64")) == ["y = a**64"]


def test_nothing_is_ever_run(tmp_path: Path) -> None:
    target = tmp_path / "made"
    for text in (f"__import__('os').mkdir('{target}')", f"open('{target}', 'w')", f"y = [open('{target}', 'w')][0]"):
        with pytest.raises(InputError):
            parse(text)
    assert not target.exists()


def graph_or_refusal(text: str) -> Graph | str:
    """What parsing gives, or the message of its refusal; any other exception is a failure."""
    try:
        return parse(text)
    except InputError as refusal:
        return str(refusal)


@given(st.text(alphabet=string.printable + "µ²\x00", max_size=40))
def test_any_text_gives_a_graph_or_a_refusal_of_one_line(text: str) -> None:
    found = graph_or_refusal(text)
    if isinstance(found, str):
        assert len(found.splitlines()) == 1
    else:
        assert found.outputs
        assert all(parent < child for parent, child, _ in found.edges)


@given(st.text(alphabet="ab2.()+-*/@;= \nsin", max_size=30))
def test_arithmetic_looking_text_gives_a_graph_or_a_refusal(text: str) -> None:
    found = graph_or_refusal(text)
    if isinstance(found, str):
        assert found.startswith("expression: ")
    else:
        assert set(found.inputs) | set(found.sources) == set(found.names)
