"""Epochs to fit, and what censored ones allow to say."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from dlexp.comparison.time_to_fit import (
    bounded_interval,
    epochs_to_fit,
    loss_of_errors,
    rank_correlation,
    share_of_epochs,
)
from dlexp.stats import mean_interval, spearman
from dlexp.training.recipe import Recipe, Trainer
from dlexp.training.single import Trained


def trained(losses: list[float]) -> Trained:
    history = [{"epoch": epoch, "train_loss": loss} for epoch, loss in enumerate(losses, start=1)]
    return Trained(nn.Identity(), history, Recipe({}, {}, {}, {}, None, Trainer(), 0))


@given(st.integers(0, 10**6), st.integers(2, 12))
def test_a_loss_below_the_bound_means_fewer_errors(seed: int, classes: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(50, classes, generator=generator, dtype=torch.float64) * 3
    labels = torch.randint(classes, (50,), generator=generator)
    wrong = float((logits.argmax(dim=1) != labels).double().mean())
    assert float(cross_entropy(logits, labels)) >= loss_of_errors(wrong)


def test_the_bound_is_reached_by_a_tie_of_two() -> None:
    assert loss_of_errors(1.0) == math.log(2)
    assert float(cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))) == pytest.approx(loss_of_errors(1.0))


def test_the_first_epoch_below_counts_though_the_loss_rises_again() -> None:
    assert epochs_to_fit(trained([1.0, 0.5, 0.09, 0.3, 0.01]), 0.1) == 3
    assert epochs_to_fit(trained([1.0, 0.1]), 0.1) is None
    assert epochs_to_fit(trained([1.0, math.inf]), 0.1) is None
    assert epochs_to_fit(trained([]), 0.1) is None


@given(st.lists(st.integers(1, 20), min_size=2, max_size=7))
def test_without_censoring_it_is_spearmans_rho(epochs: list[int]) -> None:
    x = [float(each) for each in range(len(epochs))]
    assert rank_correlation(x, epochs) == (pytest.approx(spearman(x, epochs)),) * 3


@given(st.lists(st.one_of(st.none(), st.integers(1, 20)), min_size=2, max_size=6))
def test_the_bounds_are_those_over_all_orders_of_the_censored_ones(epochs: list[int | None]) -> None:
    x = [float(each) for each in range(len(epochs))]
    late = [index for index, value in enumerate(epochs) if value is None]
    possible = []
    for order in itertools.permutations(range(len(late))):
        guess = dict(zip(late, [100 + place for place in order], strict=True))
        possible.append(spearman(x, [guess.get(index, value) or 0 for index, value in enumerate(epochs)]))
    low, middle, high = rank_correlation(x, epochs)
    assert low <= middle <= high
    assert low <= min(possible) + 1e-12
    assert high >= max(possible) - 1e-12
    tied = spearman(x, [100 if value is None else value for value in epochs])
    assert (low, high) == (pytest.approx(min(*possible, tied)), pytest.approx(max(*possible, tied)))


def test_a_censored_time_can_be_anything_beyond_the_budget() -> None:
    assert share_of_epochs(10, 40, budget=99) == (0.25, 0.25, 0.25)
    assert share_of_epochs(10, None, budget=99) == (0.0, 0.1, 0.1)


def test_an_interval_holds_for_every_value_between_the_bounds() -> None:
    values = [(0.1, 0.2, 0.3), (0.0, 0.3, 0.3), (0.2, 0.2, 0.9)]
    made = bounded_interval(values)
    assert made.mean == pytest.approx(0.7 / 3)
    lows, highs = mean_interval([0.1, 0.0, 0.2]), mean_interval([0.3, 0.3, 0.9])
    assert (made.low, made.high) == (lows.low, highs.high)
    exact = [(each, each, each) for each in (0.1, 0.5, 0.4)]
    assert bounded_interval(exact) == mean_interval([0.1, 0.5, 0.4])


def test_one_value_has_no_interval() -> None:
    assert bounded_interval([(0.0, 0.2, 1.0)]) == mean_interval([0.2])
