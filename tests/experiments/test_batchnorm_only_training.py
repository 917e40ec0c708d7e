"""Exercise 5.3 through the real command line, its claims against its tables, and what it refuses."""

from typing import Any

import pytest

SUBSETS = ["all", "batchnorm", "output", "batchnorm+output", "random", "none"]
OTHER = "batchnorm, other start"
AFFINE, TOTAL = 480, 73_872 + 480 + 650  # of a ResNet-8 on grey images: gamma and beta; with convolutions and output


def by(rows: list[dict[str, Any]], key: str = "contender") -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


def test_every_subset_is_there_with_its_size(smoke: Any) -> None:
    rows = by(smoke.table("subsets"))
    assert sorted(rows) == sorted([*SUBSETS, OTHER])
    learning = {name: row["numbers that learn"] for name, row in rows.items()}
    assert learning == {
        "all": TOTAL,
        "batchnorm": AFFINE,
        "output": 650,
        "batchnorm+output": AFFINE + 650,
        "random": AFFINE,
        "none": 0,
        OTHER: AFFINE,
    }
    accuracies = [row["test accuracy"] for row in smoke.table("subsets")]
    assert accuracies == sorted(accuracies, reverse=True)


def test_claims_between_subsets_agree_with_the_table(smoke: Any) -> None:
    accuracy = {name: row["test accuracy"] for name, row in by(smoke.table("subsets")).items()}
    for claim, better, worse in (
        ("batchnorm_beats_output_layer", "batchnorm", "output"),
        ("batchnorm_beats_random_parameters", "batchnorm", "random"),
        ("all_parameters_beat_batchnorm", "all", "batchnorm"),
        ("start_of_gamma_is_immaterial", "batchnorm", OTHER),
    ):
        assert smoke.claim(claim)["effect"] == pytest.approx(accuracy[better] - accuracy[worse])
    assert smoke.claim("control_is_at_chance")["effect"] == pytest.approx(accuracy["none"] - 0.1)
    beyond = accuracy["batchnorm"] - smoke.claim("batchnorm_alone_is_not_trivial")["effect"]
    assert 0.1 < beyond < 0.12  # the most frequent digit
    assert f"the share of the most frequent class ({beyond:.3g}; chance is 0.1)" in smoke.text


def test_not_one_frozen_bit_moved_and_the_hashes_show_it(smoke: Any) -> None:
    rows = by(smoke.table("frozen"))
    assert list(rows) == [*SUBSETS, OTHER, "batchnorm, depth 14", "batchnorm, width 2"]
    for name, row in rows.items():
        assert row["of them changed (most)"] == 0
        assert row["SHA-256 of the frozen, before"] == row["after"]
        assert row["running statistics changed (tensors)"] == 3 * (13 if "depth" in name else 7)
        assert row["nets"] == 2
        if name in SUBSETS:
            assert row["numbers that learn"] + row["frozen numbers"] == TOTAL
    assert rows["batchnorm"]["of them changed (least)"] > 0.95 * AFFINE
    assert rows["none"]["of them changed (least)"] == 0
    # The same weights are frozen where batch normalisation alone learns, from either start.
    assert rows["batchnorm"]["after"] == rows[OTHER]["after"] != rows["random"]["after"]
    claim = smoke.claim("frozen_weights_did_not_move")
    assert (claim["effect"], claim["low"], claim["high"], claim["verdict"]) == (0, 0, 0, "supported")


def test_depth_and_width_start_from_the_base_net(smoke: Any) -> None:
    rows = {(row["varied"], row["value"]): row for row in smoke.table("shapes")}
    assert list(rows) == [("depth", 8), ("depth", 14), ("width", 1), ("width", 2)]
    base = by(smoke.table("subsets"))["batchnorm"]["test accuracy"]
    assert rows["depth", 8]["test accuracy"] == rows["width", 1]["test accuracy"] == base
    assert [row["numbers that learn"] for row in rows.values()] == [AFFINE, 928, AFFINE, 2 * AFFINE]
    for key, largest in (("depth", 14), ("width", 2)):
        assert smoke.claim(f"{key}_helps")["effect"] == pytest.approx(rows[key, largest]["test accuracy"] - base)


def test_gamma_is_counted_alike_everywhere(smoke: Any) -> None:
    rows, layers = by(smoke.table("gamma")), smoke.table("units_off")
    assert list(rows) == ["at the start", "batchnorm", "batchnorm+output", "all", OTHER]
    assert rows["at the start"]["share negative"] == 0
    assert rows["at the start"]["median |gamma|"] == pytest.approx(0.5, abs=0.1)
    assert sum(row["units"] for row in layers) == AFFINE // 2
    whole = sum(row["near zero"] * row["units"] for row in layers) / (AFFINE // 2)
    assert whole == pytest.approx(rows["batchnorm"]["share near zero"])
    assert smoke.answer["metrics"]["share_near_zero_batchnorm"] == pytest.approx(whole)
    extra = rows["batchnorm"]["share near zero"] - rows["all"]["share near zero"]
    never = ["never positive, batchnorm", "never positive, all", "never positive, none"]
    assert all(0 <= row[column] <= 1 for row in layers for column in never)
    silent = sum(row[never[0]] * row["units"] for row in layers) / (AFFINE // 2)
    assert f"with BatchNorm alone learning, {silent:.4g} [" in smoke.text
    assert smoke.claim("batchnorm_only_switches_units_off")["effect"] == pytest.approx(extra)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["model=mlp", "params.depths=[]", "params.widths=[]"],
            "model: it has no batch normalisation whose gamma and beta could learn; use cifar_resnet",
        ),
        (["model=cnn"], "params.depths=[8, 14]: model=cnn has no depth; say params.depths=[]"),
        (["params.depths=[9]"], "model.depth=9: must be 6n+2 (8, 14, 20, 32, 44, 56, 110, ...); nearest are 8 and 14"),
        (["params.swept=[random]"], "params.swept=['random']: batchnorm must be among them"),
        (["params.rates=[1.0,1.0]"], "params.rates=[1.0, 1.0]: one stands there twice; name each once"),
    ],
)
def test_bad_input_is_refused_in_one_line(dlexp_here: Any, words: list[str], line: str) -> None:
    code, said = dlexp_here(["exercise=batchnorm_only_training", "scale=smoke", "threads=1", *words])
    assert (code, said) == (2, f"error: {line}\n")
