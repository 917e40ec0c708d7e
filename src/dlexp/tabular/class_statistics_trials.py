"""Trials on class statistics: a plain loop as the control, changes of units, and classes of growing size."""

from collections.abc import Callable, Sequence

import numpy as np

from dlexp.errors import InputError
from dlexp.feature_space import Table
from dlexp.tabular.class_statistics import (
    Farthest,
    Labels,
    Matrix,
    Metric,
    class_covariances,
    class_statistics,
    distances_to_class_mean,
    farthest_samples,
)


def farthest(x: Matrix, y: Labels, means: Matrix, metric: Metric) -> Farthest:
    """Per class the sample farthest from its mean: row of the table, and distance."""
    return farthest_samples(distances_to_class_mean(x, y, means, metric), y)


def by_loop(x: Matrix, y: Labels, k: int, metric: Metric = "euclidean") -> tuple[Matrix, Matrix, list[int]]:
    """The control: the formulas to the letter, one sample after another. Mean, class means, farthest rows."""
    n, m = x.shape
    total, sums, counts = np.zeros(m), np.zeros((k, m)), [0] * k
    for i in range(n):
        total = total + x[i]
        sums[y[i]] += x[i]
        counts[y[i]] += 1
    means = np.stack([sums[c] / counts[c] for c in range(k)])
    distance = loop_distance(x, y, means, metric)
    index, largest = [-1] * k, [-np.inf] * k
    for i in range(n):
        d = distance(i)
        if d > largest[y[i]]:  # of equal distances the first stays
            index[y[i]], largest[y[i]] = i, d
    return total / n, means, index


def loop_distance(x: Matrix, y: Labels, means: Matrix, metric: Metric) -> Callable[[int], float]:
    """The textbook formula of each metric, for sample i."""
    if metric == "euclidean":
        return lambda i: float(np.sqrt(np.sum((x[i] - means[y[i]]) ** 2)))
    if metric == "cosine":
        return lambda i: float(1 - x[i] @ means[y[i]] / (np.sqrt(x[i] @ x[i]) * np.sqrt(means[y[i]] @ means[y[i]])))
    inverses = [np.linalg.inv(np.atleast_2d(np.cov(x[y == c].T))) for c in range(len(means))]
    return lambda i: float(np.sqrt((x[i] - means[y[i]]) @ inverses[y[i]] @ (x[i] - means[y[i]])))


def changes_when_stretched(table: Table, stretches: Sequence[float], random: np.random.Generator) -> dict[str, Matrix]:
    """How often the farthest sample changes as classes are stretched along a random direction.

    They are made round first, on average: the pooled covariance becomes I.

    Returns:
        (stretches,) shares of classes each: "euclidean moved" and "mahalanobis moved" (another sample than at the first
        stretch), and "metrics differ" (the two metrics name different samples).

    Raises:
        InputError: a class has a singular covariance.
    """
    means = class_statistics(table.x, table.y).class_means
    covariances, counts = class_covariances(table.x, table.y, means), np.bincount(table.y)
    pooled = np.einsum("c,cij->ij", counts - 1, covariances) / (counts - 1).sum()
    scale = np.sqrt(np.diag(pooled))
    eigenvalues, axes = np.linalg.eigh(pooled / np.outer(scale, scale))
    turn = np.linalg.qr(random.normal(size=pooled.shape))[0]
    round_ = (table.x / scale) @ (axes / np.sqrt(eigenvalues)) @ turn
    index: dict[Metric, list[Labels]] = {"euclidean": [], "mahalanobis": []}
    for factor in stretches:
        x = round_ * np.where(np.arange(round_.shape[1]) == 0, factor, 1.0)
        means = class_statistics(x, table.y).class_means
        for metric, found in index.items():
            found.append(farthest(x, table.y, means, metric).index)
    euclidean, by_covariance = np.array(index["euclidean"]), np.array(index["mahalanobis"])  # (stretches, classes)
    return {
        "euclidean moved": (euclidean != euclidean[0]).mean(axis=1),
        "mahalanobis moved": (by_covariance != by_covariance[0]).mean(axis=1),
        "metrics differ": (euclidean != by_covariance).mean(axis=1),
    }


def laws_of_size(table: Table, sizes: Sequence[int], subsets: int, random: np.random.Generator) -> dict[str, Matrix]:
    """What happens to a class of n_c samples as n_c grows, over `subsets` random ones, averaged over classes.

    Args:
        table: its classes are the populations.
        sizes: n_c, increasing, 2 to the smallest class.
        subsets: drawn for each class.
        random: source of the draws.

    Returns:
        (sizes,) each, in units of the class's typical (root mean square) distance to its mean: "error" of the mean of
        n_c samples drawn with replacement (root mean square: 1/sqrt(n_c) exactly, in expectation); "farthest" and
        "typical" distance to their own mean of n_c samples drawn without replacement.

    Raises:
        InputError: all samples of a class are equal.
    """
    class_means = class_statistics(table.x, table.y).class_means
    error, far, typical = (np.zeros((len(sizes), len(table.classes))) for _ in range(3))
    for c, rows in enumerate(table.by_class()):
        own = table.x[rows] - class_means[c]
        variance = np.mean(np.sum(own**2, axis=1))  # trace of the covariance
        if variance == 0:
            raise InputError(f"class {table.classes[c]}: all its samples are equal; there is no farthest one")
        for _ in range(subsets):
            # The class is the population: with replacement the draws are independent, and the law is exact.
            sums = own[random.integers(len(own), size=sizes[-1])].cumsum(axis=0)
            order = random.permutation(len(own))[: sizes[-1]]
            for s, size in enumerate(sizes):
                error[s, c] += np.sum((sums[size - 1] / size) ** 2)
                subset = own[order[:size]]
                squares = np.sum((subset - subset.mean(axis=0)) ** 2, axis=1)
                far[s, c] += np.sqrt(squares.max())
                typical[s, c] += squares.sum() / (size - 1)
        error[:, c] /= subsets * variance
        far[:, c] /= subsets * np.sqrt(variance)
        typical[:, c] /= subsets * variance
    return {
        "error": np.sqrt(error.mean(axis=1)),
        "farthest": far.mean(axis=1),
        "typical": np.sqrt(typical.mean(axis=1)),
    }
