"""Ways to spend a training budget: what they train, what they combine, and that they cost the same."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from dlexp.comparison.budget_scores import Scores, cost_at, decomposed, quality_at
from dlexp.comparison.training_budget import (
    BAGGING,
    ENSEMBLE,
    KINDS,
    LONG,
    MEMBER_SEEDS,
    SNAPSHOTS,
    SWA,
    WIDE,
    Averaging,
    Spent,
    Way,
    member_logits,
    spend,
    train,
    ways_to_spend,
)
from dlexp.lab import Lab
from dlexp.models import state_hash
from dlexp.probes.calibration import quality
from dlexp.probes.ensembles import average_of_probabilities, squared_error_decomposition

SIZES = [1, 2, 4]


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(seeds=2, epochs=2)


@pytest.fixture
def ways(lab: Lab) -> dict[str, Way]:
    return {way.name: way for way in ways_to_spend(lab, SIZES, Averaging(0.5, 0.5))}


def test_the_ways_and_their_trainings(ways: dict[str, Way]) -> None:
    singles = [f"{kind} x{size}" for kind in (SWA, WIDE, LONG) for size in SIZES]
    assert list(ways) == [ENSEMBLE, BAGGING, SNAPSHOTS, *singles]
    pool = ways[ENSEMBLE].recipes(0.3, 7)
    assert [each.seed for each in pool] == [7 + MEMBER_SEEDS * member for member in range(4)]
    assert {each.optimizer["lr"] for each in pool} == {0.3}
    (cycles,) = ways[SNAPSHOTS].recipes(0.3, 7)
    assert cycles.scheduler["cycles"] == 4
    assert cycles.trainer.epochs == 8
    assert cycles.trainer.snapshot_epochs == [2, 4, 6, 8]
    (averaged,) = ways["weight averaging x4"].recipes(0.3, 7)
    assert averaged.callbacks[0]["start"] == averaged.scheduler["start"] == 0.5
    assert averaged.trainer.epochs == ways["long net x4"].recipes(0.3, 7)[0].trainer.epochs == 8


def test_groups_are_disjoint_or_the_first(ways: dict[str, Way]) -> None:
    assert ways[BAGGING].groups(2) == [[0, 1], [2, 3]]
    assert ways[SNAPSHOTS].groups(2) == [[0, 1]]
    assert ways["long net x2"].groups(2) == [[0]]


def test_the_first_cycles_are_a_training_of_as_many_cycles(lab: Lab, ways: dict[str, Way]) -> None:
    short = {way.name: way for way in ways_to_spend(lab, SIZES[:2], Averaging(0.5, 0.5))}[SNAPSHOTS]
    long_run, short_run = (train(lab, [(way, 0.1, 0)], "cycles")[0][0] for way in (ways[SNAPSHOTS], short))
    before = state_hash(long_run.net)
    long_logits, short_logits = (member_logits([each], lab.dataset.test) for each in (long_run, short_run))
    assert long_logits.shape == (4, 30, 3)
    assert torch.allclose(long_logits[:2], short_logits, atol=1e-5)
    assert not torch.allclose(long_logits[1], long_logits[3], atol=1e-3)
    assert state_hash(long_run.net) == before


def test_bagging_trains_every_member_on_a_sample_of_its_own(lab: Lab, ways: dict[str, Way]) -> None:
    plain, bagged, again = train(lab, [(ways[kind], 0.1, 3) for kind in (ENSEMBLE, BAGGING, BAGGING)], "pools")
    assert [each.recipe for each in plain] == [each.recipe for each in bagged]
    one, other = ([state_hash(each.net) for each in pool] for pool in (bagged, again))
    assert one == other
    assert not set(one) & {state_hash(each.net) for each in plain}


def test_spending_takes_the_rate_with_the_lowest_validation_loss(lab: Lab, ways: dict[str, Way]) -> None:
    chosen = [ways[name] for name in (SNAPSHOTS, "long net x1", "wide net x1")]
    spent = spend(lab, chosen, [1e-9, 0.3, 1e30], tuning_repetitions=1)
    for each in spent.values():
        assert each.rate == 0.3
        assert each.tuning[1e30] == float("inf")
        assert each.tuning[0.3] < each.tuning[1e-9]
        assert len(each.test) == len(each.val) == 2
    # One net is the same however it is called.
    assert torch.equal(spent["long net x1"].test[0], spent["wide net x1"].test[0])


def made_up(way: Way, lab: Lab) -> Spent:
    """Random predictions instead of trained ones."""
    members = len(way.recipes(0.1, 0)[0].trainer.snapshot_epochs) or len(way.recipes(0.1, 0))
    draws = [torch.randn(members, 30, 3, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    return Spent(way, 0.1, {0.1: 1.0}, way.recipes(0.1, 0)[0], draws, draws)


def test_all_ways_cost_the_same_training(lab: Lab, ways: dict[str, Way]) -> None:
    scores = Scores.of({name: made_up(way, lab) for name, way in ways.items()}, lab.dataset.test.y)
    unit = cost_at(scores.at(LONG, 1), 1, lab.dataset)
    assert unit.training_flops == pytest.approx(2 * 48 * 3 * 2 * (6 * 8 + 8 * 3))  # epochs, samples, passes, weights
    assert unit.prediction_flops == pytest.approx(2 * (6 * 8 + 8 * 3))
    for kind in KINDS:
        for size in SIZES:
            cost = cost_at(scores.at(kind, size), size, lab.dataset)
            assert cost.training_flops / unit.training_flops == pytest.approx(size, rel=0.15 if kind == WIDE else 1e-9)
            wanted = 1 if kind in (SWA, LONG) else size
            assert cost.parameters / unit.parameters == pytest.approx(wanted, rel=0.1 if kind == WIDE else 0)
    rows: list[dict[str, Any]] = scores.rows(lab.dataset)
    assert [(row["way"], row["size"]) for row in rows] == [(kind, size) for kind in KINDS for size in SIZES]


def test_scores_are_means_over_the_groups_of_a_pool(lab: Lab, ways: dict[str, Way]) -> None:
    spent, labels = made_up(ways[ENSEMBLE], lab), lab.dataset.test.y
    for logits, found in zip(spent.test, quality_at(spent, 2, labels), strict=True):
        by_hand = [quality(average_of_probabilities(logits[at : at + 2]), labels).nll for at in (0, 2)]
        assert found.nll == pytest.approx(sum(by_hand) / 2)
    parts, residual = decomposed(spent, 2, labels, squared_error_decomposition)
    assert residual < 1e-14
    assert parts["ensemble"] == pytest.approx([each.brier for each in quality_at(spent, 2, labels)])
    scores = Scores.of({name: made_up(way, lab) for name, way in ways.items()}, labels)
    gain = scores.gain("nll", (ENSEMBLE, 4), (ENSEMBLE, 1))
    assert gain.mean == pytest.approx(scores.mean(ENSEMBLE, 1, "nll") - scores.mean(ENSEMBLE, 4, "nll"))
    assert scores.best([ENSEMBLE, LONG], 4, "nll") == ENSEMBLE
    assert scores.gain("accuracy", (ENSEMBLE, 4), (LONG, 4)).mean == pytest.approx(
        scores.mean(ENSEMBLE, 4, "accuracy") - scores.mean(LONG, 4, "accuracy")
    )
