"""Exercise 2.3 through the real command line, and its claims against what the tables say."""

from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

CHANCE = 0.1  # digits have ten classes


def by(rows: list[dict[str, Any]], key: str) -> dict[Any, dict[str, Any]]:
    return {row[key]: row for row in rows}


def test_every_fraction_kind_of_data_regulariser_and_control_is_there(smoke: Any) -> None:
    assert list(by(smoke.table("random_labels"), "random labels")) == [0.0, 0.2, 0.5, 1.0]
    kinds = ["true data", "shuffled pixels", "random pixels", "Gaussian pixels"]
    assert list(by(smoke.table("destroyed_inputs"), "inputs")) == kinds
    regularisers = by(smoke.table("regularisation"), "regulariser")
    assert list(regularisers) == [
        "none",
        "weight decay 0.0005",
        "weight decay 0.1",
        "dropout 0.5",
        "shift augmentation 1",
    ]
    assert [row["strength"] for row in regularisers.values()] == ["", "usual", "stronger", "usual", "usual"]
    layers = list(by(smoke.table("rewinding"), "layer"))
    assert layers == ["layer1", "layer2", "fc"]
    epochs = [0, 1, 2, 4, 8, 16, 25]
    assert [(row["layer"], row["epoch"]) for row in smoke.table("rewinding_by_epoch")] == [
        (layer, epoch) for layer in layers for epoch in epochs
    ]


def test_claims_agree_with_the_tables(smoke: Any) -> None:
    effect = {claim["name"]: claim["effect"] for claim in smoke.answer["claims"]}
    fractions = by(smoke.table("random_labels"), "random labels")
    assert effect["random_labels_are_fitted"] == pytest.approx(fractions[1.0]["train accuracy"])
    assert effect["random_labels_teach_nothing"] == pytest.approx(fractions[1.0]["test accuracy"] - CHANCE)
    inputs = by(smoke.table("destroyed_inputs"), "inputs")
    moved = inputs["shuffled pixels"]["test accuracy"] - inputs["true data"]["test accuracy"]
    assert effect["fixed_permutation_is_immaterial"] == pytest.approx(moved)
    lowest = min(row["train accuracy"] for name, row in inputs.items() if name != "true data")
    assert effect["destroyed_inputs_are_fitted"] <= lowest + 1e-12
    regularisers = by(smoke.table("regularisation"), "regulariser")
    for name, kind in (
        ("weight_decay_does_not_prevent_it", "weight decay 0.0005"),
        ("dropout_does_not_prevent_it", "dropout 0.5"),
        ("shift_augmentation_does_not_prevent_it", "shift augmentation 1"),
        ("strong_weight_decay_prevents_it", "weight decay 0.1"),
    ):
        assert effect[name] == pytest.approx(regularisers[kind]["memorised share"])
    usual, strong = (regularisers[f"weight decay {x}"]["true labels: test accuracy"] for x in ("0.0005", "0.1"))
    assert effect["strong_weight_decay_spares_learning"] == pytest.approx(usual - strong)
    assert effect["too_small_nets_cannot"] == pytest.approx(smoke.table("small_nets")[0]["memorised share"])
    layers = smoke.table("rewinding")
    excess = [row["mislabelled forgotten"] - row["clean forgotten"] for row in layers]
    assert effect["mislabelled_are_forgotten_first"] == pytest.approx(fmean(excess))
    early = [value for value, row in zip(excess, layers, strict=True) if not row["one of the last"]]
    assert effect["memorisation_is_confined_to_the_last_layers"] == pytest.approx(fmean(early))
    beyond = [row["mislabelled forgotten"] - row["mislabelled, random signs"] for row in layers]
    assert effect["going_back_is_more_than_a_change"] == pytest.approx(fmean(beyond))


def test_memorised_shares_follow_from_accuracies(smoke: Any) -> None:
    for table in ("regularisation", "small_nets"):
        for row in smoke.table(table):
            share = (row["random labels: train accuracy"] - CHANCE) / (1 - CHANCE)
            assert row["memorised share"] == pytest.approx(share)


def test_wrong_labels_are_nine_tenths_of_the_redrawn_ones(smoke: Any) -> None:
    for fraction, row in by(smoke.table("random_labels"), "random labels").items():
        # Up to four standard deviations over two draws of 100 labels.
        assert row["wrong labels"] == pytest.approx(0.9 * fraction, abs=4 * (0.09 * fraction / 200) ** 0.5)


def test_the_small_net_has_fewer_parameters_than_samples_and_the_large_one_more(smoke: Any) -> None:
    small, large = smoke.table("small_nets")
    assert small["parameters p"] == 64 * 1 + 1 + 1 * 10 + 10  # one hidden unit, 8 x 8 pixels
    assert large["parameters p"] == (64 + 1) * 64 + (64 + 1) * 64 + (64 + 1) * 10
    assert small["p / n"] == 0.85
    assert large["p / n"] == pytest.approx(large["parameters p"] / 100)
    assert small["memorised share"] < large["memorised share"]


def test_the_last_epoch_forgets_nothing_and_the_last_layers_are_the_second_half(smoke: Any) -> None:
    for row in smoke.table("rewinding_by_epoch"):
        for group in ("mislabelled", "clean"):
            assert 0 <= row[f"{group} forgotten"] <= 1
            if row["epoch"] == 25:
                assert row[f"{group} forgotten"] == 0
    assert [row["one of the last"] for row in smoke.table("rewinding")] == [False, False, True]


def test_the_discussion_answers_the_question_and_reads_what_is_not_supported(smoke: Any) -> None:
    discussion = smoke.text.split("## Discussion")[1]
    assert "**Good or bad?**" in discussion
    confined = smoke.claim("memorisation_is_confined_to_the_last_layers")["verdict"]
    said = {"refuted": "It is not confined", "supported": "Memorisation is confined", "inconclusive": "Whether it is"}
    assert said[confined] in discussion
    for claim in smoke.answer["claims"]:
        if claim["name"] in ("random_labels_are_fitted", "destroyed_inputs_are_fitted") or "confined" in claim["name"]:
            continue
        assert (f"*`{claim['name']}`* is {claim['verdict']}:" in discussion) == (claim["verdict"] != "supported")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["optimizer.weight_decay=0.0005"],
            "error: optimizer.weight_decay, model.dropout, augmentation: the net without regularisation must have "
            "none; set the strengths to try by params.weight_decay, params.dropout and params.shift",
        ),
        (
            ["params.small=[{widths: [64]}]"],
            "error: params.small=[{'widths': [64]}]: the first has 4810 parameters for 100 samples; make it smaller, "
            "or give more samples (dataset.train_size)",
        ),
    ],
)
def test_settings_that_would_spoil_the_comparison_are_refused(
    dlexp_cli: Callable[..., Any], tmp_path: Path, words: list[str], message: str
) -> None:
    done = dlexp_cli(tmp_path, "run", "exercise=random_label_memorization", "scale=smoke", "threads=1", *words)
    assert done.returncode == 2
    assert done.stderr.strip() == message
    assert not (tmp_path / "mlartifacts").exists()
