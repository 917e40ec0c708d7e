"""A fused representation against its rivals: each layer alone, and controls for the number of features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlexp.probes.fusion import fit_fusion, random_features
from dlexp.probes.layer_measures import Layer
from dlexp.probes.representations import Samples
from dlexp.probes.simple_classifiers import CLASSIFIERS, fit_best
from dlexp.stats import LEVEL, Interval, mean_interval
from dlexp.tabular.families import family_level

FUSED = "fused"
FUSED_EQUAL = "fused, PCA"  # to as many features as the last layer has
LAST = "last layer"
WIDENED = "last layer + random"  # random features of it, up to as many as the fused representation has
UNTRAINED = "fused, random weights"
RAW = "input"  # all of it, no net
BEST = "best layer alone"  # the one that does best on validation samples
Accuracies = dict[str, float]  # classifier -> test accuracy


@dataclass(frozen=True)
class Trial:
    """Test accuracies on the representations of one net."""

    compared: dict[str, Accuracies]  # representation -> classifier -> test accuracy; see the names above
    alone: dict[str, Accuracies]  # layer -> the same on that layer alone
    best_alone: Accuracies  # on the layer that does best on validation samples
    equal: dict[str, float]  # layer -> the first classifier's, fused, cut to as many features as that layer has
    last_of: list[float]  # the first classifier's, on the last 1, 2, ... layers fused
    features: dict[str, int]  # representation or layer -> how many features


PerSeed = list[list[Trial]]  # seed -> its trials, whose mean is the seed's value


def width(layer: Layer) -> int:
    """How many features a representation has."""
    return int(layer.train.x.shape[1])


def fuse(known: Mapping[str, Layer], layers: Sequence[str], components: int | None = None) -> Layer:
    """`layers` fused; what is fitted, on training samples. `components` as in `fit_fusion`, and at most min(N, D)."""
    parts = [{name: getattr(each, split).x for name, each in known.items()} for split in ("train", "val", "test")]
    if components is not None:
        total = sum(parts[0][name].shape[1] for name in layers)
        components = min(components, total, len(parts[0][layers[0]]))
    fusion = fit_fusion(parts[0], layers, components)
    first = known[layers[0]]
    labels = (first.train.y, first.val.y, first.test.y)
    return Layer(*(Samples(fusion.transform(part), y) for part, y in zip(parts, labels, strict=True)))


def widened(known: Mapping[str, Layer], layer: str, total: int, seed: int) -> Layer:
    """`layer` with so many random features of its own that there are `total` in all (one at least)."""
    own = fuse(known, [layer])
    extra = max(total - width(own), 1)
    added = Layer(*(
        Samples(random_features(each.x, extra, seed), each.y) for each in (own.train, own.val, own.test)
    ))  # fmt: skip
    return fuse({layer: known[layer], "random": added}, [layer, "random"])


def classify(given: Layer, classifiers: Sequence[str]) -> tuple[Accuracies, Accuracies]:
    """Test and validation accuracy of each classifier, its setting chosen on validation samples."""
    fitted = {name: fit_best(CLASSIFIERS[name], given.train, given.val) for name in classifiers}
    test = {name: each.accuracy(given.test) for name, each in fitted.items()}
    return test, {name: each.accuracy(given.val) for name, each in fitted.items()}


def try_fusion(
    known: Mapping[str, Layer],
    before: Mapping[str, Layer],
    raw: Layer,
    layers: Sequence[str],
    last: str,
    classifiers: Sequence[str],
    seed: int,
) -> Trial:
    """Every representation through every classifier.

    Args:
        known: the layers of a trained net, `before` those of the same net before training, `raw` the input to both.
        layers: which are fused, two or more; `last` is the one that the fused representation is compared with.
        classifiers: keys of CLASSIFIERS; the first one also measures subsets and cuts of the fused features.
        seed: of the random features.
    """
    fused, single = fuse(known, layers), {name: fuse(known, [name]) for name in layers}
    own = single[last] if last in single else fuse(known, [last])
    rivals = {
        FUSED: fused,
        FUSED_EQUAL: fuse(known, layers, width(own)),
        LAST: own,
        WIDENED: widened(known, last, width(fused), seed),
        UNTRAINED: fuse(before, layers),
        RAW: fuse({RAW: raw}, [RAW]),
    }
    compared = {name: classify(each, classifiers)[0] for name, each in rivals.items()}
    measured = {name: classify(each, classifiers) for name, each in single.items()}
    best = {one: max(layers, key=lambda name: measured[name][1][one]) for one in classifiers}
    first = classifiers[0]
    sizes = {name: width(each) for name, each in single.items()}
    at_size = {size: classify(fuse(known, layers, size), [first])[0][first] for size in set(sizes.values())}
    between = [fuse(known, layers[-count:]) for count in range(2, len(layers))]
    grown = [classify(each, [first])[0][first] for each in between]
    return Trial(
        compared,
        {name: test for name, (test, _) in measured.items()},
        {one: measured[name][0][one] for one, name in best.items()},
        {name: at_size[size] for name, size in sizes.items()},
        [measured[layers[-1]][0][first], *grown, compared[FUSED][first]],
        {name: width(each) for name, each in rivals.items()} | sizes,
    )


def per_seed(trials: PerSeed, part: Callable[[Trial], Sequence[float]]) -> NDArray[np.float64]:
    """(seeds, numbers): some numbers of each trial, mean over the trials of a seed."""
    return np.array([np.mean([part(each) for each in those], axis=0) for those in trials])


def intervals(values: NDArray[np.float64], level: float = LEVEL) -> list[Interval]:
    """One interval over seeds for each column of (seeds, columns)."""
    return [mean_interval(column, level) for column in values.T]


def accuracies(trials: PerSeed, name: str, classifiers: Sequence[str]) -> NDArray[np.float64]:
    """(seeds, classifiers): test accuracy on one representation."""
    return per_seed(trials, lambda one: [(one.compared | {BEST: one.best_alone})[name][each] for each in classifiers])


def gains(trials: PerSeed, name: str, rival: str, classifiers: Sequence[str]) -> dict[str, Interval]:
    """Paired difference of two representations for each classifier, at the level of their family."""
    difference = accuracies(trials, name, classifiers) - accuracies(trials, rival, classifiers)
    return dict(zip(classifiers, intervals(difference, family_level(len(classifiers))), strict=True))


def at_equal_dimension(trials: PerSeed, layers: Sequence[str], classifier: str) -> dict[str, Interval]:
    """For each layer: fused features, as many as it has, minus the layer; at the level of their family."""
    difference = per_seed(trials, lambda one: [one.equal[name] - one.alone[name][classifier] for name in layers])
    return dict(zip(layers, intervals(difference, family_level(len(layers))), strict=True))
