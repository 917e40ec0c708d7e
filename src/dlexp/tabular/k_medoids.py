r"""k-medoids: choose k samples such that the summed squared distance of all samples to the nearest one is small."""

import numpy as np
from numpy.typing import NDArray

from dlexp.tabular.blockwise import Indices, Rows, check_budget, nearest, spans, squared_distances_to


def k_medoids(x: Rows, k: int, rng: np.random.Generator, max_iterations: int = 50) -> Indices:
    """Assign all samples to the nearest medoid, move each medoid to the best sample of its cluster, repeat.

    The alternation of Park and Jun (2009), "A simple and fast algorithm for k-medoids clustering", from the seeding of
    k-means++ (Arthur and Vassilvitskii 2007, O(log k) of the best k-means cost in expectation). The dissimilarity is
    the squared Euclidean distance: then sum_i ||x_i - p||^2 = |C| ||p - mean||^2 + const, so the best medoid of a
    cluster is its sample nearest to its mean, exactly and in linear time. The cost never grows; the end is a local
    optimum. Time O(n k m) per iteration, memory O(n + `BLOCK`) beside the rows (n, m).

    Args:
        x: (n, m) finite rows.
        k: 1..n.
        rng: draws the seeds.
        max_iterations: assignments at most, >= 0.

    Returns:
        (k,) indices of distinct rows, ascending.

    Raises:
        InputError: k does not fit the rows.
    """
    check_budget(x, k)
    medoids = np.sort(plus_plus_seeds(x, k, rng))
    for _ in range(max_iterations):
        moved = np.sort(best_medoids(x, clusters(x, medoids), k))
        if np.array_equal(moved, medoids):
            break
        medoids = moved
    return medoids


def plus_plus_seeds(x: Rows, k: int, rng: np.random.Generator) -> Indices:
    """(k,) distinct rows, each drawn with a probability proportional to its squared distance to those before it."""
    seeds = np.empty(k, np.int64)
    seeds[0] = rng.integers(len(x))
    squared = squared_distances_to(x, x[seeds[0]])
    for number in range(1, k):
        squared[seeds[:number]] = 0
        weights = squared if squared.any() else _untaken(len(x), seeds[:number])
        reached = np.cumsum(weights)
        # side="right" and the cap: never a row of weight 0, whatever is drawn.
        position = np.searchsorted(reached, rng.random() * reached[-1], side="right")
        seeds[number] = min(int(position), int(np.flatnonzero(weights)[-1]))
        squared = np.minimum(squared, squared_distances_to(x, x[seeds[number]]))
    return seeds


def _untaken(n: int, taken: Indices) -> NDArray[np.float64]:
    weights = np.ones(n)
    weights[taken] = 0
    return weights


def clusters(x: Rows, medoids: Indices) -> Indices:
    """(n,) the position of the nearest medoid; every medoid is in its own cluster, duplicates or not."""
    owner, _ = nearest(x, x[medoids])
    owner[medoids] = np.arange(len(medoids))
    return owner


def best_medoids(x: Rows, owner: Indices, k: int) -> Indices:
    """(k,) for each cluster its sample with the least summed squared distance to the others; ties: the lowest index."""
    sizes = np.bincount(owner, minlength=k)
    sums = np.stack([np.bincount(owner, column, minlength=k) for column in x.T], axis=1)
    means = sums / sizes[:, None]
    squared = np.empty(len(x))
    for span in spans(len(x), x.shape[1]):
        difference = x[span] - means[owner[span]]
        squared[span] = np.einsum("ij,ij->i", difference, difference)
    order = np.lexsort((squared, owner))  # stable: equal distances keep the order of the rows
    firsts: Indices = order[np.concatenate([[0], np.cumsum(sizes)[:-1]])]
    return firsts


def cost(x: Rows, medoids: Indices) -> float:
    """Summed squared distance of all rows to the nearest medoid."""
    return float(nearest(x, x[medoids])[1].sum())
