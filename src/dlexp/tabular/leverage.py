r"""Leverage scores: samples that alone carry a direction of the data are drawn more often."""

import numpy as np
from numpy.typing import NDArray

from dlexp.tabular.blockwise import Indices, Rows, check_budget, spans

TOLERANCE = 1e-10  # directions with less than this share of the largest variance count as absent


def leverage_scores(x: Rows) -> NDArray[np.float64]:
    r"""(n,) l_i = (x_i - mean)^T ((X - mean)^T (X - mean))^+ (x_i - mean), each in 0..1; they sum to the rank.

    The diagonal of the hat matrix of a regression with intercept, less 1/n. Invariant to invertible linear maps of the
    features. From the m x m covariance, accumulated in float64 a block of rows at a time: O(n m^2 + m^3) time,
    O(m^2 + `BLOCK`) memory beside the rows (n, m); directions below `TOLERANCE` of the largest variance are left out.

    Raises:
        InputError: the rows are not finite, or there are none.
    """
    check_budget(x, 1)
    n, m = x.shape
    mean = x.mean(axis=0, dtype=np.float64)
    gram = np.zeros((m, m))
    for span in spans(n, m):
        centred = x[span] - mean
        gram += centred.T @ centred
    values, vectors = np.linalg.eigh(gram)
    kept = values > TOLERANCE * max(float(values[-1]), 0.0)
    scale = vectors[:, kept] / np.sqrt(values[kept])
    scores = np.empty(n)
    for span in spans(n, m):
        scores[span] = np.square((x[span] - mean) @ scale).sum(axis=1)
    return scores


def leverage_sampling(x: Rows, k: int, rng: np.random.Generator) -> Indices:
    """(k,) distinct rows of (n, m), drawn one after another with probability proportional to their leverage scores.

    Drineas, Mahoney and Muthukrishnan (2006) draw with replacement and weight each sample by 1 / (k p_i), which keeps
    least squares unbiased; a classifier that learns from k different samples uses neither, so their bound does not
    carry over. Without replacement by exponential keys (Efraimidis and Spirakis 2006).

    Raises:
        InputError: k does not fit the rows.
    """
    check_budget(x, k)
    scores = leverage_scores(x)
    with np.errstate(divide="ignore"):
        keys = rng.exponential(size=len(x)) / scores  # infinite where the score is 0: taken last
    return np.argsort(keys, kind="stable")[:k].astype(np.int64)
