"""Representations as tables: what each layer computes, coarser where it is too much, and the net before training."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.models import state_hash
from dlexp.models.cnn import cnn
from dlexp.models.inputs import Normalized
from dlexp.models.mlp import mlp
from dlexp.probes.activations import activations
from dlexp.probes.layer_measures import CHOICE, FEATURES, KNN, PROBE, Splits, measure_layers, over_nets, read_layers
from dlexp.probes.representations import at_most, representations, untrained
from dlexp.probes.separability import fit_linear_probe, knn_accuracy


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def small_cnn(**options: bool) -> Normalized:
    net = cnn((1, 8, 8), 3, channels=[4, 6], activation=nn.ReLU, **options)
    return Normalized(net, torch.tensor([0.5]), torch.tensor([2.0]))


def images(n: int) -> Split:
    return Split(torch.rand(n, 1, 8, 8), torch.arange(n) % 3)


def test_the_input_comes_first_and_the_rest_are_the_nets_activations() -> None:
    net, split = small_cnn(), images(10)
    found = representations(net, split, batch_size=4)
    assert list(found) == ["input", "layer1", "layer2", "fc"]
    np.testing.assert_array_equal(found["input"].x, split.x.flatten(1).double().numpy())  # type: ignore[union-attr]
    for name, features in activations(net, split, ["layer1", "layer2", "fc"]).items():
        np.testing.assert_allclose(found[name].x, features.double().numpy(), rtol=1e-5, atol=1e-6)
        assert found[name].y.tolist() == split.y.tolist()
    pooled = activations(net, split, ["layer2"])["layer2"].reshape(10, 6, -1).mean(dim=2)
    np.testing.assert_allclose(representations(net, split, ["layer2"], most=1)["layer2"].x, pooled, rtol=1e-5)


def test_a_draw_keeps_the_shares_of_the_classes_and_is_always_the_same() -> None:
    split = images(90)
    drawn = at_most(split, 30)
    assert torch.bincount(drawn.y).tolist() == [10, 10, 10]
    assert torch.equal(drawn.inputs(), at_most(split, 30).inputs())
    assert at_most(split, 90) is split


def moved(net: nn.Module) -> dict[str, Tensor]:
    return {name: tensor + torch.rand(tensor.shape) for name, tensor in net.state_dict().items() if tensor.ndim}


def test_the_untrained_net_has_the_first_weights_and_leaves_the_net_alone() -> None:
    net = Normalized(mlp((6,), 3, widths=[5], activation=nn.ReLU), torch.tensor([0.0]), torch.tensor([1.0]))
    initial = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    start = state_hash(net)
    net.load_state_dict(moved(net))
    before = state_hash(net)
    assert before != start
    assert state_hash(untrained(net, initial, Split(torch.rand(8, 6), torch.zeros(8).long()))) == start
    assert state_hash(net) == before


def test_the_untrained_net_normalises_by_the_data() -> None:
    net, split = small_cnn().eval(), images(40)
    initial = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    made = untrained(net, initial, split)
    first = made.get_submodule("net.layer1")
    x = (split.inputs() - 0.5) / 2
    maps = first.get_submodule("conv")(x)
    norm = first.get_submodule("bn")
    torch.testing.assert_close(norm.running_mean, maps.mean(dim=(0, 2, 3)))  # type: ignore[arg-type]
    torch.testing.assert_close(norm.running_var, maps.transpose(0, 1).flatten(1).var(dim=1))  # type: ignore[arg-type]
    assert not any(each.training for each in made.modules())
    assert torch.equal(net.state_dict()["net.layer1.bn.running_mean"], torch.zeros(4))


def test_measures_of_all_layers_are_those_of_each() -> None:
    net, splits = small_cnn().eval(), Splits(images(30), images(12), images(21))
    measured = measure_layers(net, splits, k=3, features=20)
    layers = read_layers(net, splits, features=20)
    assert measured[FEATURES] == [16, 16, 6, 3]  # 1 x 8 x 8 -> 4 x 4; 4 x 8 x 8 -> 2 x 2; 6 x 4 x 4 -> 1 x 1; logits
    for at, layer in enumerate(layers.values()):
        probe = fit_linear_probe(layer.train, layer.val)
        assert measured[PROBE][at] == probe.accuracy(layer.test)
        assert measured[CHOICE][at] == probe.accuracy(layer.val)
        assert measured[KNN][at] == knn_accuracy(layer.train, layer.test, 3)
    assert over_nets([measured, measured])[PROBE].tolist() == [measured[PROBE], measured[PROBE]]
