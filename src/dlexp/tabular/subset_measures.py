"""What a chosen subset looks like, whatever chose it: coverage of all samples, and diversity."""

from dataclasses import dataclass

import numpy as np

from dlexp.tabular.blockwise import Indices, Rows, nearest, squared_distances


@dataclass(frozen=True)
class SubsetMeasures:
    """Distances are Euclidean, in the units of the features."""

    radius: float  # largest distance of any sample to the nearest chosen one (the k-center objective)
    mean_gap: float  # mean distance of all samples to the nearest chosen one
    mean_pairwise: float  # mean distance between chosen samples: sum-of-pairwise over the number of pairs
    mean_nearest: float  # mean distance of a chosen sample to the nearest other: sum-of-nearest-neighbour over k
    min_pairwise: float  # smallest distance between chosen samples (max-min dispersion)
    from_middle: float  # mean distance of the chosen samples from the mean of all: large on the rim


def measure_subset(x: Rows, chosen: Indices) -> SubsetMeasures:
    """The measures of the rows `chosen` (k distinct indices) among all rows `x` (n, m); diversity is 0 for k = 1.

    Time O(n k m); no matrix beyond a block and k x k.
    """
    to_nearest = np.sqrt(nearest(x, x[chosen])[1])
    to_nearest[chosen] = 0  # exactly, whatever rounding says
    middle = x.mean(axis=0, dtype=np.float64)
    between = np.sqrt(squared_distances(x[chosen], x[chosen]))
    pairs = between[np.triu_indices(len(chosen), 1)]
    np.fill_diagonal(between, np.inf)
    if len(chosen) == 1:
        pairs, between = np.zeros(1), np.zeros((1, 1))
    return SubsetMeasures(
        radius=float(to_nearest.max()),
        mean_gap=float(to_nearest.mean()),
        mean_pairwise=float(pairs.mean()),
        mean_nearest=float(between.min(axis=1).mean()),
        min_pairwise=float(pairs.min()),
        from_middle=float(np.linalg.norm(x[chosen] - middle, axis=1).mean()),
    )
