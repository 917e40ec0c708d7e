"""What training and probing are handed: splits of inputs and labels, and statistics fitted on train."""

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor


class ImageArray(Protocol):
    """Images that are decoded when they are indexed: stands where a uint8 tensor (N, C, H, W) would."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Tensor | slice) -> Tensor: ...

    def take(self, index: Tensor) -> "ImageArray":
        """The images at `index`, still undecoded."""


@dataclass(frozen=True, eq=False)
class Split:
    """N samples. Images: (N, C, H, W), uint8 or float32 in [0, 1]. Tables: (N, M) float32."""

    x: Tensor | ImageArray
    y: Tensor  # (N,) int64 class indices

    def __len__(self) -> int:
        return len(self.y)

    def inputs(self, index: Tensor | slice = slice(None)) -> Tensor:
        """Float32 inputs on the split's device, (n, C, H, W) in [0, 1] or (n, M); uint8 is divided by 255.

        The result may share memory with the split: do not write into it.
        """
        x = self.x[index].to(self.y.device)
        return x.to(torch.float32).div_(255) if x.dtype == torch.uint8 else x

    def select(self, index: Tensor) -> "Split":
        """The samples at `index` (int64), in that order; images that are decoded lazily stay so."""
        x = self.x[index] if isinstance(self.x, Tensor) else self.x.take(index)
        return Split(x, self.y[index])

    def to(self, device: torch.device | str) -> "Split":
        """The split on `device`; images that are decoded lazily stay where they are until they are read."""
        x = self.x.to(device) if isinstance(self.x, Tensor) else self.x
        return Split(x, self.y.to(device))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A prepared dataset: disjoint splits, and the statistics that models normalise with."""

    name: str
    train: Split
    val: Split | None  # held out of train, for choosing things
    test: Split
    classes: tuple[str, ...]
    mean: Tensor  # per channel (C,) for images, per feature (M,) for tables; fitted on train only, or given
    std: Tensor
    fingerprint: str  # sha256 over the contents of all splits, mean and std: equal iff the data are

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input: (C, H, W) or (M,)."""
        return tuple(self.train.x.shape[1:])

    @property
    def n_classes(self) -> int:
        return len(self.classes)

    def to(self, device: torch.device | str) -> "Dataset":
        """The dataset with all its tensors on `device`."""
        return replace(
            self,
            train=self.train.to(device),
            val=None if self.val is None else self.val.to(device),
            test=self.test.to(device),
            mean=self.mean.to(device),
            std=self.std.to(device),
        )
