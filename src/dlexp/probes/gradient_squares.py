"""Squared norms of the gradients of single samples, layer by layer, without forming the gradients.

From the input a of a layer and the gradient d of its output, both with a row for each sample: for a linear map
|d|^2 |a|^2. The sums run over the rows; they are float64.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold


def is_known(module: nn.Module) -> bool:
    """Whether the gradients of the parameters that `module` holds itself can be squared by `squares`."""
    if type(module) not in SQUARES:
        return False
    if isinstance(module, nn.Conv2d):
        return module.groups == 1 and module.padding_mode == "zeros" and not isinstance(module.padding, str)
    return not isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) or module.track_running_stats


def squares(module: nn.Module, a: Tensor, d: Tensor) -> dict[str, float]:
    """Parameter of `module` -> the squared norms of its gradients, summed over the rows of `a` and `d`."""
    of_weight, of_bias = SQUARES[type(module)](module, a, d)
    found = {"weight": of_weight, "bias": of_bias}
    return {name: float(found[name]) for name, _ in module.named_parameters(recurse=False)}


def _linear(layer: nn.Linear, a: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs (B, ..., I) and gradients (B, ..., O) -> squares of the gradients of weight and bias, summed over B."""
    if a.ndim == 2:
        norms = d.double().square().sum(dim=1)
        return (norms * a.double().square().sum(dim=1)).sum(), norms.sum()
    a, d = a.flatten(1, -2).transpose(1, 2), d.flatten(1, -2).transpose(1, 2)
    return _summed_outer(d, a), _squared(d.sum(dim=2))


def _convolution(layer: nn.Conv2d, a: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """The same for images (B, I, H, W) and (B, O, H', W')."""
    patches = unfold(a, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # type: ignore[arg-type]
    d = d.flatten(2)
    return _summed_outer(d, patches), _squared(d.sum(dim=2))


def _batch_norm(layer: nn.BatchNorm2d, a: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """The same for (B, C) or (B, C, ...), normalised by the running statistics."""
    shape = (1, -1, *(1 for _ in a.shape[2:]))
    assert layer.running_mean is not None
    assert layer.running_var is not None
    normalised = (a - layer.running_mean.view(shape)) / (layer.running_var.view(shape) + layer.eps).sqrt()
    positions = tuple(range(2, a.ndim))
    of_weight = d * normalised
    if positions:
        of_weight, d = of_weight.sum(dim=positions), d.sum(dim=positions)
    return _squared(of_weight), _squared(d)


def _summed_outer(d: Tensor, a: Tensor) -> Tensor:
    """Squared norms of sum_l d_l a_l^T for d (B, O, L) and a (B, I, L), summed over B.

    Either the sums are formed, O x I numbers a row, or the products of all pairs of positions, L x L numbers, which
    have the same norm: sum_lm (d_l . d_m) (a_l . a_m). The smaller of the two is.
    """
    if a.shape[2] ** 2 < d.shape[1] * a.shape[1]:
        return ((d.transpose(1, 2) @ d).double() * (a.transpose(1, 2) @ a)).sum()
    return _squared(d @ a.transpose(1, 2))


def _squared(value: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(value, dtype=torch.float64)
    return norm.square()


SQUARES: dict[type[nn.Module], Callable[[Any, Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    nn.Linear: _linear,
    nn.Conv2d: _convolution,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
}
"""How each kind of layer is squared; subclasses may compute something else, so the type must be exact."""
