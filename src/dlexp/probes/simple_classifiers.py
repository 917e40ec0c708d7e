"""Simple classifiers of features as they are given: logistic regression, PLS-DA, linear SVM.

Each has one dial for how much it is held back, and a few settings of it; which one is taken is decided on validation
samples, so that no classifier and no representation is favoured by a setting that happens to suit it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlexp.probes.representations import Samples

STEPS = 500  # of an optimiser at most; scikit-learn warns where they were not enough


class Estimator(Protocol):
    """What scikit-learn calls a classifier."""

    def fit(self, x: NDArray[np.float64], y: NDArray[np.int64]) -> Any: ...

    def predict(self, x: NDArray[np.float64]) -> Any: ...


@dataclass(frozen=True)
class Classifier:
    """A kind of classifier; `build(setting, n)` makes one to be fitted on n samples."""

    label: str
    settings: tuple[float, ...]  # most held back first
    build: Callable[[float, int], Estimator]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted classifier and the setting that was taken."""

    estimator: Estimator
    setting: float

    def accuracy(self, samples: Samples) -> float:
        """Fraction in [0, 1] that it classifies rightly."""
        return float(np.mean(self.estimator.predict(samples.x) == samples.y))


def logistic(penalty: float, n: int) -> Estimator:
    """Multinomial logistic regression: mean cross-entropy + penalty / 2 ||W||^2, whatever n; L-BFGS."""
    from sklearn.linear_model import LogisticRegression

    made: Estimator = LogisticRegression(C=1 / (penalty * n), max_iter=STEPS)
    return made


def linear_svm(penalty: float, n: int) -> Estimator:
    """A linear support vector machine per class: mean squared hinge loss + penalty / 2 ||w||^2; the highest wins."""
    from sklearn.svm import LinearSVC

    made: Estimator = LinearSVC(C=1 / (penalty * n), dual="auto", max_iter=STEPS, random_state=0)
    return made


class PlsDiscriminant:
    """PLS-DA: partial least squares onto one-hot labels, the largest prediction wins (Barker and Rayens 2003)."""

    def __init__(self, components: int) -> None:
        self.components = components  # directions of largest covariance with the labels; fewer where n or F is smaller

    def fit(self, x: ArrayLike, y: ArrayLike) -> "PlsDiscriminant":
        from sklearn.cross_decomposition import PLSRegression

        features, labels = np.asarray(x, dtype=np.float64), np.asarray(y)
        self.classes = np.unique(labels)
        most = min(self.components, features.shape[1], len(features))
        self.fitted = PLSRegression(most, scale=False).fit(features, (labels[:, None] == self.classes).astype(float))
        return self

    def predict(self, x: ArrayLike) -> NDArray[Any]:
        return np.asarray(self.classes[self.fitted.predict(np.asarray(x)).argmax(axis=1)])


CLASSIFIERS: Mapping[str, Classifier] = {
    "logistic": Classifier("logistic regression", (1e-1, 1e-2, 1e-3), logistic),
    "pls": Classifier("PLS-DA", (4, 12, 36), lambda components, n: PlsDiscriminant(int(components))),
    "svm": Classifier("linear SVM", (1.0, 1e-1, 1e-2), linear_svm),
}


def fit_best(kind: Classifier, train: Samples, validation: Samples, settings: Sequence[float] | None = None) -> Fitted:
    """The classifier of `train` with the setting that does best on `validation`; among equals the one first given.

    Raises:
        ValueError: `train` has one class only.
    """
    if len(np.unique(train.y)) < 2:
        raise ValueError("a classifier needs samples of two classes or more")
    fitted = []
    for setting in settings or kind.settings:
        estimator = kind.build(setting, len(train.y))
        estimator.fit(train.x, train.y)
        fitted.append(Fitted(estimator, setting))
    return max(fitted, key=lambda each: each.accuracy(validation))
