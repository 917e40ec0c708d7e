"""Rewinding a layer: what changes inside, that the same bits are back, and what is counted as forgotten."""

import copy
from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.errors import DlexpError
from dlexp.models import state_hash
from dlexp.models.cifar_resnet import cifar_resnet
from dlexp.models.cnn import cnn
from dlexp.models.inputs import Normalized
from dlexp.models.layers import layer_names, layer_tensors
from dlexp.models.mlp import mlp
from dlexp.models.torchvision_classifier import classifier
from dlexp.probes.rewinding import (
    fitted,
    fitted_when_rewound,
    measure_rewinding,
    rewound,
    share_forgotten,
    with_random_signs,
)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def wrapped(net: nn.Module) -> Normalized:
    return Normalized(net, torch.tensor([0.5]), torch.tensor([2.0]))


def small_mlp() -> Normalized:
    return wrapped(mlp((6,), 3, widths=[8, 5], activation=nn.ReLU)).eval()  # type: ignore[return-value]


def small_cnn() -> Normalized:
    net = wrapped(cnn((1, 8, 8), 3, channels=[4, 6], activation=nn.ReLU))
    net(torch.rand(7, 1, 8, 8))  # batch statistics move
    return net.eval()  # type: ignore[return-value]


def state(net: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def shaken(net: nn.Module) -> dict[str, Tensor]:
    """A state of the same net with all weights and statistics elsewhere."""
    return {
        name: tensor + torch.rand(tensor.shape) if tensor.is_floating_point() else tensor + 1
        for name, tensor in net.state_dict().items()
    }


def test_layers_are_the_children_with_weights() -> None:
    assert layer_names(small_mlp()) == ["layer1", "layer2", "fc"]
    assert layer_names(small_cnn()) == ["layer1", "layer2", "fc"]
    assert layer_names(nn.Sequential(nn.Flatten(), nn.Linear(2, 2))) == ["1"]


def test_a_stage_of_blocks_counts_as_its_blocks() -> None:
    names = layer_names(cifar_resnet((1, 8, 8), 3, depth=14))
    assert [name for name in names if name.startswith("layer2")] == ["layer2.0", "layer2.1"]
    names = layer_names(wrapped(classifier((3, 32, 32), 3, name="resnet18")))
    assert names == ["conv1", "bn1", *(f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)), "fc"]


@pytest.mark.parametrize("make", [small_mlp, small_cnn])
def test_layers_cover_every_parameter_once(make: Callable[[], Normalized]) -> None:
    net = make()
    names = [name for layer in layer_names(net) for name in layer_tensors(net, layer)]
    assert len(names) == len(set(names))
    assert {name for name, _ in net.named_parameters()} <= set(names)


@pytest.mark.parametrize("make", [small_mlp, small_cnn])
def test_inside_the_layer_is_the_snapshots_and_the_rest_the_nets(make: Callable[[], Normalized]) -> None:
    net = make()
    before, earlier = state(net), shaken(net)
    for layer in layer_names(net):
        with rewound(net, layer, earlier):
            for name, tensor in net.state_dict().items():
                own = name.startswith(f"net.{layer}.")
                assert torch.equal(tensor, earlier[name] if own else before[name]), name


def test_all_layers_rewound_is_the_earlier_net() -> None:
    net, x = small_cnn(), torch.rand(5, 1, 8, 8)
    earlier = copy.deepcopy(net)
    elsewhere = {name: each for name, each in shaken(net).items() if name.startswith("net.")}
    earlier.load_state_dict(elsewhere, strict=False)
    snapshot = state(earlier)
    with rewound(net, "layer1", snapshot), rewound(net, "layer2", snapshot), rewound(net, "fc", snapshot):
        assert torch.equal(net(x), earlier(x))


@pytest.mark.parametrize("make", [small_mlp, small_cnn])
def test_the_same_bits_are_back_also_after_an_exception(make: Callable[[], Normalized]) -> None:
    net = make()
    before, earlier = state_hash(net), shaken(net)
    for layer in layer_names(net):
        with rewound(net, layer, earlier):
            assert state_hash(net) != before
        assert state_hash(net) == before
        with pytest.raises(KeyError, match="inside"), rewound(net, layer, earlier):
            raise KeyError("inside")
        assert state_hash(net) == before


def test_a_change_of_another_layer_is_noticed() -> None:
    net = small_mlp()
    with pytest.raises(DlexpError) as caught, rewound(net, "layer1", shaken(net)), torch.no_grad():
        net.get_parameter("net.fc.bias").add_(1)
    assert str(caught.value) == "after rewinding layer1, the weights of the net are not what they were"


def test_a_change_of_another_layer_is_noticed_also_after_an_exception() -> None:
    net = small_mlp()

    def change_and_raise() -> None:
        with torch.no_grad():
            net.get_parameter("net.fc.bias").add_(1)
        raise KeyError("inside")

    with pytest.raises(DlexpError) as caught, rewound(net, "layer1", shaken(net)):
        change_and_raise()
    assert isinstance(caught.value.__context__, KeyError)


def refusal(net: nn.Module, layer: str, snapshot: dict[str, Tensor]) -> str:
    with pytest.raises(ValueError) as caught, rewound(net, layer, snapshot):  # noqa: PT011
        pass
    return str(caught.value)


def test_wrong_layers_and_snapshots_are_refused_before_anything_changes() -> None:
    net = small_mlp()
    before = state_hash(net)
    assert refusal(net, "layer9", {}) == "the net has no layer layer9; it has layer1, layer2, fc"
    snapshot = state(net)
    bias = snapshot.pop("net.fc.bias")
    assert refusal(net, "fc", snapshot) == "the snapshot has nothing for net.fc.bias, the net (3,)"
    snapshot["net.fc.bias"] = bias[:2]
    assert refusal(net, "fc", snapshot) == "the snapshot has (2,) for net.fc.bias, the net (3,)"
    assert state_hash(net) == before


def test_random_signs_move_every_weight_as_far_and_about_half_of_them_the_other_way() -> None:
    net = wrapped(mlp((40,), 3, widths=[50], activation=nn.ReLU))
    earlier = shaken(net)
    moved = with_random_signs(net, "layer1", earlier, torch.Generator().manual_seed(0))
    assert set(moved) == set(layer_tensors(net, "layer1"))
    weight, there = net.state_dict()["net.layer1.linear.weight"], earlier["net.layer1.linear.weight"]
    steps = moved["net.layer1.linear.weight"] - weight
    torch.testing.assert_close(steps.abs(), (there - weight).abs())
    backwards = float((steps.sign() != (there - weight).sign()).double().mean())
    assert backwards == pytest.approx(0.5, abs=0.06)  # 2,000 weights
    again = with_random_signs(net, "layer1", earlier, torch.Generator().manual_seed(0))
    assert all(torch.equal(moved[name], again[name]) for name in moved)


def test_random_signs_leave_batch_statistics_to_the_snapshot() -> None:
    net = small_cnn()
    earlier = shaken(net)
    moved = with_random_signs(net, "layer1", earlier, torch.Generator())
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.equal(moved[f"net.layer1.bn.{name}"], earlier[f"net.layer1.bn.{name}"])


def test_a_share_is_of_what_was_fitted_in_the_group() -> None:
    before = torch.tensor([True, True, True, False, True])
    after = torch.tensor([False, True, False, False, False])
    group = torch.tensor([True, True, True, True, False])
    assert share_forgotten(before, after, group) == pytest.approx(2 / 3)
    assert share_forgotten(before, after, ~group) == 1.0
    assert share_forgotten(~before, after, ~group) == 0.0  # nothing was fitted


def planted() -> tuple[nn.Module, dict[int, dict[str, Tensor]], Split, Tensor]:
    """A net that copies its input's largest entry to the logits, with one exception that its second layer knows.

    Sample i is the unit vector e_i. The first layer is the identity; the second one sends e_3 to class 0. Before, at
    epoch 1, it sent it to class 3; at epoch 0 both layers were zero.
    """
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    made = nn.Sequential(OrderedDict(first=first, second=second))
    exception = torch.eye(4)
    exception[3, 3], exception[0, 3] = 0.0, 1.0
    with torch.no_grad():
        first.weight.copy_(torch.eye(4))
        second.weight.copy_(exception)
    snapshots = {
        1: {"first.weight": torch.eye(4), "second.weight": torch.eye(4)},
        0: {"first.weight": torch.zeros(4, 4), "second.weight": torch.zeros(4, 4)},
        2: state(made),
    }
    labels = torch.tensor([0, 1, 2, 0])
    return made, snapshots, Split(torch.eye(4), labels), labels != torch.arange(4)


def test_a_planted_exception_is_found_in_its_layer() -> None:
    net, snapshots, train, mislabelled = planted()
    test = Split(torch.eye(4), torch.arange(4))
    before = state_hash(net)
    assert fitted(net, train).all()
    assert fitted_when_rewound(net, train, "second", snapshots[1]).tolist() == [True, True, True, False]
    found = measure_rewinding(net, snapshots, train, mislabelled, test, torch.Generator().manual_seed(0))
    assert (found.layers, found.epochs) == (["first", "second"], [0, 1, 2])
    # At epoch 0 all logits are equal and class 0 is predicted.
    assert found.learnt.tolist() == [[1.0, 0.0, 1.0], [pytest.approx(1 / 3), 1.0, 1.0]]
    assert found.epochs[found.reference] == 1
    assert found.forgotten[0].tolist() == [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]  # mislabelled: layers x epochs
    assert found.forgotten[1, :, 1:].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert found.lost.tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert found.test_accuracy.tolist() == [0.75, 1.0]
    assert state_hash(net) == before


def test_the_control_of_a_layer_that_has_not_moved_forgets_nothing() -> None:
    net, snapshots, train, mislabelled = planted()
    found = measure_rewinding(net, snapshots, train, mislabelled, train, torch.Generator().manual_seed(0))
    assert found.control[:, 0].tolist() == [0.0, 0.0]


def test_measuring_leaves_the_mode_of_every_module_alone() -> None:
    net, snapshots, train, mislabelled = planted()
    net.train()
    measure_rewinding(net, snapshots, train, mislabelled, train, torch.Generator())
    assert net.training
