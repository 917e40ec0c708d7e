"""Every measure on all layers of all pairs of nets, the stochastic shape metric included."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from dlexp.data import Split
from dlexp.probes.activations import activations, representation_names
from dlexp.probes.similarity.features import Matrix
from dlexp.probes.similarity.measures import MEASURES, layers_by_layers, stochastic_shape
from dlexp.probes.similarity.noisy_answers import noisy_answers

NOISY, MEANS = "stochastic shape", "stochastic shape, means only"  # alpha 1 and 2
SideBySide = Callable[[Callable[[Any], Any], Sequence[Any], str], list[Any]]  # as `Lab.map`


@dataclass(frozen=True)
class Noise:
    """How the nets are made stochastic, and what is compared of their answers."""

    stimuli: Split  # samples that are answered to
    scale: Tensor  # standard deviation of the noise on the inputs, per channel or feature
    repeats: int  # answers to each sample
    dimensions: int  # principal directions of the answers


def all_measures(nets: Sequence[nn.Module], split: Split, noise: Noise, side_by_side: SideBySide) -> dict[str, Matrix]:
    """Every measure on every layer of `nets`, which have the same layers, on the samples of `split`.

    Needs all activations of a net at once, and what the measures prepare (a few N x N matrices per layer) of all nets.

    Returns:
        measure -> (n, n, L, L), see `layers_by_layers`: those of `MEASURES`, `NOISY` and `MEANS`.
    """
    layers = representation_names(nets[0])
    stochastic = {name: stochastic_shape(alpha, noise.dimensions) for name, alpha in ((NOISY, 1.0), (MEANS, 2.0))}
    measures = MEASURES | stochastic

    def prepare(number: int) -> dict[str, list[Any]]:
        features = activations(nets[number], split, layers)
        answers = noisy_answers(nets[number], noise.stimuli, layers, noise.scale, noise.repeats, seed=number)
        return {
            name: [each.prepare((answers if name in stochastic else features)[layer]) for layer in layers]
            for name, each in measures.items()
        }

    prepared = side_by_side(prepare, range(len(nets)), "reading layers")

    def against(name: str) -> Matrix:
        return layers_by_layers(measures[name], [each[name] for each in prepared])

    return dict(zip(measures, side_by_side(against, list(measures), "comparing layers"), strict=True))
