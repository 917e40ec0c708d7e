"""Spaces: what is sampled, laid out and encoded."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlexp.errors import InputError
from dlexp.search.space import Categorical, LogUniform, Ordinal, Space

SPACE = Space(
    {
        "optimizer": Categorical(("sgd", "adam", "rmsprop")),
        "lr": LogUniform(1e-4, 1.0, 4),
        "width": Ordinal((8, 16, 64)),
    }
)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_every_point_of_the_cube_is_a_configuration(point: list[float]) -> None:
    found = SPACE.at(point)
    assert found["optimizer"] in ("sgd", "adam", "rmsprop")
    assert 1e-4 * (1 - 1e-9) <= found["lr"] <= 1 + 1e-9
    assert found["width"] in (8, 16, 64)


def test_categories_take_equal_shares() -> None:
    drawn = [SPACE.at([u, 0, 0])["optimizer"] for u in np.linspace(0, 1, 300, endpoint=False)]
    assert [drawn.count(name) for name in ("sgd", "adam", "rmsprop")] == [100, 100, 100]


def test_the_full_grid_has_every_combination_once() -> None:
    grid = SPACE.grid()
    assert len(grid) == 3 * 4 * 3
    assert len({tuple(each.values()) for each in grid}) == len(grid)
    rates = sorted({each["lr"] for each in grid})
    assert rates == pytest.approx([10**-3.5, 10**-2.5, 10**-1.5, 10**-0.5])


@given(st.integers(1, 60))
def test_the_coarse_grid_fits_the_budget_and_could_not_grow(budget: int) -> None:
    grid = SPACE.coarse_grid(budget)
    assert 1 <= len(grid) <= budget
    counts = {name: len({each[name] for each in grid}) for name in SPACE.axes}
    assert math.prod(counts.values()) == len(grid)
    for name, axis in SPACE.axes.items():
        if counts[name] < axis.size:
            assert math.prod({**counts, name: counts[name] + 1}.values()) > budget


def test_two_levels_of_a_rate_are_inside_and_of_a_number_at_the_ends() -> None:
    assert LogUniform(1e-4, 1.0, 4).levels(2) == pytest.approx([1e-3, 1e-1])
    assert Ordinal((8, 16, 64)).levels(2) == [8, 64]
    assert Ordinal((8, 16, 64)).levels(1) == [16]


def test_features_are_indicators_and_logarithms() -> None:
    assert SPACE.feature_names == [
        "optimizer=sgd",
        "optimizer=adam",
        "optimizer=rmsprop",
        "log10 lr",
        "log2 width",
    ]
    x = SPACE.encode([{"optimizer": "adam", "lr": 0.01, "width": 16}, {"optimizer": "lion", "lr": 1.0, "width": 8}])
    np.testing.assert_allclose(x, [[0, 1, 0, -2, 4], [0, 0, 0, 0, 3]], atol=1e-12)


def test_an_axis_with_one_value_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        Space({"optimizer": Categorical(("sgd",))})
    assert str(refused.value) == "params: the axis optimizer has 1 value(s); give it at least two"
