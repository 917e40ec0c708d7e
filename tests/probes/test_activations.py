"""Representations are what the layers compute, whatever the batch size, and reading them changes nothing."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from dlexp.data import Split
from dlexp.models import state_hash
from dlexp.models.cifar_resnet import cifar_resnet
from dlexp.models.cnn import cnn
from dlexp.models.inputs import Normalized
from dlexp.models.mlp import mlp
from dlexp.models.torchvision_classifier import classifier
from dlexp.probes.activations import activation_batches, activations, captured, coarse_features, representation_names


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def wrapped(net: nn.Module) -> Normalized:
    return Normalized(net, torch.tensor([0.5]), torch.tensor([2.0]))


def split_of(x: Tensor) -> Split:
    return Split(x, torch.zeros(len(x), dtype=torch.long))


def test_a_layer_of_an_mlp_is_read_after_its_activation() -> None:
    net, x = mlp((6,), 3, widths=[8, 5], activation=nn.ReLU), torch.randn(7, 6)
    first = relu(x @ net.layer1.linear.weight.T + net.layer1.linear.bias)
    second = relu(first @ net.layer2.linear.weight.T + net.layer2.linear.bias)
    found = activations(net, split_of(x), representation_names(net), batch_size=3)
    assert list(found) == ["layer1", "layer2", "fc"]
    for name, expected in {"layer1": first, "layer2": second, "fc": net(x)}.items():
        torch.testing.assert_close(found[name], expected.detach())


def test_a_convolution_and_its_normalisation_are_one_layer() -> None:
    net = wrapped(classifier((3, 32, 32), 3, name="resnet18"))
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    assert representation_names(net) == ["bn1", *blocks, "fc"]
    assert representation_names(wrapped(cifar_resnet((1, 8, 8), 3, depth=8))) == [
        "bn1", "layer1.0", "layer2.0", "layer3.0", "fc",
    ]  # fmt: skip


def test_the_last_representation_is_the_logits() -> None:
    net, x = wrapped(cifar_resnet((1, 8, 8), 3, depth=8)).eval(), torch.rand(5, 1, 8, 8)
    names = representation_names(net)
    torch.testing.assert_close(activations(net, split_of(x), names)[names[-1]], net(x).detach())


def test_maps_are_averaged_over_as_many_cells_as_fit() -> None:
    maps = torch.arange(32.0).reshape(1, 2, 4, 4)
    assert torch.equal(coarse_features(maps, None), maps.flatten(1))
    assert torch.equal(coarse_features(maps, 32), maps.flatten(1))
    quarters = maps.reshape(1, 2, 2, 2, 2, 2).mean(dim=(3, 5)).flatten(1)
    for most in (8, 17, 31):  # 2 x 2 cells of 2 channels are 8, 3 x 3 are 18
        expected = quarters if most < 18 else coarse_features(maps, 18)
        torch.testing.assert_close(coarse_features(maps, most), expected)
    assert coarse_features(maps, 18).shape == (1, 18)
    torch.testing.assert_close(coarse_features(maps, 7), maps.mean(dim=(2, 3)))
    torch.testing.assert_close(coarse_features(maps, 1), maps.mean(dim=(2, 3)))
    vectors = torch.rand(3, 50)
    assert torch.equal(coarse_features(vectors, 10), vectors)


def test_batches_come_in_order_and_together_are_all() -> None:
    net, x = wrapped(cnn((1, 8, 8), 3, channels=[4, 6], activation=nn.ReLU)), torch.rand(10, 1, 8, 8)
    names = ["layer1", "fc"]
    batches = list(activation_batches(net, split_of(x), names, batch_size=4))
    assert [len(batch["fc"]) for batch in batches] == [4, 4, 2]
    whole = activations(net, split_of(x), names)
    for name in names:
        torch.testing.assert_close(torch.cat([batch[name] for batch in batches]), whole[name])


def test_reading_leaves_no_trace() -> None:
    net = wrapped(cnn((1, 8, 8), 3, channels=[4, 6], activation=nn.ReLU)).train()
    before = state_hash(net)
    activations(net, split_of(torch.rand(10, 1, 8, 8)), ["layer1"])
    assert state_hash(net) == before
    assert net.training
    assert not any(module._forward_hooks for module in net.modules())


def test_hooks_are_gone_after_an_error() -> None:
    net = wrapped(mlp((6,), 3, widths=[8], activation=nn.ReLU))
    with pytest.raises(RuntimeError), captured(net, ["layer1"]):
        net(torch.rand(2, 5))
    assert not any(module._forward_hooks for module in net.modules())


def test_gradients_reach_a_captured_layer() -> None:
    net = mlp((6,), 3, widths=[8], activation=nn.ReLU)
    with captured(net, ["layer1"]) as outputs:
        logits = net(torch.rand(2, 6))
    (gradient,) = torch.autograd.grad(logits.sum(), [outputs["layer1"]])
    torch.testing.assert_close(gradient, net.fc.weight.sum(0).expand(2, -1))


def test_an_unknown_layer_is_named() -> None:
    net = mlp((6,), 3, widths=[8], activation=nn.ReLU)
    with pytest.raises(ValueError, match="the net has no layer conv9; it has layer1, fc"), captured(net, ["conv9"]):
        pass


def test_what_follows_in_place_does_not_change_what_was_read() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    with captured(net, ["0"]) as outputs:
        y = net(x)
    assert torch.equal(outputs["0"], net[0](x))
    assert (outputs["0"] < 0).any()
    assert torch.equal(y, net(x))
    (gradient,) = torch.autograd.grad(y.sum(), outputs["0"])  # the copy is on the way from the layer to the loss
    assert torch.allclose(gradient, (outputs["0"] > 0) * net[2].weight.sum(dim=0))
