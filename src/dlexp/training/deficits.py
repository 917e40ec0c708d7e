"""Sensory deficits for a period of the training: the inputs or labels are spoilt, and then they are not any more.

The deficits of Achille, Rovere and Soatto 2019 (Critical learning periods in deep networks), section 2. Only what
training sees is changed, batch by batch; whoever evaluates after an epoch finds the true data.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from dlexp.data import Dataset, Split
from dlexp.data.resize import resize
from dlexp.errors import InputError
from dlexp.training.callbacks import Training
from dlexp.training.periods import Epoch, Period

Kind = Literal["blur", "noise", "upside_down", "shuffled_labels"]


@dataclass(frozen=True, eq=False)
class ChangedInputs(Split):
    """A split whose inputs go through `change` when they are read: (n, ...) float32 -> the same shape."""

    change: Callable[[Tensor], Tensor]

    def inputs(self, index: Tensor | slice = slice(None)) -> Tensor:
        """The changed inputs, a new tensor."""
        return self.change(super().inputs(index))


def blurred(x: Tensor, factor: int) -> Tensor:
    """Images (N, C, H, W) in [0, 1] scaled down by `factor` (each side at least one pixel) and up again, bilinear.

    The paper's deficit: 32 x 32 pixels to 8 x 8 and back removes the fine detail, as a cataract does.
    """
    height, width = x.shape[-2:]
    small = resize(x, (max(height // factor, 1), max(width // factor, 1)), antialias=True)
    return resize(small, (height, width), antialias=False)


def noise_like(x: Tensor, mean: Tensor, std: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian noise of the shape of `x`, with `mean` and `std` per channel (C,) or feature (M,): nothing to see."""
    per_channel = (-1, *(1 for _ in x.shape[2:]))
    drawn = torch.randn(x.shape, generator=generator, device=generator.device).to(x)
    return drawn * std.view(per_channel) + mean.view(per_channel)


def with_deficit(dataset: Dataset, kind: Kind, factor: int, seed: int, noise: torch.Generator) -> Dataset:
    """`dataset` with a deficit in its training split.

    `blur` by `factor`; `noise` in place of every input, drawn anew from `noise` each time it is read; `upside_down`,
    which keeps all detail; `shuffled_labels`, dealt out anew among the samples, drawn from `seed`, the inputs intact.

    Raises:
        InputError: `blur` or `upside_down` of inputs that are no images.
    """
    train = dataset.train
    if kind in ("blur", "upside_down") and len(dataset.input_shape) != 3:
        raise InputError(f"kind={kind}: a deficit of images, and these inputs are rows of numbers; use kind=noise")
    if kind == "shuffled_labels":
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed + 2_000_003))
        return replace(dataset, train=Split(train.x, train.y[order.to(train.y.device)]))
    changes: dict[str, Callable[[Tensor], Tensor]] = {
        "blur": lambda x: blurred(x, factor),
        "noise": lambda x: noise_like(x, dataset.mean, dataset.std, noise),
        "upside_down": lambda x: x.flip(-2),
    }
    return replace(dataset, train=ChangedInputs(train.x, train.y, changes[kind]))


class Deficit(Period):
    """A deficit in the training data of the period [start, stop), see `with_deficit`; true data before and after."""

    def __init__(
        self, start: Epoch, stop: Epoch, kind: Kind, factor: Annotated[int, Field(ge=1)] = 4, seed: int = 0
    ) -> None:
        super().__init__(start, stop)
        self.kind: Kind = kind
        self.factor, self.seed = factor, seed
        self.clean: Dataset | None = None

    def on_start(self, training: Training) -> None:
        """Remember the data as they are."""
        self.clean = training.dataset

    def on_epoch_start(self, training: Training) -> None:
        if self.active(training):
            training.dataset = with_deficit(training.dataset, self.kind, self.factor, self.seed, training.noise)

    def on_epoch_end(self, training: Training) -> None:
        if self.clean is not None:  # not what it found when the epoch began: that may have had another deficit
            training.dataset = self.clean
