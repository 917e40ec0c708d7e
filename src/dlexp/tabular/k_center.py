r"""k-center: choose k samples so that no sample is far from the nearest chosen one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular.blockwise import Indices, Rows, check_budget, middle_row, squared_distances_to


@dataclass(frozen=True, eq=False)
class Traversal:
    """A farthest-first traversal: the samples in the order in which they were taken, and who is nearest to whom."""

    order: Indices  # (k,)
    owner: Indices  # (n,) position in `order` of the nearest chosen sample
    distance: NDArray[np.float64]  # (n,) distance to it

    @property
    def radius(self) -> float:
        """The largest distance of any sample to the nearest chosen one."""
        return float(self.distance.max())


def farthest_first(x: Rows, k: int, first: int | None = None) -> Traversal:
    """Take `first`, then k - 1 times the sample that is farthest from all taken; ties: the lowest index.

    Gonzalez (1985), "Clustering to minimize the maximum intercluster distance": the radius is at most twice that of
    the best k centers, and no polynomial algorithm does better unless P = NP. The chosen samples are pairwise at least
    `radius` apart. Time O(n k m), memory O(n) beside the rows (n, m). Any prefix is the traversal of a smaller k.

    Args:
        x: (n, m) finite rows.
        k: 1..n.
        first: the sample to start with; None: the one nearest to the mean.

    Raises:
        InputError: k or `first` does not fit the rows.
    """
    check_budget(x, k)
    if first is None:
        first = middle_row(x)
    elif not 0 <= first < len(x):
        raise InputError(f"first={first}: must be a row, 0..{len(x) - 1}")
    order = np.empty(k, np.int64)
    order[0] = first
    owner = np.zeros(len(x), np.int64)
    squared = squared_distances_to(x, x[first])
    taken = np.zeros(len(x), bool)
    for number in range(1, k):
        taken[order[number - 1]] = True
        # A taken sample is never taken again, not even where all distances are 0.
        chosen = int(np.where(taken, -1.0, squared).argmax())
        order[number] = chosen
        candidate = squared_distances_to(x, x[chosen])
        closer = candidate < squared
        owner[closer], squared[closer] = number, candidate[closer]
        owner[chosen] = number
    return Traversal(order, owner, np.sqrt(squared))


def k_center_greedy(x: Rows, k: int, first: int | None = None) -> Indices:
    """(k,) indices of distinct samples whose radius is at most twice the optimum: see `farthest_first`."""
    return farthest_first(x, k, first).order
