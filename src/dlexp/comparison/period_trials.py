"""What comes out of a training when something is on in one period or another (see `dlexp.comparison.period_plan`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.comparison.period_plan import AUGMENTATION, DECAY, PAUSE, Run, Window, run_of
from dlexp.data import Dataset
from dlexp.lab import Lab
from dlexp.stats import Interval, paired_interval
from dlexp.training.evaluate import accuracy
from dlexp.training.recipe import Recipe

Vector = NDArray[np.float64]  # one value per seed


@dataclass(frozen=True)
class Outcome:
    """All seeds of one run."""

    test: Vector  # final test accuracy
    train: Vector  # final accuracy on the training inputs and labels as they are outside of deficits
    fisher: NDArray[np.float64] | None  # (seeds, 1 + measurements): trace at the start and after; None: not measured
    rates: list[float]  # learning rate at the end of each epoch

    def dose(self, window: Window) -> float:
        """The share of `window` in the sum of the learning rates: of all that weight decay does in the training."""
        return sum(self.rates[slice(*window)]) / sum(self.rates)

    @property
    def last_trace(self) -> float:
        """The Fisher trace at the end, its geometric mean over the seeds."""
        if self.fisher is None:
            raise ValueError("the Fisher trace of this run was not measured")
        return geometric(self.fisher[:, -1])


class Outcomes(dict[Run, Outcome]):
    """By run; a window of no epoch is "never"."""

    def test(self, setting: str, kind: str, window: Window) -> Vector:
        """Final test accuracy, one per seed."""
        return self[run_of(setting, kind, window)].test

    def gain(self, setting: str, kind: str, window: Window, over: Window = (0, 0)) -> Interval:
        """Test accuracy with `window` minus that with the window `over`, paired by seed."""
        return paired_interval(self.test(setting, kind, window), self.test(setting, kind, over))

    def beyond_pause(self, setting: str, kind: str, window: Window) -> Interval:
        """What a deficit costs more than a pause in the same window, paired by seed."""
        return paired_interval(self.test(setting, PAUSE, window), self.test(setting, kind, window))

    def row(self, setting: str, kind: str, window: Window, gain: str) -> dict[str, Any]:
        """Columns of a table: accuracies, and the `gain` over "never" with its interval."""
        outcome, effect = self[run_of(setting, kind, window)], self.gain(setting, kind, window)
        accuracies = {"test accuracy": float(outcome.test.mean()), "train accuracy": float(outcome.train.mean())}
        return accuracies | {gain: effect.mean, "low": effect.low, "high": effect.high}


def period_callback(kind: str, window: Window, weight_decay: float, blur_factor: int, seed: int) -> dict[str, Any]:
    """The config node of the callback that turns `kind` on in `window`: a regulariser, a pause, or a deficit.

    `weight_decay` is its strength, `blur_factor` how many times smaller a blurred image is; `seed` deals out labels.
    """
    what: dict[str, dict[str, Any]] = {
        DECAY: {"_target_": "dlexp.training.periods.WeightDecayPeriod", "weight_decay": weight_decay},
        AUGMENTATION: {"_target_": "dlexp.training.periods.AugmentationPeriod"},
        PAUSE: {"_target_": "dlexp.training.periods.Pause"},
    }
    deficit = {"_target_": "dlexp.training.deficits.Deficit", "kind": kind, "factor": blur_factor, "seed": seed}
    return {**what.get(kind, deficit), "start": window[0], "stop": window[1]}


def train_runs(lab: Lab, recipes: Mapping[Run, Sequence[Recipe]], data: Mapping[Run, Sequence[Dataset]]) -> Outcomes:
    """Train all recipes side by side, each on the dataset at its place; one recipe per seed, in the same order."""
    names = {run: [f"{run}/{recipe.seed}" for recipe in each] for run, each in recipes.items()}
    flat = {name: recipe for run, each in names.items() for name, recipe in zip(each, recipes[run], strict=True)}
    places = {name: dataset for run, each in names.items() for name, dataset in zip(each, data[run], strict=True)}
    trained = lab.train(flat, data=places, curves=False)  # hundreds of curves would bury each other

    def accuracies(name: str) -> tuple[float, float]:
        return accuracy(trained[name].net, places[name].test), accuracy(trained[name].net, places[name].train)

    measured = dict(zip(trained, lab.map(accuracies, list(trained), "testing"), strict=True))
    done = Outcomes()
    for run, each in names.items():
        test, fit = np.array([measured[name] for name in each]).T
        traces = [fisher_history(trained[name].history) for name in each]
        rates = [row["lr"] for row in trained[each[0]].history]
        done[run] = Outcome(test, fit, np.array(traces) if traces[0] else None, rates)
    return done


def fisher_history(history: Sequence[Mapping[str, float]]) -> list[float]:
    """What `FisherTrace` measured: at the start, and after some epochs; empty where it was not asked to."""
    keys = ("fisher_trace_at_start", "fisher_trace")
    return [row[key] for row in history for key in keys if key in row]


def trace_rows(traces: Mapping[str, NDArray[np.float64]], epochs: Sequence[int], length: int) -> list[dict[str, Any]]:
    """A row per treatment of its Fisher `traces` (seeds, epochs), `length` the epochs of the first window.

    Geometric means over the seeds, as traces span orders of magnitude; the epoch of the highest is a plain mean.
    """
    after = int(np.searchsorted(epochs, length))
    return [
        {
            "training": label,
            "at the start": geometric(each[:, 0]),
            "highest": geometric(each.max(axis=1)),
            "its epoch": float(np.take(epochs, each.argmax(axis=1)).mean()),
            "after the first window": geometric(each[:, after]),
            "at the end": geometric(each[:, -1]),
        }
        for label, each in traces.items()
    ]


def geometric(values: NDArray[np.float64]) -> float:
    """The geometric mean of values that are not negative; 0 counts as the smallest positive number."""
    return float(np.exp(np.log(np.maximum(values, np.finfo(np.float64).tiny)).mean()))
