"""Batch normalisation whose scales start at random, as in Frankle et al. 2021, in place of torch's ones."""

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def with_random_scales(input_shape: Sequence[int], n_classes: int, *, net: Callable[..., nn.Module]) -> nn.Module:
    """The model that `net` builds, with every gamma drawn from the uniform distribution on [0, 1] and beta 0.

    `net` is the node of a model group with `_partial_: true`. All other weights are those that the same seed gives
    without it: the scales are drawn last. What has no batch normalisation is left as it is.
    """
    made = net(input_shape, n_classes)
    with torch.no_grad():
        for module in made.modules():
            if isinstance(module, _BatchNorm) and module.affine:
                module.weight.uniform_(0, 1)
                module.bias.zero_()
    return made
