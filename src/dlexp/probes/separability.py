"""How well a representation separates classes: linear probe, k-NN, Fisher ratio, silhouette of (N, F) features.

All take plain arrays, so that they measure the layers of any net, or any table. They differ in what they see:

| measure      | invariant to                               | range         | where classes do not differ |
|--------------|--------------------------------------------|---------------|-----------------------------|
| linear probe | invertible affine maps, up to its penalty  | 0..1          | 1/K, with balanced classes  |
| k-NN         | rotation, shift, scale                     | 0..1          | 1/K, with balanced classes  |
| Fisher ratio | rotation, shift, scale                     | 0..infinity   | (K - 1) / (N - K)           |
| silhouette   | rotation, shift, scale                     | -1..1         | 0, or just below            |
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.probes.representations import Samples
from dlexp.probes.simple_classifiers import logistic

PENALTIES = (1e-2, 1e-3, 1e-4)  # of the linear probe, strongest first


@dataclass(frozen=True, eq=False)
class LinearProbe:
    """Multinomial logistic regression on standardised features, fitted (Alain and Bengio 2017)."""

    fitted: Any  # a scikit-learn pipeline
    penalty: float  # lambda of mean cross-entropy + lambda / 2 ||W||^2

    def correct(self, samples: Samples) -> NDArray[np.bool_]:
        """(N,): which samples it classifies rightly."""
        return np.asarray(self.fitted.predict(samples.x) == samples.y)

    def accuracy(self, samples: Samples) -> float:
        """Fraction in [0, 1] that it classifies rightly."""
        return float(self.correct(samples).mean())


def fit_linear_probe(
    train: Samples, validation: Samples | None = None, penalties: Sequence[float] = PENALTIES
) -> LinearProbe:
    """The linear probe of `train`; of several `penalties` the one that classifies `validation` best.

    Mean and standard deviation are those of `train` (a feature that does not vary is left at 0), and the penalty is
    per sample, so that it means the same for any N. Among equals the strongest penalty is taken, which is the first if
    they are given strongest first. scikit-learn warns where its optimiser has not converged.

    Raises:
        ValueError: `train` has one class only, or there are several penalties and no validation samples.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(train.y)) < 2:
        raise ValueError("a probe needs samples of two classes or more")
    if len(penalties) > 1 and validation is None:
        raise ValueError("to choose among penalties, a probe needs validation samples")
    probes = []
    for penalty in penalties:
        fitted = make_pipeline(StandardScaler(), logistic(penalty, len(train.y))).fit(train.x, train.y)
        probes.append(LinearProbe(fitted, penalty))
    if validation is None:
        return probes[0]
    return max(probes, key=lambda probe: probe.accuracy(validation))


def knn_accuracy(train: Samples, test: Samples, k: int = 5) -> float:
    """Fraction of `test` that the majority of its k nearest samples of `train` (Euclidean) has the class of.

    Features are taken as they are: distances between the layer's own outputs. Tied votes go to the lowest class.

    Raises:
        ValueError: `train` has fewer than k samples.
    """
    from sklearn.neighbors import KNeighborsClassifier

    if not 1 <= k <= len(train.y):
        raise ValueError(f"k={k}: must be 1 to {len(train.y)}, the number of samples to choose from")
    return float(KNeighborsClassifier(k, algorithm="brute").fit(train.x, train.y).score(test.x, test.y))


def fisher_ratio(samples: Samples) -> float:
    """tr(S_B) / tr(S_W): scatter of the class means over scatter within classes (Fisher 1936; Fukunaga 1990, ch. 10).

    S_B = 1/N sum_c n_c (mu_c - mu)(mu_c - mu)^T, S_W = 1/N sum_i (x_i - mu_{y_i})(x_i - mu_{y_i})^T; they add up to the
    whole scatter. The trace form needs no inverse, so it is defined for F > N too. Infinite if the classes are points
    apart from each other, 0 if all samples are equal.
    """
    x = samples.x - samples.x.mean(axis=0)
    total = float(np.einsum("ij,ij->", x, x))
    between = 0.0
    for label in np.unique(samples.y):
        own = x[samples.y == label]
        between += len(own) * float(np.square(own.mean(axis=0)).sum())
    within = max(total - between, 0.0)
    if within <= 1e-12 * total:  # nothing but rounding
        return math.inf if total > 0 else 0.0
    return between / within


def silhouette(samples: Samples) -> float:
    """Mean over samples of (b - a) / max(a, b): a is the mean distance to the own class, b to the nearest other one.

    In [-1, 1] (Rousseeuw 1987), Euclidean. 0 where all distances are 0.

    Raises:
        ValueError: there are not 2 to N - 1 classes.
    """
    from sklearn.metrics import silhouette_score

    k = len(np.unique(samples.y))
    if not 2 <= k < len(samples.y):
        raise ValueError(f"{k} classes of {len(samples.y)} samples: a silhouette needs two classes, one with a pair")
    return float(silhouette_score(samples.x, samples.y))
