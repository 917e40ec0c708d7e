"""A space of hyper-parameters: axes that can be sampled, laid out as a grid, and encoded as features."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import InputError

Configuration = dict[str, Any]  # axis -> value


@dataclass(frozen=True)
class Categorical:
    """Values without an order; encoded as one indicator column each."""

    values: tuple[Any, ...]

    def at(self, u: float) -> Any:
        """The value at `u` in [0, 1): each takes an equal share."""
        return self.values[min(int(u * len(self.values)), len(self.values) - 1)]

    def levels(self, count: int) -> list[Any]:
        """The first `count` values."""
        return list(self.values[:count])

    @property
    def size(self) -> int:
        return len(self.values)

    def names(self, axis: str) -> list[str]:
        return [f"{axis}={value}" for value in self.values]

    def encode(self, value: Any) -> list[float]:
        """All zero for a value that is none of the axis's."""
        return [float(value == each) for each in self.values]


@dataclass(frozen=True)
class Ordinal(Categorical):
    """Positive numbers in ascending order; encoded as one column, their base-2 logarithm."""

    def levels(self, count: int) -> list[Any]:
        """`count` of the values, evenly over the range."""
        if count == 1:
            return [self.values[(len(self.values) - 1) // 2]]
        places = {round(index * (len(self.values) - 1) / (count - 1)) for index in range(count)}
        return [self.values[place] for place in sorted(places)]

    def names(self, axis: str) -> list[str]:
        return [f"log2 {axis}"]

    def encode(self, value: Any) -> list[float]:
        return [math.log2(value)]


@dataclass(frozen=True)
class LogUniform:
    """Numbers in (low, high), evenly on a logarithmic scale; encoded as their base-10 logarithm."""

    low: float
    high: float
    size: int  # levels of the full grid

    def at(self, u: float) -> float:
        """The value at `u` in [0, 1]."""
        return float(10 ** (math.log10(self.low) + u * (math.log10(self.high) - math.log10(self.low))))

    def levels(self, count: int) -> list[float]:
        """The middles of `count` equal parts: a coarse grid must not spend its few levels on the ends."""
        return [self.at((index + 0.5) / count) for index in range(count)]

    def names(self, axis: str) -> list[str]:
        return [f"log10 {axis}"]

    def encode(self, value: float) -> list[float]:
        return [math.log10(value)]


Axis = Categorical | Ordinal | LogUniform


@dataclass(frozen=True)
class Space:
    """Named axes."""

    axes: Mapping[str, Axis]

    def __post_init__(self) -> None:
        for name, axis in self.axes.items():
            if axis.size < 2:
                raise InputError(f"params: the axis {name} has {axis.size} value(s); give it at least two")

    @property
    def feature_names(self) -> list[str]:
        """The columns of `encode`."""
        return [column for name, axis in self.axes.items() for column in axis.names(name)]

    def at(self, point: Sequence[float]) -> Configuration:
        """The configuration at a point of the unit cube, one coordinate per axis."""
        return {name: axis.at(float(u)) for (name, axis), u in zip(self.axes.items(), point, strict=True)}

    def grid(self, counts: Mapping[str, int] | None = None) -> list[Configuration]:
        """Every combination of `counts` levels per axis, of all levels by default."""
        levels = [axis.levels(counts[name] if counts else axis.size) for name, axis in self.axes.items()]
        return [dict(zip(self.axes, values, strict=True)) for values in itertools.product(*levels)]

    def coarse_grid(self, budget: int) -> list[Configuration]:
        """The grid of at most `budget` configurations that adds levels to the axes in turn, as long as they fit."""
        counts = dict.fromkeys(self.axes, 1)
        grown = True
        while grown:
            grown = False
            for name, axis in self.axes.items():
                larger = {**counts, name: counts[name] + 1}
                if larger[name] <= axis.size and math.prod(larger.values()) <= budget:
                    counts, grown = larger, True
        return self.grid(counts)

    def encode(self, configurations: Iterable[Configuration]) -> NDArray[np.float64]:
        """The matrix X (configurations, features): what a surrogate sees of them."""
        rows = [
            [number for name, axis in self.axes.items() for number in axis.encode(each[name])]
            for each in configurations
        ]
        return np.array(rows, dtype=np.float64)
