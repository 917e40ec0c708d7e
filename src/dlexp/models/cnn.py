"""A small plain convolutional net."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated

from pydantic import Field
from torch import nn

from dlexp.errors import InputError
from dlexp.models.inputs import image_shape


def cnn(
    input_shape: Sequence[int],
    n_classes: int,
    *,
    channels: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)],
    activation: Callable[[], nn.Module],
    batch_norm: bool = True,
) -> nn.Sequential:
    """A 3x3 convolution per entry of `channels`, 2x2 max-pooling between, global average pooling, `fc`.

    A stage is convolution, batch normalisation (if wanted), activation, and is the child `layer1`,
    `layer2`, ... with the pooling that follows as `pool1`, `pool2`, ... Weights start as `torch.nn.Conv2d`'s.

    Raises:
        InputError: the inputs are no images, or too small to be halved between all the stages.
    """
    in_channels, height, width = image_shape(input_shape, "cnn")
    most = min(height, width).bit_length()  # stages until the shorter side is one pixel
    if len(channels) > most:
        raise InputError(
            f"model.channels={channels}: images of {height}x{width} can be halved {most - 1} times; "
            f"give at most {most} channel numbers"
        )
    sizes = [in_channels, *channels]
    net: OrderedDict[str, nn.Module] = OrderedDict()
    for index, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        if index > 1:
            net[f"pool{index - 1}"] = nn.MaxPool2d(2)
        stage: OrderedDict[str, nn.Module] = OrderedDict()
        stage["conv"] = nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=not batch_norm)
        if batch_norm:
            stage["bn"] = nn.BatchNorm2d(fan_out)
        stage["activation"] = activation()
        net[f"layer{index}"] = nn.Sequential(stage)
    net["average"] = nn.AdaptiveAvgPool2d(1)
    net["flatten"] = nn.Flatten()
    net["fc"] = nn.Linear(sizes[-1], n_classes)
    return nn.Sequential(net)
