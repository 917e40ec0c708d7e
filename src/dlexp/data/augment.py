"""Augmentation of whole batches, on the device they live on."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import pad


def flip_crop(
    x: Tensor,
    generator: torch.Generator,
    *,
    padding: Annotated[int, Field(ge=0)],
    flip: Annotated[float, Field(ge=0, le=1)],
) -> Tensor:
    """Each image mirrored left-right with probability `flip` and shifted by up to `padding` pixels.

    The standard CIFAR augmentation (He et al. 2016, section 4.2): pad with zeros on every side, take a random
    crop of the original size. `x` is (N, C, H, W) in [0, 1]; so is the result, a new tensor. Every sample has
    its own draw, made on the generator's device: a CPU generator gives the same draws on any device.
    """
    n, channels, height, width = x.shape

    def draw(high: int) -> Tensor:
        drawn = torch.randint(high, (n, 1), generator=generator, device=generator.device)
        return drawn.to(x.device)

    top, left = draw(2 * padding + 1), draw(2 * padding + 1)
    mirrored = torch.rand(n, 1, generator=generator, device=generator.device).to(x.device) < flip
    rows = top + torch.arange(height, device=x.device)  # (N, H): which padded row each output row shows
    columns = torch.arange(width, device=x.device)
    columns = left + torch.where(mirrored, columns.flip(0), columns)  # (N, W)
    padded = pad(x, (padding, padding, padding, padding))
    pixel = (rows[:, :, None] * padded.shape[3] + columns[:, None, :]).view(n, 1, height * width)
    taken = padded.flatten(2).gather(2, pixel.expand(n, channels, height * width))
    return taken.view(n, channels, height, width)
