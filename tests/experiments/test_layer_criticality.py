"""Exercise 4.5 through the real command line, and its claims against what the tables say."""

from statistics import fmean

import pytest

NETS = {"mlp": ["layer1", "layer2", "fc"], "cnn": ["layer1", "layer2", "fc"]}
NETS["cifar_resnet"] = ["conv1", "layer1.0", "layer2.0", "layer3.0", "fc"]  # depth 8
WORDS = ["exercise=layer_criticality", "scale=smoke", "threads=1"]


def test_every_layer_of_every_net_is_put_back_in_every_way(smoke) -> None:
    layers = smoke.table("layers")
    assert [(row["net"], row["layer"]) for row in layers] == [
        (net, name) for net, names in NETS.items() for name in names
    ]
    ways = {"initial value", "fresh draw", "random direction", "distance moved", "distance of fresh draw"}
    assert ways < set(layers[0])
    epochs = smoke.table("layer_by_epoch")
    assert [(row["net"], row["layer"], row["epoch"]) for row in epochs] == [
        (net, name, epoch) for net, names in NETS.items() for name in names for epoch in (0, 1)
    ]
    rules = smoke.table("batch_normalisation")
    assert {row["net"] for row in rules} == {"cnn", "cifar_resnet"}
    assert all(row["snapshot"] == row["kept"] == row["reestimated"] for row in rules if row["layer"] == "fc")


def test_the_same_drop_has_the_same_number_in_every_table(smoke) -> None:
    drops = {(row["net"], row["layer"]): row["initial value"] for row in smoke.table("layers")}
    for row in smoke.table("layer_by_epoch"):
        if row["epoch"] == 0:
            assert row["drop"] == pytest.approx(drops[row["net"], row["layer"]], abs=1e-8)
    for row in smoke.table("batch_normalisation"):  # the rule of the run
        assert row["reestimated"] == pytest.approx(drops[row["net"], row["layer"]], abs=1e-8)


def test_claims_agree_with_the_tables(smoke) -> None:
    for net in NETS:
        rows = [row for row in smoke.table("layers") if row["net"] == net]
        extra = fmean(row["fresh draw"] - row["initial value"] for row in rows)
        assert smoke.claim(f"rerandomising_hurts_more_{net}")["effect"] == pytest.approx(extra, abs=1e-7)
        for verdict in ("robust", "critical", "undecided"):
            counted = sum(row["verdict"] == verdict for row in rows)
            assert smoke.answer["metrics"][f"{verdict}_layers_{net}"] == counted
    mlp = [row["initial value"] for row in smoke.table("layers") if row["net"] == "mlp"]
    assert smoke.claim("first_layer_is_critical_mlp")["effect"] == pytest.approx(mlp[0], abs=1e-7)
    assert smoke.claim("later_layers_are_robust_mlp")["effect"] == pytest.approx(fmean(mlp[1:]), abs=1e-7)
    late = [
        [row["drop"] for row in smoke.table("layer_by_epoch") if (row["net"], row["epoch"]) == (net, 1)] for net in NETS
    ]
    assert smoke.claim("half_trained_values_will_do")["effect"] == pytest.approx(fmean(map(fmean, late)), abs=1e-7)
    assert -1 <= smoke.claim("distance_does_not_explain")["effect"] <= 1


def test_verdicts_on_layers_follow_from_threshold_and_interval(smoke) -> None:
    assert r"\epsilon = 0.05" in smoke.text
    for row in smoke.table("layers"):
        assert row["low"] <= row["initial value"] <= row["high"]
        expected = "robust" if row["high"] < 0.05 else "critical" if row["low"] > 0.05 else "undecided"
        assert row["verdict"] == expected


def test_bad_input_is_refused_before_anything_runs(dlexp_here) -> None:
    code, said = dlexp_here([*WORDS, "params.nets=[{model: mlp, width: 3}]"])
    assert code == 2
    assert said.startswith("error: params.nets: model=mlp has no key width; it has widths, activation, "), said
    code, said = dlexp_here([*WORDS, "params.nets=[{model: mlp, widths: []}]"])
    assert (code, said) == (2, "error: params.nets: mlp has one layer only; to compare layers it needs at least two\n")
