"""Representations as tables that classical methods take: one (N, F) float64 matrix per layer, the input included."""

import copy
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.data.stratify import subsample
from dlexp.probes.activations import activations, coarse_features, representation_names
from dlexp.training.batch_statistics import recompute_batch_norm

INPUT = "input"  # the raw input, the representation before any layer


class Samples(NamedTuple):
    """Features and labels of the same N samples."""

    x: NDArray[np.float64]  # (N, F)
    y: NDArray[np.int64]  # (N,) class indices


def at_most(split: Split, most: int) -> Split:
    """`split`, or a stratified draw of `most` of its samples: always the same one, so that nets are compared on it."""
    if most >= len(split):
        return split
    chosen = subsample(split.y.cpu(), most, torch.Generator().manual_seed(0))
    return split.select(chosen.to(split.y.device))


def representations(
    net: nn.Module,
    split: Split,
    layers: Sequence[str] | None = None,
    most: int | None = None,
    batch_size: int = 512,
) -> dict[str, Samples]:
    """What each layer computes for `split`, as tables, after the raw input under the name `input`.

    Args:
        layers: names of submodules, in the order wanted; None: all of `representation_names(net)`, whose last one
            gives the logits.
        most: see `coarse_features`; 1 averages maps over all positions ("pooled").

    Raises:
        ValueError: the net has no such layer.
    """
    names = representation_names(net) if layers is None else list(layers)
    read = {INPUT: coarse_features(split.inputs(), most), **activations(net, split, names, batch_size, most)}
    y = split.y.cpu().numpy()
    return {name: Samples(features.double().cpu().numpy(), y) for name, features in read.items()}


def untrained(net: nn.Module, initial: Mapping[str, Tensor], split: Split, batch_size: int = 512) -> nn.Module:
    """A copy of `net` with the weights of `initial` (a snapshot of epoch 0), in evaluation mode.

    The running statistics of its batch normalisations are those of `split`: at epoch 0 they are still 0 and 1, so that
    the copy would lack the normalisation that `net` has.
    """
    made = copy.deepcopy(net)
    made.load_state_dict(dict(initial))
    recompute_batch_norm(made, split, batch_size)
    return made.eval()
