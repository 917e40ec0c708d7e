"""Exercise 1.1 through the real command line, and its claims against what the tables say."""

from pathlib import Path
from typing import Any

import pytest

MODELS = ["OLS", "RBF-SVM", "XGBoost"]


def test_every_flaw_of_the_listing_has_evidence(smoke: Any) -> None:
    rows = smoke.table("flaws")
    assert len(rows) == 8
    assert all(row["flaw"] and row["evidence"] and row["cure"] for row in rows)
    evidence = " ".join(row["evidence"] for row in rows)
    assert "Classification metrics can't handle a mix of multilabel-indicator and continuous-multioutput" in evidence
    assert "y should be a 1d array" in evidence
    assert "with statistics of the training rows, by 0" in evidence
    assert "chance is 1/5" in evidence
    assert smoke.answer["metrics"]["listing_test_row_influence"] > 0.01
    assert 0.1 < smoke.answer["metrics"]["listing_accuracy_ols"] < 0.3
    assert "make_pipeline(StandardScaler(), SVC())" in smoke.text


def test_both_protocols_of_repetition_have_all_models(smoke: Any) -> None:
    rows = smoke.table("given_code")
    assert [(row["data"], row["model"]) for row in rows] == [
        (data, name) for data in ("fresh", "one data set") for name in MODELS
    ]
    for row in rows:
        assert row["leaky - clean"] == pytest.approx(row["leaky"] - row["clean"], abs=1e-12)
        if row["model"] != "RBF-SVM":  # invariant to the leak
            assert (row["leaky - clean"], row["changed"]) == (0, 0)


def test_the_claims_on_the_given_code_come_from_its_table(smoke: Any) -> None:
    fresh = {row["model"]: row for row in smoke.table("given_code") if row["data"] == "fresh"}
    claim = smoke.claim("leak_is_immaterial_in_the_given_code")
    worst = max(fresh.values(), key=lambda row: max(-row["low"], row["high"]))
    assert (claim["effect"], claim["low"], claim["high"]) == (worst["leaky - clean"], worst["low"], worst["high"])
    assert worst["model"] in claim["statement"]
    for name in ("trees_are_invariant", "least_squares_is_invariant"):
        assert (smoke.claim(name)["effect"], smoke.claim(name)["verdict"]) == (0, "supported")


def test_selection_leaks_with_labels_only(smoke: Any) -> None:
    rows = smoke.table("selection")
    assert {(row["selection"], row["features"], row["model"]) for row in rows} == {
        (score, m, name) for score in ("F-score", "variance") for m in (50, 1000) for name in MODELS
    }
    for score, name, side in (
        ("F-score", "leak_of_supervised_selection_is_large", lambda row: -row["low"]),
        ("variance", "unsupervised_selection_does_not_leak_labels", lambda row: max(-row["low"], row["high"])),
    ):
        family = [row for row in rows if (row["selection"], row["features"]) == (score, 1000)]
        worst = max(family, key=side)
        assert smoke.claim(name)["effect"] == worst["leaky - clean"]
        assert smoke.claim(name)["low"] == worst["low"]
    leak = [row["leaky - clean"] for row in rows if row["selection"] == "F-score" and row["features"] == 1000]
    assert max(leak) > 0.2


def test_chance_is_taken_off_every_clean_model(smoke: Any) -> None:
    rows = {row["model"]: row["clean - chance"] for row in smoke.table("chance")}
    given = {row["model"]: row["clean"] for row in smoke.table("given_code") if row["data"] == "fresh"}
    noise = {
        row["model"]: row["clean"]
        for row in smoke.table("selection")
        if (row["selection"], row["features"]) == ("F-score", 1000)
    }
    expected = {f"{name}, given code": given[name] - 0.2 for name in MODELS}
    expected |= {f"{name}, selection": noise[name] - 0.5 for name in MODELS}
    assert rows == pytest.approx(expected)
    assert smoke.claim("no_clean_model_beats_chance")["effect"] in rows.values()


def test_the_leak_is_measured_for_every_size_and_distribution(smoke: Any) -> None:
    rows = smoke.table("sizes")
    assert {(row["features"], row["n"]) for row in rows} == {
        (tails, n) for tails in ("uniform (the listing's)", "normal", "heavy tails") for n in (10, 100)
    }
    by_key = {(row["features"], row["n"]): row for row in rows}
    for tails in ("uniform (the listing's)", "normal"):
        assert by_key[tails, 10]["offset"] > 2 * by_key[tails, 100]["offset"]
    gap = by_key["heavy tails", 100]["|log scale|"] - by_key["uniform (the listing's)", 100]["|log scale|"]
    assert smoke.claim("heavy_tails_keep_the_leak")["effect"] == pytest.approx(gap)
    uniform = [by_key["uniform (the listing's)", n] for n in (10, 100)]
    worst = max(uniform, key=lambda row: max(-row["low"], row["high"]))
    assert smoke.claim("standardisation_is_immaterial_at_every_n")["effect"] == pytest.approx(worst["leaky - clean"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["seeds=1", "params.splits=1"],
            "error: params.splits=1: one repetition has no interval; use splits or seeds of 2 or more",
        ),
        (["params.sizes=[100,20]"], "error: params.sizes=[100, 20]: must increase from one to the next"),
        (["params.selected=60"], "error: params.selected=60: cannot keep more than the 50 features there are"),
        (["params.sizes=[5,20]"], "error: params.sizes.0=5: input should be greater than or equal to 10"),
    ],
)
def test_bad_input_is_refused(dlexp_here: Any, tmp_path: Path, words: list[str], message: str) -> None:
    code, said = dlexp_here(["exercise=preprocessing_leakage", "scale=smoke", "threads=1", *words])
    assert (code, said.strip()) == (2, message)
    assert not (tmp_path / "mlartifacts").exists()
