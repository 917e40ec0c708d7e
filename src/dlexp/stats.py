"""Means with 95 % intervals, over seeds or over samples, and paired differences."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
RESAMPLES = 2000

Side = Literal["above", "below", "undecided"]


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval; the ends are None where n < 2 leaves them unbounded."""

    mean: float
    low: float | None
    high: float | None
    n: int

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.mean:.4g} (n = {self.n}: no interval)"
        return f"{self.mean:.4g} [{self.low:.4g}, {self.high:.4g}]"

    def columns(self, name: str, separator: str = ": ") -> dict[str, float | None]:
        """Three columns of a table: the mean under `name`, and the ends (`NAME: low`, `NAME: high`)."""
        return {name: self.mean, f"{name}{separator}low": self.low, f"{name}{separator}high": self.high}

    def side_of(self, value: float) -> Side:
        """Where the whole interval lies with respect to `value`; undecided if it holds it or an end is unbounded."""
        if self.low is not None and self.low > value:
            return "above"
        if self.high is not None and self.high < value:
            return "below"
        return "undecided"


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Student's t interval of the mean of independent `values`.

    With comparisons in a family of m, pass `level = 1 - 0.05 / m` (Bonferroni).

    Raises:
        ValueError: there are no values, or some are not finite.
    """
    from scipy.special import stdtrit  # scipy.stats would cost over half a second of start-up

    array = np.asarray(values, dtype=np.float64).ravel()
    if array.size == 0 or not np.isfinite(array).all():
        raise ValueError("an interval needs at least one value, and all of them finite")
    mean = float(array.mean())
    if array.size == 1:
        return Interval(mean, None, None, 1)
    standard_error = float(array.std(ddof=1)) / math.sqrt(array.size)
    half = float(stdtrit(array.size - 1, (1 + level) / 2)) * standard_error
    return Interval(mean, mean - half, mean + half, int(array.size))


def paired_interval(treatment: ArrayLike, control: ArrayLike, level: float = LEVEL) -> Interval:
    """Interval of the mean difference treatment - control, paired element by element (by seed, by sample).

    Raises:
        ValueError: the two have different lengths.
    """
    first, second = np.asarray(treatment, dtype=np.float64), np.asarray(control, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"paired values differ in shape: {first.shape} and {second.shape}")
    return mean_interval(first - second, level)


def spearman(x: ArrayLike, y: ArrayLike) -> float:
    """Spearman's rank correlation; 0 where one of the two is constant (there is no order to agree with)."""
    from scipy.stats import spearmanr

    if np.ptp(np.asarray(x)) == 0 or np.ptp(np.asarray(y)) == 0:
        return 0.0
    return float(spearmanr(x, y).statistic)


def interval_of(
    statistic: Callable[..., float], *correct: Sequence[NDArray[np.bool_]], level: float = LEVEL
) -> Interval:
    """Interval of a `statistic` of accuracies, over repeated trainings, or over samples when there is only one net.

    Args:
        statistic: takes one vector of accuracies (conditions,) per entry of `correct`.
        correct: per kind of net, one array (conditions, samples) of right predictions for each training. Trainings
            of different kinds are paired by position, their samples by index.

    With two trainings or more: Student's t over trainings. With one (a given checkpoint): the mean with a percentile
    bootstrap over the samples, 2,000 resamples from a fixed seed, the same resamples for all kinds.
    """
    if len(correct[0]) > 1:
        trainings = list(zip(*correct, strict=True))
        return mean_interval([statistic(*(c.mean(axis=1) for c in kinds)) for kinds in trainings], level)
    (single,) = zip(*correct, strict=True)
    shares = bootstrap_shares(single[0].shape[1])
    resampled = [c.astype(np.float32) @ shares for c in single]  # (conditions, resamples)
    values = [statistic(*(accuracy[:, r] for accuracy in resampled)) for r in range(RESAMPLES)]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(statistic(*(c.mean(axis=1) for c in single))), float(low), float(high), len(shares))


@functools.lru_cache(maxsize=2)
def bootstrap_shares(samples: int) -> NDArray[np.float32]:
    """(samples, resamples): how often each sample is drawn in each resample, as a share of all draws."""
    counts = np.random.default_rng(0).multinomial(samples, np.full(samples, 1 / samples), size=RESAMPLES)
    return np.ascontiguousarray(counts.T / np.float32(samples), dtype=np.float32)
