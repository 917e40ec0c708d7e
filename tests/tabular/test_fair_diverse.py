"""Fair and diverse selection: quotas exactly, and both guarantees against brute force."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular import fair_diverse as module
from dlexp.tabular.fair_diverse import Measure, core_set, fair_diverse, sum_nearest, sum_pairwise, swap_search

Points = NDArray[np.float64]
Groups = NDArray[np.int64]
MEASURES = pytest.mark.parametrize("measure", [sum_pairwise, sum_nearest])


def pairwise_value(x: Points, chosen: tuple[int, ...]) -> float:
    return sum(float(np.linalg.norm(x[i] - x[j])) for i, j in combinations(chosen, 2))


def nearest_value(x: Points, chosen: tuple[int, ...]) -> float:
    return sum(min(float(np.linalg.norm(x[i] - x[j])) for j in chosen if j != i) for i in chosen)


def feasible(rows: list[int], groups: Groups, quotas: Groups) -> list[tuple[int, ...]]:
    """Every choice of quotas[g] of `rows` from each group g."""
    by_group = [combinations([r for r in rows if groups[r] == g], int(q)) for g, q in enumerate(quotas)]
    return [tuple(row for part in parts for row in part) for parts in product(*by_group)]


@st.composite
def instances(draw: st.DrawFn, smallest_k: int = 1) -> tuple[Points, Groups, Groups]:
    """4 to 9 rows in the plane in 1 to 3 groups, often at equal places, and quotas that they can meet."""
    n, n_groups = draw(st.integers(4, 9)), draw(st.integers(1, 3))
    places = st.tuples(st.integers(-9, 9), st.integers(-9, 9))
    x = np.array(draw(st.lists(places, min_size=n, max_size=n)), dtype=np.float64)
    groups = np.array([*range(n_groups), *draw(st.lists(st.integers(0, n_groups - 1), min_size=n, max_size=n))])[:n]
    sizes = np.bincount(groups, minlength=n_groups)
    quotas = np.array([draw(st.integers(0, min(3, int(size)))) for size in sizes])
    assume(quotas.sum() >= smallest_k)
    return x, groups, quotas


@MEASURES
@given(instance=instances())
def test_quotas_are_met_exactly_by_distinct_rows(measure: Measure, instance: tuple[Points, Groups, Groups]) -> None:
    x, groups, quotas = instance
    chosen = fair_diverse(x, groups, quotas, measure)
    assert len(set(chosen.tolist())) == len(chosen)
    assert np.bincount(groups[chosen], minlength=len(quotas)).tolist() == quotas.tolist()
    assert fair_diverse(x, groups, quotas, measure).tolist() == chosen.tolist()


@given(instances(smallest_k=2))
def test_sum_of_pairs_is_within_both_guarantees(instance: tuple[Points, Groups, Groups]) -> None:
    x, groups, quotas = instance
    k = int(quotas.sum())
    chosen = tuple(fair_diverse(x, groups, quotas, sum_pairwise).tolist())
    kept, _ = core_set(x, groups, quotas)
    on_core_set = max(pairwise_value(x, each) for each in feasible(kept.tolist(), groups, quotas))
    on_all = max(pairwise_value(x, each) for each in feasible(list(range(len(x))), groups, quotas))
    beta = (k - 1) / (4 * k)
    assert on_core_set >= beta / (2 + beta) * on_all - 1e-9
    assert pairwise_value(x, chosen) >= on_core_set / 2 - 1e-9
    if k == 2:
        assert pairwise_value(x, chosen) == pytest.approx(on_core_set)


@MEASURES
@given(instance=instances(smallest_k=3))
def test_no_single_swap_within_a_group_is_better(measure: Measure, instance: tuple[Points, Groups, Groups]) -> None:
    x, groups, quotas = instance
    kept, start = core_set(x, groups, quotas)
    value = pairwise_value if measure is sum_pairwise else nearest_value
    chosen = kept[swap_search(x[kept], groups[kept], start, measure)].tolist()
    now = value(x, tuple(chosen))
    assert now >= value(x, tuple(kept[start].tolist())) - 1e-6  # never worse than where it began
    for place, row in enumerate(chosen):
        for other in kept.tolist():
            if groups[other] == groups[row] and other not in chosen:
                swapped = (*chosen[:place], other, *chosen[place + 1 :])
                assert value(x, swapped) <= now * (1 + 1e-6) + 1e-5


@MEASURES
@pytest.mark.parametrize("leaves", [0, 3])
def test_a_measure_is_the_value_after_the_exchange(measure: Measure, leaves: int) -> None:
    x = np.random.default_rng(0).normal(size=(12, 3))
    chosen, candidates = [1, 4, 6, 9], [0, 2, 3, 5]
    distances = np.linalg.norm(x[:, None] - x[None], axis=2)
    found = measure(distances[np.ix_(candidates, chosen)], distances[np.ix_(chosen, chosen)], leaves)
    value = pairwise_value if measure is sum_pairwise else nearest_value
    stay = [row for place, row in enumerate(chosen) if place != leaves]
    assert found == pytest.approx([value(x, (*stay, candidate)) for candidate in candidates])


@given(instances())
def test_the_core_set_is_small_and_holds_enough_of_each_group(instance: tuple[Points, Groups, Groups]) -> None:
    x, groups, quotas = instance
    kept, start = core_set(x, groups, quotas)
    assert len(kept) <= int(quotas.sum()) ** 2
    assert np.all(np.diff(kept) > 0)
    assert np.bincount(groups[kept[start]], minlength=len(quotas)).tolist() == quotas.tolist()


def test_the_core_set_does_not_grow_with_n() -> None:
    rng = np.random.default_rng(1)
    for n in (1000, 20_000):
        kept, _ = core_set(rng.normal(size=(n, 3)), np.arange(n) % 4, np.array([3, 3, 2, 2]))
        assert 40 <= len(kept) <= 100


def test_it_beats_random_choice_with_the_same_quotas() -> None:
    rng = np.random.default_rng(2)
    x, groups, quotas = rng.normal(size=(300, 5)), np.arange(300) % 3, np.array([4, 4, 4])
    random = [np.concatenate([rng.choice(np.flatnonzero(groups == g), 4, False) for g in range(3)]) for _ in range(20)]
    for measure, value in ((sum_pairwise, pairwise_value), (sum_nearest, nearest_value)):
        found = value(x, tuple(fair_diverse(x, groups, quotas, measure).tolist()))
        assert found > 1.2 * max(value(x, tuple(each.tolist())) for each in random)


def test_one_sample_is_the_middle_one() -> None:
    x = np.array([[0.0], [4.0], [5.0], [11.0]])
    for measure in (sum_pairwise, sum_nearest):
        assert fair_diverse(x, np.zeros(4, np.int64), np.array([1]), measure).tolist() == [2]


@pytest.mark.parametrize(
    ("quotas", "message"),
    [
        ([3, 1], "quota 3 of group 0: the group has 2 samples; lower it"),
        ([-1, 1], "quota -1 of group 0: the group has 2 samples; give 0 or more"),
        ([1], "quotas for 1 groups: the groups are 0..1; give one for each"),
        ([0, 0], "k=0: there are 4 samples to choose from; ask for at least 1"),
    ],
)
def test_quotas_that_cannot_be_met_are_refused(quotas: list[int], message: str) -> None:
    with pytest.raises(InputError) as refused:
        fair_diverse(np.zeros((4, 1)), np.array([0, 0, 1, 1]), np.array(quotas), sum_pairwise)
    assert str(refused.value) == message


def test_a_k_beyond_the_memory_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 63)
    x = np.arange(40.0)[:, None]
    with pytest.raises(InputError, match=r"^k=4: 16 x 4 distances exceed 63; lower k$"):
        fair_diverse(x, np.zeros(40, np.int64), np.array([4]), sum_pairwise)
