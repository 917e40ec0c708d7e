"""The scales of batch normalisation, planted units that are off, and that every weight is put back."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import PolyCollection
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.errors import DlexpError
from dlexp.models import state_hash
from dlexp.models.cifar_resnet import cifar_resnet
from dlexp.models.inputs import Normalized
from dlexp.plots import LINES
from dlexp.probes.affine import (
    accuracy_without,
    near_zero,
    never_positive,
    normalisations,
    same_number_elsewhere,
    scales,
    share,
    switched_off,
)
from dlexp.probes.affine_drawings import draw_by_layer, draw_by_shape, draw_scales, round_edges, shares_per_bin
from dlexp.stats import mean_interval
from dlexp.training.evaluate import accuracy, predict

LAYERS = ["bn1", *(f"layer{stage}.0.bn{part}" for stage in (1, 2, 3) for part in (1, 2))]


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    made = Normalized(cifar_resnet((1, 8, 8), 10, depth=8), torch.tensor([0.5]), torch.tensor([1.0]))
    made(torch.rand(16, 1, 8, 8))  # running statistics that are not those of the start
    return made.eval()


@pytest.fixture
def split() -> Split:
    generator = torch.Generator().manual_seed(1)
    return Split(torch.rand(30, 1, 8, 8, generator=generator), torch.randint(10, (30,), generator=generator))


def gamma(net: nn.Module, layer: str) -> Tensor:
    return net.get_parameter(f"net.{layer}.weight").data


def test_scales_are_read_by_layer_from_a_net_or_a_snapshot(net: nn.Module) -> None:
    start = copy.deepcopy(net.state_dict())
    gamma(net, "layer2.0.bn1")[:4] = torch.tensor([0.0, 0.009, -0.009, 0.011])
    found = scales(net)
    assert list(found) == LAYERS == list(normalisations(net))
    assert found["layer2.0.bn1"][:5].tolist() == pytest.approx([0, 0.009, -0.009, 0.011, 1])
    assert all(each.eq(1).all() for each in scales(net, start).values())
    units = near_zero(found)
    assert units["layer2.0.bn1"].nonzero().flatten().tolist() == [0, 1, 2]
    assert share(units) == 3 / 240
    assert share(near_zero(found, threshold=0.1)) == 4 / 240
    found["bn1"].zero_()  # a copy: the net does not change
    assert gamma(net, "bn1").eq(1).all()


def test_units_switched_off_give_their_shift_and_come_back(net: nn.Module, split: Split) -> None:
    before, full = state_hash(net), predict(net, split)
    units = {"layer1.0.bn1": torch.arange(16) < 5}
    seen: list[Tensor] = []
    hook = net.get_submodule("net.layer1.0.bn1").register_forward_hook(lambda module, given, out: seen.append(out))
    net.get_parameter("net.layer1.0.bn1.bias").data[:5] = torch.arange(5.0)
    before = state_hash(net)
    with switched_off(net, units):
        changed = predict(net, split)
    hook.remove()
    assert seen[0][:, :5].equal(torch.arange(5.0).reshape(1, 5, 1, 1).expand(30, 5, 8, 8))
    assert state_hash(net) == before
    assert not changed.equal(full)
    assert accuracy_without(net, units, split) == float((changed.argmax(1) == split.y).double().mean())
    assert accuracy_without(net, {}, split) == accuracy(net, split)


def test_weights_are_back_after_an_error_and_other_changes_are_noticed(net: nn.Module) -> None:
    before = state_hash(net)
    units = {name: torch.ones(each.num_features, dtype=torch.bool) for name, each in normalisations(net).items()}

    def interrupted() -> None:
        with switched_off(net, units):
            assert all(each.weight.eq(0).all() for each in normalisations(net).values())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert state_hash(net) == before
    with pytest.raises(DlexpError, match="the weights of the net are not what they were"), switched_off(net, units):
        net.get_parameter("net.fc.bias").data += 1


def test_the_control_has_as_many_units_in_each_layer() -> None:
    units = {"a": torch.tensor([True, True, False, False, False]), "b": torch.zeros(3, dtype=torch.bool)}
    draws = [same_number_elsewhere(units, torch.Generator().manual_seed(seed)) for seed in range(200)]
    assert all(int(each["a"].sum()) == 2 and not each["b"].any() for each in draws)
    hit = torch.stack([each["a"] for each in draws]).double().mean(dim=0)
    assert (hit - 0.4).abs().max() < 0.14  # all units of the layer alike: four standard errors
    assert units["a"].tolist() == [True, True, False, False, False]


def test_units_that_are_never_positive_are_found_as_by_a_plain_loop(net: nn.Module, split: Split) -> None:
    bias = net.get_parameter("net.layer2.0.bn1.bias").data
    bias[3] = -100.0
    gamma(net, "bn1")[2], net.get_parameter("net.bn1.bias").data[2] = 0.0, 0.0
    found = never_positive(net, split, batch_size=7)
    assert found["layer2.0.bn1"][3]
    assert found["bn1"][2]  # exactly 0 is not positive
    stem = net.get_submodule("net")
    with torch.no_grad():
        z = stem.bn1(stem.conv1(net.prepare(split.inputs())))  # type: ignore[operator, union-attr]
    assert found["bn1"].tolist() == [bool((z[:, channel] <= 0).all()) for channel in range(16)]
    assert not net.training


def test_shares_per_bin_hold_every_value_once() -> None:
    edges = np.array([0.0, 1.0, 2.0])
    bins = shares_per_bin([[-5.0, 0.5, 1.5, 9.0], [0.1, 0.2, 0.3, 1.1]], edges)
    assert [each.mean for each in bins] == [(0.5 + 0.75) / 2, (0.5 + 0.25) / 2]
    assert bins[0].n == 2


@given(st.floats(-100, 100), st.floats(1e-3, 1000))
@settings(max_examples=20)
def test_bins_are_round_and_cover_the_values(low: float, span: float) -> None:
    edges = round_edges(low, low + span)
    width = edges[1] - edges[0]
    assert edges[0] <= low + 1e-9 * (abs(low) + span)
    assert edges[-1] >= low + span - 1e-9 * (abs(low) + span)
    assert 10 <= len(edges) <= 44
    assert np.allclose(edges / width, np.round(edges / width), atol=1e-6 * np.abs(edges / width).max())


def test_the_units_of_a_uniform_start_fill_whole_bins() -> None:
    assert {0.0, 1.0} <= set(round_edges(-2.7, 6.4))
    assert round_edges(0.0, 0.0).size >= 2


def test_the_figures_show_every_series_with_its_intervals() -> None:
    rng = np.random.default_rng(0)
    samples = {name: [rng.normal(size=40) for _ in range(3)] for name in ("start", "batchnorm", "all")}
    (axes,) = draw_scales(samples).axes
    assert axes.get_legend_handles_labels()[1] == ["start", "batchnorm", "all"]
    means = [patch.get_data().values for patch in axes.patches if not patch.get_fill()]
    assert [pytest.approx(1) for _ in samples] == [values.sum() for values in means]
    near = {name: [mean_interval([0.0, 0.1, 0.2]), mean_interval([0.3, 0.3, 0.4])] for name in ("batchnorm", "all")}
    (axes,) = draw_by_layer(near, ["bn1", "bn2"], "share").axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["bn1", "bn2"]
    assert axes.get_legend_handles_labels()[1] == ["batchnorm", "all"]
    series = {name: [mean_interval([0.5, 0.6])] * 2 for name in ("batchnorm", "random")}
    made = draw_by_shape({"depth": ([8, 14], series), "width": ([1, 2], series)})
    assert [axes.get_xlabel() for axes in made.axes] == ["depth (layers)", "width (times the channels)"]
    for axes in made.axes:
        assert [line.get_linestyle() for line in axes.get_lines()] == list(LINES[:2])
        assert sum(isinstance(each, PolyCollection) for each in axes.collections) == 2
    assert [text.get_text() for text in made.legends[0].get_texts()] == ["batchnorm", "random"]
