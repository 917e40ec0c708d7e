"""One layer put back: what goes back, that the same bits are there afterwards, and that reuse changes no bit."""

import copy
import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.errors import DlexpError
from dlexp.models import state_hash
from dlexp.models.cifar_resnet import cifar_resnet
from dlexp.models.cnn import cnn
from dlexp.models.inputs import Normalized
from dlexp.models.layers import layer_units
from dlexp.models.mlp import mlp
from dlexp.probes.reinitialisation import (
    accuracies,
    distance,
    fresh_draw,
    layer_state,
    logits_when_put_back,
    put_back,
    random_direction,
)
from dlexp.training.evaluate import accuracy

Make = Callable[[], nn.Module]


def small_mlp() -> nn.Module:
    return normalized(mlp((1, 8, 8), 3, widths=[8, 5], activation=nn.ReLU))


def small_cnn() -> nn.Module:
    return normalized(cnn((1, 8, 8), 3, channels=[4, 6], activation=nn.ReLU))


def small_resnet() -> nn.Module:
    return normalized(cifar_resnet((1, 8, 8), 3, depth=14))


def uncut() -> nn.Module:
    """A net that cannot be cut into parts."""

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(64, 6), nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.first(x.flatten(1)).tanh())

    return normalized(Own())


def normalized(net: nn.Module) -> nn.Module:
    return Normalized(net, torch.tensor([0.4]), torch.tensor([0.5]))


def trained_like(make: Make) -> tuple[nn.Module, dict[str, Tensor]]:
    """A net after some steps that moved weights and batch statistics, and its initial state."""
    torch.manual_seed(0)
    net = make()
    initial = copy.deepcopy(net.state_dict())
    parameters = list(net.parameters())
    for _ in range(3):
        loss = nn.functional.cross_entropy(net(torch.rand(16, 1, 8, 8)), torch.arange(16) % 3)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                parameter -= 0.1 * gradient
    return net.eval(), initial


def images(n: int) -> Split:
    generator = torch.Generator().manual_seed(1)
    return Split(torch.rand(n, 1, 8, 8, generator=generator), torch.randint(3, (n,), generator=generator))


def slowly(net: nn.Module, layer: str, state: dict[str, Tensor]) -> nn.Module:
    """Another net, with the layer's values of `state`: no intervention, no reuse."""
    changed = copy.deepcopy(net)
    own = set(layer_state(net, layer))
    changed.load_state_dict({name: state[name] if name in own else each for name, each in net.state_dict().items()})
    return changed


def test_a_normalisation_goes_with_the_layer_before_it() -> None:
    units = layer_units(small_resnet())
    assert list(units) == ["conv1", *(f"layer{i}.{j}" for i in (1, 2, 3) for j in (0, 1)), "fc"]
    assert units["conv1"] == ("conv1", "bn1")
    assert layer_units(small_cnn()) == {name: (name,) for name in ("layer1", "layer2", "fc")}
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))
    assert layer_units(plain) == {"0": ("0", "1"), "4": ("4",)}


@pytest.mark.parametrize("make", [small_mlp, small_cnn, small_resnet])
def test_units_cover_every_parameter_once(make: Make) -> None:
    net = make()
    names = [name for layer in layer_units(net) for name in layer_state(net, layer)]
    assert len(names) == len(set(names))
    assert {name for name, _ in net.named_parameters()} <= set(names)


@pytest.mark.parametrize("make", [small_mlp, small_cnn, small_resnet])
def test_the_same_bits_are_back_also_after_an_exception(make: Make) -> None:
    net, initial = trained_like(make)
    before = state_hash(net)
    for layer in layer_units(net):
        with put_back(net, layer, initial):
            assert state_hash(net) == state_hash(slowly(net, layer, initial)) != before
        assert state_hash(net) == before
        with pytest.raises(KeyError, match="inside"), put_back(net, layer, initial):
            raise KeyError("inside")
        assert state_hash(net) == before


def test_an_interrupted_probe_leaves_the_net_as_it_was() -> None:
    net, initial = trained_like(small_resnet)
    before = state_hash(net)
    net.train()
    calls = itertools.count()

    def interrupt(*_: object) -> None:
        if next(calls) == 12:
            raise KeyboardInterrupt

    hook = net.get_submodule("net.layer2.0.conv2").register_forward_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        accuracies(net, [initial, initial], images(20), batch_size=8)
    hook.remove()
    assert state_hash(net) == before
    assert all(module.training for module in net.modules())


def refusal(net: nn.Module, layer: str, state: dict[str, Tensor]) -> str:
    with pytest.raises(ValueError) as caught, put_back(net, layer, state):  # noqa: PT011
        pass
    return str(caught.value)


def test_wrong_layers_and_states_are_refused_before_anything_changes() -> None:
    net, initial = trained_like(small_resnet)
    before = state_hash(net)
    blocks = ", ".join(f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1))
    assert refusal(net, "bn1", initial) == f"the net has no layer bn1; it has conv1, {blocks}, fc"
    del initial["net.bn1.bias"]  # of the second member: the first is in place by then
    assert refusal(net, "conv1", initial) == "the snapshot has nothing for net.bn1.bias, the net (16,)"
    assert state_hash(net) == before


def test_a_change_of_another_layer_is_noticed() -> None:
    net, initial = trained_like(small_cnn)
    with pytest.raises(DlexpError) as caught, put_back(net, "layer1", initial), torch.no_grad():
        net.get_parameter("net.fc.bias").add_(1)
    assert str(caught.value) == "after rewinding layer1, the weights of the net are not what they were"


@pytest.mark.parametrize("make", [small_mlp, small_cnn, small_resnet, uncut])
def test_reuse_gives_the_bits_of_full_passes(make: Make) -> None:
    net, initial = trained_like(make)
    states = [initial, fresh_draw(make, 5)]
    batches = [images(11).x[:8], images(11).x[8:]]
    found = list(logits_when_put_back(net, states, batches))
    assert sorted((layer, index) for layer, index, _ in found) == sorted(
        (layer, index) for layer in layer_units(net) for index in (0, 1)
    )
    plain = {(layer, index): logits for layer, index, logits in logits_when_put_back(net, states, batches, reuse=False)}
    for layer, index, logits in found:
        changed = slowly(net, layer, states[index])  # type: ignore[arg-type]
        with torch.no_grad():
            expected = torch.cat([changed(batch) for batch in batches])
        assert torch.equal(logits, expected), layer
        assert torch.equal(logits, plain[layer, index]), layer


def test_reuse_gives_the_bits_also_where_a_block_writes_into_its_input() -> None:
    class Block(nn.Module):
        identity = True

        def __init__(self) -> None:
            super().__init__()
            self.activation, self.conv = nn.ReLU(inplace=True), nn.Conv2d(2, 2, 3, padding=1)

        def branch(self, x: Tensor) -> Tensor:
            return self.conv(self.activation(x))

        def skip(self, x: Tensor) -> Tensor:
            return x

        def forward(self, x: Tensor) -> Tensor:
            return self.branch(x) + x

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Conv2d(1, 2, 3), nn.Sequential(nn.Flatten(), nn.Linear(72, 3))
            self.blocks = nn.ModuleDict({"a": Block(), "b": Block()})

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            for block in self.blocks.values():
                x = block(x)
            return self.head(x)

    torch.manual_seed(0)
    net, state = Own(), copy.deepcopy(Own().state_dict())
    x = torch.randn(5, 1, 8, 8)
    for layer, _, logits in logits_when_put_back(net, [state, state], [x]):
        assert torch.equal(logits, slowly(net, layer, state)(x)), layer


@pytest.mark.parametrize(("reuse", "expected"), [(True, 14 + 13 + 2 * 63), (False, 14 + 2 * 8 * 14)])
def test_reuse_computes_only_what_follows(reuse: bool, expected: int) -> None:
    """13 convolutions and fc in 8 layers: with reuse 14 + (13 + 11 + 9 + 7 + 5 + 3) + 1 = 63 calls for every state.

    Besides these there are 14 to find which part uses which layer, and with reuse 13 to move on through the net once.
    """
    net, initial = trained_like(small_resnet)
    calls: list[nn.Module] = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda module, *_: calls.append(module))
    accuracies(net, [initial, initial], images(4), reuse=reuse)
    assert len(calls) == expected


@pytest.mark.parametrize("make", [small_mlp, small_cnn])
def test_accuracies_are_those_of_the_changed_nets(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlexp.probes.reinitialisation.BATCHES_AT_ONCE", 2)
    net, initial = trained_like(make)
    states, split = [net.state_dict(), initial, fresh_draw(make, 1)], images(23)
    found = accuracies(net, states, split, batch_size=5)  # five batches, in three goes
    expected = [
        [accuracy(slowly(net, layer, state), split, batch_size=5) for state in states]  # type: ignore[arg-type]
        for layer in layer_units(net)
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert set(found[:, 0]) == {accuracy(net, split)}  # put back to what it is


def test_a_fresh_draw_comes_from_the_same_initialiser_and_leaves_the_random_state_alone() -> None:
    make: Make = lambda: mlp((64,), 3, widths=[300, 300], activation=nn.ReLU, initialization="he")  # noqa: E731
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first, again, other = fresh_draw(make, 0), fresh_draw(make, 0), fresh_draw(make, 1)
    assert torch.equal(torch.rand(2), expected)
    weight = "layer2.linear.weight"
    assert torch.equal(first[weight], again[weight])
    assert not torch.equal(first[weight], other[weight])
    assert float(first[weight].std()) == pytest.approx((2 / 300) ** 0.5, rel=0.02)
    assert not first["layer2.linear.bias"].any()
    correlation = float(torch.corrcoef(torch.stack([first[weight].flatten(), other[weight].flatten()]))[0, 1])
    assert abs(correlation) < 0.02  # 90,000 weights


def test_distance_by_hand() -> None:
    net = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[3.0, 4.0]]))
        net[0].bias.zero_()
    there = {"0.weight": torch.tensor([[0.0, 2.0]]), "0.bias": torch.tensor([1.0])}
    there |= {"1.weight": torch.tensor([1.0]), "1.bias": torch.tensor([0.0]), "1.running_mean": torch.tensor([99.0])}
    assert distance(net, "0", there) == pytest.approx((14 / 6) ** 0.5)  # 9 + 4 + 1 over 4 + 1 + 1; no buffers


@given(seed=st.integers(0, 1000))
@budget(max_examples=20)
def test_a_random_direction_is_as_far_and_orthogonal_on_average(seed: int) -> None:
    net, initial = trained_like(small_mlp)
    moved = random_direction(net, initial, torch.Generator().manual_seed(seed))
    now = net.state_dict()
    for layer in layer_units(net):
        back = torch.cat([(initial[name] - now[name]).flatten() for name in layer_state(net, layer)])
        aside = torch.cat([(moved[name] - now[name]).flatten() for name in layer_state(net, layer)])
        assert float(aside.norm()) == pytest.approx(float(back.norm()), rel=1e-4)
        # The cosine is a sum of random signs with weights back^2 / |back|^2.
        spread = float((back**2).norm() / back.norm() ** 2)
        assert abs(float(torch.cosine_similarity(aside, back, dim=0))) < 5 * spread
