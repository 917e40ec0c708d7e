"""What stands between raw inputs (pixels in [0, 1], table columns) and a bare net."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dlexp.errors import InputError


class Normalized(nn.Module):
    """`net((x - mean) / std)`: normalisation is part of the model, so attacks and plots work in raw units.

    Args:
        net: the bare net, kept as the attribute `net`.
        mean, std: broadcast against one input: (C, 1, 1) for images (C, H, W), (M,) for tables. They are
            buffers, so they are saved with the weights. A zero in `std` (a constant feature) counts as 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", mean.detach().clone())
        self.register_buffer("std", torch.where(std == 0, torch.ones_like(std), std).detach())

    def prepare(self, x: Tensor) -> Tensor:
        """(N, ...) in raw units -> the same shape, normalised: what the bare net is given."""
        return (x - self.mean) / self.std

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(self.prepare(x))
        return logits


class RepeatChannels(nn.Module):
    """A three-channel net for gray images: the one channel is given three times, no parameter is added."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def prepare(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, 3, H, W)."""
        return x.expand(-1, 3, -1, -1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(self.prepare(x))
        return logits


def bare(net: nn.Module) -> nn.Module:
    """The net inside its input wrappers, or `net` itself."""
    while isinstance(net, Normalized | RepeatChannels):
        net = net.net
    return net


def normalized(net: nn.Module, input_shape: Sequence[int], mean: Tensor, std: Tensor) -> Normalized:
    """`net` behind the data's `mean` and `std`, each of (C,) for images or (M,) for tables, or of one value.

    Raises:
        InputError: `mean` or `std` has another number of values than the data have channels or features.
    """
    for name, value in (("mean", mean), ("std", std)):
        if value.numel() not in (1, input_shape[0]):
            raise InputError(
                f"dataset.{name}: has {value.numel()} values, but the data have {input_shape[0]} "
                f"{'channels' if len(input_shape) == 3 else 'features'}; give one per channel or feature"
            )
    per_channel = (-1, *(1 for _ in input_shape[1:]))
    return Normalized(net, mean.reshape(per_channel), std.reshape(per_channel))


def image_shape(input_shape: Sequence[int], model: str) -> tuple[int, int, int]:
    """`input_shape` as (channels, height, width).

    Raises:
        InputError: the inputs are no images; says which models and datasets fit.
    """
    if len(input_shape) != 3:
        numbers = " x ".join(str(size) for size in input_shape)
        raise InputError(
            f"model={model}: needs images (channels, height, width), but each input of this dataset is a row "
            f"of {numbers} numbers; use model=mlp, or an image dataset (digits, mnist, cifar10, ...)"
        )
    channels, height, width = input_shape
    return channels, height, width
