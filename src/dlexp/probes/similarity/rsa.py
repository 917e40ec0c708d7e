"""Representational similarity analysis (Kriegeskorte et al. 2008): do two representations order pairs of samples alike?

Each representation becomes the distances of all pairs of samples; two of these are compared by Spearman's rank
correlation. Invariant to whatever keeps the order of the distances: for Euclidean ones orthogonal maps, isotropic
scaling and shifts. The correlation distance is not invariant to rotations, as it removes each sample's mean feature.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from dlexp.probes.similarity.features import Matrix, centred, check_same_samples

Distance = Literal["euclidean", "correlation"]


def dissimilarity_ranks(x: ArrayLike, distance: Distance = "euclidean") -> Matrix:
    """(N, F) -> (N (N - 1) / 2,): ranks of the pairwise distances, around their mean and of norm 1.

    Equal distances share the mean of their ranks; zeros where all distances are equal.

    Raises:
        ValueError: fewer than three samples; with correlation, a sample whose features are all equal; as `centred`.
    """
    from scipy.spatial.distance import pdist
    from scipy.stats import rankdata

    around_mean = centred(x)
    if len(around_mean) < 3:
        raise ValueError("two samples have one distance, and nothing to rank; give three or more")
    # Euclidean distances do not see the mean; correlations do, and are those of the features as they are.
    features = around_mean if distance == "euclidean" else np.asarray(x, dtype=np.float64)
    if distance == "correlation" and (np.ptp(features, axis=1) == 0).any():
        raise ValueError("a sample whose features are all equal correlates with none; use the Euclidean distance")
    ranks: Matrix = rankdata(pdist(features, distance))
    ranks = ranks - ranks.mean()
    norm = float(np.linalg.norm(ranks))
    return ranks / norm if norm else ranks


def rank_correlation(first: Matrix, second: Matrix) -> float:
    """Spearman's correlation, in [-1, 1], of two `dissimilarity_ranks`."""
    return min(1.0, max(-1.0, float(first @ second)))


def rsa(x: ArrayLike, y: ArrayLike, distance: Distance = "euclidean") -> float:
    """Spearman's correlation of the pairwise distances in (N, F1) and (N, F2), in [-1, 1]; 0 on average by chance.

    Raises:
        ValueError: not finite matrices of the same samples, or as `dissimilarity_ranks`.
    """
    check_same_samples(x, y)
    return rank_correlation(dissimilarity_ranks(x, distance), dissimilarity_ranks(y, distance))
