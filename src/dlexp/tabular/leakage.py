"""What a preprocessing step gains from having seen the test rows: the leaky and the clean protocol on equal terms.

Clean: split, fit every step on the training rows only (scikit-learn's `Pipeline`), predict the test rows. Leaky: fit
the preprocessing on all rows, then split. Both see the same rows, split and models, so their difference is the leak.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlexp.stats import LEVEL, Interval

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]
Rows = NDArray[np.int64]  # indices of rows


@dataclass(frozen=True)
class Pair:
    """One model under both protocols, on the same test rows."""

    leaky: float  # accuracy, 0..1
    clean: float  # accuracy, 0..1
    changed: float  # share of the test rows whose predicted class differs, 0..1


def compare_protocols(
    preprocess: Any, models: Mapping[str, Any], x: Matrix, y: Labels, train: Rows, test: Rows
) -> dict[str, Pair]:
    """Every model after the leaky and after the clean preprocessing.

    Args:
        preprocess: an unfitted scikit-learn transformer; it is cloned, and given `y` too (a supervised one uses it).
        models: unfitted scikit-learn classifiers by name; they are cloned.
        x: (n, m) features. y: (n,) classes. train, test: the rows of each side.

    Raises:
        ValueError: a row is on both sides, or a side is empty.
    """
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline

    _refuse_overlap(train, test)
    seen_all = clone(preprocess).fit_transform(x, y)
    pairs = {}
    for name, model in models.items():
        leaky = clone(model).fit(seen_all[train], y[train]).predict(seen_all[test])
        clean = make_pipeline(clone(preprocess), clone(model)).fit(x[train], y[train]).predict(x[test])
        pairs[name] = Pair(
            leaky=float(np.mean(leaky == y[test])),
            clean=float(np.mean(clean == y[test])),
            changed=float(np.mean(leaky != clean)),
        )
    return pairs


def influence_of_test_rows(
    preprocess: Any, x: Matrix, y: Labels, train: Rows, test: Rows, other: Matrix, clean: bool
) -> float:
    """How far the preprocessed training rows move when the test rows are replaced by `other`: 0 without a leak.

    This is the definition of the leak made a test: nothing that is computed before the evaluation may depend on the
    test rows. Largest absolute change of any entry, in units of the preprocessed features; `preprocess` must return as
    many columns both times.

    Raises:
        ValueError: `other` has not the shape of the test rows, or the sides overlap.
    """
    from sklearn.base import clone

    _refuse_overlap(train, test)
    if other.shape != x[test].shape:
        raise ValueError(f"other: shape {other.shape}, but the test rows have {x[test].shape}")
    replaced = x.copy()
    replaced[test] = other
    views = []
    for rows in (x, replaced):
        fitted_on = train if clean else np.concatenate([train, test])
        views.append(clone(preprocess).fit(rows[fitted_on], y[fitted_on]).transform(rows[train]))
    return float(np.abs(views[0] - views[1]).max())


def standardisation_shift(x: Matrix, train: Rows) -> tuple[Matrix, Matrix]:
    """How the leaky standardisation differs from the clean one, per feature.

    With mu, sigma the mean and standard deviation of all rows and mu_T, sigma_T those of the training rows, the clean
    features are an affine map of the leaky ones: z_clean = (sigma / sigma_T) z_leaky + (mu - mu_T) / sigma_T.

    Returns:
        (m,) the offset (mu - mu_T) / sigma_T, and (m,) the logarithm of the scale sigma / sigma_T. Both 0: no leak.

    Raises:
        ValueError: a feature is constant on the training rows.
    """
    spread = x[train].std(axis=0)
    if not (spread > 0).all():
        raise ValueError(f"feature {int(np.argmin(spread > 0))} is constant on the training rows")
    return (x.mean(axis=0) - x[train].mean(axis=0)) / spread, np.log(x.std(axis=0) / spread)


def corrected_interval(differences: ArrayLike, n_train: int, n_test: int, level: float = LEVEL) -> Interval:
    """Interval of the mean difference over random splits of ONE data set: the corrected resampled t-test.

    Such splits share rows, so their differences are correlated and the plain t interval is too short. The variance of
    the mean is taken as (1/J + n_test/n_train) s^2 for J splits: that is their correlation taken to be
    n_test / (n_train + n_test) (Nadeau and Bengio 2003, "corrected resampled t-test").

    Raises:
        ValueError: there are fewer than 2 differences, or a side has no rows.
    """
    from scipy.special import stdtrit

    values = np.asarray(differences, dtype=np.float64).ravel()
    if values.size < 2 or n_train < 1 or n_test < 1:
        raise ValueError("the corrected interval needs at least 2 splits with rows on both sides")
    error = float(values.std(ddof=1)) * math.sqrt(1 / values.size + n_test / n_train)
    half = float(stdtrit(values.size - 1, (1 + level) / 2)) * error
    mean = float(values.mean())
    return Interval(mean, mean - half, mean + half, int(values.size))


def _refuse_overlap(train: Rows, test: Rows) -> None:
    if len(train) == 0 or len(test) == 0:
        raise ValueError("both sides of the split need rows")
    shared = np.intersect1d(train, test)
    if shared.size:
        raise ValueError(f"row {shared[0]} is on both sides of the split")
