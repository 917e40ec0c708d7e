"""Kornblith's sanity check: of two nets that differ in their seed only, the most similar layers should correspond.

For each layer of net A, the most similar layer of net B is looked up; the measure identifies it if that is the layer
at the same place. Random guesses are right once in L layers (Kornblith et al. 2019, section 6.1).
"""

import numpy as np
from numpy.typing import NDArray

from dlexp.stats import LEVEL, Interval, mean_interval

TIE = 1e-9  # similarities closer than this are equal
Values = NDArray[np.float64]


def identified(similarity: Values) -> Values:
    """(L, L) similarity of the layers of A (rows) with those of B -> (L,): 1 where the best of the row is in its place.

    Where k layers share the best value, 1 / k: what a random choice among them would be worth.
    """
    best = similarity >= similarity.max(axis=1, keepdims=True) - TIE
    right: Values = best.diagonal() / best.sum(axis=1)
    return right


def identification(similarities: Values) -> Values:
    """(n, n, L, L) of `layers_by_layers` -> (n, n): share of the layers of net a that are identified in net b.

    The diagonal, a net with itself, is NaN.
    """
    n = len(similarities)
    made = np.full((n, n), np.nan)
    for a in range(n):
        for b in range(n):
            if a != b:
                made[a, b] = identified(similarities[a, b]).mean()
    return made


def identified_by_layer(similarities: Values) -> Values:
    """(n, n, L, L) -> (L,): share of all ordered pairs of nets in which each layer is identified."""
    n = len(similarities)
    pairs = [similarities[a, b] for a in range(n) for b in range(n) if a != b]
    mean: Values = np.mean([identified(each) for each in pairs], axis=0)
    return mean


def gaps(similarities: Values) -> Values:
    """(n, n, L, L) -> (n, n): by how much the layer in its place beats the best other one, mean over layers.

    Negative where another layer is more similar on average.
    """
    in_place = np.eye(similarities.shape[2], dtype=bool)
    others = np.where(in_place, -np.inf, similarities).max(axis=3)
    mean: Values = (same_place(similarities) - others).mean(axis=2)
    return mean


def same_place(similarities: Values) -> Values:
    """(n, n, L, L) -> (n, n, L): the similarity of the layers in the same place."""
    made: Values = similarities.diagonal(axis1=2, axis2=3)
    return made


def over_pairs(values: Values, level: float = LEVEL) -> Interval:
    """Mean over all pairs of different nets, with an interval over nets: pairs that share a net are not independent.

    Args:
        values: (n, n), one number for each ordered pair: of nets of one kind, or of one kind (rows) with nets of
            another (columns) of the same n seeds. The diagonal (the same net, or the same seed) is not used.

    A mean over pairs is a U-statistic; its jackknife leaves one net (or seed) out at a time. The pseudo-values of the
    jackknife, whose mean is the mean over pairs, go into Student's t with n - 1 degrees of freedom (Arvesen 1969).
    With n = 2 there is one pair, and no interval.
    """
    n = len(values)
    if values.shape != (n, n) or n < 2:
        raise ValueError(f"values must be (n, n) for n >= 2 nets, not {values.shape}")
    others = ~np.eye(n, dtype=bool)
    both = np.where(others, (values + values.T) / 2, 0.0)
    mean = float(both.sum() / (n * (n - 1)))
    if n == 2:
        return Interval(mean, None, None, 1)
    per_net = both.sum(axis=1) / (n - 1)
    pseudo = (2 * (n - 1) * per_net - n * mean) / (n - 2)
    return mean_interval(pseudo, level)
