"""Which layers are identified, and intervals over pairs of nets that share nets."""

import numpy as np
import pytest

from dlexp.probes.similarity.identification import (
    gaps,
    identification,
    identified,
    identified_by_layer,
    over_pairs,
    same_place,
)
from dlexp.stats import mean_interval


def test_a_layer_is_identified_where_its_best_match_is_in_its_place() -> None:
    similarity = np.array([[0.9, 0.1, 0.2], [0.8, 0.7, 0.1], [0.1, 0.2, 0.3]])
    assert identified(similarity).tolist() == [1, 0, 1]


def test_layers_that_tie_share_the_guess() -> None:
    assert identified(np.ones((4, 4))).tolist() == [0.25] * 4
    assert identified(np.array([[0.5, 0.5 + 1e-12, 0.1], [0.2, 0.1, 0.2], [0.9, 0.1, 0.9]])).tolist() == [0.5, 0, 0.5]


def test_identification_of_every_ordered_pair() -> None:
    similarities = np.zeros((3, 3, 2, 2))
    similarities[:] = np.eye(2)
    similarities[0, 1] = [[0, 1], [0, 1]]  # the first layer of net 0 is mistaken for the second of net 1
    found = identification(similarities)
    assert np.isnan(found.diagonal()).all()
    assert found[0, 1] == 0.5
    assert found[1, 0] == found[0, 2] == found[2, 1] == 1
    assert identified_by_layer(similarities).tolist() == [pytest.approx(5 / 6), 1]


def test_layers_in_their_place_and_how_far_they_are_ahead() -> None:
    similarities = np.zeros((2, 2, 2, 2))
    similarities[0, 1] = [[0.9, 0.7], [0.5, 0.4]]
    assert same_place(similarities)[0, 1].tolist() == [0.9, 0.4]
    assert gaps(similarities)[0, 1] == pytest.approx((0.2 - 0.1) / 2)


@pytest.mark.parametrize("n", [3, 4, 7])
def test_the_interval_is_the_jackknife_over_nets(n: int) -> None:
    values = np.random.default_rng(n).standard_normal((n, n))
    np.fill_diagonal(values, np.nan)

    def mean_without(left_out: int | None) -> float:
        kept = [i for i in range(n) if i != left_out]
        return float(np.mean([values[i, j] for i in kept for j in kept if i != j]))

    whole = mean_without(None)
    pseudo = [n * whole - (n - 1) * mean_without(i) for i in range(n)]
    known, found = mean_interval(pseudo, 0.99), over_pairs(values, 0.99)
    assert found.mean == pytest.approx(whole)
    assert (found.low, found.high, found.n) == (pytest.approx(known.low), pytest.approx(known.high), n)


def test_it_covers_the_truth_where_an_interval_over_pairs_would_not() -> None:
    # Each net has an effect of its own that all its pairs share: 45 pairs of 10 nets are not 45 independent values.
    over_nets = over_independent = 0
    for seed in range(300):
        effect = np.random.default_rng(seed).standard_normal(10)
        values = effect[:, None] + effect[None]
        pairs = mean_interval(values[np.triu_indices(10, 1)])
        nets = over_pairs(values)
        over_nets += nets.low < 0 < nets.high
        over_independent += pairs.low < 0 < pairs.high
    assert 0.92 < over_nets / 300 < 0.98
    assert over_independent / 300 < 0.75


def test_one_pair_has_no_interval_and_one_net_no_pair() -> None:
    found = over_pairs(np.array([[np.nan, 1.0], [3.0, np.nan]]))
    assert (found.mean, found.low, found.high) == (2, None, None)
    with pytest.raises(ValueError, match=r"^values must be \(n, n\) for n >= 2 nets, not \(1, 1\)$"):
        over_pairs(np.ones((1, 1)))
