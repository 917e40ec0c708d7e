"""Reorderings against brute force."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from dlexp.models import as_chain
from dlexp.models.cifar_resnet import cifar_resnet
from dlexp.probes.reordering import equal_shape_runs, kendall_distance, random_reordering


@given(st.permutations(range(6)))
def test_kendall_distance_counts_discordant_pairs(order: list[int]) -> None:
    wrong = sum(order.index(a) > order.index(b) for a, b in itertools.combinations(range(6), 2))
    assert kendall_distance(order) == pytest.approx(wrong / 15)
    assert kendall_distance(order) == pytest.approx((1 - kendalltau(order, range(6)).statistic) / 2)


def test_kendall_distance_of_the_ends() -> None:
    assert kendall_distance([0, 1, 2]) == 0.0
    assert kendall_distance([2, 1, 0]) == 1.0
    assert kendall_distance([0]) == 0.0


def test_runs_of_a_resnet_20() -> None:
    # Three blocks a stage; the first of the second and third stage changes the shape.
    assert equal_shape_runs(as_chain(cifar_resnet((3, 8, 8), 10, depth=20))) == [[0, 1, 2], [4, 5], [7, 8]]
    assert equal_shape_runs(as_chain(cifar_resnet((3, 8, 8), 10, depth=8))) == []


@given(st.integers(0, 30), st.integers(0, 1000))
def test_reorderings_stay_within_their_run(swaps: int, seed: int) -> None:
    runs = [[0, 1, 2], [4, 5], [7, 8]]
    order = random_reordering(runs, 9, swaps, np.random.default_rng(seed))
    assert sorted(order) == list(range(9))
    for run in runs:
        assert {order[position] for position in run} == set(run)
    assert order[3] == 3
    assert order[6] == 6


def test_any_reordering_within_runs_fits_together() -> None:
    torch.manual_seed(0)
    chain = as_chain(cifar_resnet((1, 8, 8), 10, depth=20).eval())
    hidden = chain.stem(torch.rand(2, 1, 8, 8))
    for index in random_reordering(equal_shape_runs(chain), 9, 12, np.random.default_rng(0)):
        hidden = chain.blocks[index][1](hidden)
    assert chain.head(hidden).shape == (2, 10)
