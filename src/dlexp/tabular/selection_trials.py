"""Trials of selectors: split anew, choose k samples, learn from them alone, test on all others held out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dlexp.data.dataset import Dataset
from dlexp.errors import InputError
from dlexp.tabular.blockwise import Indices, Rows
from dlexp.tabular.selection import SELECTORS, Labels, Selector, select
from dlexp.tabular.subset_measures import SubsetMeasures, measure_subset

Classifier = Literal["nearest_neighbour", "logistic_regression", "svm"]
CLASSIFIERS: Mapping[Classifier, str] = MappingProxyType(
    {"nearest_neighbour": "1-NN", "logistic_regression": "logistic regression", "svm": "SVM (RBF)"}
)
"""What learns from the chosen samples, and its name in tables and figures."""


@dataclass(frozen=True, eq=False)
class Pool:
    """What one may choose from, and what is held out."""

    x: Rows  # (n, m)
    y: Labels  # (n,) 0..C-1
    x_test: Rows
    y_test: Labels
    rare: Indices  # the classes that were thinned out; none in a balanced pool


@dataclass(frozen=True, eq=False)
class Trial:
    """One subset and what was learned from it."""

    chosen: Indices
    accuracy: NDArray[np.float64]  # (classifiers,) on the test samples
    measures: SubsetMeasures
    classes_found: float  # share of all classes with a chosen sample
    rare_found: float  # the same of the rare classes; 1 where none is rare


@dataclass(frozen=True, eq=False)
class Draw:
    """One draw in one condition."""

    n: int  # samples to choose from
    sizes: list[int]  # k of each fraction of n
    trials: dict[str, list[Trial]]  # by selector, one per fraction
    ceiling: NDArray[np.float64]  # (classifiers,) accuracy of learning from all n


def resplit(data: Dataset, rng: np.random.Generator) -> Pool:
    """All samples of `data`, flattened, divided anew into a pool and a test set of the size it has, stratified.

    Raises:
        InputError: a class has too few samples to be on both sides.
    """
    from sklearn.model_selection import train_test_split

    splits = [split for split in (data.train, data.val, data.test) if split is not None]
    x = np.concatenate([split.inputs().flatten(1).cpu().numpy() for split in splits])
    y = np.concatenate([split.y.cpu().numpy() for split in splits])
    seed = int(rng.integers(2**31))
    try:
        pool, test = train_test_split(np.arange(len(y)), test_size=len(data.test), stratify=y, random_state=seed)
    except ValueError as error:
        raise InputError(f"dataset: cannot be split anew with every class on both sides: {error}") from error
    return Pool(x[pool], y[pool], x[test], y[test], np.empty(0, np.int64))


def thin_out(pool: Pool, classes: int, share: float, rng: np.random.Generator) -> Pool:
    """The pool with only `share` (0..1) of the samples of some random `classes` left, at least one each.

    The test samples stay: the rare classes count as much as the others when it comes to being right.
    """
    rare = np.sort(rng.choice(int(pool.y.max()) + 1, classes, replace=False))
    keep = np.ones(len(pool.y), bool)
    for label in rare:
        members = rng.permutation(np.flatnonzero(pool.y == label))
        keep[members[max(1, round(share * len(members))) :]] = False
    return Pool(pool.x[keep], pool.y[keep], pool.x_test, pool.y_test, rare)


def prepared(pool: Pool, standardize: bool, components: int | None) -> Pool:
    """The pool with its features standardised, then projected on principal components: fitted on the pool alone."""
    x, x_test = pool.x, pool.x_test
    if standardize:
        mean, std = x.mean(axis=0), x.std(axis=0)
        std = np.where(std > 0, std, 1)
        x, x_test = (x - mean) / std, (x_test - mean) / std
    if components is not None:
        from sklearn.decomposition import PCA

        pca = PCA(components, svd_solver="covariance_eigh").fit(x)
        x, x_test = pca.transform(x), pca.transform(x_test)
    return Pool(x, pool.y, x_test, pool.y_test, pool.rare)


def try_selectors(
    pool: Pool,
    selectors: Mapping[str, Selector],
    fractions: Sequence[float],
    classifiers: Sequence[Classifier],
    seed: Sequence[int],
) -> Draw:
    """Every selector at every k = ceil(fraction n).

    A selector's chance comes from `seed`, its place among all known selectors and k: it is the same whoever else
    takes part.
    """
    known = list(SELECTORS)
    sizes = subset_sizes(fractions, len(pool.y))
    trials: dict[str, list[Trial]] = {}
    for place, (name, selector) in enumerate(selectors.items()):
        stream = known.index(name) if name in known else len(known) + place
        streams = {k: np.random.default_rng([*seed, stream, k]) for k in sizes}
        chosen = [select(selector, pool.x, k, streams[k], pool.y) for k in sizes]
        trials[name] = [try_subset(pool, subset, classifiers) for subset in chosen]
    return Draw(len(pool.y), sizes, trials, learn(pool, np.arange(len(pool.y)), classifiers))


def subset_sizes(fractions: Sequence[float], n: int) -> list[int]:
    """k of each fraction of n, rounded up."""
    return [math.ceil(fraction * n) for fraction in fractions]


def try_subset(pool: Pool, chosen: Indices, classifiers: Sequence[Classifier]) -> Trial:
    """Learn from a subset and look at it."""
    found = np.isin(np.unique(pool.y), pool.y[chosen])
    rare = np.isin(pool.rare, pool.y[chosen]).mean() if len(pool.rare) else 1.0
    measures = measure_subset(pool.x, chosen)
    return Trial(chosen, learn(pool, chosen, classifiers), measures, float(found.mean()), float(rare))


def learn(pool: Pool, chosen: Indices, classifiers: Sequence[Classifier]) -> NDArray[np.float64]:
    """(classifiers,) test accuracy of each, fitted on the chosen samples only."""
    x, y = pool.x[chosen], pool.y[chosen]
    if len(np.unique(y)) == 1:  # nothing to tell apart
        return np.full(len(classifiers), float(np.mean(pool.y_test == y[0])))
    return np.array([np.mean(fitted(name, x, y).predict(pool.x_test) == pool.y_test) for name in classifiers])


def fitted(name: Classifier, x: Rows, y: Labels) -> Any:
    """A scikit-learn classifier fitted to (x, y); settings are fixed: so few samples leave none to choose them on."""
    if name == "nearest_neighbour":
        from sklearn.neighbors import KNeighborsClassifier

        return KNeighborsClassifier(1).fit(x, y)
    if name == "logistic_regression":
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=10, tol=1e-3, max_iter=1000).fit(x, y)
    from sklearn.svm import SVC

    return SVC(C=10).fit(x, y)  # RBF kernel, gamma = 1 / (m var(x))
