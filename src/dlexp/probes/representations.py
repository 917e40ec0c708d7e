"""Representations as tables that classical methods take: one (N, F) float64 matrix per layer, the input included."""

import copy
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from dlexp.data import Split
from dlexp.data.stratify import subsample
from dlexp.probes.activations import captured, representation_names
from dlexp.training.batch_statistics import recompute_batch_norm
from dlexp.training.evaluate import device_of, evaluating

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


def coarse_features(output: Tensor, most: int | None) -> Tensor:
    """(B, ...) -> (B, F) with F <= `most` where `output` is maps (B, C, H, W): averaged over a grid of equal cells.

    The finest square grid that fits is used: 1 x 1, the mean over all positions, where `most` < 4 C (F is then C,
    which may be more than `most`). `most=None`, vectors and maps that fit: flattened, nothing is averaged.
    """
    if most is not None and output.ndim == 4 and output[0].numel() > most:
        cells = max(1, int((most / output.shape[1]) ** 0.5))
        height, width = output.shape[2:]
        output = adaptive_avg_pool2d(output, (min(cells, height), min(cells, width)))
    return output.flatten(1)


@torch.no_grad()
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
    device = device_of(net, split)
    parts: dict[str, list[Tensor]] = {name: [] for name in (INPUT, *names)}
    for start in range(0, len(split), batch_size):
        x = split.inputs(slice(start, start + batch_size)).to(device)
        with evaluating(net), captured(net, names) as outputs:
            net(x)
        for name, output in {INPUT: x, **{name: outputs[name] for name in names}}.items():
            parts[name].append(coarse_features(output, most).double().cpu())
    y = split.y.cpu().numpy()
    return {name: Samples(torch.cat(each).numpy(), y) for name, each in parts.items()}


def untrained(net: nn.Module, initial: Mapping[str, Tensor], split: Split, batch_size: int = 512) -> nn.Module:
    """A copy of `net` with the weights of `initial` (a snapshot of epoch 0), in evaluation mode.

    The running statistics of its batch normalisations are those of `split`: at epoch 0 they are still 0 and 1, so that
    the copy would lack the normalisation that `net` has.
    """
    made = copy.deepcopy(net)
    made.load_state_dict(dict(initial))
    recompute_batch_norm(made, split, batch_size)
    return made.eval()
