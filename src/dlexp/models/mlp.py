"""The multilayer perceptron."""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import nn

from dlexp.models.initialization import Initialization, initialize


def mlp(
    input_shape: Sequence[int],
    n_classes: int,
    *,
    widths: list[Annotated[int, Field(ge=1)]],
    activation: Callable[[], nn.Module],
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    batch_norm: bool = False,
    initialization: Initialization = "default",
) -> nn.Sequential:
    """Hidden layers of `widths` units, then the linear layer `fc`; images are flattened.

    A hidden layer is linear, batch normalisation (if wanted), activation, dropout (if not 0), and is the
    child `layer1`, `layer2`, ... `widths=[]` is multinomial logistic regression. Weights start as
    `torch.nn.Linear`'s, or by another rule of `initialize`.
    """
    sizes = [math.prod(input_shape), *widths]
    net: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for index, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        # Batch normalisation subtracts the mean, so a bias before it would have no effect.
        layer: OrderedDict[str, nn.Module] = OrderedDict(linear=nn.Linear(fan_in, fan_out, bias=not batch_norm))
        if batch_norm:
            layer["bn"] = nn.BatchNorm1d(fan_out)
        layer["activation"] = activation()
        if dropout:
            layer["dropout"] = nn.Dropout(dropout)
        net[f"layer{index}"] = nn.Sequential(layer)
    net["fc"] = nn.Linear(sizes[-1], n_classes)
    made = nn.Sequential(net)
    initialize(made, initialization)
    return made
