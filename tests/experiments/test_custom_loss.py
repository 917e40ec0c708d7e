"""Exercise 3.5 through the real command line, its claims against its tables, and a loss of the user's own."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

OURS = "contaminated"
RIVALS = ["cross_entropy", "label_smoothing", "focal", "mae", "gce", "misassigned"]
LEVELS = [0.0, 0.4]


def cells(rows: list[dict[str, Any]]) -> dict[tuple[str, float], dict[str, Any]]:
    return {(row["loss"], row["noise"]): row for row in rows}


def test_every_loss_is_there_at_every_level(smoke: Any) -> None:
    results = cells(smoke.table("results"))
    everyone = {(name, level) for name in [OURS, *RIVALS, "true_share"] for level in LEVELS}
    assert set(results) == set(cells(smoke.table("tuning"))) == everyone
    for (name, level), row in results.items():
        assert row["accuracy low"] <= row["accuracy"] <= row["accuracy high"]
        assert 0 <= row["ece"] <= 1
        assert row["learning rate"] == cells(smoke.table("tuning"))[name, level]["chosen rate"]
    for measure in ("accuracy", "nll", "ece"):
        value = smoke.answer["metrics"][f"{measure}_under_noise_{OURS}"]
        assert value == pytest.approx(results[OURS, 0.4][measure])


def test_without_noise_the_true_share_is_cross_entropy(smoke: Any) -> None:
    results = cells(smoke.table("results"))
    told, standard = results["true_share", 0.0], results["cross_entropy", 0.0]
    for key in ("accuracy", "nll", "ece", "learning rate"):
        assert told[key] == pytest.approx(standard[key], rel=1e-4)


def test_claims_agree_with_the_tables(smoke: Any) -> None:
    results = cells(smoke.table("results"))
    signs = {"accuracy": 1, "nll": -1, "ece": -1}
    names = [claim["name"] for claim in smoke.answer["claims"]]
    assert names[:18] == [f"{measure}_beats_{rival}" for measure in signs for rival in RIVALS]
    for measure, sign in signs.items():
        for rival in RIVALS:
            lead = sign * (results[OURS, 0.4][measure] - results[rival, 0.4][measure])
            assert smoke.claim(f"{measure}_beats_{rival}")["effect"] == pytest.approx(lead)

    def drop(name: str) -> float:
        return results[name, 0.0]["accuracy"] - results[name, 0.4]["accuracy"]

    less = smoke.claim("loses_less_accuracy")
    assert less["effect"] == pytest.approx(drop("cross_entropy") - drop(OURS))
    price = results[OURS, 0.0]["accuracy"] - results["cross_entropy", 0.0]["accuracy"]
    assert smoke.claim("no_price_without_noise")["effect"] == pytest.approx(price)
    assert smoke.claim("calibrated_when_told_the_share")["effect"] == pytest.approx(results["true_share", 0.4]["ece"])
    worth = results[OURS, 0.4]["nll"] - results["true_share", 0.4]["nll"]
    assert smoke.claim("the_true_share_is_worth_knowing")["effect"] == pytest.approx(worth)
    assert 0.5 < smoke.claim("weights_find_wrong_labels")["effect"] <= 1


def test_losses_and_gradients_are_checked(smoke: Any) -> None:
    rows = {row["loss"]: row for row in smoke.table("functions")}
    assert list(rows) == [OURS, *RIVALS[:-1]]
    for row in rows.values():
        assert row["gradcheck"]
        assert row["finite at extremes"]
    assert rows[OURS]["against label"] == pytest.approx(3.0445, abs=1e-4)  # log(1 + 1 / 0.05)
    assert rows["mae"]["against label"] == 2
    assert all(float(rows[name]["closed form error"]) < 1e-12 for name in (OURS, "focal", "mae", "gce"))
    assert rows["cross_entropy"]["closed form error"] is None


def test_tuning_on_noisy_labels_is_accounted_for(smoke: Any) -> None:
    rows = smoke.table("tuning")
    for row in rows:
        assert row["accuracy"] <= row["accuracy there"]
        if row["noise"] == 0:
            assert row["noisy accuracy"] == row["accuracy"]
    noisy = [row for row in rows if row["noise"] > 0]
    regret = fmean(row["accuracy there"] - row["accuracy"] for row in noisy)
    assert smoke.answer["metrics"]["regret_of_noisy_tuning"] == pytest.approx(regret)
    same = fmean(row["chosen rate"] == row["rate by right labels"] for row in noisy)
    assert smoke.answer["metrics"]["same_rate_by_right_labels"] == same


def test_reliability_bins_hold_all_predictions(smoke: Any) -> None:
    rows = smoke.table("reliability")
    results = cells(smoke.table("results"))
    for name in {row["loss"] for row in rows}:
        bins = [row for row in rows if row["loss"] == name]
        total = sum(row["samples"] for row in bins)
        assert total == 2 * 359  # the test split, once per seed
        right = sum(row["samples"] * row["accuracy"] for row in bins) / total
        assert right == pytest.approx(results[name, 0.4]["accuracy"])
    assert "misassigned" not in {row["loss"] for row in rows}


def test_the_best_fit_is_computed_from_the_assumption(smoke: Any) -> None:
    assert "with 40 % right" not in smoke.text.replace("even 40 % right labels", "")
    assert "the best fit to noisy labels has the confidence 0.85 at 40%; with cross-entropy 0.60." in smoke.text


MINE = '''
import torch
from torch import nn

class MyLoss(nn.Module):
    """Squared error of the probabilities: sum_k (softmax(z)_k - [k = y])^2, times a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, logits, labels):
        onehot = torch.nn.functional.one_hot(labels, logits.shape[-1])
        return self.factor * (logits.softmax(-1) - onehot).square().sum(-1).mean()
'''


def test_a_loss_of_ones_own_takes_the_place_of_the_proposal(tmp_path: Path, dlexp_cli: Any) -> None:
    (tmp_path / "conf" / "loss").mkdir(parents=True)
    (tmp_path / "conf" / "loss" / "mine.yaml").write_text("_target_: experiments.mine.MyLoss\nfactor: 0.5\n")
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.py").write_text(MINE)
    words = ["run", "exercise=custom_loss", "scale=smoke", "threads=1", "loss=mine"]
    done = dlexp_cli(tmp_path, *words, "params.rivals=[cross_entropy,contaminated]", "hydra.run.dir=out")
    assert done.returncode == 0, done.stderr
    answer = json.loads((tmp_path / "out" / "answer.json").read_text())
    names = [claim["name"] for claim in answer["claims"]]
    rivals = ["cross_entropy", "contaminated", "misassigned"]
    expected = [f"{measure}_beats_{rival}" for measure in ("accuracy", "nll", "ece") for rival in rivals]
    assert names == [*expected, "loses_less_accuracy", "no_price_without_noise"]
    assert answer["claims"][0]["statement"].startswith("Under noise mine has a higher test accuracy than cross_entropy")
    checked = {row["loss"]: row for row in json.loads((tmp_path / "out" / "tables" / "functions.json").read_text())}
    assert checked["mine"]["gradcheck"]
    assert checked["mine"]["against label"] == pytest.approx(0.5 * (1 + 1 / 9), rel=1e-5)
    text = (tmp_path / "out" / "answer.md").read_text()
    assert "The proposal of this run is `mine`, which is `experiments.mine.MyLoss`:" in text
    assert "> Squared error of the probabilities" in text
    assert r"\hat\eta" not in text  # nothing of the other proposal's reason


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["dataset.val_fraction=0"],
            "dataset.val_fraction=0: learning rates are tuned on validation samples; keep some, e.g. 0.1",
        ),
        (["trainer.epochs=0"], "trainer.epochs=0: there is nothing to compare; train for one epoch or more"),
        (["params.noise_levels=[0.2,0.4]"], "params.noise_levels=[0.2, 0.4]: must start with 0, labels without noise"),
        (
            ["params.noise_levels=[0,0.4,0.2]"],
            "params.noise_levels=[0.0, 0.4, 0.2]: must increase from one to the next",
        ),
        (
            ["params.noise_levels=[0,0.95]"],
            "params.noise_levels=[0.0, 0.95]: with 10 classes must stay below 0.9, where labels say nothing",
        ),
        (["params.rivals=[gce]"], "params.rivals=['gce']: cross_entropy, the standard, must be among them"),
        (
            ["params.rivals=[cross_entropy,gce,gce]"],
            "params.rivals=['cross_entropy', 'gce', 'gce']: gce stands there twice; name each rival once",
        ),
        (["params.rivals=[cross_entropy,gec]"], "loss=gec: there is no such loss; did you mean 'gce'?"),
        (
            ["loss.noise=0.9"],
            "loss=contaminated: it fails on logits (8, 10) and labels (8,): "
            "noise=0.9: with 10 classes it must be below 0.9",
        ),
        (["loss.noise=1.5"], "loss.noise=1.5: input should be less than 1"),
    ],
)
def test_bad_input_is_refused_in_one_line(dlexp_here: Any, words: list[str], line: str) -> None:
    code, said = dlexp_here(["exercise=custom_loss", "scale=smoke", "threads=1", *words])
    assert (code, said) == (2, f"error: {line}\n")
