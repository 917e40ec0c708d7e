"""Exercise 4.1 through the real command line: closed forms, controls, and claims against their tables."""

from itertools import pairwise
from typing import Any

import pytest

LAYERS = [2, 4, 8]
EQUAL, NARROW = "same neurons, k layers", "two layers, as many parameters"


def rows(smoke: Any, table: str) -> dict[tuple[str, int, int], dict[str, Any]]:
    return {(row["net"], row["neurons"], row["k"]): row for row in smoke.table(table)}


def test_every_net_is_there_with_the_counts_of_the_formulas(smoke: Any) -> None:
    found = rows(smoke, "counted")
    nets = [(EQUAL, k) for k in LAYERS] + [(NARROW, k) for k in LAYERS[1:]]
    assert list(found) == [(family, total, k) for total in (128, 256) for family, k in nets]
    for total in (128, 256):
        for k in LAYERS:
            row = found[EQUAL, total, k]
            w = total // k
            assert row["widths"] == f"{k} x {w}"
            assert row["parameters"] == (64 + 1) * w + (k - 1) * (w + 1) * w + (w + 1) * 10
            assert row["parameters"] == total**2 * (k - 1) // k**2 + total * (64 + 10 + k) // k + 10
            assert row["FLOPs"] == 2 * (64 * w + (k - 1) * w**2 + w * 10)
            assert 0 < row["bytes on disk"] - 4 * row["parameters"] < 8 + 100 * 2 * (k + 2)
            assert row["peak bytes, predicting"] >= 4 * row["parameters"] + 2 * 4 * 256 * w
            assert row["peak bytes, training"] > 4 * 4 * row["parameters"]  # weights, gradients, two moments of Adam
        for k in LAYERS[1:]:
            assert found[NARROW, total, k]["parameters"] == pytest.approx(
                found[EQUAL, total, k]["parameters"], rel=0.02
            )
    for (_, total, _), row in found.items():
        assert (row["accuracy"] is None) == (total == 256)


def test_times_have_quartiles_around_the_median(smoke: Any) -> None:
    found = rows(smoke, "seconds")
    assert list(found) == list(rows(smoke, "counted"))
    for row in found.values():
        for name in ("latency of 1 in seconds", "latency of 256 in seconds", "training step in seconds"):
            assert 0 < row[f"{name}, first quartile"] <= row[name] <= row[f"{name}, third quartile"]
        steps = 2 * -(-200 // 128)
        assert row["whole training in seconds"] == pytest.approx(steps * row["training step in seconds"])
    for file in ("counted", "relative_counted", "accuracy"):  # a clock's numbers are in columns that say so
        assert not any("seconds" in column for column in smoke.table(file)[0])
    assert all("second" in key for key in smoke.table("relative_seconds")[0] if key not in ("neurons", "indicator"))


def test_claims_about_counts_agree_with_the_tables(smoke: Any) -> None:
    found = rows(smoke, "counted")
    share = found[EQUAL, 256, 8]["parameters"] / found[EQUAL, 256, 2]["parameters"]
    assert smoke.claim("parameters_fall_with_depth")["effect"] == pytest.approx(share)
    relative = {(row["neurons"], row["indicator"]): row for row in smoke.table("relative_counted")}
    assert relative[256, "parameters"]["k = 8, counted"] == pytest.approx(share)
    assert relative[256, "parameters"]["best k, counted"] == 8
    over = max(row["bytes on disk"] / (4 * row["parameters"]) - 1 for row in found.values())
    assert smoke.claim("storage_follows_parameters")["effect"] == pytest.approx(over)


def test_claims_about_accuracy_agree_with_the_tables(smoke: Any) -> None:
    found = rows(smoke, "counted")
    lost = found[EQUAL, 128, 2]["accuracy"] - found[EQUAL, 128, 8]["accuracy"]
    assert smoke.claim("depth_costs_accuracy")["effect"] == pytest.approx(lost)
    gained = found[NARROW, 128, 8]["accuracy"] - found[EQUAL, 128, 8]["accuracy"]
    claim = smoke.claim("two_layers_are_as_accurate")
    assert claim["effect"] == pytest.approx(gained)
    assert "above -0.01 accuracy" in claim["rule"]
    table = {(row["net"], row["k"]): row for row in smoke.table("accuracy")}
    assert table[EQUAL, 8]["over k = 2"] == pytest.approx(-lost)
    assert len(table) == 5


def test_claims_about_times_say_that_they_are(smoke: Any) -> None:
    relative = {(row["neurons"], row["indicator"]): row for row in smoke.table("relative_seconds")}
    for total in (128, 256):
        for batch, name in ((1, "slows"), (256, "speeds")):
            claim = smoke.claim(f"depth_{name}_batch_{batch}_of_{total}")
            assert claim["unit"] == "ratio of seconds"
            expected = relative[total, f"latency of {batch} in seconds"]["k = 8, seconds"]
            assert claim["effect"] == pytest.approx(expected)
            assert claim["low"] > 0
    ranks = smoke.table("ranks")
    for row, after in pairwise(ranks):  # each pair once, so that what a clock decides is in the columns of seconds
        assert sum(value is None for value in row.values()) + 1 == sum(value is None for value in after.values())
    assert [row["indicator"] for row in ranks][-3:] == ["error", "latency of 1 in seconds", "latency of 256 in seconds"]
    clock = [name for name in smoke.answer["metrics"] if name.startswith("latency")]
    assert len(clock) == 6
    assert all(name.endswith("_seconds") for name in clock)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=cnn"], "error: model=cnn: this exercise needs an MLP; use model=mlp"),
        (
            ["model.initialization=lecun"],
            "error: model.initialization=lecun: this exercise sets it; say params.initialization=lecun",
        ),
        (["params.batches=[8,8]"], "error: params.batches=[8, 8]: must be two different numbers, say [1,256]"),
        (["params.layers=[4,8]"], "error: params.layers=[4, 8]: must grow from 2, say [2,4,8]"),
        (
            ["params.layers=[2,3]"],
            "error: params.layers: 128 neurons cannot be shared out equally among 3 layers",
        ),
    ],
)
def test_bad_input_is_refused(dlexp_here: Any, words: list[str], message: str) -> None:
    assert dlexp_here(["exercise=width_depth_efficiency", "scale=smoke", *words]) == (2, f"{message}\n")
