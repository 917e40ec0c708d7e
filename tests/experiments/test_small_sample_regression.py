"""Exercise 1.5 through the real command line, and its claims against what the tables say."""

import math
from pathlib import Path
from typing import Any

import pytest

from dlexp.tabular.ridge_cost import dual_operations, primal_operations

N = 24  # rows at smoke scale
RATIOS = [0.5, 1.0, 2.0, 4.0]
NEEDED = "must hold 0.5, 1 and 2, and one above 2"


def test_rank_condition_and_garbage(smoke: Any) -> None:
    rows = smoke.table("singular")
    assert [row["m/n"] for row in rows] == RATIOS
    for row in rows:
        assert row["rank"] == min(N, row["m"])
    singular = [row for row in rows if row["m"] > N]
    regular = rows[0]
    assert regular["log10 condition number"] < 4 < 14 < min(row["log10 condition number"] for row in singular)
    for row in singular:
        assert row["max |A^-1 A - I|"] > 0.1
        assert row["log10 change by row order"] > -1
        assert row["training error"] > 1  # it does not even fit the rows it has seen
        assert row["test error"] > 10 * row["test error, minimum norm"]
    assert regular["test error"] == pytest.approx(regular["test error, minimum norm"])


def test_the_claims_on_double_descent_come_from_the_table(smoke: Any) -> None:
    rows = smoke.table("double_descent")
    log = {(row["method"], row["m/n"]): math.log10(row["test error"]) for row in rows}
    assert set(log) == {(name, ratio) for name in ("naive inverse", "minimum norm", "ridge") for ratio in RATIOS}
    expected = {
        "naive_inversion_is_garbage": log["naive inverse", 2.0] - log["minimum norm", 2.0],
        "error_falls_again_beyond": log["minimum norm", 1.0] - log["minimum norm", 4.0],
        "ridge_tames_the_peak": log["minimum norm", 1.0] - log["ridge", 1.0],
    }
    for name, value in expected.items():
        assert smoke.claim(name)["effect"] == pytest.approx(value), name
    for name, method in (("error_peaks_at_m_equal_n", "minimum norm"), ("ridge_has_no_peak", "ridge")):
        sides = max(log[method, 0.5], log[method, 2.0])  # the claim takes the larger side of each data set
        assert smoke.claim(name)["effect"] <= log[method, 1.0] - sides + 1e-9


def test_press_is_compared_with_the_best_penalty_at_every_ratio(smoke: Any) -> None:
    rows = smoke.table("penalty")
    assert [row["setting"] for row in rows] == [f"m/n = {ratio:g}" for ratio in RATIOS]
    assert all(row["log10 of the ratio"] >= 0 for row in rows)  # none is better than the best
    worst = max(rows, key=lambda row: row["high"])
    assert smoke.claim("press_finds_a_good_penalty")["high"] == worst["high"]


def test_the_identities_hold(smoke: Any) -> None:
    for name in ("primal_equals_dual", "press_is_leave_one_out", "ridge_tends_to_the_pseudo_inverse"):
        claim = smoke.claim(name)
        assert claim["verdict"] == "supported"
        assert "below 1e-08" in claim["rule"]
    rows = smoke.table("identities")
    dual = [row["dual to pseudo-inverse"] for row in rows]
    assert dual == sorted(dual, reverse=True)
    assert dual[6] / dual[7] == pytest.approx(10, rel=0.05)  # linear in lambda
    assert rows[-1]["primal to pseudo-inverse"] > 1000 * dual[-1]


def test_every_cure_meets_every_structure(smoke: Any) -> None:
    rows = smoke.table("cures")
    cures = {"minimum norm", "ridge", "PCR", "PLS", "few best features", "naive inverse"}
    cures |= {"n - 1 best features", "n - 1 random features"}
    assert {(row["data"], row["cure"]) for row in rows} == {
        (structure, cure) for structure in ("dense", "factors", "sparse") for cure in cures
    }
    log = {(row["data"], row["cure"]): math.log10(row["test error"]) for row in rows}
    for row in rows:
        assert row["low"] <= row["test error"] <= row["high"]
        if row["cure"] == "minimum norm":
            assert row["training error"] < 1e-20  # it interpolates
    gaps = [log[s, "n - 1 best features"] - log[s, "ridge"] for s in ("dense", "factors", "sparse")]
    assert any(smoke.claim("n_minus_1_features_are_a_bad_cure")["effect"] == pytest.approx(gap) for gap in gaps)


def test_cost_is_counted_and_measured(smoke: Any) -> None:
    rows = smoke.table("cost")
    assert [row["m"] for row in rows] == [100, 1000]
    for row in rows:
        assert row["primal, operations"] == primal_operations(100, row["m"])
        assert row["dual, operations"] == dual_operations(100, row["m"])
        assert row["primal, seconds"] > 0
        assert row["dual, seconds"] > 0
    exact = math.log10(rows[-1]["primal, operations"] / rows[-1]["dual, operations"])
    claim = smoke.claim("dual_does_less_work")
    assert (claim["effect"], claim["low"], claim["high"]) == pytest.approx((exact, exact, exact))
    for name in ("dual_takes_less_time", "primal_time_grows_faster"):
        assert "seconds" in smoke.claim(name)["unit"]
    assert smoke.claim("dual_takes_less_time")["effect"] > 0.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["params.ratios=[0.5,1.0,3.0,4.0]"], f"params.ratios=[0.5, 1.0, 3.0, 4.0]: {NEEDED}"),
        (["params.ratios=[0.25,0.5,1.0,2.0]"], f"params.ratios=[0.25, 0.5, 1.0, 2.0]: {NEEDED}"),
        (
            ["params.ratios=[0.01,0.5,1.0,2.0,3.0]"],
            "params.ratios=[0.01, 0.5, 1.0, 2.0, 3.0]: 0.01 of 24 rows is no feature at all",
        ),
        (
            ["params.ratios=[0.5,1.0,1.01,2.0,3.0]"],
            "params.ratios=[0.5, 1.0, 1.01, 2.0, 3.0]: 1 and 1.01 of 24 rows are as many features; leave one out",
        ),
        (
            ["params.n=2000", "params.cure_ratio=20"],
            "params.cure_ratio=20.0: 40000 features; at most 20000",
        ),
        (["params.cure_ratio=1.01"], "params.cure_ratio=1.01: must give more features than the 24 rows"),
        (["params.cost_features=[200,100]"], "params.cost_features=[200, 100]: must increase from one to the next"),
        (["params.components=20"], "params.components=20: at most 18 with params.n=24"),
        (["seeds=1"], "seeds=1: one repetition has no interval; use seeds of 2 or more"),
        (["params.noise=0"], "params.noise=0: input should be greater than 0"),
    ],
)
def test_bad_input_is_refused(dlexp_here: Any, tmp_path: Path, words: list[str], message: str) -> None:
    code, said = dlexp_here(["exercise=small_sample_regression", "scale=smoke", "threads=1", *words])
    assert (code, said.strip()) == (2, f"error: {message}")
    assert not (tmp_path / "mlartifacts").exists()
