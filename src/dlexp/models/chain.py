"""A residual net taken apart: stem, blocks, head. What the probes that delete and replace blocks work on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from torch import Tensor, nn
from torch.nn.functional import relu

from dlexp.errors import InputError
from dlexp.models.inputs import Normalized, RepeatChannels


class Block(Protocol):
    """One block of a chain, in the mode (train or eval) that its net is in."""

    @property
    def identity(self) -> bool:
        """False for a block that changes the shape."""

    def __call__(self, x: Tensor) -> Tensor:
        """The block as it is."""

    def branch(self, x: Tensor) -> Tensor:
        """What the block adds to its shortcut."""

    def skip(self, x: Tensor) -> Tensor:
        """The block deleted: as if its branch gave 0."""


@dataclass(frozen=True)
class Chain:
    """`chain(x)` equals `net(x)` bit for bit; the blocks share the net's weights.

    Attributes:
        stem: raw inputs -> input of the first block (holds the normalisation of a `Normalized` net).
        blocks: ('layer2.1', block), ... in the order of computation.
        head: output of the last block -> logits (N, n_classes).
    """

    stem: Callable[[Tensor], Tensor]
    blocks: list[tuple[str, Block]]
    head: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _, block in self.blocks:
            x = block(x)
        return self.head(x)


def as_chain(net: nn.Module) -> Chain:
    """The chain of a `cifar_resnet`, a `cifar_plain`, a torchvision ResNet, or a net of the user's own.

    A net of one's own is accepted if it has `stem` and `head` (methods or modules) and `blocks` (an
    `nn.ModuleDict` or pairs (name, block)) whose blocks have what `Block` lists. Input wrappers
    (`Normalized`, `RepeatChannels`) become part of the stem.

    Raises:
        InputError: the net has no such chain.
    """
    if isinstance(net, Normalized | RepeatChannels):
        inner, prepare = as_chain(net.net), net.prepare
        return Chain(lambda x: inner.stem(prepare(x)), inner.blocks, inner.head)
    if _is_torchvision_resnet(net):
        return _torchvision_chain(net)
    if all(hasattr(net, part) for part in ("stem", "blocks", "head")):
        parts = cast(Any, net)
        return Chain(parts.stem, _named_blocks(parts.blocks, type(net).__name__), parts.head)
    raise InputError(
        f"model: {type(net).__name__} has no chain of residual blocks; use model=cifar_resnet, "
        "model=cifar_plain, model=torchvision with a resnet, resnext or wide_resnet as model.name, "
        "or give your net stem, blocks and head"
    )


def _named_blocks(blocks: Any, net_name: str) -> list[tuple[str, Block]]:
    pairs: Iterable[tuple[str, Any]] = blocks.items() if isinstance(blocks, nn.ModuleDict) else blocks
    named = [(str(name), block) for name, block in pairs]
    for name, block in named:
        missing = [part for part in ("branch", "skip", "identity") if not hasattr(block, part)]
        if missing:
            raise InputError(f"model: block {name} of {net_name} has no {', '.join(missing)}; see dlexp.models.chain")
    return named


class TorchvisionBlock(nn.Module):
    """A torchvision `BasicBlock` or `Bottleneck` as branch and shortcut, on the weights it has."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block: Any = block
        self.training = block.training
        self.identity = self.block.downsample is None
        layers = 3 if hasattr(block, "conv3") else 2
        self._pairs = [(getattr(self.block, f"conv{i}"), getattr(self.block, f"bn{i}")) for i in range(1, layers + 1)]

    def branch(self, x: Tensor) -> Tensor:
        """Convolution and batch normalisation twice (basic) or three times (bottleneck), relu between."""
        for index, (conv, bn) in enumerate(self._pairs):
            x = bn(conv(relu(x) if index else x))
        return x

    def shortcut(self, x: Tensor) -> Tensor:
        """The input, projected where the shape changes."""
        return x if self.identity else cast(Tensor, self.block.downsample(x))

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.branch(x) + self.shortcut(x))

    def skip(self, x: Tensor) -> Tensor:
        """The block deleted: its branch contributes 0."""
        return relu(self.shortcut(x))


def _is_torchvision_resnet(net: nn.Module) -> bool:
    if not any(base.__module__.startswith("torchvision.models") for base in type(net).__mro__):
        return False
    from torchvision.models.resnet import ResNet

    return isinstance(net, ResNet)


def _torchvision_chain(module: nn.Module) -> Chain:
    net = cast(Any, module)
    blocks: list[tuple[str, Block]] = [
        (f"layer{number}.{index}", TorchvisionBlock(block))
        for number in (1, 2, 3, 4)
        for index, block in enumerate(getattr(net, f"layer{number}"))
    ]

    def stem(x: Tensor) -> Tensor:
        return cast(Tensor, net.maxpool(relu(net.bn1(net.conv1(x)))))

    def head(x: Tensor) -> Tensor:
        return cast(Tensor, net.fc(net.avgpool(x).flatten(1)))

    return Chain(stem, blocks, head)
