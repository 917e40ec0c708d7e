"""Neighbourhood measures against scikit-learn, the formulas as loops, and cases whose value is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlexp.errors import InputError
from dlexp.tabular import blockwise
from dlexp.tabular.neighbourhoods import (
    Kept,
    continuity,
    measure_map,
    neighbour_ranks,
    preservation,
    same_class_share,
    trustworthiness,
)


def two_views(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 6))
    return x, x[:, :2] + 0.3 * random.normal(size=(n, 2))


@pytest.mark.parametrize(("n", "k"), [(9, 1), (9, 4), (60, 5), (61, 30), (200, 12)])
def test_agrees_with_scikit_learn(n: int, k: int) -> None:
    from sklearn.manifold import trustworthiness as reference

    x, z = two_views(n)
    before, after = neighbour_ranks(x), neighbour_ranks(z)
    if k < n / 2:
        assert trustworthiness(before, after, k) == pytest.approx(reference(x, z, n_neighbors=k), abs=1e-12)
        assert continuity(before, after, k) == pytest.approx(reference(z, x, n_neighbors=k), abs=1e-12)


@given(st.integers(5, 12), st.integers(0, 1000), st.data())
def test_agrees_with_the_formulas_as_loops(n: int, seed: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, (n - 1) // 2))
    x, z = two_views(n, seed)

    def ranked(points: np.ndarray) -> list[list[int]]:
        """For each sample the others, nearest first."""
        others = []
        for i in range(n):
            distance = {j: float(np.linalg.norm(points[i] - points[j])) for j in range(n) if j != i}
            others.append(sorted(distance, key=distance.__getitem__))
        return others

    def penalty(truth: list[list[int]], shown: list[list[int]]) -> float:
        total = 0
        for i in range(n):
            for j in shown[i][:k]:
                if j not in truth[i][:k]:
                    total += truth[i].index(j) + 1 - k
        return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * total

    in_space, in_view = ranked(x), ranked(z)
    kept = sum(len(set(in_space[i][:k]) & set(in_view[i][:k])) for i in range(n)) / (n * k)
    found = measure_map(neighbour_ranks(x), neighbour_ranks(z), k)
    assert found.trustworthiness == pytest.approx(penalty(in_space, in_view))
    assert found.continuity == pytest.approx(penalty(in_view, in_space))
    assert found.preservation == pytest.approx(kept)


@given(st.integers(3, 30), st.data())
def test_the_best_map_has_1_and_the_worst_0(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, (n - 1) // 2))
    before = neighbour_ranks(two_views(n)[0])
    assert measure_map(before, before, k) == Kept(1.0, 1.0, 1.0)
    worst = np.where(before == 0, 0, n - before).astype(np.int32)  # the farthest is now the nearest
    found = measure_map(before, worst, k)
    assert found.trustworthiness == pytest.approx(0, abs=1e-12)
    assert found.continuity == pytest.approx(0, abs=1e-12)
    assert found.preservation == 0


def test_false_and_torn_neighbours_are_told_apart() -> None:
    ring = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([np.cos(ring), np.sin(ring)], axis=1)
    cut, flat = np.stack([ring, 0 * ring], axis=1), np.stack([np.cos(ring), 0 * ring], axis=1)
    before = neighbour_ranks(circle)
    opened = measure_map(before, neighbour_ranks(cut), 10)
    pressed = measure_map(before, neighbour_ranks(flat), 10)
    assert opened.trustworthiness > 0.99  # cutting a circle open makes no false neighbours, but tears some apart
    assert opened.continuity < opened.trustworthiness
    assert pressed.continuity > 0.95  # pressing it flat tears few, but brings the two sides together
    assert pressed.trustworthiness < pressed.continuity


def test_a_random_view_keeps_neighbours_by_chance() -> None:
    random, n, k = np.random.default_rng(0), 400, 20
    before, after = (neighbour_ranks(random.normal(size=(n, 3))) for _ in range(2))
    assert preservation(before, after, k) == pytest.approx(k / (n - 1), abs=0.005)


def test_ranks_are_ranks_and_ties_go_to_the_lower_index() -> None:
    x = np.array([[0.0], [2.0], [-2.0], [0.0], [5.0]])
    assert neighbour_ranks(x).tolist() == [
        [0, 2, 3, 1, 4],  # sample 3 is equal to it, 1 and 2 are equally far
        [1, 0, 4, 2, 3],
        [1, 3, 0, 2, 4],
        [1, 2, 3, 0, 4],  # itself first, then its equal
        [2, 1, 4, 3, 0],
    ]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = two_views(50)
    whole = neighbour_ranks(x)
    monkeypatch.setattr(blockwise, "BLOCK", 7 * 50)
    np.testing.assert_array_equal(neighbour_ranks(x), whole)


def test_share_of_own_class() -> None:
    x = np.array([[0.0], [0.1], [0.25], [9.0], [9.1], [9.25]])
    ranks = neighbour_ranks(x)
    assert same_class_share(ranks, np.array([0, 0, 0, 1, 1, 1]), 2) == 1.0
    assert same_class_share(ranks, np.array([0, 1, 0, 1, 0, 1]), 1) == 0.0


@pytest.mark.parametrize(
    ("k", "message"),
    [
        (0, "k=0: must be 1..4, less than half of the 10 samples"),
        (5, "k=5: must be 1..4, less than half of the 10 samples"),
    ],
)
def test_a_k_out_of_range_is_refused(k: int, message: str) -> None:
    ranks = neighbour_ranks(two_views(10)[0])
    for measure in (trustworthiness, continuity, preservation):
        with pytest.raises(InputError) as refusal:
            measure(ranks, ranks, k)
        assert str(refusal.value) == message


def test_bad_tables_are_refused() -> None:
    with pytest.raises(InputError, match=r"^x of shape \(1, 2\): must be at least 2 samples x features"):
        neighbour_ranks(np.zeros((1, 2)))
    with pytest.raises(InputError, match="all numbers finite"):
        neighbour_ranks(np.array([[0.0], [np.nan]]))
    five, six = (neighbour_ranks(two_views(n)[0]) for n in (5, 6))
    with pytest.raises(InputError, match=r"^ranks of 5 and of 6 samples: must be of the same samples$"):
        preservation(five, six, 1)
