"""Nets of a wanted number of parameters, counted without being built."""

from typing import Any

import pytest
import torch

from dlexp.errors import InputError
from dlexp.models import build_model
from dlexp.models.widening import parameter_count, sized, widened

RELU = {"_target_": "torch.nn.ReLU", "_partial_": True}
MLP = {"_target_": "dlexp.models.mlp.mlp", "widths": [8, 6], "activation": RELU, "weights": None}
CNN = {"_target_": "dlexp.models.cnn.cnn", "channels": [4, 6], "activation": RELU}
RESNET = {"_target_": "dlexp.models.cifar_resnet.cifar_resnet", "depth": 8, "width": 1}
IMAGE = (1, 8, 8)


@pytest.mark.parametrize("node", [MLP, CNN, RESNET])
def test_counts_are_those_of_the_net(node: dict[str, Any]) -> None:
    state = torch.get_rng_state()
    count = parameter_count(node, IMAGE, 10)
    assert torch.equal(torch.get_rng_state(), state)
    net = build_model(node, IMAGE, 10, torch.zeros(1), torch.ones(1))
    assert count == sum(parameter.numel() for parameter in net.parameters())


def test_every_width_is_multiplied() -> None:
    assert widened(MLP, 1.5)["widths"] == [12, 9]
    assert widened(CNN, 0.01)["channels"] == [1, 1]
    assert widened(RESNET, 2.6)["width"] == 3
    assert MLP["widths"] == [8, 6]


@pytest.mark.parametrize("node", [MLP, CNN])
@pytest.mark.parametrize("times", [0.5, 1, 2, 8, 32])
def test_no_neighbour_is_nearer(node: dict[str, Any], times: float) -> None:
    wanted = round(times * parameter_count(node, IMAGE, 10))
    found = sized(node, wanted, IMAGE, 10)
    key = "widths" if "widths" in node else "channels"
    off = abs(parameter_count(found, IMAGE, 10) / wanted - 1)
    assert off < 0.15  # of the smallest nets one channel is an eighth
    if times == 1:
        assert found[key] == node[key]
    factors = [found[key][0] / node[key][0] + step for step in (-0.1, -0.02, 0.02, 0.1)]
    others = [abs(parameter_count(widened(node, factor), IMAGE, 10) / wanted - 1) for factor in factors]
    assert off <= min(others) + 1e-9


def test_whole_factors_take_the_nearest_ratio() -> None:
    one = parameter_count(RESNET, IMAGE, 10)
    assert sized(RESNET, one, IMAGE, 10)["width"] == 1
    assert sized(RESNET, round(1.4 * one), IMAGE, 10)["width"] == 1
    assert sized(RESNET, 3 * one, IMAGE, 10)["width"] == 2
    assert sized(RESNET, 16 * one, IMAGE, 10)["width"] == 4


def test_a_model_without_a_width_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        sized({"_target_": "dlexp.models.torchvision_classifier.classifier", "name": "resnet18"}, 10, IMAGE, 10)
    assert str(refused.value) == (
        "model=classifier: it cannot be made wider, having none of model.widths, model.channels, model.width; "
        "use mlp, cnn or cifar_resnet"
    )
