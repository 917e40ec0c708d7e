"""Families of comparisons and geometric means."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlexp.claims import claim_above, claim_below, claim_within
from dlexp.stats import Interval, mean_interval
from dlexp.tabular.families import family_level, least_favourable
from dlexp.tabular.geometric import geometric_interval

ENDS = st.tuples(st.floats(-2, 2), st.floats(0, 1))
FAMILIES = st.dictionaries(
    st.sampled_from("abcdef"), ENDS.map(lambda e: Interval(e[0], e[0] - e[1], e[0] + e[1], 5)), min_size=1
)


def test_levels_are_bonferronis() -> None:
    assert family_level(1) == pytest.approx(0.95)
    assert family_level(10) == pytest.approx(0.995)


def test_the_member_that_speaks_most_against() -> None:
    family = {"low": Interval(-1, -3, 1, 5), "wide": Interval(0, -2, 2, 5), "high": Interval(1.5, 1.1, 1.9, 5)}
    assert least_favourable(family, "above")[0] == "low"
    assert least_favourable(family, "below")[0] == "wide"
    assert least_favourable(family, "within") == ("low", family["low"])


@given(FAMILIES, st.floats(0.1, 2))
def test_the_family_is_supported_exactly_if_every_member_is(family: dict[str, Interval], margin: float) -> None:
    for wanted, claim in (("above", claim_above), ("below", claim_below), ("within", claim_within)):
        _, worst = least_favourable(family, wanted)  # type: ignore[arg-type]
        verdict = claim("all", "All.", worst, margin, "units").verdict
        verdicts = [claim("one", "One.", each, margin, "units").verdict for each in family.values()]
        assert (verdict == "supported") == all(each == "supported" for each in verdicts)
        if verdict == "refuted":
            assert "refuted" in verdicts


@pytest.mark.parametrize("family", [{}, {"a": Interval(0, -1, 1, 5), "b": Interval(0, None, None, 1)}])
def test_a_family_without_bounds_is_refused(family: dict[str, Interval]) -> None:
    with pytest.raises(ValueError, match=r"^a family needs at least one interval, and all of them bounded$"):
        least_favourable(family, "above")


def test_the_geometric_interval_is_that_of_the_logarithms() -> None:
    values = np.array([1.0, 10.0, 1000.0])
    logs, made = mean_interval([0, 1, 3], 0.9), geometric_interval(values, 0.9)
    assert made.n == 3
    assert math.log10(made.mean) == pytest.approx(logs.mean)
    assert made.low is not None
    assert made.high is not None
    assert (math.log10(made.low), math.log10(made.high)) == pytest.approx((logs.low, logs.high))
    assert geometric_interval([5.0]) == Interval(pytest.approx(5.0), None, None, 1)


@pytest.mark.parametrize("values", [[1.0, 0.0], [1.0, -2.0], [float("nan")]])
def test_a_geometric_mean_needs_positive_values(values: list[float]) -> None:
    with pytest.raises(ValueError, match=r"^a geometric mean needs positive values$"):
        geometric_interval(values)
