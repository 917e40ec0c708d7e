r"""Fair and diverse selection: k_g samples of each group g, as different from one another as possible.

Mahabadi and Trajanovski (2023), "Core-sets for fair and diverse data summarization": diversity under a partition
constraint, for two measures of the chosen set S. Both are here.

- `sum_pairwise`: the sum of the distances of all pairs.
- `sum_nearest`: the sum over samples of the distance to the nearest other one.

The algorithm has the two steps of the paper and of the code published with it. (1) A core-set: in each group a
farthest-first traversal takes k anchors, and each anchor keeps up to k_g samples of its own cluster, at most k^2 in all
whatever n. (2) On the core-set, swaps within a group as long as the measure grows.

What is guaranteed for `sum_pairwise`. (2) A local optimum is at least 1/2 of the best on the core-set for k >= 3 (any
metric; Abbassi, Mirrokni and Thakur 2013; Borodin et al. 2017), 1 - O(1/k) for Euclidean distances (Cevallos,
Eisenbrand and Zenklusen 2019); k = 2 is solved exactly. (1) The best on the core-set is at least beta / (2 + beta) of
the best on all samples, beta = (k - 1) / (4 k): 1/17 at k = 2, towards 1/9. (An argument of our own, for the constant;
the paper has another.) With r_g the radius of group g's anchors and A = (k - 1) sum_g k_g r_g: replacing each sample of
an optimum by a different core-set sample of the same cluster moves it by at most 2 r_g, so the sum of pairs falls by at
most 2 A. And k_g of group g's k anchors, drawn at random, have an expected sum of pairs of at least beta A: they are
pairwise r_g apart, and at most one of them is within r_g / 2 of any given point. So the best on the core-set is at
least max(OPT - 2 A, beta A).

For `sum_nearest` the same two steps are a heuristic: the measure never falls below that of the first anchors, and no
constant factor is claimed (the paper has an algorithm of its own for it).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular.blockwise import Indices, Rows, check_budget, spans, squared_distances
from dlexp.tabular.k_center import farthest_first

Distances = NDArray[np.float64]
Measure = Callable[[Distances, Distances, int], Distances]
"""(distances of c candidates to the k chosen, those between the chosen, position that leaves) -> c new values."""

LARGEST = 2**27  # distances between core-set and chosen samples held at most: 1 GiB
IMPROVEMENT = 1e-9  # relative; smaller gains are rounding


def fair_diverse(x: Rows, groups: NDArray[np.integer[Any]], quotas: Indices, measure: Measure) -> Indices:
    """Indices of quotas[g] distinct rows of each group g with a large diversity; see the module for the guarantee.

    Deterministic. Time O(n k m) for the core-set and O(k |core-set|) distances per sweep of swaps; memory
    O(n + k |core-set|), |core-set| <= min(n, k^2), k = sum of the quotas.

    Args:
        x: (n, m) finite rows.
        groups: (n,) the group of each row, 0..G-1.
        quotas: (G,) how many to choose of each, >= 0.
        measure: `sum_pairwise` or `sum_nearest`.

    Raises:
        InputError: quotas that the groups cannot meet, or that do not fit them; more distances than `LARGEST`.
    """
    check_quotas(groups, quotas)
    k = int(quotas.sum())
    check_budget(x, k)
    kept, start = core_set(x, groups, quotas)
    if len(kept) * k > LARGEST:
        raise InputError(f"k={k}: {len(kept)} x {k} distances exceed {LARGEST}; lower k")
    if k == 2:
        return _best_pair(x, groups, kept, quotas)
    return kept[swap_search(x[kept], groups[kept], start, measure)]


def check_quotas(groups: NDArray[np.integer[Any]], quotas: Indices) -> None:
    """Refuse quotas that `groups` cannot meet.

    Raises:
        InputError: a quota is negative, above its group's size, or missing.
    """
    if len(groups) and not 0 <= int(groups.min()) <= int(groups.max()) < len(quotas):
        raise InputError(
            f"quotas for {len(quotas)} groups: the groups are {groups.min()}..{groups.max()}; give one for each"
        )
    sizes = np.bincount(groups, minlength=len(quotas))
    for group, (quota, size) in enumerate(zip(quotas.tolist(), sizes.tolist(), strict=True)):
        if not 0 <= quota <= size:
            advice = "lower it" if quota > size else "give 0 or more"
            raise InputError(f"quota {quota} of group {group}: the group has {size} samples; {advice}")


def core_set(x: Rows, groups: NDArray[np.integer[Any]], quotas: Indices) -> tuple[Indices, Indices]:
    """Rows that suffice (ascending), and the positions among them of a first choice: each group's first anchors."""
    k = int(quotas.sum())
    kept: list[Indices] = []
    start: list[Indices] = []
    for group in np.flatnonzero(quotas):
        members = np.flatnonzero(groups == group)
        walk = farthest_first(x[members], min(k, len(members)))
        start.append(members[walk.order[: quotas[group]]])
        # Per cluster the anchor, then the samples farthest from it; lexsort's last key is the first to count.
        rank = np.where(np.isin(np.arange(len(members)), walk.order), np.inf, walk.distance)
        order = np.lexsort((-rank, walk.owner))
        owner = walk.owner[order]
        place_in_cluster = np.arange(len(members)) - np.searchsorted(owner, owner)
        kept.append(members[order[place_in_cluster < quotas[group]]])
    rows = np.sort(np.concatenate(kept))
    return rows, np.searchsorted(rows, np.concatenate(start))


def sum_pairwise(to_chosen: Distances, between: Distances, leaves: int) -> Distances:
    """The sum of the distances of all pairs once a candidate has taken the place of `leaves`."""
    without = between.sum() / 2 - between[leaves].sum()
    return np.asarray(without + to_chosen.sum(axis=1) - to_chosen[:, leaves], dtype=np.float64)


def sum_nearest(to_chosen: Distances, between: Distances, leaves: int) -> Distances:
    """The sum of the distances to the nearest other once a candidate has taken the place of `leaves`."""
    stay = np.arange(len(between)) != leaves
    if not stay.any():
        return np.zeros(len(to_chosen))
    others = between[np.ix_(stay, stay)].copy()
    np.fill_diagonal(others, np.inf)
    found, own = np.empty(len(to_chosen)), others.min(axis=1)
    for span in spans(len(to_chosen), len(between)):
        near = to_chosen[span][:, stay]
        found[span] = np.minimum(near, own).sum(axis=1) + near.min(axis=1)
    return found


def swap_search(x: Rows, groups: NDArray[np.integer[Any]], start: Indices, measure: Measure) -> Indices:
    """From `start`, swap a chosen row for the best other one of its group until no swap raises the measure."""
    order = np.argsort(groups, kind="stable")  # each group a slice, so that looking at one copies nothing
    x, groups = x[order], groups[order]
    chosen = np.argsort(order)[start]
    to_chosen = np.sqrt(squared_distances(x, x[chosen]))  # (core-set, k)
    to_chosen[chosen, np.arange(len(chosen))] = 0
    taken = np.zeros(len(x), bool)
    taken[chosen] = True
    ends = {group: slice(*np.searchsorted(groups, [group, group + 1])) for group in np.unique(groups)}
    improved = True
    while improved:
        improved = False
        for place in range(len(chosen)):
            within = ends[groups[chosen[place]]]
            values = measure(to_chosen[within], to_chosen[chosen], place)
            now = float(values[chosen[place] - within.start])
            values[taken[within]] = -np.inf
            best = int(values.argmax())
            if values[best] > now * (1 + IMPROVEMENT):
                taken[chosen[place]] = False
                chosen[place] = within.start + best
                taken[chosen[place]] = True
                to_chosen[:, place] = np.sqrt(squared_distances(x, x[chosen[place]][None])[:, 0])
                to_chosen[chosen[place], place] = 0
                improved = True
    found: Indices = order[chosen]
    return found


def _best_pair(x: Rows, groups: NDArray[np.integer[Any]], kept: Indices, quotas: Indices) -> Indices:
    """Two rows of `kept` that meet the quotas, as far apart as possible (both measures agree on them)."""
    pair = np.flatnonzero(quotas)
    first, second = kept[groups[kept] == pair[0]], kept[groups[kept] == pair[-1]]
    squared = squared_distances(x[first], x[second])
    if len(pair) == 1:
        np.fill_diagonal(squared, -1)
    a, b = np.unravel_index(int(squared.argmax()), squared.shape)
    return np.array([first[a], second[b]], np.int64)
