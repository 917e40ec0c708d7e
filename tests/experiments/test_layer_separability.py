"""Exercise 4.4 through the real command line, and its claims against what the tables say."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from dlexp.probes.tunnel import find_tunnel

LAYERS = ["input", "bn1", "layer1.0", "layer2.0", "layer3.0", "fc"]  # a plain net of depth 8
MEASURES = ["linear_probe", "nearest_neighbours", "fisher_ratio", "silhouette", "numerical_rank"]
LAST = LAYERS.index("layer3.0")


def test_every_measure_has_every_layer_trained_and_random_with_intervals(smoke: Any) -> None:
    for name in MEASURES:
        rows = smoke.table(name)
        assert [row["layer"] for row in rows] == LAYERS
        for row in rows:
            assert row["difference"] == pytest.approx(row["trained"] - row["random weights"])
            for kind in ("trained", "random weights", "difference"):
                assert row[f"{kind}: low"] <= row[kind] <= row[f"{kind}: high"]
    # 8 x 8 pixels; 16, 16, 32 and 64 channels within 64 features; ten logits.
    assert [row["features"] for row in smoke.table("linear_probe")] == [64, 64, 64, 32, 64, 10]
    assert {"figures/by_layer.png", "figures/views.png"} == set(smoke.answer["figures"])


def test_the_input_is_the_same_whatever_the_weights(smoke: Any) -> None:
    for name in MEASURES:
        first = smoke.table(name)[0]
        assert first["trained"] == first["random weights"]
        assert first["difference: low"] == first["difference: high"] == 0


def test_claims_agree_with_the_tables(smoke: Any) -> None:
    effect = {claim["name"]: claim["effect"] for claim in smoke.answer["claims"]}
    probe, heights = smoke.table("linear_probe"), smoke.table("silhouette")
    assert effect["training_makes_classes_linearly_separable"] == pytest.approx(probe[LAST]["difference"])
    assert effect["training_draws_classes_together"] == pytest.approx(heights[LAST]["difference"])
    gain = probe[LAST]["random weights"] - probe[0]["random weights"]
    assert effect["depth_alone_adds_nothing"] == pytest.approx(gain)
    rows = smoke.table("tunnel")
    assert effect["the_tunnel_is_long"] == pytest.approx(fmean(row["share of the hidden layers"] for row in rows))
    at_start = fmean(row["probe at the start"] for row in rows)
    assert effect["the_extractor_separates"] == pytest.approx(at_start - probe[0]["trained"])
    if "nothing_is_gained_in_the_tunnel" in effect:
        assert effect["nothing_is_gained_in_the_tunnel"] == pytest.approx(probe[LAST]["trained"] - at_start)
        drawn = heights[LAST]["trained"] - fmean(row["silhouette at the start"] for row in rows)
        assert effect["classes_draw_together_in_the_tunnel"] == pytest.approx(drawn)
        kept = fmean(row["rank at the last hidden layer"] / row["rank at the start"] for row in rows)
        assert effect["the_tunnel_compresses"] == pytest.approx(kept)
    assert smoke.answer["metrics"]["linear_probe_last_hidden"] == pytest.approx(probe[LAST]["trained"])


def test_the_tunnel_has_the_share_that_its_start_says(smoke: Any) -> None:
    hidden = LAYERS[:-1]
    for row in smoke.table("tunnel"):
        start = hidden.index(row["starts at"])
        assert row["share of the hidden layers"] == find_tunnel([0.0] * start + [1.0] * (5 - start), 0.5).share


def test_measures_agree_with_themselves(smoke: Any) -> None:
    rows = smoke.table("agreement")
    names = [row["measure"] for row in rows]
    for one in rows:
        assert one[one["measure"]] == pytest.approx(1)
        for other in rows:
            assert one[other["measure"]] == pytest.approx(other[one["measure"]])
    assert names == ["linear probe", "k-NN", "Fisher ratio", "silhouette"]


def test_the_discussion_answers_and_reads_what_is_not_supported(smoke: Any) -> None:
    discussion = smoke.text.split("## Discussion")[1]
    for question in ("**Which layer separates?**", "**Is it training, or depth?**", "**Where does it stop?**"):
        assert question in discussion
    for claim in smoke.answer["claims"]:
        assert (f"*`{claim['name']}`* is {claim['verdict']}:" in discussion) == (claim["verdict"] != "supported")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["dataset.val_fraction=0"],
            "dataset.val_fraction=0: the probe's penalty and the tunnel are chosen on validation samples",
        ),
        (["params.view=tsn"], "params.view=tsn: there is no such map; did you mean 'tsne'?"),
        (["params.neighbours=500"], "params.neighbours=500: there are 150 training samples; lower it"),
        (
            ["model=mlp", "model.widths=[8]"],
            "model: it has fewer than two hidden layers, and nothing to compare; make it deeper",
        ),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    dlexp_here: Callable[[list[str]], tuple[int, str]], tmp_path: Path, words: list[str], message: str
) -> None:
    assert dlexp_here(["exercise=layer_separability", "scale=smoke", *words]) == (2, f"error: {message}\n")
    assert not (tmp_path / "mlartifacts").exists()
