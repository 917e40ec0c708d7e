"""Many draws put together: accuracy by k, and what a selector gains over the baseline of its mode."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.stats import Interval, mean_interval, spearman
from dlexp.tabular.selection import BASELINES, Selector
from dlexp.tabular.selection_trials import Draw, Trial
from dlexp.tabular.subset_measures import SubsetMeasures

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Study:
    """All draws of each condition, and who took part."""

    selectors: Mapping[str, Selector]
    classifiers: Sequence[str]
    fractions: Sequence[float]  # of n, ascending
    draws: Mapping[str, Sequence[Draw]]  # by condition

    def rivals(self, aware: bool) -> list[str]:
        """The selectors of a mode without its baseline."""
        return [name for name, each in self.selectors.items() if each.aware == aware and name not in BASELINES.values()]

    def baseline(self, name: str) -> str:
        """The baseline of a selector's mode."""
        return BASELINES[self.selectors[name].aware]

    def values(self, condition: str, name: str, value: Callable[[Trial], float]) -> Values:
        """(draws, fractions): one number of each trial of a selector."""
        return np.array([[value(trial) for trial in draw.trials[name]] for draw in self.draws[condition]])

    def measured(self, condition: str) -> dict[str, dict[str, Values]]:
        """(draws, fractions) of each measure of `SubsetMeasures`, by measure and selector."""
        names = [field.name for field in fields(SubsetMeasures)]
        found: dict[str, dict[str, Values]] = {name: {} for name in names}
        for selector in self.selectors:
            trials = [draw.trials[selector] for draw in self.draws[condition]]
            for name in names:
                found[name][selector] = np.array([[getattr(t.measures, name) for t in each] for each in trials])
        return found

    def accuracy(self, condition: str, name: str) -> Values:
        """(draws, fractions, classifiers)"""
        return np.array([[trial.accuracy for trial in draw.trials[name]] for draw in self.draws[condition]])

    def mean_accuracy(self, condition: str, name: str) -> list[float]:
        """At each fraction, mean of draws and classifiers."""
        return [float(value) for value in self.accuracy(condition, name).mean(axis=(0, 2))]

    def gain(self, condition: str, name: str, over: str | None = None) -> Values:
        """(draws, fractions): accuracy beyond `over` (None: the baseline) in the same draw, mean of the classifiers."""
        over = over or self.baseline(name)
        return np.asarray((self.accuracy(condition, name) - self.accuracy(condition, over)).mean(axis=2))

    def mean_gain(self, condition: str, name: str, level: float) -> Interval:
        """The gain over the baseline, mean of the fractions too: its interval over the draws."""
        return mean_interval(self.gain(condition, name).mean(axis=1), level)

    def random_equivalent(self, condition: str, name: str) -> float | None:
        """The fraction at which random choice is as accurate as `name` at the smallest one; None: beyond the largest.

        Linear between fractions; the smallest one where random choice is no worse there.
        """
        random = np.maximum.accumulate(self.mean_accuracy(condition, BASELINES[False]))
        reached = self.mean_accuracy(condition, name)[0]
        return float(np.interp(reached, random, self.fractions)) if reached <= random[-1] else None

    def rank_correlation(self, condition: str, value: Callable[[Trial], float]) -> Values:
        """(draws,): Spearman's correlation, across selectors, of a value with accuracy; mean of the fractions."""
        accuracy = np.stack([self.accuracy(condition, name).mean(axis=2) for name in self.selectors])
        values = np.stack([self.values(condition, name, value) for name in self.selectors])
        _, draws, fractions = values.shape
        found = [[spearman(values[:, d, f], accuracy[:, d, f]) for f in range(fractions)] for d in range(draws)]
        return np.asarray(np.mean(found, axis=1))


def summary_rows(study: Study, aware: bool, level: float, margin: float) -> list[dict[str, Any]]:
    """One row per condition and selector of a mode: accuracy at each k, the gain, and what it says at `margin`."""
    rows = []
    for condition in study.draws:
        for name in [BASELINES[aware], *study.rivals(aware)]:
            accuracy = zip(study.fractions, study.mean_accuracy(condition, name), strict=True)
            row: dict[str, Any] = {"condition": condition, "selector": name}
            row |= {f"at {percent(fraction)}": each for fraction, each in accuracy}
            if name == BASELINES[aware]:
                row |= {"gain": None, "low": None, "high": None, "reading": "baseline"}
            else:
                gain = study.mean_gain(condition, name, level)
                row |= {"gain": gain.mean, "low": gain.low, "high": gain.high, "reading": reading(gain, margin)}
            rows.append(row | {"random needs": equivalent_text(study, condition, name)})
    return rows


def rows_by_fraction(study: Study, values: Mapping[str, Values]) -> list[dict[str, Any]]:
    """One row per selector: the mean over draws of its `values` (draws, fractions) at each k."""
    return [
        {"selector": name, "mode": "label-aware" if study.selectors[name].aware else "label-free"}
        | {f"at {percent(f)}": mean for f, mean in zip(study.fractions, each.mean(axis=0), strict=True)}
        for name, each in values.items()
    ]


def measure_rows(study: Study, condition: str, fraction: int) -> list[dict[str, Any]]:
    """One row per selector: the measures of its subsets at the fraction of that index, mean over draws."""
    measured = study.measured(condition)
    return [
        {"selector": name}
        | {key.replace("_", " "): each[name][:, fraction].mean() for key, each in measured.items()}
        | {"classes found": study.values(condition, name, lambda trial: trial.classes_found)[:, fraction].mean()}
        | {"accuracy": study.mean_accuracy(condition, name)[fraction]}
        for name in study.selectors
    ]


def all_rows(study: Study) -> list[dict[str, Any]]:
    """One row per condition, selector, k and classifier; gains over the baseline with 95 % intervals."""
    rows = []
    for condition, draws in study.draws.items():
        for name in study.selectors:
            accuracy = study.accuracy(condition, name)
            gain = accuracy - study.accuracy(condition, study.baseline(name))
            for f, k in enumerate(draws[0].sizes):
                for c, classifier in enumerate(study.classifiers):
                    found = mean_interval(gain[:, f, c])
                    row = {"condition": condition, "selector": name, "k": k, "classifier": classifier}
                    row |= {"accuracy": accuracy[:, f, c].mean()}
                    baseline = name == study.baseline(name)
                    ends = (None, None, None) if baseline else (found.mean, found.low, found.high)
                    rows.append(row | dict(zip(("gain", "low", "high"), ends, strict=True)))
    return rows


def reading(gain: Interval, margin: float) -> str:
    """What an interval says about a gain."""
    if gain.low is None or gain.high is None:
        return "undecided"
    if gain.low > margin:
        return "better"
    if gain.high < -margin:
        return "worse"
    if gain.high < margin:
        return "no material difference" if gain.low > -margin else "not better"
    return "undecided"


def equivalent_text(study: Study, condition: str, name: str) -> str:
    """`random_equivalent` as people read it."""
    found, smallest = study.random_equivalent(condition, name), study.fractions[0]
    if found is None:
        return f"> {percent(study.fractions[-1])}"
    below = study.mean_accuracy(condition, name)[0] < study.mean_accuracy(condition, BASELINES[False])[0]
    return f"< {percent(smallest)}" if below else f"{100 * found:.1f} %"


def percent(fraction: float) -> str:
    """0.01 is 1 %."""
    return f"{100 * fraction:g} %"
