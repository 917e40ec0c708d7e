"""Predicting how good a configuration is without training it: regressors on encoded configurations, judged held out."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.search.space import Configuration, Space
from dlexp.stats import spearman

Matrix = NDArray[np.float64]
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]  # indices to fit on, and to predict


def surrogates(seed: int, trees: int = 100) -> dict[str, Callable[[], Any]]:
    """name -> maker of a fresh scikit-learn regressor; `mean` is the control that looks at no feature.

    The random forest has `trees` trees.
    """
    from sklearn.dummy import DummyRegressor
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern, WhiteKernel
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler
    from xgboost import XGBRegressor

    def gaussian_process() -> Any:
        kernel = 1.0 * Matern(nu=2.5) + WhiteKernel(1e-2)
        return make_pipeline(StandardScaler(), GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed))

    penalties = np.logspace(-3, 3, 13)
    return {
        "mean": DummyRegressor,
        "ridge": lambda: make_pipeline(StandardScaler(), RidgeCV(penalties)),
        "ridge, squares and products": lambda: make_pipeline(
            PolynomialFeatures(2, include_bias=False), StandardScaler(), RidgeCV(penalties)
        ),
        "random forest": lambda: RandomForestRegressor(trees, min_samples_leaf=2, random_state=seed, n_jobs=1),
        "Gaussian process": gaussian_process,
        "XGBoost": lambda: XGBRegressor(
            n_estimators=200, max_depth=4, learning_rate=0.1, subsample=0.8, random_state=seed, n_jobs=1
        ),
    }


@dataclass(frozen=True)
class Quality:
    """How well a surrogate predicts configurations that it was not fitted on."""

    r2: float  # 1 - SSE / SSE of the mean of the fitted values; at most 1, 0 for the mean predictor
    rank_correlation: float  # Spearman's; 0 where the prediction is constant
    regret: float  # value of the best configuration minus that of the one predicted to be best; at least 0


def quality(predicted: Matrix, true: Matrix, mean_of_fitted: float) -> Quality:
    """Compare predictions (n,) with true values (n,); `mean_of_fitted` is what the mean predictor would say."""
    baseline = float(((true - mean_of_fitted) ** 2).sum())
    error = float(((true - predicted) ** 2).sum())
    r2 = 1 - error / baseline if baseline > 0 else 0.0
    ties = np.flatnonzero(predicted == predicted.max())  # a constant prediction picks any: count their mean
    return Quality(r2, spearman(predicted, true), float(true.max() - true[ties].mean()))


def held_out_quality(make: Callable[[], Any], x: Matrix, y: Matrix, folds: Sequence[Fold]) -> Quality:
    """Fit on each fold's first part and judge the prediction of its second; the mean over the folds."""
    from sklearn.exceptions import ConvergenceWarning

    judged = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its bound: the feature has no effect
        for fit_on, held_out in folds:
            predicted = make().fit(x[fit_on], y[fit_on]).predict(x[held_out])
            judged.append(quality(np.asarray(predicted, dtype=np.float64), y[held_out], float(y[fit_on].mean())))
    return Quality(*(fmean(getattr(each, part.name) for each in judged) for part in fields(Quality)))


def random_folds(n: int, count: int, seed: int) -> list[Fold]:
    """`count` folds of random configurations."""
    parts = np.array_split(np.random.default_rng([seed, 4]).permutation(n), count)
    return [(np.concatenate([part for part in parts if part is not held]), held) for held in parts]


def value_folds(space: Space, configurations: Sequence[Configuration], axis: str) -> Iterator[tuple[Any, Fold]]:
    """For each value of `axis`: fit on all other values of it, predict the configurations that have it."""
    values = [each[axis] for each in configurations]
    for value in dict.fromkeys(values):
        has = np.array([each == value for each in values])
        yield value, (np.flatnonzero(~has), np.flatnonzero(has))
