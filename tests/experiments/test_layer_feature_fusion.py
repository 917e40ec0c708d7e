"""Exercise 4.3 through the real command line, and its claims against what the tables say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

LAYERS = ["layer1.0", "layer3.0"]  # those that the smoke scale asks for
NAMES = [
    "fused",
    "fused, PCA",
    "last layer",
    "last layer + random",
    "best layer alone",
    "fused, random weights",
    "input",
]
CLASSIFIERS = ["logistic regression", "PLS-DA", "linear SVM"]
TASKS = ["own classes", "new classes"]


def test_every_representation_classifier_and_task_is_there(smoke: Any) -> None:
    rows = smoke.table("rivals")
    assert [(row["task"], row["representation"]) for row in rows] == [(task, name) for task in TASKS for name in NAMES]
    # 16 + 64 channels; the last layer has 64; 8 x 8 pixels. Half of the classes have too few samples for 64 axes.
    axes = [row["features"] for row in rows if row["representation"] == "fused, PCA"]
    assert axes[0] == 64
    assert 30 < axes[1] < 64
    assert [row["features"] for row in rows if row["representation"] != "fused, PCA"] == 2 * [
        80,
        64,
        80,
        None,
        80,
        64,
    ]
    for row in rows:
        for name in CLASSIFIERS:
            assert row[f"{name}: low"] <= row[name] <= row[f"{name}: high"]
    assert [(row["task"], row["layer"]) for row in smoke.table("layers")] == [
        (task, layer) for task in TASKS for layer in LAYERS
    ]


def values(smoke: Any) -> dict[tuple[str, str, str], float]:
    rows = smoke.table("rivals")
    return {(row["task"], row["representation"], name): row[name] for row in rows for name in CLASSIFIERS}


def test_gains_are_differences_of_the_accuracies(smoke: Any) -> None:
    of = values(smoke)
    rows = smoke.table("gains")
    assert len(rows) == len(TASKS) * (len(NAMES) - 2) * len(CLASSIFIERS)
    for row in rows:
        task, rival, classifier = row["task"], row["fused against"], row["classifier"]
        assert row["gain"] == pytest.approx(of[task, "fused", classifier] - of[task, rival, classifier])


@pytest.mark.parametrize(
    ("claim", "one", "rival"),
    [
        ("fusion_helps", "fused", "last layer"),
        ("more_features_are_not_the_reason", "fused, PCA", "last layer"),
        ("random_features_are_not_the_reason", "fused", "last layer + random"),
        ("fusion_beats_the_best_layer_alone", "fused", "best layer alone"),
        ("training_matters", "fused", "fused, random weights"),
        ("fusion_beats_the_input", "fused", "input"),
    ],
)
def test_a_claim_is_decided_by_the_classifier_that_speaks_most_against_it(
    smoke: Any, claim: str, one: str, rival: str
) -> None:
    found, of = smoke.claim(claim), values(smoke)
    gains = [of["new classes", one, name] - of["new classes", rival, name] for name in CLASSIFIERS]
    assert any(found["effect"] == pytest.approx(gain) for gain in gains)
    if one == "fused":
        lows = [row["gain: low"] for row in smoke.table("gains")
                if (row["task"], row["fused against"]) == ("new classes", rival)]  # fmt: skip
        assert found["low"] == pytest.approx(min(lows))


def test_the_other_claims_agree_with_the_tables(smoke: Any) -> None:
    own = [row for row in smoke.table("gains") if (row["task"], row["fused against"]) == (TASKS[0], "last layer")]
    assert any(
        smoke.claim("fusion_changes_little_on_own_classes")["effect"] == pytest.approx(row["gain"]) for row in own
    )
    new = [row for row in smoke.table("layers") if row["task"] == "new classes"]
    decides = min(new, key=lambda row: row["difference: low"])
    claim = smoke.claim("fusion_beats_every_layer_at_equal_dimension")
    assert (claim["effect"], claim["low"]) == (pytest.approx(decides["difference"]), decides["difference: low"])
    for row in smoke.table("layers"):
        assert row["difference"] == pytest.approx(row["fused, as many features"] - row["alone"])


def test_growing_subsets_end_at_the_last_layer_and_at_all(smoke: Any) -> None:
    of = values(smoke)
    for task in TASKS:
        rows = [row for row in smoke.table("last_layers") if row["task"] == task]
        assert [row["down to"] for row in rows] == LAYERS[::-1]
        assert rows[0]["test accuracy"] == pytest.approx(of[task, "last layer", CLASSIFIERS[0]])
        assert rows[-1]["test accuracy"] == pytest.approx(of[task, "fused", CLASSIFIERS[0]])


def test_the_discussion_reads_what_is_not_supported(smoke: Any) -> None:
    discussion = smoke.text.split("## Discussion")[1]
    assert "**Own classes**" in discussion
    assert "**New classes**" in discussion
    helps = smoke.claim("fusion_helps")["verdict"] == "supported"
    assert ("**What the two tasks say together.**" in discussion) == helps
    for claim in smoke.answer["claims"]:
        assert (f"*`{claim['name']}`* is {claim['verdict']}:" in discussion) == (claim["verdict"] != "supported")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["params.layers=[layer1.0,layer9.0]"],
            "params.layers: there is no hidden layer layer9.0; did you mean 'layer3.0'?",
        ),
        (
            ["params.layers=[layer1.0]"],
            "params.layers: there is nothing to fuse; take a net and a list of two hidden layers or more",
        ),
        (
            ["params.classifiers=[tree]"],
            "params.classifiers: there is no classifier tree; choose from: logistic, pls, svm",
        ),
        (
            ["dataset=wine", "model=mlp", "params.layers=null"],
            "params.new_classes=true: 3 classes cannot be parted into two and two; set it to false",
        ),
    ],
)
def test_settings_that_leave_nothing_to_compare_are_refused(
    dlexp_here: Callable[[list[str]], tuple[int, str]], tmp_path: Path, words: list[str], message: str
) -> None:
    assert dlexp_here(["exercise=layer_feature_fusion", "scale=smoke", *words]) == (2, f"error: {message}\n")
    assert not (tmp_path / "mlartifacts").exists()
