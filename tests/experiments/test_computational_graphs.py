"""Exercise 3.1 through the real command line, and its claims against what the tables say."""

import json
from pathlib import Path

import pytest


def test_the_nodes_of_the_three_expressions_in_topological_order(smoke) -> None:
    rows = smoke.table("nodes_affine")
    assert [row["operation"] for row in rows if row["adjoint"] and row["local derivatives"]] == [
        "a - b", "2*v1", "v2 + c"]  # fmt: skip
    assert [(row["node"], row["value"], row["adjoint"]) for row in rows] == [
        ("a", "3", "2"), ("b", "1", "-2"), ("c", "0.5", "1"), ("c1", "2", ""), ("v1", "2", "2"), ("v2", "4", "1"),
        ("y", "4.5", "1")]  # fmt: skip
    assert [row["operation"] for row in smoke.table("nodes_linear")][3:] == ["x @ w", "v1 + b"]
    normalization = smoke.table("nodes_normalization")
    assert [row["operation"] for row in normalization][5:] == ["x - mu", "v1/sigma", "v2*gamma", "v3 + delta"]
    for name in ("affine", "linear", "normalization"):
        rows = smoke.table(f"nodes_{name}")
        assert [row["order"] for row in rows] == list(range(1, len(rows) + 1))
        place = {row["node"]: row["order"] for row in rows}
        for row in rows:
            for part in filter(None, row["local derivatives"].split("; ")):
                assert place[part.partition(":")[0].removeprefix("by ")] < row["order"]
        assert f"figures/graph_{name}.png" in smoke.answer["figures"]


def test_three_methods_give_the_derivatives_known_by_hand(smoke) -> None:
    known = {
        "affine": {"a": 2, "b": -2, "c": 1},
        "linear": {"x": [0.5, -1, 2], "w": [1, 2, -1], "b": 1},
        "normalization": {"x": [1.5] * 3, "mu": -4.5, "sigma": -1.875, "gamma": 1.25, "delta": 3},
    }
    for name, derivatives in known.items():
        rows = smoke.table(f"derivatives_{name}")
        assert [row["input"] for row in rows] == list(derivatives)
        for row in rows:
            for method in ("backward sweep", "autograd", "central differences"):
                found = json.loads(row[method])
                assert found == pytest.approx(derivatives[row["input"]], rel=1e-8), (name, row["input"], method)


def test_claims_agree_with_the_table(smoke) -> None:
    rows = {row["graphs"]: row for row in smoke.table("verification")}
    assert list(rows) == ["affine", "linear", "normalization", "random graphs"]
    metrics = smoke.answer["metrics"]
    for column, end in (("autograd", "autograd"), ("central differences", "finite_differences")):
        largest = max(rows[name][column] for name in ("affine", "linear", "normalization"))
        assert metrics[f"largest_sweep_equals_{end}"] == largest
        assert metrics[f"largest_random_graphs_equal_{end}"] == rows["random graphs"][column]
        assert smoke.claim(f"sweep_equals_{end}")["effect"] <= largest
    # The control is right on trees, and wrong where values are shared.
    assert [rows[name]["control wrong (share)"] for name in ("affine", "linear", "normalization")] == [0, 0, 0]
    wrong = smoke.claim("contributions_must_add_up")
    assert wrong["effect"] == pytest.approx(rows["random graphs"]["control wrong (share)"])
    assert wrong["effect"] > 0.5
    assert smoke.claim("sweep_equals_autograd")["verdict"] == "supported"


def test_the_formulas_are_in_the_answer(smoke) -> None:
    for formula in (
        r"$\partial y / \partial b = -2$",
        r"$\partial y / \partial x = \left(w_{1}, w_{2}, w_{3}\right)$",
        r"$\partial \sum_i y_i / \partial \mu = - \frac{3 \gamma}{\sigma}$",
    ):
        assert formula in smoke.text


def test_an_expression_of_ones_own(dlexp_cli, tmp_path: Path) -> None:
    words = ['params.expression="h = sin(a)*b; y = h*h + h"', "params.values={a: 1.0, b: 2.0}", "hydra.run.dir=own"]
    done = dlexp_cli(tmp_path, "run", "exercise=computational_graphs", "scale=smoke", "threads=1", *words)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "own" / "tables" / "derivatives_own.json").read_text())
    sine, cosine = 0.8414709848078965, 0.5403023058681398
    slope = 2 * (2 * sine) + 1  # of y by h
    assert float(rows[0]["backward sweep"]) == pytest.approx(slope * 2 * cosine)
    assert float(rows[1]["backward sweep"]) == pytest.approx(slope * sine)
    text = (tmp_path / "own" / "answer.md").read_text()
    assert "In `own` `h` is read more than once" in text


OWN = 'params.expression="{}"'


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([OWN.format("a.b")], "params.expression: 'a.b': attribute access is not allowed; use names, numbers, + - * / "
         "** @ and abs, cos, exp, log, mean, relu, sigmoid, sin, sqrt, sum, tan, tanh"),
        ([OWN.format("eval(a)")], "params.expression: there is no function eval; did you mean 'relu'?"),
        ([OWN.format("9**9**9")],
         "params.expression: the exponent 3.8742e+08 is too large; a constant exponent may be 64 at most"),
        ([OWN.format("sin(a)*b"), "params.values={a: 1.0}"],
         "params.values.b: it has no value; say params.values={b: 1.0}"),
        ([OWN.format("a/b"), "params.values={a: 1, b: 0}"],
         "params.values: the node y = a/b: division by zero at a = 1, b = 0"),
        (["params.values={a: 1.0}"],
         "params.values: these belong to params.expression, which is null; say params.expression=..."),
        (["params.points.affine.a=nan"], "params.points.affine.a=nan: must be finite"),
        (["params.points.affine.a=x"], "params.points.affine.a='x': input should be a valid number"),
        (["+params.points.more={a: 1}"], "params.points.more: no expression is called so; choose from: affine, linear, "
         "normalization"),
        (["seeds=1"], "seeds=1: one repetition has no interval; use seeds of 2 or more"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_runs(dlexp_here, words: list[str], message: str) -> None:
    code, said = dlexp_here(["exercise=computational_graphs", "scale=smoke", *words])
    assert (code, said) == (2, f"error: {message}\n")
