"""The way of each arrow of a drawn graph: smooth, from the right side of one box to the left side of another."""

import itertools
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

SAMPLES = 60  # points along each piece
SPREAD = 0.6  # share of a box's side over which the arrows that end there are spread

Key = Hashable
Place = tuple[float, float]
Points = NDArray[np.float64]


def routed(
    pairs: Sequence[tuple[Key, Key]],
    places: Mapping[Key, Place],
    sizes: Mapping[Key, tuple[float, float]],
    between: Sequence[Sequence[Place]],
) -> list[Points]:
    """Points (many, 2) along each arrow, in inches.

    Args:
        pairs: parent and child of each arrow; a pair may occur twice.
        places, sizes: the middle of each box, and its width and height.
        between: the places that each arrow passes on its way.
    """
    ways = [[places[u], *middle, places[v]] for (u, v), middle in zip(pairs, between, strict=True)]
    leaving = _ports([parent for parent, _ in pairs], [way[1][1] for way in ways])
    arriving = _ports([child for _, child in pairs], [way[-2][1] for way in ways])
    found = []
    for index, (parent, child) in enumerate(pairs):
        (x, y), (width, height) = places[parent], sizes[parent]
        start = (x + width / 2, y + leaving[index] * height * SPREAD)
        (x, y), (width, height) = places[child], sizes[child]
        end = (x - width / 2, y + arriving[index] * height * SPREAD)
        found.append(_smooth([start, *between[index], end]))
    return found


def _ports(ends: Sequence[Key], other: Sequence[float]) -> list[float]:
    """Where on the side of a box each arrow ends, -0.5 to 0.5: in the order of the heights of the other ends."""
    found = [0.0] * len(ends)
    for key in dict.fromkeys(ends):
        at = sorted((index for index, end in enumerate(ends) if end == key), key=lambda index: (other[index], -index))
        for rank, index in enumerate(at):
            found[index] = (rank + 0.5) / len(at) - 0.5
    return found


def _smooth(points: Sequence[Place]) -> Points:
    """Through the points, level at each of them."""
    t = np.linspace(0, 1, SAMPLES)
    ease = t * t * (3 - 2 * t)
    return np.concatenate(
        [np.column_stack([x + (u - x) * t, y + (v - y) * ease]) for (x, y), (u, v) in itertools.pairwise(points)]
    )
