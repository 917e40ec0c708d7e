"""Single trials of a leak on data drawn afresh: features selected on noise, and standardisation by size and tails.

Each trial draws its own data and split from its seed, so that trials of different seeds are independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.tabular.leakage import Labels, Matrix, Pair, Rows, compare_protocols, standardisation_shift

TAILS = ("uniform", "normal", "student")


@dataclass(frozen=True)
class Shift:
    """What the standardisation leak is and does in one trial."""

    log_offset: float  # log |mu - mu_T| / sigma_T, averaged over features
    log_scale: float  # |log sigma / sigma_T|, averaged over features
    gap: float  # accuracy, leaky - clean
    changed: float  # share of test rows whose predicted class differs


def classifiers(trees: int, depth: int = 3) -> dict[str, Any]:
    """OLS on one-hot targets, an SVM with RBF kernel, and gradient-boosted trees, as scikit-learn classifiers.

    The SVM has a fixed gamma = 1/m: the default divides it by the variance, which undoes most of a leak in the scale.
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.svm import SVC
    from xgboost import XGBClassifier

    one_hot = OneHotEncoder(sparse_output=False)  # and back by the largest of the predicted columns
    return {
        "OLS": TransformedTargetRegressor(LinearRegression(), transformer=one_hot),
        "RBF-SVM": SVC(kernel="rbf", gamma="auto"),
        "XGBoost": XGBClassifier(n_estimators=trees, max_depth=depth, n_jobs=1),
    }


def split_rows(n: int, test_share: float, seed: int, stratify: Labels | None = None) -> tuple[Rows, Rows]:
    """Training and test rows, drawn as scikit-learn's `train_test_split` does."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(np.arange(n), test_size=test_share, random_state=seed, stratify=stratify)
    return train, test


def split_seed(seed: Sequence[int]) -> int:
    """A seed for the split, apart from that of the data."""
    return int(np.random.SeedSequence([*seed, 1]).generate_state(1)[0])


def selection_trial(
    seed: Sequence[int], rows: int, features: Sequence[int], keep: int, models: dict[str, Any], test_share: float
) -> dict[tuple[str, int], dict[str, Pair]]:
    """Standard normal noise, two balanced classes: `keep` of m features selected before or after splitting.

    The F-score uses the labels of the rows it sees (Ambroise and McLachlan 2002 call what follows selection bias); the
    variance does not, and is the control that leaks without them.

    Args:
        seed: of data and split. features: the values of m; smaller sets are the first columns of the largest.

    Returns:
        For ("F-score" or "variance", m), each model's pair.
    """
    from sklearn.feature_selection import SelectKBest, f_classif

    scores: dict[str, Callable[..., Any]] = {"F-score": f_classif, "variance": lambda x, y: x.var(axis=0)}
    noise = np.random.default_rng(seed).standard_normal((rows, max(features)))
    y = np.arange(rows) % 2
    train, test = split_rows(rows, test_share, split_seed(seed), stratify=y)
    return {
        (name, m): compare_protocols(SelectKBest(score, k=keep), models, noise[:, :m], y, train, test)
        for m in features
        for name, score in scores.items()
    }


def draw_features(
    generator: np.random.Generator, tails: str, shape: tuple[int, int], dof: float
) -> tuple[Matrix, float]:
    """Independent features of one of `TAILS`, and the interquartile range of their distribution.

    Raises:
        ValueError: `tails` is none of `TAILS`.
    """
    from scipy.special import ndtri, stdtrit

    if tails == "uniform":
        return generator.random(shape), 0.5
    if tails == "normal":
        return generator.standard_normal(shape), 2 * float(ndtri(0.75))
    if tails == "student":
        return generator.standard_t(dof, shape), 2 * float(stdtrit(dof, 0.75))
    raise ValueError(f"tails={tails}: must be one of {', '.join(TAILS)}")


def standardisation_trial(seed: Sequence[int], n: int, tails: str, dof: float, model: Any, test_share: float) -> Shift:
    """Two features, two balanced classes; in the second class the first feature is shifted by its interquartile range.

    `dof` are the degrees of freedom of "student" tails; the variance is infinite for dof <= 2.
    """
    from sklearn.preprocessing import StandardScaler

    x, unit = draw_features(np.random.default_rng(seed), tails, (n, 2), dof)
    y = np.arange(n) % 2
    x[:, 0] += unit * y
    train, test = split_rows(n, test_share, split_seed(seed), stratify=y)
    offset, scale = standardisation_shift(x, train)
    pair = compare_protocols(StandardScaler(), {"model": model}, x, y, train, test)["model"]
    log_offset = float(np.log(np.abs(offset)).mean())
    return Shift(log_offset, float(np.abs(scale).mean()), pair.leaky - pair.clean, pair.changed)


def average_shift(trials: Sequence[Shift]) -> NDArray[np.float64]:
    """(4,) the fields of `Shift`, averaged; rounded, so that a mean of -1 and 1 is 0 and not its rounding error."""
    fields = np.array([[each.log_offset, each.log_scale, each.gap, each.changed] for each in trials])
    mean: NDArray[np.float64] = fields.mean(axis=0).round(12)
    return mean
