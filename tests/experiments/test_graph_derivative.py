"""Exercise 3.2 through the real command line, and its claims against what the tables say."""

import json
import math
from pathlib import Path

import pytest


def test_the_paths_and_their_products(smoke) -> None:
    assert smoke.table("paths") == [
        {"path": 1, "nodes": "b -> c -> e -> f -> g", "local derivatives": "2; 7; 2; 3", "product": "84",
         "value": "84"},
        {"path": 2, "nodes": "b -> d -> e -> f -> g", "local derivatives": "5; 2*d; 2; 3", "product": "60*d",
         "value": "960"},
    ]  # fmt: skip
    assert r"\frac{\partial g}{\partial b} = 300 b + 444" in smoke.text
    assert smoke.answer["metrics"]["derivative"] == 84 + 960 == 300 * 2 + 444


def test_every_method_gives_the_derivative(smoke) -> None:
    rows = {row["method"]: float(row["derivative"]) for row in smoke.table("methods")}
    assert set(rows) == {"sum over paths", "reverse sweep", "forward sweep", "formula (sympy)", "autograd (torch)",
                         "central differences"}  # fmt: skip
    assert all(value == pytest.approx(1044, rel=1e-8) for value in rows.values())


def test_claims_agree_with_the_tables(smoke) -> None:
    rows = {row["method"]: row["mean of the seeds"] for row in smoke.table("agreement")}
    names = {
        "reverse sweep": "reverse_sweep_equals_paths",
        "forward sweep": "forward_sweep_equals_paths",
        "formula (sympy)": "formula_equals_paths",
        "autograd (torch)": "autograd_equals_paths",
        "central differences": "finite_differences_equal_paths",
        "300 b + 444": "dg_db_is_300_b_plus_444",
    }
    assert set(rows) == set(names)
    for method, name in names.items():
        assert smoke.claim(name)["effect"] == pytest.approx(rows[method], abs=1e-30)
        assert smoke.claim(name)["verdict"] == "supported"


def test_the_order_is_that_of_the_errors_in_the_table(smoke) -> None:
    rows = smoke.table("steps")
    for kind, order, word, first, last in (("central", 2, "second", 1, 4), ("forward", 1, "first", 2, 7)):
        errors = [rows[k][f"probe, {kind}"] for k in (first, last)]
        steps = [rows[k]["step h"] for k in (first, last)]
        slope = math.log(errors[0] / errors[1]) / math.log(steps[0] / steps[1])
        assert slope == pytest.approx(order, abs=0.01)
        claim = smoke.claim(f"{kind}_differences_are_of_{word}_order")
        assert claim["effect"] == pytest.approx(slope - order, abs=0.01)
    # g is quadratic in b: central differences have no truncation error at all, forward ones have h g''/2 = 150 h.
    assert all(row["the graph, central"] < 1e-10 for row in rows if row["step h"] >= 1e-5)
    assert rows[0]["the graph, forward"] == pytest.approx(10 * rows[2]["the graph, forward"], rel=1e-6)


def test_the_counted_cost(smoke) -> None:
    chains = smoke.table("diamonds")
    assert [row["diamonds"] for row in chains] == list(range(1, 7))
    for row in chains:
        k = row["diamonds"]
        assert (row["edges"], row["paths"], row["sum over paths"], row["reverse sweep"]) == (
            4 * k,
            2**k,
            2 * k * 2**k,
            4 * k,
        )
    growth = min(math.log2(b["sum over paths"] / a["sum over paths"]) for a, b in zip(chains, chains[1:]))  # noqa: B905, RUF007
    assert smoke.claim("sum_over_paths_is_exponential")["effect"] == pytest.approx(growth)
    assert smoke.claim("reverse_sweep_is_linear")["effect"] == 1
    last = smoke.table("funnel")[-1]
    saved = last["forward sweeps"] / last["reverse sweep"]
    assert smoke.claim("one_reverse_sweep_serves_all_inputs")["effect"] == pytest.approx(saved)


def test_another_graph_and_another_pair(dlexp_cli, tmp_path: Path) -> None:
    words = ['params.graph="y = u*v; v = sin(u) + x; u = x*w"', "params.values={x: 1.0, w: 2.0}", "params.output=y",
             "params.input=x", "hydra.run.dir=own"]  # fmt: skip
    done = dlexp_cli(tmp_path, "run", "exercise=graph_derivative", "scale=smoke", "threads=1", *words)
    assert done.returncode == 0, done.stderr
    paths = json.loads((tmp_path / "own" / "tables" / "paths.json").read_text())
    assert {row["nodes"]: row["product"] for row in paths} == {
        "x -> u -> y": "v*w", "x -> u -> v -> y": "u*w*cos(u)", "x -> v -> y": "u"}  # fmt: skip
    expected = 2 * (math.sin(2) + 1) + 2 * (2 * math.cos(2) + 1)  # (u v)' = u' v + u v'
    assert sum(float(row["value"]) for row in paths) == pytest.approx(expected, rel=1e-8)
    answer = json.loads((tmp_path / "own" / "answer.json").read_text())
    assert "dg_db_is_300_b_plus_444" not in [claim["name"] for claim in answer["claims"]]
    assert answer["metrics"]["derivative"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["params.input=h"], "params.input=h: the graph has no such variable; choose from: a, b, c, d, e, f, g, o"),
        (["params.output=c", "params.input=d"],
         "params.output=c: it does not depend on d; choose from: e, f, g"),
        (["params.values={a: 1.0}"], "params.values.o: it has no value; say params.values={o: 1.0}"),
        (['params.graph="b = a*c; c = b"'], "params.graph: b is defined through itself (b <- c <- b)"),
        (['params.graph="y = 2*3"'], "params.graph: it has no variable, so there is nothing to differentiate by"),
        (['params.graph="y = sqrt(x)"', "params.values={x: 0}"],
         "params.values: the node y = sqrt(x) has no finite derivative at x = 0"),
        (["params.diamonds=17"], "params.diamonds=17: input should be less than or equal to 16"),
        (["seeds=1"], "seeds=1: one repetition has no interval; use seeds of 2 or more"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_runs(dlexp_here, words: list[str], message: str) -> None:
    code, said = dlexp_here(["exercise=graph_derivative", "scale=smoke", *words])
    assert (code, said) == (2, f"error: {message}\n")
