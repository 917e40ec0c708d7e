"""Rivals at equal budget and equal tuning: what is the same for all, and how the rate is chosen."""

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest
import torch

from dlexp.comparison.tuned import (
    TUNING_SEEDS,
    Contender,
    Score,
    Tuned,
    best_rate,
    scores_of,
    tune_and_train,
)
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.settings import Settings
from dlexp.training.evaluate import accuracy
from dlexp.training.recipe import Recipe

COSINE = Contender("cosine", {"scheduler": {"_target_": "dlexp.training.schedulers.cosine", "min_lr": 0.0}})
PLAIN = Contender("plain", {})
RATES = [0.01, 0.1]


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Recipe]]:
    """The recipes of each call of `Lab.train`, in order."""
    calls: list[dict[str, Recipe]] = []
    train = Lab.train

    def watched(self: Lab, recipes: dict[str, Recipe], *args: Any, **kwargs: Any) -> Any:
        calls.append(dict(recipes))
        return train(self, recipes, *args, **kwargs)

    monkeypatch.setattr(Lab, "train", watched)
    return calls


def test_contenders_differ_in_what_they_change_and_their_rate_only(
    make_lab: Callable[..., Lab], trained: list[dict[str, Recipe]]
) -> None:
    lab = make_lab(seeds=2, snapshot_epochs=[0])
    plain, cosine = tune_and_train(lab, [PLAIN, COSINE], RATES, 2)
    tuning, final = trained
    assert len(tuning) == 2 * len(RATES) * 2
    assert {recipe.optimizer["lr"] for recipe in tuning.values()} == set(RATES)
    for recipes in (tuning, final):
        for recipe in recipes.values():
            free = {"scheduler": None, "optimizer": {**recipe.optimizer, "lr": None}, "seed": None}
            expected = {**lab.recipe(0).to_dict(), "scheduler": None, "seed": None}
            expected["optimizer"]["lr"] = None
            expected["trainer"]["if_diverged"] = "stop"
            assert {**recipe.to_dict(), **free} == expected  # the same epochs, batch size, model, loss
            assert recipe.scheduler == (
                COSINE.changes["scheduler"] if recipe in cosine_of(recipes) else lab.recipe(0).scheduler
            )
    for one, other in zip(plain.trained, cosine.trained, strict=True):
        assert one.recipe.seed == other.recipe.seed
        assert all(one.snapshots[0][name].equal(other.snapshots[0][name]) for name in one.snapshots[0])
    starts = [each.snapshots[0] for each in plain.trained]
    assert any(not starts[0][name].equal(starts[1][name]) for name in starts[0])  # another seed starts elsewhere


def cosine_of(recipes: dict[str, Recipe]) -> list[Recipe]:
    return [recipe for name, recipe in recipes.items() if name.startswith("cosine")]


def test_tuning_has_seeds_of_its_own(make_lab: Callable[..., Lab], trained: list[dict[str, Recipe]]) -> None:
    lab = make_lab(seeds=3)
    results = tune_and_train(lab, [PLAIN, COSINE], RATES, 2)
    tuning, final = ({recipe.seed for recipe in recipes.values()} for recipes in trained)
    assert final == {0, 1, 2}
    assert tuning == {TUNING_SEEDS, TUNING_SEEDS + 1}
    assert [each.recipe.seed for each in results[1].trained] == lab.seeds
    largest = Settings(seed=999_999, seeds=1000, scale="paper", device="cpu", threads=None).repetitions[-1]
    assert largest < TUNING_SEEDS


def test_the_rate_is_chosen_by_mean_validation_scores(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()
    (cosine,) = tune_and_train(lab, [COSINE], [1e-6, 0.1], 3)
    assert lab.dataset.val is not None
    assert cosine.rate == 0.1
    for rate, runs in cosine.trials.items():
        assert len(runs) == 3
        assert cosine.tuning[rate] == Score(fmean(run.accuracy for run in runs), fmean(run.nll for run in runs))
    tried = replace(cosine.trained[0].recipe, seed=TUNING_SEEDS + 1)  # the second tuning run, made again
    again = lab.train({"again/1": tried})["again/1"]
    assert scores_of(lab, [again], lab.dataset.val) == [cosine.trials[0.1][1]]
    assert cosine.trials[0.1][1].accuracy == accuracy(again.net, lab.dataset.val)
    assert cosine.trained[0].history[0]["lr"] < 0.1  # the contender's own schedule


@pytest.mark.parametrize(
    ("grid", "chosen"),
    [
        ({0.1: Score(0.8, 9.0), 0.2: Score(0.9, 9.9)}, 0.2),  # accuracy first
        ({0.1: Score(0.9, 0.5), 0.2: Score(0.9, 0.4)}, 0.2),  # then NLL
        ({0.2: Score(0.9, 0.4), 0.1: Score(0.9, 0.4)}, 0.1),  # then the lower rate
        ({0.1: Score(0.5, math.inf), 0.2: Score(0.5, 3.0)}, 0.2),  # diverged is no better than chance that was learned
    ],
)
def test_accuracy_then_nll_then_the_lower_rate(grid: dict[float, Score], chosen: float) -> None:
    assert best_rate(grid) == chosen


def test_a_rate_that_diverges_is_worth_chance_and_fails_nothing(make_lab: Callable[..., Lab]) -> None:
    (plain,) = tune_and_train(make_lab(), [PLAIN], [0.1, 1e30], 2)
    assert plain.tuning[1e30] == Score(1 / 3, math.inf)
    assert plain.rate == 0.1
    (hopeless,) = tune_and_train(make_lab(), [PLAIN], [1e30], 2)
    assert [each.diverged for each in hopeless.trained] == [True] * 3
    assert not hopeless.at_edge  # one rate is no grid
    test = make_lab().dataset.test
    assert scores_of(make_lab(), hopeless.trained, test) == [Score(1 / 3, math.inf)] * 3


def test_nll_is_that_of_the_softmax(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(seeds=1)
    (plain,) = tune_and_train(lab, [PLAIN], [0.1], 1)
    (score,) = scores_of(lab, plain.trained, lab.dataset.test)
    with torch.no_grad():
        chances = plain.trained[0].net(lab.dataset.test.inputs()).double().softmax(1)
    right = chances[torch.arange(len(chances)), lab.dataset.test.y]
    assert score.nll == pytest.approx(float(-right.log().mean()), rel=1e-5)


def test_the_edges_of_the_grid() -> None:
    grid = {0.1: Score(0.5, 1.0), 0.2: Score(0.6, 1.0), 0.4: Score(0.5, 1.0)}
    edges = [Tuned("x", rate, grid, []).at_edge for rate in grid]
    assert edges == [True, False, True]


def test_without_a_validation_split_nothing_is_tuned(make_lab: Callable[..., Lab]) -> None:
    with pytest.raises(InputError) as refused:
        tune_and_train(make_lab(validation=False), [PLAIN], RATES, 1)
    line = "dataset.val_fraction=0: learning rates are tuned on validation samples; keep some, e.g. 0.1"
    assert str(refused.value) == line
