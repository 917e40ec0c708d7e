"""Exercise 3.4 through the real command line, its claims against its tables, and an activation of the user's own."""

import json
import math
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

OURS = "critical"
RIVALS = ["relu", "leaky_relu", "elu", "gelu", "silu", "mish", "tanh", "identity"]


def by_name(rows: list[dict[str, Any]], key: str = "activation") -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


def test_everyone_is_there_as_it_is_and_with_the_right_scale(smoke: Any) -> None:
    everyone = [OURS, *RIVALS, *(f"scaled_{name}" for name in RIVALS)]
    rows = smoke.table("standings")
    assert sorted(row["contender"] for row in rows) == sorted(everyone)
    accuracies = [row["test accuracy"] for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert [row["activation"] for row in smoke.table("signals")] == everyone
    assert [row["contender"] for row in smoke.table("tuning")] == everyone
    for row in rows:
        assert smoke.answer["metrics"][f"accuracy_{row['contender']}"] == pytest.approx(row["test accuracy"])
        tuned = by_name(smoke.table("tuning"), "contender")[row["contender"]]
        assert tuned[f"{row['learning rate']:g}"] == max(tuned["0.003"], tuned["0.01"])


def test_moments_hold_what_the_formal_statement_promises(smoke: Any) -> None:
    rows = by_name(smoke.table("functions"))
    assert list(rows) == [OURS, *RIVALS]
    ours = rows[OURS]
    assert (ours["E f^2"], ours["E f'^2"], ours["chi"]) == tuple(pytest.approx(value) for value in (3, 3, 1))
    assert ours["exponent"] < 1 < rows["gelu"]["exponent"]
    assert rows["relu"]["gain"] == pytest.approx(math.sqrt(2))
    assert all(row["gradcheck"] and row["gradgradcheck"] for row in rows.values())
    for row in rows.values():
        assert row["gain"] == pytest.approx(row["E f^2"] ** -0.5)
        assert row["chi"] == pytest.approx(row["E f'^2"] / row["E f^2"])
    assert r"$\lambda = 2.0600$, $c = 0.0943$" in smoke.text


def test_signals_follow_the_theory_and_the_claims_the_table(smoke: Any) -> None:
    rows = by_name(smoke.table("signals"))
    for row in rows.values():
        assert row["variance low"] <= row["variance"] <= row["variance high"]
    for name in (OURS, "elu", "tanh", "scaled_elu"):
        assert rows[name]["variance"] == pytest.approx(rows[name]["variance, theory"], abs=0.6)
        assert rows[name]["gradient"] == pytest.approx(rows[name]["gradient, theory"], abs=1.0)
    assert smoke.claim("keeps_the_variance")["effect"] == pytest.approx(rows[OURS]["variance"])
    assert smoke.claim("keeps_the_gradient")["effect"] == pytest.approx(rows[OURS]["gradient"])
    best = max(rows[name]["gradient"] for name in RIVALS[:-1]) * math.log10(2)
    lost = smoke.claim("usual_activations_lose_the_gradient")
    assert lost["effect"] == pytest.approx(best, abs=0.1)  # the best of each net, against the best on average
    assert lost["verdict"] == "supported"


def test_claims_on_accuracy_agree_with_the_standings(smoke: Any) -> None:
    accuracy = {row["contender"]: row["test accuracy"] for row in smoke.table("standings")}
    for name in RIVALS:
        assert smoke.claim(f"beats_{name}")["effect"] == pytest.approx(accuracy[OURS] - accuracy[name])
    plain, scaled = (fmean(accuracy[f"{kind}{name}"] for name in RIVALS[:-1]) for kind in ("", "scaled_"))
    assert smoke.claim("scale_helps_the_rivals")["effect"] == pytest.approx(scaled - plain)
    same = smoke.claim("shape_is_immaterial_at_the_right_scale")
    assert same["effect"] == pytest.approx(accuracy[OURS] - scaled)
    best = smoke.claim("keeps_up_with_the_best_scaled_rival")
    rival = best["statement"].split(" than ")[1].split(",")[0]
    assert rival.startswith("scaled_")
    assert best["effect"] == pytest.approx(accuracy[OURS] - accuracy[rival])
    tuned = {row["contender"]: max(row["0.003"], row["0.01"]) for row in smoke.table("tuning")}
    assert tuned[rival] == max(tuned[f"scaled_{name}"] for name in RIVALS[:-1])


def test_costs_are_measured_and_counted(smoke: Any) -> None:
    rows = by_name(smoke.table("costs"))
    assert list(rows) == [OURS, *RIVALS]
    assert (rows["relu"]["kernels"], rows["relu"]["memory passes"]) == (2, pytest.approx(5, abs=0.01))
    assert (rows["identity"]["kernels"], rows["identity"]["memory passes"]) == (0, 0)
    assert rows["relu"]["seconds / relu's seconds"] == 1
    assert rows[OURS]["memory passes"] > 20  # several kernels, each with its own reading and writing
    assert all(row["seconds per step"] > 0 for row in rows.values())
    claim = smoke.claim("a_step_costs_little_more")
    assert claim["effect"] == pytest.approx(rows[OURS]["seconds / relu's seconds"])
    assert "seconds" in claim["unit"]


MINE = '''
import torch
from torch import nn

class MyActivation(nn.Module):
    """A bump on a line: x + height sin(x)."""

    elementwise = True

    def __init__(self, height: float) -> None:
        super().__init__()
        self.height = height

    def forward(self, x):
        return x + self.height * torch.sin(x)
'''


def test_an_activation_of_ones_own_takes_the_place_of_the_proposal(tmp_path: Path, dlexp_cli: Any) -> None:
    (tmp_path / "conf" / "activation").mkdir(parents=True)
    (tmp_path / "conf" / "activation" / "mine.yaml").write_text(
        "_target_: experiments.mine.MyActivation\n_partial_: true\nheight: 0.5 # of the bump\n"
    )
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.py").write_text(MINE)
    words = ["run", "exercise=custom_activation", "scale=smoke", "threads=1", "activation=mine"]
    done = dlexp_cli(tmp_path, *words, "params.rivals=[relu,critical]", "hydra.run.dir=out")
    assert done.returncode == 0, done.stderr
    answer = json.loads((tmp_path / "out" / "answer.json").read_text())
    claims = {claim["name"]: claim for claim in answer["claims"]}
    assert {"beats_relu", "beats_critical", "beats_identity", "keeps_the_variance"} <= set(claims)
    assert claims["beats_relu"]["statement"].startswith("mine has a higher test accuracy than relu")
    rows = by_name(json.loads((tmp_path / "out" / "tables" / "functions.json").read_text()))
    square = 1 + math.exp(-0.5) + 0.25 * (1 - math.exp(-2)) / 2  # E (z + sin(z) / 2)^2
    assert rows["mine"]["E f^2"] == pytest.approx(square)
    assert rows["mine"]["gradgradcheck"]
    signals = by_name(json.loads((tmp_path / "out" / "tables" / "signals.json").read_text()))
    assert list(signals) == ["mine", "relu", "critical", "identity", "scaled_mine", "scaled_relu", "scaled_identity"]
    text = (tmp_path / "out" / "answer.md").read_text()
    assert "The proposal of this run is `mine`, which is `experiments.mine.MyActivation`:" in text
    assert "> A bump on a line: x + height sin(x)." in text
    assert "Why this function" not in text  # nothing of the other proposal's reason


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["dataset.val_fraction=0"],
            "dataset.val_fraction=0: learning rates are tuned on validation samples; keep some, e.g. 0.1",
        ),
        (["model=cifar_resnet"], "model=cifar_resnet: it takes no activation; choose mlp or cnn"),
        (["trainer.epochs=0"], "trainer.epochs=0: there is nothing to compare; train for one epoch or more"),
        (
            ["model.initialization=he"],
            "model.initialization=he: scales here are for the weights as torch draws them; leave it at default",
        ),
        (
            ["params.rivals=[relu,relu]"],
            "params.rivals=['relu', 'relu']: relu stands there twice; name each rival once",
        ),
        (["params.rivals=[rleu]"], "activation=rleu: there is no such activation; did you mean 'relu'?"),
        (["params.rates=[0.1,0.01]"], "params.rates=[0.1, 0.01]: must increase from one to the next"),
        (["activation.width=-1"], "model.activation.width=-1: input should be greater than 0"),
        (["params.timing_blocks=1"], "params.timing_blocks=1: input should be greater than or equal to 2"),
    ],
)
def test_bad_input_is_refused_in_one_line(dlexp_here: Any, words: list[str], line: str) -> None:
    code, said = dlexp_here(["exercise=custom_activation", "scale=smoke", "threads=1", *words])
    assert (code, said) == (2, f"error: {line}\n")
