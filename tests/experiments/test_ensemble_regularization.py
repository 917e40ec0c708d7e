"""Exercise 5.1 through the real command line: identities, ways at equal work, and claims against their tables."""

from statistics import fmean
from typing import Any

import pytest

KINDS = ["deep ensemble", "bagging", "snapshots", "weight averaging", "wide net", "long net"]
SIZES = [1, 2, 4]


def ways(smoke: Any) -> dict[tuple[str, int], dict[str, Any]]:
    return {(row["way"], row["size"]): row for row in smoke.table("ways")}


def test_every_way_is_there_at_every_size_and_costs_the_same(smoke: Any) -> None:
    rows = ways(smoke)
    assert list(rows) == [(kind, size) for kind in KINDS for size in SIZES]
    unit = rows["long net", 1]
    assert unit["parameters"] == 64 * 16 + 16 + 16 * 10 + 10
    for (kind, size), row in rows.items():
        assert row["training FLOPs"] / unit["training FLOPs"] == pytest.approx(size, rel=0.05)
        several = 1 if kind in ("weight averaging", "long net") else size
        assert row["parameters"] / unit["parameters"] == pytest.approx(several, rel=0.05)
        assert row["accuracy low"] <= row["accuracy"] <= row["accuracy high"]
        assert row["ECE"] >= 0


def test_the_ambiguity_is_what_the_ensemble_gains(smoke: Any) -> None:
    rows = smoke.table("ambiguity")
    assert len(rows) == 9
    for row in rows:
        assert row["ensemble"] == pytest.approx(row["members"] - row["ambiguity"], abs=1e-12)
        assert row["ambiguity"] >= (0 if row["size"] > 1 else -1e-15)
        assert row["largest residual"] < 1e-12
    worst = smoke.claim("ambiguity_identity_holds")
    assert worst["effect"] == max(row["largest residual"] for row in rows)
    assert worst["verdict"] == "supported"
    brier = {row["size"]: row["ensemble"] for row in rows if row["loss"] == "Brier score"}
    for size, value in brier.items():
        assert value == pytest.approx(ways(smoke)["deep ensemble", size]["Brier score"])
    # The law 1 / M is exact for the largest size and for one net.
    variance = smoke.answer["metrics"]["variance_of_members"]
    assert brier[1] - brier[4] == pytest.approx((1 - 1 / 4) * variance)


def test_claims_agree_with_the_tables(smoke: Any) -> None:
    rows = ways(smoke)
    ensemble, one = rows["deep ensemble", 4], rows["long net", 1]
    lower = one["NLL (nats)"] - ensemble["NLL (nats)"]
    assert smoke.claim("ensemble_lowers_log_loss")["effect"] == pytest.approx(lower)
    higher = ensemble["accuracy"] - one["accuracy"]
    assert smoke.claim("ensemble_raises_accuracy")["effect"] == pytest.approx(higher)
    for rival in KINDS[1:]:
        lead = rows[rival, 4]["NLL (nats)"] - ensemble["NLL (nats)"]
        assert smoke.claim(f"beats_{rival.replace(' ', '_')}")["effect"] == pytest.approx(lead)
    for kind, name in (("snapshots", "snapshots"), ("weight averaging", "weight_averaging")):
        more = rows[kind, 4]["accuracy"] - rows["long net", 4]["accuracy"]
        assert smoke.claim(f"{name}_beat{'s' * (kind != 'snapshots')}_one_long_net")["effect"] == pytest.approx(more)
    tempered = {row["way"]: row["NLL (nats) at it"] for row in smoke.table("calibration")}
    assert list(tempered) == ["one net", *KINDS]
    left = tempered["one net"] - tempered["deep ensemble"]
    assert smoke.claim("gain_is_more_than_temperature")["effect"] == pytest.approx(left)


def test_the_three_rules_combine_the_same_members(smoke: Any) -> None:
    rows = {(row["rule"], row["size"]): row for row in smoke.table("rules")}
    assert len(rows) == 9
    assert len({rows[rule, 1]["accuracy"] for rule, size in rows if size == 1}) == 1
    averaged, voted = rows["average of probabilities", 4], rows["vote", 4]
    assert smoke.claim("vote_is_as_accurate")["effect"] == pytest.approx(averaged["accuracy"] - voted["accuracy"])
    assert averaged["NLL (nats)"] == pytest.approx(ways(smoke)["deep ensemble", 4]["NLL (nats)"])
    diversity = {row["way"]: row for row in smoke.table("diversity")}
    assert list(diversity) == KINDS[:3]
    assert fmean(row["ambiguity"] for row in diversity.values()) > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["params.sizes=[1,2,3]"],
            "error: params.sizes=[1, 2, 3]: must grow from 1, and each must divide the last; say [1,2,4,8]",
        ),
        (
            ["dataset.val_fraction=0"],
            "error: dataset.val_fraction=0: learning rates are tuned on validation samples; keep some, e.g. 0.1",
        ),
    ],
)
def test_bad_input_is_refused(dlexp_here: Any, words: list[str], message: str) -> None:
    assert dlexp_here(["exercise=ensemble_regularization", "scale=smoke", *words]) == (2, f"{message}\n")
