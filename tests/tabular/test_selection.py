"""All selectors keep the same contract, and what does not fit is refused in one clear line."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular.selection import BASELINES, SELECTORS, equal_quotas, own_selector, select, take_part

Rows = NDArray[Any]
N, K, CLASSES = 90, 14, 4


@pytest.fixture(scope="module")
def rows() -> tuple[Rows, NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(CLASSES), [50, 25, 13, 2])
    return (rng.normal(size=(N, 5)) + y[:, None]).astype(np.float32), y


@pytest.mark.parametrize("name", SELECTORS)
def test_every_selector_returns_k_distinct_rows_and_repeats_itself(name: str, rows: tuple[Rows, Rows]) -> None:
    x, y = rows
    for k in (CLASSES, K, N):
        chosen = select(name, x, k, np.random.default_rng(1), y)
        assert sorted(set(chosen.tolist())) == sorted(chosen.tolist())
        assert len(chosen) == k
        assert chosen.min() >= 0
        assert chosen.max() < N
        assert select(name, x, k, np.random.default_rng(1), y).tolist() == chosen.tolist()


@pytest.mark.parametrize("name", [name for name, each in SELECTORS.items() if not each.aware])
def test_label_free_selectors_do_not_see_the_labels(name: str, rows: tuple[Rows, Rows]) -> None:
    x, y = rows
    chosen = select(name, x, K, np.random.default_rng(1), y).tolist()
    assert select(name, x, K, np.random.default_rng(1)).tolist() == chosen
    assert select(name, x, K, np.random.default_rng(1), y[::-1].copy()).tolist() == chosen


@pytest.mark.parametrize("name", [name for name, each in SELECTORS.items() if each.aware])
def test_label_aware_selectors_keep_equal_quotas(name: str, rows: tuple[Rows, Rows]) -> None:
    x, y = rows
    chosen = select(name, x, K, np.random.default_rng(1), y)
    assert np.bincount(y[chosen]).tolist() == [4, 4, 4, 2]  # the last class has no more
    with pytest.raises(InputError) as refused:
        select(name, x, K, np.random.default_rng(1))
    assert str(refused.value) == f"selector '{name}': it chooses by class; give it the labels"
    with pytest.raises(InputError) as refused:
        select(name, x, 3, np.random.default_rng(1), y)
    assert str(refused.value) == "k=3: is less than the 4 groups, and each needs a sample; raise k"


def test_there_is_a_baseline_in_each_mode() -> None:
    assert all(SELECTORS[name].aware == aware for aware, name in BASELINES.items())


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.data())
def test_quotas_are_equal_as_far_as_the_sizes_allow(sizes: list[int], data: st.DataObject) -> None:
    k = data.draw(st.integers(len(sizes), sum(sizes)))
    quotas = equal_quotas(np.repeat(np.arange(len(sizes)), sizes), k)
    assert quotas.sum() == k
    assert np.all((quotas >= 1) & (quotas <= sizes))
    unfilled = quotas[quotas < sizes]  # who still has samples got at most one less than anybody else
    assert unfilled.size == 0 or unfilled.min() >= quotas.max() - 1


@pytest.mark.parametrize(
    ("groups", "k", "message"),
    [
        ([0, 0, 1], 1, "k=1: is less than the 2 groups, and each needs a sample; raise k"),
        ([0, 0, 1], 4, "k=4: there are 3 samples to choose from; lower k"),
        ([0, 0, 2], 3, "group 1 has no samples; number the groups 0..G-1"),
    ],
)
def test_quotas_that_cannot_be_are_refused(groups: list[int], k: int, message: str) -> None:
    with pytest.raises(InputError) as refused:
        equal_quotas(np.array(groups), k)
    assert str(refused.value) == message


def test_an_unknown_selector_names_the_nearest() -> None:
    with pytest.raises(InputError) as refused:
        select("k_centre", np.zeros((5, 2)), 2, np.random.default_rng(0))
    assert str(refused.value) == "selector 'k_centre': there is none of that name; did you mean 'k_center'?"


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match=r"^y has 4 labels for 5 samples; give one per sample$"):
        select("random", np.zeros((5, 2)), 2, np.random.default_rng(0), np.zeros(4, np.int64))


def test_a_function_of_ones_own_takes_part() -> None:
    def first_rows(x: Rows, k: int, rng: np.random.Generator) -> Rows:
        return np.arange(k)

    def last_rows(x: Rows, y: Rows, k: int, rng: np.random.Generator) -> Rows:
        return np.arange(len(y) - k, len(y))

    found = take_part(["herding"], ["fair_diverse"], {"first_rows": first_rows, "last_rows": last_rows})
    assert list(found) == ["random", "class_random", "herding", "fair_diverse", "first_rows", "last_rows"]
    assert [each.aware for each in found.values()] == [False, True, False, True, False, True]
    x, rng = np.zeros((5, 2)), np.random.default_rng(0)
    assert select(found["first_rows"], x, 2, rng).tolist() == [0, 1]
    assert select(found["last_rows"], x, 2, rng, np.zeros(5, np.int64)).tolist() == [3, 4]


@pytest.mark.parametrize("returned", [[0, 0], [0], [0, 7], [-1, 0], [0.0, 1.0], [[0, 1]]])
def test_a_selector_of_ones_own_must_return_k_distinct_rows(returned: list[Any]) -> None:
    def mine(x: Rows, k: int, rng: np.random.Generator) -> Rows:
        return np.array(returned)

    with pytest.raises(InputError) as refused:
        select(own_selector(mine), np.zeros((5, 2)), 2, np.random.default_rng(0))
    assert str(refused.value) == "your own mine: must return 2 distinct rows as indices in 0..4"


def test_what_cannot_take_part_is_refused() -> None:
    def odd(data: Rows) -> Rows:
        return data

    for arguments, message in (
        ((["fair_diverse"], [], {}), "label_free: selector 'fair_diverse' needs the labels; move it"),
        (([], ["herding"], {}), "label_aware: selector 'herding' does not see the labels; move it"),
        ((["nobody"], [], {}), "label_free: selector 'nobody': there is none of that name; choose from: "),
        (([], [], {"random": odd}), "own: there is a selector 'random' already; call yours something else"),
        (([], [], {"odd": odd}), "odd(data): a selector takes (x, k, rng), or (x, y, k, rng) to see the classes"),
    ):
        with pytest.raises(InputError) as refused:
            take_part(*arguments)
        assert str(refused.value).startswith(message)
