"""Exercise 3.3 through the real command line, its claims against its tables, and a schedule of the user's own."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

RIVALS = ["constant", "step", "cosine", "one_cycle", "warmup_cosine", "inverse_sqrt", "plateau"]
OURS = "spectral_cooldown"


def by_name(rows: list[dict[str, Any]], key: str = "contender") -> dict[str, dict[str, Any]]:
    return {row[key]: row for row in rows}


def test_everyone_is_in_the_standings_best_first(smoke: Any) -> None:
    rows = smoke.table("standings")
    assert sorted(row["contender"] for row in rows) == sorted([OURS, *RIVALS])
    accuracies = [row["test accuracy"] for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert {row["learning rate"] for row in rows} <= {0.02, 0.08, 0.32}
    metrics = smoke.answer["metrics"]
    for row in rows:
        assert metrics[f"accuracy_{row['contender']}"] == pytest.approx(row["test accuracy"])


def test_schedules_end_where_their_formulas_say(smoke: Any) -> None:
    rows = by_name(smoke.table("standings"))  # 26 steps: 2 epochs of 200 samples, 16 at a time
    n, last = 13, 1 / 26
    tau = (1 + (1 + 4 * n) ** 0.5) / 2
    assert rows["constant"]["last rate / peak"] == 1
    assert rows["plateau"]["last rate / peak"] == 1  # two epochs are too few for it
    assert rows["step"]["last rate / peak"] == pytest.approx(0.01)
    assert rows["inverse_sqrt"]["last rate / peak"] == pytest.approx((3 * last) ** 0.5, rel=0.2)
    assert rows[OURS]["last rate / peak"] == pytest.approx((1 + tau) / (n + tau))
    assert "26 steps (2 epochs of 200 samples, 16 at a time)" in smoke.text
    assert "`plateau` never lowered the rate" in smoke.text


def test_claims_agree_with_the_tables(smoke: Any) -> None:
    accuracy = {name: row["test accuracy"] for name, row in by_name(smoke.table("standings")).items()}
    names = [claim["name"] for claim in smoke.answer["claims"]]
    assert names == [*(f"beats_{name}" for name in RIVALS), "beats_the_best_rival", "more_robust_to_the_peak_rate"]
    for name in RIVALS:
        assert smoke.claim(f"beats_{name}")["effect"] == pytest.approx(accuracy[OURS] - accuracy[name])
    # Plateau did the same as constant, so the corrected intervals are the same too, and wider than a single one.
    constant, plateau = smoke.claim("beats_constant"), smoke.claim("beats_plateau")
    assert (constant["low"], constant["high"]) == (plateau["low"], plateau["high"])
    best = smoke.claim("beats_the_best_rival")
    rival = best["statement"].split(" than ")[1].split(",")[0]
    family = smoke.claim(f"beats_{rival}")
    assert best["effect"] == family["effect"]
    assert family["high"] - family["low"] == pytest.approx(7 * (best["high"] - best["low"]), rel=0.01)  # t, 1 degree
    shortfall = {name: row["shortfall"] for name, row in by_name(smoke.table("robustness")).items()}
    robust = smoke.claim("more_robust_to_the_peak_rate")
    assert robust["effect"] == pytest.approx(shortfall["constant"] - shortfall[OURS])


def test_in_the_model_nothing_beats_the_best_schedule(smoke: Any) -> None:
    rows = by_name(smoke.table("noisy_quadratic"), "schedule")
    assert sorted(rows) == sorted([OURS, *RIVALS[:-1]])  # plateau needs losses
    assert all(excess >= 0 for row in rows.values() for key, excess in row.items() if key != "schedule")
    assumed = {name: row["excess at rho 2"] for name, row in rows.items()}
    assert min(assumed, key=lambda name: assumed[name]) == OURS  # what it was derived for
    assert smoke.answer["metrics"]["model_excess"] == assumed[OURS] < 0.05


def test_the_proposal_is_stated_and_its_reason_given(smoke: Any) -> None:
    assert r"\left(\frac{r + \tau}{n + \tau}\right)^{p}" in smoke.text
    for heading in ("Formal statement", "In the noisy quadratic model", "Method", "Robustness to the peak rate"):
        assert f"## {heading}" in smoke.text
    figures = [f"figures/{name}.png" for name in ("schedules", "accuracy", "tuning", "training_loss")]
    assert smoke.answer["figures"] == figures


MINE = '''
import math
from torch.optim.lr_scheduler import LRScheduler

class MyScheduler(LRScheduler):
    """Half a sine: up to the peak and down again."""

    def __init__(self, optimizer, total_steps: int, *, floor: float) -> None:
        self.total_steps, self.floor = total_steps, floor
        super().__init__(optimizer)

    def get_lr(self):
        return [lr * max(self.floor, math.sin(math.pi * self.last_epoch / self.total_steps)) for lr in self.base_lrs]
'''


def test_a_schedule_of_ones_own_takes_the_place_of_the_proposal(tmp_path: Path, dlexp_cli: Any) -> None:
    (tmp_path / "conf" / "scheduler").mkdir(parents=True)
    (tmp_path / "conf" / "scheduler" / "mine.yaml").write_text(
        "_target_: experiments.mine.MyScheduler\nfloor: 0.05 # least share of the peak\n"
    )
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.py").write_text(MINE)
    words = ["run", "exercise=custom_scheduler", "scale=smoke", "threads=1", "scheduler=mine", "scheduler.floor=0.25"]
    done = dlexp_cli(
        tmp_path,
        *words,
        "params.rivals=[constant,spectral_cooldown]",
        "params.rates=[0.02,0.08]",
        "hydra.run.dir=out",
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads((tmp_path / "out" / "answer.json").read_text())
    names = [claim["name"] for claim in answer["claims"]]
    assert names[:2] == ["beats_constant", "beats_spectral_cooldown"]
    assert answer["claims"][0]["statement"].startswith("mine has a higher test accuracy than constant")
    rows = by_name(json.loads((tmp_path / "out" / "tables" / "standings.json").read_text()))
    assert rows["mine"]["last rate / peak"] == 0.25  # the last of 26 steps is at sin(25/26 pi) = 0.12, below the floor
    text = (tmp_path / "out" / "answer.md").read_text()
    assert "The proposal of this run is `mine`, which is `experiments.mine.MyScheduler`:" in text
    assert "> Half a sine: up to the peak and down again." in text
    assert r"\tau" not in text  # nothing of the other proposal's reason


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["dataset.val_fraction=0"],
            "dataset.val_fraction=0: learning rates are tuned on validation samples; keep some, e.g. 0.1",
        ),
        (["trainer.epochs=0"], "trainer.epochs=0: there is nothing to schedule; train for one epoch or more"),
        (["scheduler=constant"], "scheduler=constant: this is the trivial control; propose another schedule"),
        (
            ["params.rivals=[cosine]"],
            "params.rivals=['cosine']: constant, the trivial control, must be among them",
        ),
        (
            ["params.rivals=[constant,cosine,cosine]"],
            "params.rivals=['constant', 'cosine', 'cosine']: cosine stands there twice; name each rival once",
        ),
        (
            ["params.rivals=[constant,cosin]"],
            "scheduler=cosin: there is no such scheduler; did you mean 'cosine'?",
        ),
        (
            ["+params.rival_settings.plato.patience=2"],
            "scheduler=plato: there is no such scheduler; did you mean 'plateau'?",
        ),
        (
            ["+params.rival_settings.cosine.min_rl=0.1"],
            "params.rival_settings.cosine.min_rl: there is no such key; did you mean 'min_lr'?",
        ),
        (
            ["params.rival_settings.plateau.patience=-1"],
            "scheduler plateau.patience=-1: input should be greater than or equal to 0",
        ),
        (["params.rates=[0.1,0.1]"], "params.rates=[0.1, 0.1]: must increase from one to the next"),
        (["params.rates=[0.1]"], "params.rates=[0.1]: list should have at least 2 items after validation, not 1"),
        (["scheduler.hold=2"], "scheduler.hold=2: input should be less than or equal to 1"),
    ],
)
def test_bad_input_is_refused_in_one_line(dlexp_here: Any, words: list[str], line: str) -> None:
    code, said = dlexp_here(["exercise=custom_scheduler", "scale=smoke", "threads=1", *words])
    assert (code, said) == (2, f"error: {line}\n")


def test_means_over_the_grid_and_shortfalls_add_up(smoke: Any) -> None:
    rows = smoke.table("robustness")
    assert [row["shortfall"] for row in rows] == sorted(row["shortfall"] for row in rows)
    ours = by_name(rows)[OURS]
    assert (ours["minus the proposal's"], ours["minus the proposal's low"]) == (0, 0)
    for row in rows:
        assert row["minus the proposal's"] == pytest.approx(row["shortfall"] - ours["shortfall"])
        assert 0 < row["mean over the grid"] <= row["mean over the grid"] + row["shortfall"] <= 1
    assert fmean(row["mean over the grid"] for row in rows) > 0.1
