"""Nets of the same initial weights of which different subsets of the parameters learn, at several depths and widths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dlexp.comparison.tuned import Contender, Tuned, scores_of, tune_and_train
from dlexp.errors import DlexpError
from dlexp.lab import Lab
from dlexp.probes.frozen import Movement, movement
from dlexp.stats import LEVEL, Interval, paired_interval
from dlexp.training.single import Trained
from dlexp.training.subsets import SUBSETS, learning_masks

Start = Literal["uniform", "ones"]  # of gamma
Shape = Mapping[str, int]  # what of the model differs from the base: {} or {"depth": 14}

OTHER_START = "batchnorm, other start"


@dataclass(frozen=True)
class Study:
    """Every contender at its rate, one net per seed, and what the nets are worth."""

    tuned: Mapping[str, Tuned]
    accuracy: Mapping[str, list[float]]  # name -> test accuracy, one per seed
    moved: Mapping[str, list[Movement]]  # name -> what changed since the initialisation, one per seed
    base: Sequence[str]  # the names at the base depth and width

    def gain(self, name: str, other: str, level: float = LEVEL) -> Interval:
        """Test accuracy of one contender beyond another's, paired over seeds."""
        return paired_interval(self.accuracy[name], self.accuracy[other], level)

    def learning(self, name: str) -> int:
        """How many numbers of each net of this contender may learn."""
        return self.moved[name][0].learning


def shapes(model: Mapping[str, Any], sweeps: Mapping[str, Sequence[int]]) -> list[Shape]:
    """The base, and for each key of `model` in `sweeps` the nets with its other values, all else equal."""
    return [{}, *({key: value} for key, values in sweeps.items() for value in sorted({*values} - {model.get(key)}))]


def name_of(subset: str, shape: Shape) -> str:
    """The contender's name: `batchnorm` at the base, else `batchnorm, depth 14`."""
    return ", ".join([subset, *(f"{key} {value}" for key, value in shape.items())])


def names_along(model: Mapping[str, Any], key: str, values: Sequence[int], subset: str) -> dict[int, str]:
    """Value of `key`, growing, the base's among them -> the name of the contender of `subset` there."""
    base = model[key]
    return {value: name_of(subset, {} if value == base else {key: value}) for value in sorted({*values, base})}


def subset_contender(lab: Lab, name: str, subset: str, shape: Shape, start: Start) -> Contender:
    """The lab's net in `shape`, its gamma started so, of which `subset` learns; it keeps its initial weights."""
    base = lab.recipe(seed=0)
    model = {**base.model, **shape}
    if start == "uniform":
        inner = {key: value for key, value in model.items() if key != "weights"}
        target = "dlexp.models.random_scales.with_random_scales"
        model = {"_target_": target, "net": {**inner, "_partial_": True}}
    only = {"_target_": "dlexp.training.subsets.LearnOnly", "subset": subset}
    return Contender(name, {"model": model, "trainer": base.trainer.keeping_start(), "callbacks": [only]})


def train_subsets(
    lab: Lab,
    start: Start,
    sweeps: Mapping[str, Sequence[int]],
    swept: Sequence[str],
    rates: Sequence[float],
    tuning_repetitions: int,
) -> Study:
    """Every subset at the base shape, those of `swept` at every other one, each at the best of `rates` for it.

    BatchNorm alone is trained from the other start of gamma too (`OTHER_START`).

    Raises:
        DlexpError: a net diverged at the rate that was best on validation data.
    """
    other: Start = "ones" if start == "uniform" else "uniform"
    contenders = [subset_contender(lab, subset, subset, {}, start) for subset in SUBSETS]
    contenders.append(subset_contender(lab, OTHER_START, "batchnorm", {}, other))
    base = [each.name for each in contenders]
    for shape in shapes(lab.config["model"], sweeps)[1:]:
        contenders += [subset_contender(lab, name_of(subset, shape), subset, shape, start) for subset in swept]
    tuned = {each.name: each for each in tune_and_train(lab, contenders, rates, tuning_repetitions)}
    for name, each in tuned.items():
        if any(net.diverged for net in each.trained):
            raise DlexpError(f"{name}: a net diverged at its best rate, {each.rate:g}; add lower ones to params.rates")
    accuracy = {
        name: [score.accuracy for score in scores_of(lab, each.trained, lab.dataset.test)]
        for name, each in tuned.items()
    }
    moved = {name: [moved_since_start(net) for net in each.trained] for name, each in tuned.items()}
    return Study(tuned, accuracy, moved, base)


def moved_since_start(trained: Trained) -> Movement:
    """What a training with the callback `LearnOnly` and a snapshot of the initialisation changed."""
    (subset,) = [each["subset"] for each in trained.recipe.callbacks if each["_target_"].endswith(".LearnOnly")]
    return movement(trained.net, trained.snapshots[0], learning_masks(trained.net, subset, trained.recipe.seed))
