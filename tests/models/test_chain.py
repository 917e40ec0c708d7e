"""A chain is the net itself, taken apart."""

import re

import pytest
import torch
from torch import nn
from torch.nn.functional import relu
from torchvision import models

from dlexp.errors import InputError
from dlexp.models import as_chain, state_hash
from dlexp.models.cifar_resnet import cifar_plain, cifar_resnet
from dlexp.models.inputs import Normalized, RepeatChannels
from dlexp.models.mlp import mlp

BUILDERS = {
    "resnet A": lambda: cifar_resnet((3, 32, 32), 10, depth=14),
    "resnet B": lambda: cifar_resnet((3, 32, 32), 10, depth=8, shortcut="B", width=2),
    "plain": lambda: cifar_plain((3, 32, 32), 10, depth=14),
    "resnet18": lambda: models.resnet18(num_classes=10),
    "resnet50": lambda: models.resnet50(num_classes=10),
    "resnext50_32x4d": lambda: models.resnext50_32x4d(num_classes=10),
}


@pytest.mark.parametrize("name", BUILDERS)
@torch.no_grad()
def test_the_chain_equals_the_net_bit_for_bit(name, randomised):
    net = randomised(BUILDERS[name]())
    before = state_hash(net)
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(as_chain(net)(x), net(x))
    wrapped = Normalized(net, torch.rand(3, 1, 1), torch.rand(3, 1, 1) + 0.5)
    assert torch.equal(as_chain(wrapped)(x), wrapped(x))
    gray = Normalized(RepeatChannels(net), torch.rand(1, 1, 1), torch.rand(1, 1, 1) + 0.5)
    assert torch.equal(as_chain(gray)(x[:, :1]), gray(x[:, :1]))
    assert state_hash(net) == before


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@torch.no_grad()
def test_skip_is_torchvisions_block_with_its_last_batch_norm_zeroed(name, randomised):
    net = randomised(BUILDERS[name]())
    chain = as_chain(net)
    x = chain.stem(torch.rand(2, 3, 32, 32))
    for block_name, block in chain.blocks:
        stage, index = block_name.split(".")
        original = getattr(net, stage)[int(index)]
        signed = x - 0.5
        kept = signed.clone()
        block(signed), block.skip(signed)
        assert torch.equal(signed, kept)  # torchvision's relu works in place; a cached input must survive
        following, skipped = block(x), block.skip(x)
        assert torch.equal(relu(block.branch(x) + block.shortcut(x)), following)
        assert block.identity == (original.downsample is None)
        last = original.bn3 if hasattr(original, "bn3") else original.bn2
        last.weight.zero_()
        last.bias.zero_()
        assert torch.equal(original(x), skipped)
        assert not torch.equal(skipped, following)
        x = following


def test_blocks_are_named_as_in_the_state_dict():
    names = [name for name, _ in as_chain(BUILDERS["resnet50"]()).blocks]
    sizes = {"layer1": 3, "layer2": 4, "layer3": 6, "layer4": 3}
    assert names == [f"{stage}.{index}" for stage, size in sizes.items() for index in range(size)]
    names = [name for name, _ in as_chain(BUILDERS["plain"]()).blocks]
    assert names == [f"layer{stage}.{index}" for stage in (1, 2, 3) for index in (0, 1)]


def test_the_chain_sees_weights_that_change_later(randomised):
    net = randomised(BUILDERS["resnet18"]())
    chain, x = as_chain(net), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        net.layer3[1].conv1.weight.mul_(3)
        assert torch.equal(chain(x), net(x))


class Step(nn.Module):
    identity = True

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def branch(self, x):
        return self.linear(x)

    def skip(self, x):
        return x

    def forward(self, x):
        return x + self.branch(x)


class OwnNet(nn.Module):
    def __init__(self, block=Step):
        super().__init__()
        self.stem, self.head = nn.Linear(6, 4), nn.Linear(4, 2)
        self.blocks = nn.ModuleDict({"first": block(), "second": block()})


def test_a_net_of_ones_own_is_accepted_by_its_parts():
    net, x = OwnNet(), torch.rand(3, 6)
    chain = as_chain(Normalized(net, torch.zeros(6), torch.full((6,), 2.0)))
    assert [name for name, _ in chain.blocks] == ["first", "second"]
    expected = net.head(net.blocks["second"](net.blocks["first"](net.stem(x / 2))))
    assert torch.equal(chain(x), expected)


def test_blocks_that_cannot_be_deleted_are_refused():
    message = "model: block first of OwnNet has no branch, skip, identity; see dlexp.models.chain"
    with pytest.raises(InputError, match=f"^{message}$"):
        as_chain(OwnNet(block=nn.Identity))


def test_a_net_without_blocks_is_refused():
    net = Normalized(mlp((4,), 2, widths=[3], activation=nn.ReLU), torch.zeros(4), torch.ones(4))
    message = (
        "model: Sequential has no chain of residual blocks; use model=cifar_resnet, model=cifar_plain, "
        "model=torchvision with a resnet, resnext or wide_resnet as model.name, or give your net stem, blocks and head"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        as_chain(net)
    with pytest.raises(InputError, match=r"^model: VGG has no chain of residual blocks; "):
        as_chain(models.vgg11(num_classes=2, init_weights=False))
