"""Small random rotations, shifts and changes of size of whole batches, below one pixel where images are small."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


def affine(
    x: Tensor,
    generator: torch.Generator,
    *,
    rotation: Annotated[float, Field(ge=0, le=180)],
    shift: Annotated[float, Field(ge=0)],
    zoom: Annotated[float, Field(ge=0, lt=1)],
) -> Tensor:
    """Each image turned by up to `rotation` degrees, shifted by up to `shift` pixels and zoomed by up to `zoom`.

    Every sample has its own draw, uniform in -rotation..rotation, -shift..shift for each direction and 1 - zoom..
    1 + zoom, made on the generator's device: a CPU generator gives the same draws on any device. `x` is (N, C, H, W)
    in [0, 1]; so is the result, a new tensor, interpolated bilinearly; what comes into view is black.
    """
    n, _, height, width = x.shape

    def draw() -> Tensor:
        drawn = torch.rand(n, generator=generator, device=generator.device)
        return drawn.to(x.device) * 2 - 1

    angle, size = draw() * math.radians(rotation), 1 + draw() * zoom
    right, down = draw() * shift * 2 / width, draw() * shift * 2 / height  # grid_sample counts from -1 to 1
    cosine, sine = angle.cos() / size, angle.sin() / size
    # Where in x each pixel of the result lies. The aspect ratio keeps a rotation of oblong images one.
    rows = [
        torch.stack([cosine, -sine * height / width, right], dim=1),
        torch.stack([sine * width / height, cosine, down], dim=1),
    ]
    grid = affine_grid(torch.stack(rows, dim=1), list(x.shape), align_corners=False)
    return grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
