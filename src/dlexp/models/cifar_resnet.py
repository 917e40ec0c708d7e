"""The CIFAR nets of He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), section 4.2.

Depth 6n+2: a 3x3 convolution, three stages of n two-layer blocks with 16, 32 and 64 channels (the second and
third begin with stride 2), global average pooling, one linear layer. Post-activation blocks:
y_i = relu(branch(y_{i-1}) + shortcut(y_{i-1})). `cifar_plain` is the same net without shortcuts.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal, cast

from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from dlexp.errors import InputError
from dlexp.models.inputs import image_shape

STAGE_CHANNELS = (16, 32, 64)
Width = Annotated[int, Field(ge=1)]


def cifar_resnet(
    input_shape: Sequence[int],
    n_classes: int,
    *,
    depth: int,
    shortcut: Literal["A", "B"] = "A",
    width: Width = 1,
) -> "CifarNet":
    """ResNet-`depth`; option A has parameter-free shortcuts, option B projects where the shape changes.

    Raises:
        InputError: the inputs are no images, or `depth` is not 6n+2.
    """
    channels, _, _ = image_shape(input_shape, "cifar_resnet")

    def block(in_channels: int, out_channels: int, stride: int) -> ResidualBlock:
        return ResidualBlock(in_channels, out_channels, stride, shortcut)

    return CifarNet(block, blocks_per_stage(depth), channels, n_classes, width)


def cifar_plain(input_shape: Sequence[int], n_classes: int, *, depth: int, width: Width = 1) -> "CifarNet":
    """The plain net of the same `depth`: the layers of the option-A ResNet and none of its shortcuts.

    Raises:
        InputError: as `cifar_resnet`.
    """
    channels, _, _ = image_shape(input_shape, "cifar_plain")
    return CifarNet(PlainBlock, blocks_per_stage(depth), channels, n_classes, width)


def blocks_per_stage(depth: int) -> int:
    """n of depth = 6n+2, n >= 1; InputError names the nearest valid depths."""
    n, rest = divmod(depth - 2, 6)
    if n < 1:
        near = "nearest is 8"
    elif rest:
        near = f"nearest are {6 * n + 2} and {6 * n + 8}"
    else:
        return n
    raise InputError(f"model.depth={depth}: must be 6n+2 (8, 14, 20, 32, 44, 56, 110, ...); {near}")


class Subsample(nn.Module):
    """Option A: every `stride`-th pixel, and as many zero channels before as behind the given ones."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride, self.pad = stride, (out_channels - in_channels) // 2

    def forward(self, x: Tensor) -> Tensor:
        return pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))


def projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Option B: a 1x1 convolution and batch normalisation."""
    conv = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels))


class ConvPair(nn.Module):
    """The two convolutions of a block; `branch` is what a residual block adds to its shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        # Whether input and output have the same shape, so that nothing has to repair it.
        self.identity = stride == 1 and in_channels == out_channels

    def branch(self, x: Tensor) -> Tensor:
        """(N, in, H, W) -> (N, out, H/stride, W/stride), before the block's last relu."""
        out: Tensor = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return out


class ResidualBlock(ConvPair):
    """relu(branch(x) + shortcut(x))."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, shortcut: Literal["A", "B"]) -> None:
        super().__init__(in_channels, out_channels, stride)
        self.shortcut: nn.Module = nn.Identity()
        if not self.identity:
            option = Subsample if shortcut == "A" else projection
            self.shortcut = option(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.branch(x) + self.shortcut(x))

    def skip(self, x: Tensor) -> Tensor:
        """The block deleted: its branch contributes 0."""
        return relu(self.shortcut(x))


class PlainBlock(ConvPair):
    """relu(branch(x)); `repair` only keeps the shapes right when the block is deleted."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, stride)
        self.repair = nn.Identity() if self.identity else Subsample(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.branch(x))

    def skip(self, x: Tensor) -> Tensor:
        """The block deleted: its input (a relu's output, so never negative) in the output's shape."""
        out: Tensor = self.repair(x)
        return out


class CifarNet(nn.Module):
    """Stem, three stages of `n` blocks and head; `stem`, `blocks`, `head` are what `as_chain` asks for."""

    def __init__(
        self, block: Callable[[int, int, int], ConvPair], n: int, in_channels: int, n_classes: int, width: int
    ) -> None:
        super().__init__()
        first, second, third = (channels * width for channels in STAGE_CHANNELS)
        self.conv1 = nn.Conv2d(in_channels, first, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(first)
        self.layer1 = stage(block, n, first, first, 1)
        self.layer2 = stage(block, n, first, second, 2)
        self.layer3 = stage(block, n, second, third, 2)
        self.fc = nn.Linear(third, n_classes)
        for module in self.modules():  # He et al. 2015, equation 10: zero mean, variance 2 / fan-in
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)

    @property
    def blocks(self) -> list[tuple[str, ConvPair]]:
        """('layer1.0', block), ... in the order of computation."""
        stages = {"layer1": self.layer1, "layer2": self.layer2, "layer3": self.layer3}
        return [
            (f"{name}.{index}", cast(ConvPair, block))
            for name, blocks in stages.items()
            for index, block in enumerate(blocks)
        ]

    def stem(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, 16 * width, H, W): the input of the first block."""
        return relu(self.bn1(self.conv1(x)))

    def head(self, x: Tensor) -> Tensor:
        """The last block's output -> logits (N, n_classes)."""
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
        return logits

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _, block in self.blocks:
            x = block(x)
        return self.head(x)


def stage(
    block: Callable[[int, int, int], ConvPair], n: int, in_channels: int, out_channels: int, stride: int
) -> nn.Sequential:
    """`n` blocks; only the first changes the shape."""
    rest = [block(out_channels, out_channels, 1) for _ in range(n - 1)]
    return nn.Sequential(block(in_channels, out_channels, stride), *rest)
