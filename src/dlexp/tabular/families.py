"""One verdict for a family of comparisons: its least favourable member decides."""

from collections.abc import Mapping
from typing import Literal

from dlexp.stats import LEVEL, Interval


def family_level(comparisons: int) -> float:
    """The level of each interval at which all of them hold together with 95 % (Bonferroni)."""
    return 1 - (1 - LEVEL) / comparisons


def least_favourable(
    intervals: Mapping[str, Interval], wanted: Literal["above", "below", "within"]
) -> tuple[str, Interval]:
    """Name and interval of the member that speaks most against "every member lies above / below / within".

    The claim about all of them is supported exactly if this interval supports it. At `family_level(len(intervals))` the
    intervals hold together, so picking one of them after looking does no harm.

    Raises:
        ValueError: there are no intervals, or one is unbounded (a single repetition).
    """
    ends = {name: (each.low, each.high) for name, each in intervals.items()}
    if not ends or any(end is None for pair in ends.values() for end in pair):
        raise ValueError("a family needs at least one interval, and all of them bounded")

    def against(name: str) -> float:
        low, high = ends[name]
        assert low is not None
        assert high is not None
        return {"above": -low, "below": high, "within": max(-low, high)}[wanted]

    worst = max(intervals, key=against)
    return worst, intervals[worst]
