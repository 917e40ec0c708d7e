"""Rows of tables from intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

from dlexp.stats import Interval


def by_size(
    series: Mapping[str, Sequence[Interval]], name: str, sizes: Sequence[int], size: str, value: str
) -> list[dict[str, Any]]:
    """One row per series and size: its label under `name`, the size under `size`, the interval under `value`."""
    return [
        {name: label, size: at} | each.columns(value)
        for label, those in series.items()
        for at, each in zip(sizes, those, strict=True)
    ]
