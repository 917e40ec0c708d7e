"""Costs come from a process of their own; no selector holds an n x n matrix."""

import numpy as np
import pytest

from dlexp.errors import DlexpError
from dlexp.tabular.selection import SELECTORS
from dlexp.tabular.selection_cost import Cost, Task, cost_rows, exponents, measure_costs, synthetic_rows

N = 20_000  # n x n float32 would be 1600 MB


@pytest.mark.parametrize("name", [name for name in SELECTORS if not name.startswith("class_")])
def test_memory_stays_far_below_a_matrix_of_all_pairs(name: str) -> None:
    few, many = measure_costs([Task(name, 1000, 10), Task(name, N, 10)])
    assert 0 < few.peak_mb <= many.peak_mb < 250
    assert many.seconds > 0


def test_a_failure_in_the_other_process_is_one_line() -> None:
    with pytest.raises(DlexpError) as failed:
        measure_costs([Task("random", 100, 200)])
    assert str(failed.value) == (
        "random on 100 rows failed: dlexp.errors.InputError: k=200: there are 100 samples to choose from; lower k"
    )


def test_a_peak_cannot_be_told_apart_from_a_larger_one_before() -> None:
    with pytest.raises(ValueError, match=r"^tasks of one process must be in ascending order of n$"):
        measure_costs([Task("random", 2000, 10), Task("random", 1000, 10)])


def test_exponents_are_slopes_of_logarithms() -> None:
    costs = {
        Task("a", 100, 5): Cost(0.5, 1.0),
        Task("a", 1000, 5): Cost(50.0, 2.0),
        Task("b", 100, 5): Cost(0.001, 1.0),  # too short to tell
        Task("b", 1000, 5): Cost(0.1, 1.0),
        Task("b", 10_000, 5): Cost(1.0, 1.0),
    }
    assert list(exponents(costs).values()) == [None, pytest.approx(2), None, None, pytest.approx(1)]
    assert cost_rows(costs)[1] == {
        "selector": "a",
        "rows": 1000,
        "k": 5,
        "seconds": 50.0,
        "exponent of the seconds": pytest.approx(2),
        "peak MB, measured with the seconds": 2.0,
    }


def test_synthetic_rows_are_clusters_of_unit_variance() -> None:
    x, y = synthetic_rows(Task("random", 5000, 5, m=3, seed=4))
    assert x.dtype == np.float32
    assert np.bincount(y).tolist() == [500] * 10
    within = np.stack([x[y == cluster].std(axis=0) for cluster in range(10)])
    assert within == pytest.approx(1, abs=0.15)
    assert x.std() > 2  # the centres are 3 times as far apart
    assert np.array_equal(x, synthetic_rows(Task("k_center", 5000, 9, m=3, seed=4))[0])
