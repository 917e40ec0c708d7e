"""Coverage and diversity of subsets, in closed form and against the definitions."""

import numpy as np
import pytest

from dlexp.tabular.subset_measures import measure_subset


def test_on_a_line_all_measures_are_known() -> None:
    x = np.arange(7.0)[:, None]  # 0..6, mean 3
    found = measure_subset(x, np.array([0, 2, 6]))
    assert found.radius == pytest.approx(2)  # sample 4 is 2 from 2 and from 6
    assert found.mean_gap == pytest.approx((0 + 1 + 0 + 1 + 2 + 1 + 0) / 7)
    assert found.mean_pairwise == pytest.approx((2 + 6 + 4) / 3)
    assert found.mean_nearest == pytest.approx((2 + 2 + 4) / 3)
    assert found.min_pairwise == pytest.approx(2)
    assert found.from_middle == pytest.approx((3 + 1 + 3) / 3)


def test_they_are_the_definitions_in_any_dimension() -> None:
    x = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
    chosen = np.array([3, 50, 7, 21])
    distances = np.linalg.norm(x[:, None].astype(np.float64) - x[None], axis=2)
    among = distances[np.ix_(chosen, chosen)] + np.diag([np.inf] * 4)
    found = measure_subset(x, chosen)
    assert found.radius == pytest.approx(distances[:, chosen].min(axis=1).max(), abs=1e-5)
    assert found.mean_gap == pytest.approx(distances[:, chosen].min(axis=1).mean(), abs=1e-5)
    assert found.mean_pairwise == pytest.approx(among[np.triu_indices(4, 1)].mean(), abs=1e-5)
    assert found.mean_nearest == pytest.approx(among.min(axis=1).mean(), abs=1e-5)
    assert found.min_pairwise == pytest.approx(among.min(), abs=1e-5)


def test_one_sample_has_no_diversity_and_all_samples_leave_no_gap() -> None:
    x = np.random.default_rng(1).normal(size=(10, 3))
    one, everything = measure_subset(x, np.array([4])), measure_subset(x, np.arange(10))
    assert (one.mean_pairwise, one.mean_nearest, one.min_pairwise) == (0, 0, 0)
    assert (everything.radius, everything.mean_gap) == (0, 0)
    assert one.radius > 0
