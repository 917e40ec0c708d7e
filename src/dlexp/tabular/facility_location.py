r"""Facility location: choose k samples such that every sample has a similar one among them.

f(S) = sum_i max_{j in S} exp(-gamma ||x_i - x_j||^2) is monotone and submodular with f(empty) = 0, so taking k times
the sample that adds most gives at least 1 - 1/e of the optimum (Nemhauser, Wolsey and Fisher 1978).
"""

import math

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular.blockwise import Indices, Rows, check_budget, rbf_gamma, spans

EXACT_ROWS = 5000  # up to here every row counts in f and is a candidate in every step
CLIENTS = 2000  # beyond, f is estimated on this many rows drawn uniformly
TOGETHER = 16  # gains renewed at once
SHORTFALL = 0.1  # beyond, epsilon of the stochastic greedy algorithm


class Coverage:
    """The value f of a growing set: gains are computed when asked for, never kept as an n x n matrix."""

    def __init__(self, x: Rows, clients: Rows, gamma: float) -> None:
        """`x` (n, m): what may be chosen; `clients` (c, m): the rows whose coverage counts."""
        self.x, self.gamma = x, gamma
        self.covered = np.zeros(len(clients))  # each client's similarity to the nearest chosen row
        self._middle = clients.mean(axis=0, dtype=np.float64)
        # Distances come from products of rows; about the middle, a common offset costs them no precision.
        self._clients = np.ascontiguousarray((clients - self._middle).T)
        self._squares = np.square(self._clients).sum(axis=0)

    @property
    def value(self) -> float:
        """f of the rows added so far."""
        return float(self.covered.sum())

    def similarity(self, rows: Indices) -> NDArray[np.float64]:
        """(rows, clients) similarities in 0..1."""
        found = self.x[rows] - self._middle
        squares = np.square(found).sum(axis=1)
        found = found @ self._clients
        found *= 2 * self.gamma
        found -= self.gamma * squares[:, None]
        found -= self.gamma * self._squares
        np.minimum(found, 0, out=found)
        return np.asarray(np.exp(found, out=found), dtype=np.float64)

    def gains(self, candidates: Indices) -> NDArray[np.float64]:
        """How much each candidate alone would add to f."""
        found = np.empty(len(candidates))
        for span in spans(len(candidates), len(self.covered)):
            more = self.similarity(candidates[span])
            more -= self.covered
            found[span] = np.maximum(more, 0, out=more).sum(axis=1)
        return found

    def add(self, row: int) -> None:
        """Choose a row."""
        self.covered = np.maximum(self.covered, self.similarity(np.array([row]))[0])


def lazy_greedy(coverage: Coverage, k: int) -> Indices:
    """The greedy choice of k rows, with few evaluations: Minoux (1978), "Accelerated greedy algorithms".

    By submodularity a gain never grows as the set does, so an old gain is an upper bound: once a candidate's renewed
    gain beats all upper bounds, it is the best. Equal to the plain greedy algorithm; ties (but for rounding): the
    lowest index. Gains are renewed a few at a time, the most promising first, as one product of many rows is faster
    than many products of one.
    """
    bounds = coverage.gains(np.arange(len(coverage.x)))
    chosen = np.empty(k, np.int64)
    for number in range(k):
        stale = np.ones(len(bounds), bool)
        stale[chosen[:number]] = False
        if number == 0:
            stale[:] = False
        while stale[best := int(bounds.argmax())]:
            waiting = np.flatnonzero(stale)
            top = waiting[np.argpartition(-bounds[waiting], min(TOGETHER, len(waiting)) - 1)[:TOGETHER]]
            bounds[top] = coverage.gains(top)
            stale[top] = False
        chosen[number] = best
        coverage.add(best)
        bounds[best] = -np.inf
    return chosen


def stochastic_greedy(coverage: Coverage, k: int, rng: np.random.Generator, shortfall: float = SHORTFALL) -> Indices:
    """Greedy over n/k ln(1/epsilon) random candidates per step: 1 - 1/e - epsilon of the optimum in expectation.

    Mirzasoleiman et al. (2015), "Lazier than lazy greedy", Theorem 1. `shortfall` is epsilon, in (0, 1).
    n ln(1/epsilon) evaluations in all, whatever k.
    """
    left = np.arange(len(coverage.x))
    size = math.ceil(len(left) / k * math.log(1 / shortfall))
    chosen = np.empty(k, np.int64)
    for number in range(k):
        positions = np.sort(rng.choice(len(left), min(size, len(left)), replace=False))
        candidates = left[positions]
        best = int(coverage.gains(candidates).argmax())
        chosen[number] = candidates[best]
        coverage.add(int(chosen[number]))
        left = np.delete(left, positions[best])
    return chosen


def facility_location(x: Rows, k: int, rng: np.random.Generator, gamma: float | None = None) -> Indices:
    """(k,) indices of distinct rows that cover all rows well, in the order in which they were taken.

    Up to `EXACT_ROWS` rows: lazy greedy on f itself, at least 1 - 1/e of the optimum, `rng` unused. Beyond: stochastic
    greedy on f estimated from `CLIENTS` rows drawn uniformly, so the guarantee, 1 - 1/e - `SHORTFALL` in expectation,
    is for the estimate. Memory O(n + `BLOCK`) beside the rows (n, m).

    Args:
        x: (n, m) finite rows.
        k: 1..n.
        rng: draws clients and candidates where there are many rows.
        gamma: of the similarity exp(-gamma d^2), > 0; None: 1 / (m var(x)).

    Raises:
        InputError: k does not fit the rows, or gamma is not positive.
    """
    check_budget(x, k)
    if gamma is not None and not gamma > 0:
        raise InputError(f"gamma={gamma:g}: must be positive")
    gamma = rbf_gamma(x) if gamma is None else gamma
    if len(x) <= EXACT_ROWS:
        return lazy_greedy(Coverage(x, x, gamma), k)
    clients = x[np.sort(rng.choice(len(x), CLIENTS, replace=False))]
    return stochastic_greedy(Coverage(x, clients, gamma), k, rng)
