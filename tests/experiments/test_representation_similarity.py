"""Exercise 4.2 through the real command line, and its claims against what the tables say."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from dlexp.probes.similarity.all_measures import MEANS, NOISY
from dlexp.probes.similarity.measures import MEASURES

LAYERS = ["bn1", "layer1.0", "layer2.0", "layer3.0", "fc"]  # a plain net of depth 8
RELATIONS = [
    "across seeds",
    "across seeds, wide",
    "narrow and wide",
    "two architectures",
    "trained and before",
    "before and before",
]


def test_the_null_test_has_every_measure_at_every_size(smoke: Any) -> None:
    rows = smoke.table("null_test")
    assert [(row["measure"], row["samples"]) for row in rows] == [(name, n) for name in MEASURES for n in (16, 32)]
    read = {row["measure"]: row for row in rows if row["samples"] == 16}
    assert smoke.claim("unbiased_cka_of_nothing_is_zero")["effect"] == read["linear CKA"]["mean"]
    assert smoke.claim("biased_cka_of_nothing_is_large")["effect"] == read["linear CKA, biased"]["mean"]
    assert read["linear CKA, biased"]["mean"] == pytest.approx(32 / (32 + 16), abs=0.04)  # 32 features, 16 samples
    assert abs(read["linear CKA"]["mean"]) < 0.15


def test_invariances_are_those_of_the_measures(smoke: Any) -> None:
    rows = {row["measure"]: row for row in smoke.table("invariances")}
    assert list(rows) == list(MEASURES)
    for name, row in rows.items():
        # With so few samples several canonical correlations are 1, and PWCCA's variates are not unique.
        if name != "PWCCA":
            assert row["orthogonal map"] == row["isotropic scale"] == row["shift"] == 0
        assert row["invertible map"] > 0


def test_in_batches_both_estimators_at_every_size(smoke: Any) -> None:
    rows = smoke.table("in_batches")
    assert [(row["estimator"], row["batch"]) for row in rows] == [
        ("unbiased", 16),
        ("unbiased", 32),
        ("biased", 16),
        ("biased", 32),
    ]
    assert smoke.claim("batches_estimate_the_whole")["effect"] == rows[0]["difference"]
    assert smoke.claim("biased_batches_mislead")["effect"] == rows[2]["difference"]
    assert rows[2]["difference"] > rows[3]["difference"] > 0


def test_identification_of_every_measure_trained_and_before(smoke: Any) -> None:
    rows = {row["measure"]: row for row in smoke.table("identification")}
    assert list(rows) == [*MEASURES, NOISY, MEANS]
    by_layer = smoke.table("identification_by_layer")
    assert [row["layer"] for row in by_layer] == LAYERS
    for name, row in rows.items():
        assert row["trained"] == pytest.approx(fmean(layer[name] for layer in by_layer))
        assert 0 <= row["before training"] <= 1
    effect = {claim["name"]: claim["effect"] for claim in smoke.answer["claims"]}
    cka = rows["linear CKA"]
    assert effect["cka_identifies_layers"] == pytest.approx(cka["trained"])
    assert effect["cka_identifies_better_than_svcca"] == pytest.approx(cka["trained"] - rows["SVCCA"]["trained"])
    assert effect["training_makes_layers_identifiable"] == pytest.approx(cka["trained"] - cka["before training"])
    assert "over 12 ordered pairs of nets" in smoke.text  # two nets for each of two seeds


def test_layers_in_the_same_place_of_every_relation(smoke: Any) -> None:
    rows = smoke.table("same_place")
    assert [row["layer"] for row in rows] == LAYERS
    for name in RELATIONS:
        hidden = fmean(row[name] for row in rows[:-1])
        metric = f"same_place_{name.replace(', ', '_').replace(' ', '_')}"
        assert smoke.answer["metrics"][metric] == pytest.approx(hidden)
    mean = {name: fmean(row[name] for row in rows[:-1]) for name in RELATIONS}
    learnt = mean["across seeds"] - mean["trained and before"]
    assert smoke.claim("trained_nets_agree_beyond_their_start")["effect"] == pytest.approx(learnt)
    wider = mean["across seeds, wide"] - mean["across seeds"]
    assert smoke.claim("wide_nets_agree_more")["effect"] == pytest.approx(wider)


def test_the_discussion_answers_and_reads_what_is_not_supported(smoke: Any) -> None:
    discussion = smoke.text.split("## Discussion")[1]
    for question in (
        "**Two layers, of one net or of two,",
        "**Can the number be trusted?**",
        "**What is learnt alike?**",
    ):
        assert question in discussion
    for claim in smoke.answer["claims"]:
        assert (f"*`{claim['name']}`* is {claim['verdict']}" in discussion) == (claim["verdict"] != "supported")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["params.nets_per_seed=1"], "params.nets_per_seed=1: intervals over pairs need 3 nets, not 2"),
        (["params.stimuli=9"], "params.stimuli=9: cannot hold one of each of 10 classes"),
        (
            ["model=mlp", "model.widths=[8]"],
            "model: it has fewer than two hidden layers, and nothing to identify; make it deeper",
        ),
    ],
)
def test_settings_that_leave_nothing_to_compare_are_refused(
    dlexp_here: Callable[[list[str]], tuple[int, str]], tmp_path: Path, words: list[str], message: str
) -> None:
    assert dlexp_here(["exercise=representation_similarity", "scale=smoke", *words]) == (2, f"error: {message}\n")
    assert not (tmp_path / "mlartifacts").exists()
