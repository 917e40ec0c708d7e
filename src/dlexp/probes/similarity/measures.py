"""Every measure of similarity under its name, taken apart so that many layers are compared at the cost of few.

A measure is `compare(prepare(x), prepare(y))`: what a representation needs alone is computed once, not once per pair.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlexp.probes.similarity.cca import leading, mean_correlation, weighted_correlation
from dlexp.probes.similarity.cka import FRACTION, aligned_gram, alignment
from dlexp.probes.similarity.features import check_same_samples
from dlexp.probes.similarity.procrustes import overlap, shape_of
from dlexp.probes.similarity.rsa import dissimilarity_ranks, rank_correlation
from dlexp.probes.similarity.shape_metric import responses, shape_similarity


@dataclass(frozen=True)
class Measure:
    """A measure of similarity; called with two representations of the same samples, it gives one number."""

    prepare: Callable[[Any], Any]  # one representation, (N, F)
    compare: Callable[[Any, Any], float]
    low: float  # the range; 1 is "the same"
    symmetric: bool = True

    def __call__(self, x: ArrayLike, y: ArrayLike) -> float:
        """Similarity of (N, F1) and (N, F2)."""
        check_same_samples(x, y)
        return self.compare(self.prepare(x), self.prepare(y))


MEASURES = {
    "linear CKA": Measure(aligned_gram, alignment, -1),
    "linear CKA, biased": Measure(partial(aligned_gram, unbiased=False), alignment, 0),
    "RBF CKA": Measure(partial(aligned_gram, rbf=FRACTION), alignment, -1),
    "RBF CKA, biased": Measure(partial(aligned_gram, unbiased=False, rbf=FRACTION), alignment, 0),
    "SVCCA": Measure(leading, mean_correlation, 0),
    "PWCCA": Measure(leading, weighted_correlation, 0, symmetric=False),
    "Procrustes": Measure(shape_of, overlap, 0),
    "RSA": Measure(dissimilarity_ranks, rank_correlation, -1),
}


def stochastic_shape(alpha: float, dimensions: int | None = None) -> Measure:
    """The stochastic shape metric as a similarity, 1 - d^2 / 2 in [0, 1]; takes draws (N, R, F), see `responses`."""
    return Measure(partial(responses, alpha=alpha, dimensions=dimensions), shape_similarity, 0)


def layers_by_layers(measure: Measure, nets: Sequence[Sequence[Any]]) -> NDArray[np.float64]:
    """Similarity of every layer of every net with every layer of every other.

    Args:
        nets: for each of n nets its L prepared layers, of the same samples.

    Returns:
        (n, n, L, L): entry (a, b, i, j) compares layer i of net a with layer j of net b; NaN where a = b.
    """
    n, depth = len(nets), len(nets[0])
    made = np.full((n, n, depth, depth), np.nan)
    for a in range(n):
        for b in range(n):
            if a < b or (a != b and not measure.symmetric):
                made[a, b] = [[measure.compare(x, y) for y in nets[b]] for x in nets[a]]
            elif a > b:
                made[a, b] = made[b, a].T
    return made
