r"""Means, covariances and farthest samples of the classes of a table, without a Python loop over samples."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import InputError

Matrix = NDArray[np.float64]  # (n, m): n samples of m features
Labels = NDArray[np.int64]  # (n,) class indices 0..k-1
Metric = Literal["euclidean", "mahalanobis", "cosine"]

METRICS: tuple[Metric, ...] = get_args(Metric)
TIE = 1e-12  # distances closer than this share of the largest are equal: rounding alone decides between them
SINGULAR = 1e-12  # smallest over largest eigenvalue of a correlation matrix that is still inverted


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Sizes and means: mu_c = 1/n_c sum_{i in I_c} x_i, mu = 1/n sum_i x_i."""

    counts: NDArray[np.int64]  # (k,) n_c
    mean: Matrix  # (m,) mu
    class_means: Matrix  # (k, m) mu_c

    @property
    def pooled_mean(self) -> Matrix:
        """(m,) sum_c (n_c / n) mu_c, which equals mu: every sample is in exactly one class."""
        return np.asarray(self.counts @ self.class_means / self.counts.sum())


@dataclass(frozen=True, eq=False)
class Farthest:
    """Per class, the sample farthest from its class mean."""

    index: NDArray[np.int64]  # (k,) rows of the table
    distance: Matrix  # (k,) in the units of the metric


def class_statistics(x: Matrix, y: Labels, n_classes: int | None = None) -> ClassStatistics:
    """Overall mean and class means of rows (n, m) with labels (n,) in 0..n_classes-1 (None: those that occur).

    Sums are taken of deviations from a first estimate of the mean, so that a large common offset costs no precision.

    Raises:
        InputError: shapes do not fit, numbers are not finite, labels are out of range, there are more classes than
            samples, or a class has no samples.
    """
    k = check_table(x, y, n_classes)
    mean = x.mean(axis=0)
    mean = mean + (x - mean).mean(axis=0)
    order, starts, counts = grouped(y, k)
    class_means = mean + np.add.reduceat(x[order] - mean, starts) / counts[:, None]
    class_means += np.add.reduceat(x[order] - class_means[y[order]], starts) / counts[:, None]
    return ClassStatistics(counts, mean, class_means)


def check_table(x: Matrix, y: Labels, n_classes: int | None = None) -> int:
    """The number of classes k of a table, which must be finite and have samples of every class.

    Raises:
        InputError: see `class_statistics`.
    """
    if x.ndim != 2 or 0 in x.shape:
        raise InputError(f"x of shape {x.shape}: must be samples x features, at least one of each")
    if y.shape != (len(x),) or y.dtype.kind not in "iu":
        raise InputError(f"y of shape {y.shape} and {y.dtype}: must be one class index for each of {len(x)} samples")
    if not np.isfinite(x).all():
        row = int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        raise InputError(f"x: sample {row} holds NaN or infinite numbers; remove or fill it")
    if y.min() < 0 or (n_classes is not None and y.max() >= n_classes):
        wanted = "from 0" if n_classes is None else f"0..{n_classes - 1}"
        raise InputError(f"y: holds the label {y.min() if y.min() < 0 else y.max()}; labels are class indices {wanted}")
    k = int(y.max()) + 1 if n_classes is None else n_classes
    if k > len(x):
        raise InputError(f"k={k}: there are more classes than the {len(x)} samples; every class needs one")
    empty = np.flatnonzero(np.bincount(y, minlength=k) == 0)
    if empty.size:
        raise InputError(f"class {empty[0]}: has no samples, so it has no mean; remove the class or add samples")
    return k


def grouped(y: Labels, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows sorted by class (stable), where each class starts among them, and how many it has."""
    counts = np.bincount(y, minlength=k)
    return np.argsort(y, kind="stable"), np.concatenate([[0], np.cumsum(counts)[:-1]]), counts


def class_covariances(x: Matrix, y: Labels, class_means: Matrix) -> Matrix:
    """(k, m, m) covariance of each class about its mean, divided by n_c - 1 (0 for a class of one sample)."""
    k, m = class_means.shape
    order, starts, counts = grouped(y, k)
    deviations = np.split(x[order] - class_means[y[order]], starts[1:])
    found = [each.T @ each / max(n - 1, 1) for each, n in zip(deviations, counts, strict=True)]
    return np.reshape(found, (k, m, m))


def mahalanobis(x: Matrix, mean: Matrix, covariance: Matrix, name: str = "the covariance") -> Matrix:
    """(n,) sqrt((x_i - mu)^T Sigma^-1 (x_i - mu)). Mahalanobis (1936).

    Raises:
        InputError: the covariance (m, m) is singular: too few samples, or columns that follow from each other. `name`
            begins the message.
    """
    m, scale = len(mean), np.sqrt(np.diag(covariance))
    rank = 0
    if (scale > 0).all():  # as correlations, so that the columns' units do not matter
        eigenvalues, axes = np.linalg.eigh(covariance / np.outer(scale, scale))
        rank = int((eigenvalues > SINGULAR * eigenvalues[-1]).sum())
    if rank < m:
        raise InputError(
            f"{name} is singular: some of its {m} columns are constant or follow from the others, or there are too"
            " few samples; remove columns, or use another metric than mahalanobis"
        )
    white = ((x - mean) / scale) @ (axes / np.sqrt(eigenvalues))
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", white, white)))


def prediction_radius(n: int, m: int, coverage: float) -> float:
    """Mahalanobis radius within which a new sample of a Gaussian class falls with probability `coverage`.

    Exact with mean and covariance estimated from n > m samples of m features (Chew 1966, "Confidence, prediction, and
    tolerance regions for the multivariate normal distribution"): sqrt(m (n^2 - 1) / (n (n - m)) F_{m, n-m}(coverage)).
    """
    from scipy.special import fdtri

    return float(np.sqrt(m * (n**2 - 1) / (n * (n - m)) * fdtri(m, n - m, coverage)))


def cosine_distance(x: Matrix, means: Matrix) -> Matrix:
    """(n,) 1 - cos of the angle at the origin between x_i and row i of `means` (n, m): 0 (same direction) to 2.

    Computed as ||u - v||^2 / 2 of the unit vectors, which keeps its digits at small angles.

    Raises:
        InputError: a sample or a mean is the zero vector, which has no direction.
    """
    lengths, mean_lengths = np.linalg.norm(x, axis=1), np.linalg.norm(means, axis=1)
    if (lengths == 0).any():
        row = int(np.flatnonzero(lengths == 0)[0])
        raise InputError(f"sample {row} is the zero vector, which has no direction; use another metric than cosine")
    # Opposite samples cancel only up to rounding.
    if (mean_lengths <= TIE * lengths.max()).any():
        raise InputError("a class mean is the zero vector, which has no direction; use another metric than cosine")
    chord = x / lengths[:, None] - means / mean_lengths[:, None]
    return np.asarray(np.einsum("ij,ij->i", chord, chord) / 2)


def distances_to_class_mean(x: Matrix, y: Labels, class_means: Matrix, metric: Metric = "euclidean") -> Matrix:
    """(n,) distance of every sample to the mean of its own class; Mahalanobis by the covariance of that class.

    Raises:
        InputError: the metric is not defined on these samples (see `mahalanobis` and `cosine_distance`).
    """
    if metric == "cosine":
        return cosine_distance(x, class_means[y])
    if metric == "euclidean":
        return np.asarray(np.linalg.norm(x - class_means[y], axis=1))
    found = np.empty(len(x))
    for c, covariance in enumerate(class_covariances(x, y, class_means)):
        rows = y == c
        found[rows] = mahalanobis(x[rows], class_means[c], covariance, f"the covariance of class {c}")
    return found


def farthest_samples(distance: Matrix, y: Labels) -> Farthest:
    """i*_c = argmax_{i in I_c} of `distance` (n,) for every class 0..max(y); of equal distances the lowest row."""
    order, starts, _ = grouped(y, int(y.max()) + 1)
    largest = np.maximum.reduceat(distance[order], starts)
    candidates = np.flatnonzero(distance >= largest[y] * (1 - TIE))
    _, first = np.unique(y[candidates], return_index=True)
    index = candidates[first]
    return Farthest(index, distance[index])
