"""The one way images are resized, so that nothing depends on which of several resizers was used.

Antialiasing has no default: with and without it, accuracies at another resolution differ by points
(Touvron et al. 2019, "Fixing the train-test resolution discrepancy", depends on it).
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate


def resize(
    x: Tensor,
    size: int | tuple[int, int],
    *,
    antialias: bool,
    mode: Literal["bilinear", "bicubic"] = "bilinear",
) -> Tensor:
    """Images (N, C, H, W) at `size` (height, width; one number: a square), aspect ratio not kept.

    uint8 stays uint8 (computed in float32, rounded); floats stay floats, clamped to [0, 1] because bicubic
    overshoots. Images that already have the size are returned as they are.
    """
    height, width = (size, size) if isinstance(size, int) else size
    if tuple(x.shape[-2:]) == (height, width):
        return x
    y = interpolate(x.float(), size=(height, width), mode=mode, align_corners=False, antialias=antialias)
    if x.dtype == torch.uint8:
        return y.round_().clamp_(0, 255).to(torch.uint8)
    return y.clamp_(0, 1).to(x.dtype)


def centre_square(x: Tensor) -> Tensor:
    """The largest centred square of images (N, C, H, W)."""
    height, width = x.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return x[..., top : top + side, left : left + side]
