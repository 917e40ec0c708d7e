"""Every measure of separability at every layer of one net, all on the same samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dlexp.data import Dataset, Split
from dlexp.probes.representations import Samples, at_most, representations
from dlexp.probes.separability import fisher_ratio, fit_linear_probe, knn_accuracy, silhouette
from dlexp.probes.tunnel import numerical_rank

PROBE, KNN, FISHER, SILHOUETTE, RANK = "linear probe", "k-NN", "Fisher ratio", "silhouette", "numerical rank"
CHOICE = "validation probe"  # accuracy of the linear probe on the samples that choose things
FEATURES = "features"
Measured = dict[str, NDArray[np.float64]]  # measure -> (nets, positions): the input, the layers, the logits


@dataclass(frozen=True)
class Splits:
    """Samples on which classifiers are fitted, settings are chosen, and layers are measured."""

    train: Split
    val: Split
    test: Split

    @classmethod
    def of(cls, data: Dataset, most: int) -> "Splits":
        """Those of `data`, at most `most` of each: a stratified draw that is the same for all nets.

        Raises:
            ValueError: the data have no validation samples.
        """
        if data.val is None:
            raise ValueError("there are no validation samples to choose on")
        return cls(at_most(data.train, most), at_most(data.val, most), at_most(data.test, most))


@dataclass(frozen=True, eq=False)
class Layer:
    """One representation of all three splits."""

    train: Samples
    val: Samples
    test: Samples


def read_layers(net: nn.Module, splits: Splits, features: int | None = None) -> dict[str, Layer]:
    """The input and every layer of `net` in order; maps of more than `features` numbers as in `coarse_features`."""
    train, val, test = (representations(net, each, most=features) for each in (splits.train, splits.val, splits.test))
    return {name: Layer(train[name], val[name], test[name]) for name in train}


def raw_input(splits: Splits) -> Layer:
    """The input as it is, flattened: the representation that needs no net."""

    def flat(split: Split) -> Samples:
        return Samples(split.inputs().flatten(1).double().cpu().numpy(), split.y.cpu().numpy())

    return Layer(flat(splits.train), flat(splits.val), flat(splits.test))


def measure_layers(net: nn.Module, splits: Splits, k: int = 5, features: int | None = None) -> dict[str, list[float]]:
    """measure -> its value at each position. Fisher ratio, silhouette and rank are those of the test samples."""
    names = (PROBE, KNN, FISHER, SILHOUETTE, RANK, CHOICE, FEATURES)
    found: dict[str, list[float]] = {name: [] for name in names}
    for layer in read_layers(net, splits, features).values():
        probe = fit_linear_probe(layer.train, layer.val)
        values = (
            probe.accuracy(layer.test),
            knn_accuracy(layer.train, layer.test, k),
            fisher_ratio(layer.test),
            silhouette(layer.test),
            numerical_rank(layer.test.x),
            probe.accuracy(layer.val),
            layer.test.x.shape[1],
        )
        for name, value in zip(names, values, strict=True):
            found[name].append(value)
    return found


def over_nets(measured: list[dict[str, list[float]]]) -> Measured:
    """What `measure_layers` gave for nets of one architecture, as arrays."""
    return {name: np.array([net[name] for net in measured], dtype=np.float64) for name in measured[0]}
