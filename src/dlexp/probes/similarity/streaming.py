"""CKA of all layers of several nets in one pass over the samples, batch by batch (Nguyen et al. 2021).

The unbiased HSIC of each batch is an unbiased estimate of the whole, whatever the batch size: these are averaged, in
float64, and the ratio is taken at the end. Memory: one batch of activations of one net, one batch's Gram matrices
(layers x batch^2) and the accumulated (layers x layers); the number of samples does not matter.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.probes.activations import captured, coarse_features, representation_names
from dlexp.probes.similarity.cka import (
    FRACTION,
    LEAST,
    centred_gram,
    hsic_factor,
    linear_gram,
    median_distance,
    rbf_gram,
)
from dlexp.probes.similarity.features import Matrix
from dlexp.training.evaluate import device_of, evaluating


class StreamingCKA:
    """HSIC of every two of `count` representations, accumulated over batches.

    With the RBF kernel the bandwidth of each is set by the first batch: `fraction` of its median distance.
    """

    def __init__(
        self, count: int, kernel: Literal["linear", "rbf"] = "linear", unbiased: bool = True, fraction: float = FRACTION
    ) -> None:
        self.count, self.kernel, self.unbiased, self.fraction = count, kernel, unbiased, fraction
        self.samples = 0
        self._products = torch.zeros(count, count, dtype=torch.float64)
        self._bandwidths: dict[int, float] = {}

    def update(self, features: Iterable[Tensor]) -> None:
        """Take one batch: `count` representations (B, F_i) of the same samples, B >= 4.

        They are read one after the other and none is kept, so that a generator may compute them on demand.

        Raises:
            ValueError: too few samples, or not `count` representations of the same samples.
        """
        grams, seen, n = torch.empty(0), 0, 0
        for x in features:  # not enumerate: it would keep each one until after the next is made
            gram = centred_gram(self._gram(seen, x.detach()), self.unbiased)
            if seen == 0:
                n = len(x)
                grams = gram.new_empty(self.count, n * n)
            if seen >= self.count or len(x) != n:
                raise ValueError(f"representation {seen + 1} of {self.count} is of {len(x)} samples, the first of {n}")
            grams[seen] = gram.flatten()
            seen += 1
            del x, gram
        if seen < self.count:
            raise ValueError(f"{seen} representations, where {self.count} were announced")
        self._products += (n * hsic_factor(n, self.unbiased) * (grams @ grams.T)).cpu()
        self.samples += n

    def _gram(self, index: int, x: Tensor) -> Tensor:
        if x.device.type == "mps":  # which has no float64
            x = x.cpu()
        if self.kernel == "linear":
            return linear_gram(x)
        if index not in self._bandwidths:
            self._bandwidths[index] = self.fraction * median_distance(x)
        return rbf_gram(x, self._bandwidths[index])

    def similarities(self) -> Matrix:
        """(count, count): CKA of every two, in [-1, 1] (biased: [0, 1]); 0 where one does not vary.

        Raises:
            ValueError: there was no batch.
        """
        if self.samples == 0:
            raise ValueError("no batch has been seen")
        products: Matrix = self._products.numpy()
        norms = np.sqrt(products.diagonal().clip(min=0))
        scale = np.outer(norms, norms)
        made = np.divide(products, scale, out=np.zeros_like(products), where=scale > 0)
        return made.clip(-1 if self.unbiased else 0, 1)


@dataclass(frozen=True)
class Similarities:
    """CKA of all layers of several nets."""

    layers: list[list[str]]  # of each net
    values: Matrix  # (M, M), the M layers of all nets in order

    def between(self, first: int, second: int) -> Matrix:
        """(L1, L2): the layers of net number `first` against those of net number `second`."""
        ends = np.cumsum([0, *map(len, self.layers)])
        part: Matrix = self.values[ends[first] : ends[first + 1], ends[second] : ends[second + 1]]
        return part

    def blocks(self, rows: Iterable[int], columns: Iterable[int]) -> Matrix:
        """(n, m, L1, L2): the same for all pairs of nets; those of `rows` have L1 layers each, of `columns` L2."""
        across = list(columns)
        return np.array([[self.between(first, second) for second in across] for first in rows])


@torch.no_grad()
def compare_nets(
    nets: Sequence[nn.Module],
    split: Split,
    layers: Sequence[Sequence[str]] | None = None,
    batch_size: int = 256,
    kernel: Literal["linear", "rbf"] = "linear",
    unbiased: bool = True,
    most: int | None = None,
    seed: int = 0,
) -> Similarities:
    """CKA of every layer of every net with every other, in one pass over `split`.

    Args:
        layers: names of submodules of each net; None: `representation_names` of each.
        batch_size: samples per estimate of HSIC, >= 4; more cost memory and make the estimate less noisy.
        most: of the features of maps, see `coarse_features`; None: flattened, 1: averaged over positions.
        seed: of the order of the samples. It is random, since batches of one class each would estimate the similarity
            within classes. Up to three samples that are left over for the last batch are not used.

    Raises:
        ValueError: fewer than four samples or a batch size below 4, or a net lacks a layer.
    """
    if min(batch_size, len(split)) < LEAST:
        raise ValueError(f"{len(split)} samples in batches of {batch_size}: each needs at least {LEAST}")
    names = [representation_names(net) if layers is None else list(layers[i]) for i, net in enumerate(nets)]
    accumulated = StreamingCKA(sum(map(len, names)), kernel, unbiased)
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed)).to(split.y.device)
    for index in torch.split(order, batch_size):
        if len(index) >= LEAST:
            accumulated.update(_features(nets, split, index, names, most))
    return Similarities(names, accumulated.similarities())


def against_one_batch(
    first: Sequence[Tensor], second: Sequence[Tensor], batch_sizes: Sequence[int], unbiased: bool, seeds: Sequence[int]
) -> Matrix:
    """What streaming costs: (batch sizes, orders), CKA streamed in an order minus the unbiased one of all at once.

    Each is the mean over all pairs of a representation (N, F) of `first` with one of `second`; one order per seed.
    """
    both = [*first, *second]

    def mean_cka(batches: Sequence[Tensor], unbiased: bool) -> float:
        accumulated = StreamingCKA(len(both), unbiased=unbiased)
        for index in batches:
            if len(index) >= LEAST:
                accumulated.update(features[index] for features in both)
        return float(accumulated.similarities()[: len(first), len(first) :].mean())

    n = len(both[0])
    whole = mean_cka([torch.arange(n)], unbiased=True)
    orders = [torch.randperm(n, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return np.array(
        [[mean_cka(torch.split(order, size), unbiased) - whole for order in orders] for size in batch_sizes]
    )


def _features(
    nets: Sequence[nn.Module], split: Split, index: Tensor, names: Sequence[Sequence[str]], most: int | None
) -> Iterator[Tensor]:
    """The layers of one net after the other; those of a net are let go before the next one runs."""
    x = split.inputs(index)
    for net, layers in zip(nets, names, strict=True):
        with evaluating(net), captured(net, layers) as outputs:
            net(x.to(device_of(net, split)))
            made = dict(outputs)
        outputs.clear()
        for layer in layers:
            yield coarse_features(made.pop(layer), most)
