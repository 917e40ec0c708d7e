"""Nets cut into parts: the parts compute what the net does, and it is known which of them uses which layer."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dlexp.models.cifar_resnet import cifar_plain, cifar_resnet
from dlexp.models.cnn import cnn
from dlexp.models.inputs import Normalized
from dlexp.models.mlp import mlp
from dlexp.probes.prefix_reuse import Part, Reuse, parts_of, uses

NETS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: mlp((1, 8, 8), 3, widths=[8, 5], activation=nn.ReLU),
    "cnn": lambda: cnn((1, 8, 8), 3, channels=[4, 6], activation=nn.ReLU),
    "cifar_resnet": lambda: cifar_resnet((1, 8, 8), 3, depth=14, shortcut="B"),
    "cifar_plain": lambda: cifar_plain((1, 8, 8), 3, depth=8),
}


def made(name: str) -> Normalized:
    torch.manual_seed(0)
    net = Normalized(NETS[name](), torch.tensor([0.4]), torch.tensor([2.0]))
    net(torch.rand(5, 1, 8, 8))  # batch statistics move
    return net.eval()


def in_turn(parts: list[Part], x: Tensor) -> Tensor:
    for part in parts:
        x = part(x)
    return x


@pytest.mark.parametrize("name", list(NETS))
def test_the_parts_in_turn_give_the_bits_of_the_net(name: str) -> None:
    net, x = made(name), torch.rand(4, 1, 8, 8)
    parts = parts_of(net)
    assert len(parts) > 4
    assert torch.equal(in_turn(parts, x), net(x))


def test_a_sequence_with_a_forward_of_its_own_is_not_cut() -> None:
    class Doubled(nn.Sequential):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    net = Doubled(nn.Linear(3, 3), nn.ReLU())
    assert parts_of(net) == [net]
    assert uses(net, [net], torch.rand(1, 3)) == {"0": (0, 0)}


def test_the_parts_that_use_a_layer_are_found() -> None:
    net = made("cifar_resnet")
    parts = parts_of(net)  # normalisation, stem, six blocks, head
    found = uses(net, parts, torch.rand(1, 1, 8, 8))
    assert found["net.conv1"] == found["net.bn1"] == (1, 1)
    assert found["net.layer1.0.conv1"] == found["net.layer1.0.bn2"] == (2, 2)
    assert found["net.layer2.0.shortcut.0"] == (4, 4)
    assert found["net.fc"] == (8, 8)


def test_a_shared_layer_is_used_from_its_first_to_its_last_call() -> None:
    shared = nn.Linear(3, 3)
    net = nn.Sequential(nn.Linear(3, 3), shared, nn.ReLU(), shared, nn.Linear(3, 2))
    assert uses(net, parts_of(net), torch.rand(1, 3))["1"] == (1, 3)


def test_weights_that_others_use_count_as_used_everywhere() -> None:
    class Tied(nn.Module):
        def __init__(self, other: nn.Linear) -> None:
            super().__init__()
            self.other = other

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.other.weight

    net = nn.Sequential(nn.Linear(3, 3), Tied(nn.Linear(3, 3)))
    assert uses(net, parts_of(net), torch.rand(1, 3)) == {"0": (0, 0), "1.other": (0, 1)}


def test_looking_leaves_no_hooks_and_no_trace() -> None:
    net = made("cnn").train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    uses(net, parts_of(net), torch.rand(1, 1, 8, 8))
    assert net.training
    assert not any(module._forward_pre_hooks for module in net.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_going_on_from_a_kept_activation_repeats_only_what_follows() -> None:
    calls: list[int] = []

    def part(number: int) -> Part:
        def add(x: Tensor) -> Tensor:
            calls.append(number)
            return x.add_(number)  # writes into its input

        return add

    kept = Reuse([part(1), part(10), part(100)], [torch.zeros(2), torch.ones(1)])
    kept.advance(1)
    for _ in range(2):
        first, second = kept.outputs()
        assert (first.tolist(), second.tolist()) == ([111, 111], [112])
    assert [each.tolist() for each in kept.outputs(2)] == [[11, 11], [12]]
    assert calls == [1, 1, *[10, 100] * 4, 10, 10]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        kept.advance(0)
    assert str(caught.value) == "the activations before part 0 are gone; the next one is 1"
