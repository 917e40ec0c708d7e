"""From the YAML groups to nets: every model and activation builds, bad keys are named."""

import re
from importlib import resources

import pytest
import torch
import yaml
from torch import nn

from dlexp.errors import InputError
from dlexp.models import Normalized, build_model

CONF = resources.files("dlexp.conf")
MODELS = sorted(path.name.removesuffix(".yaml") for path in (CONF / "model").iterdir())
ACTIVATIONS = sorted(path.name.removesuffix(".yaml") for path in (CONF / "activation").iterdir())


def node(model, activation="relu", **changes):
    """The composed `model` group, its reference to the group `activation` resolved."""
    text = {
        group: (CONF / group / f"{name}.yaml").read_text()
        for group, name in (("model", model), ("activation", activation))
    }
    found = yaml.safe_load(text["model"])
    if "activation" in found:
        assert found["activation"] == "${activation}"
        found["activation"] = yaml.safe_load(text["activation"])
    return {**found, **changes}


def build(model, shape=(1, 8, 8), **changes):
    channels = shape[0]
    return build_model(node(model, **changes), shape, 10, torch.full((channels,), 0.3), torch.full((channels,), 0.5))


def test_the_groups_are_those_of_the_design():
    assert set(MODELS) >= {"mlp", "cnn", "cifar_resnet", "cifar_plain", "torchvision"}
    assert set(ACTIVATIONS) >= {"relu", "leaky_relu", "elu", "gelu", "silu", "mish", "tanh"}


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_every_model_group_builds_a_net_of_its_seed(model):
    torch.manual_seed(0)
    net = build(model).eval()
    torch.manual_seed(0)
    twin = build(model).eval()
    x = torch.rand(3, 1, 8, 8)
    assert isinstance(net, Normalized)
    assert torch.equal(net(x), twin(x))
    assert torch.equal(net(x), net.net((x - 0.3) / 0.5))
    assert net(x).shape == (3, 10)
    assert not torch.equal(net(x), build(model).eval()(x))


@pytest.mark.parametrize("group", ["model", "activation"])
def test_every_key_has_a_comment(group):
    for path in (CONF / group).iterdir():
        lines = path.read_text().splitlines()
        assert lines[0].startswith("# "), path.name
        for line in lines[1:]:
            assert "  # " in line or line.startswith(("_target_: ", "# ")), f"{path.name}: {line}"


def critical(x: torch.Tensor) -> torch.Tensor:
    """Scale and offset from the moments of a Gaussian, summed up on a fine grid."""

    def shape(z: torch.Tensor) -> torch.Tensor:
        return torch.where(z < 0, z / (1 + z**2).sqrt(), z)

    z = torch.linspace(-12, 12, 240_001, dtype=torch.float64)
    density = torch.exp(-(z**2) / 2) / (2 * torch.pi) ** 0.5 * (z[1] - z[0])
    mean, square = (shape(z) * density).sum(), (shape(z) ** 2 * density).sum()
    slope_square = (torch.where(z < 0, (1 + z**2) ** -1.5, 1.0) ** 2 * density).sum()
    offset = -mean + (mean**2 + slope_square - square).sqrt()
    return (shape(x) + offset) / (slope_square / 3).sqrt()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_its_formula_between_the_layers(activation):
    x = torch.linspace(-3, 3, 13, dtype=torch.float64)
    formula = {
        "relu": x.clamp(min=0),
        "leaky_relu": torch.where(x > 0, x, 0.01 * x),
        "elu": torch.where(x > 0, x, x.exp() - 1),
        "gelu": x * (1 + torch.erf(x / 2**0.5)) / 2,
        "silu": x / (1 + (-x).exp()),
        "mish": x * torch.tanh((1 + x.exp()).log()),
        "tanh": (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
        "critical": critical(x),
    }[activation]
    net = build("mlp", activation=activation)
    # The moments in `critical` come from a quadrature whose error at the kink of the slope is of order 1e-5.
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if activation == "critical" else {}
    torch.testing.assert_close(net.net.layer1.activation(x), formula, **tolerance)


def test_weights_are_loaded_by_their_path(tmp_path):
    saved = build("cifar_resnet", depth=8)
    torch.save(saved.net.state_dict(), tmp_path / "net.pt")
    net = build("cifar_resnet", depth=8, weights=str(tmp_path / "net.pt"))
    assert all(torch.equal(net.state_dict()[key], value) for key, value in saved.state_dict().items())


REFUSED = [
    ("mlp", {"width": [3]}, "model.width: there is no such key; did you mean 'widths'?"),
    ("mlp", {"widths": [3, 0]}, "model.widths.1=0: input should be greater than or equal to 1"),
    ("mlp", {"dropout": 1.0}, "model.dropout=1.0: input should be less than 1"),
    ("cifar_resnet", {"shortcut": "C"}, "model.shortcut='C': input should be 'A' or 'B'"),
    ("cifar_resnet", {"depth": "20"}, "model.depth='20': input should be a valid integer"),
    ("cifar_resnet", {"width": 0}, "model.width=0: input should be greater than or equal to 1"),
    ("cifar_resnet", {"weights": 3}, "model.weights=3: input should be a valid string"),
    ("cifar_resnet", {"weights": "no.pt"}, "model.weights=no.pt: there is no such file"),
    (
        "cifar_plain",
        {"depth": 9},
        "model.depth=9: must be 6n+2 (8, 14, 20, 32, 44, 56, 110, ...); nearest are 8 and 14",
    ),
]


@pytest.mark.parametrize(("model", "changes", "message"), REFUSED)
def test_a_bad_key_is_refused(model, changes, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        build(model, **changes)


@pytest.mark.parametrize("model", ["cnn", "cifar_resnet", "cifar_plain", "torchvision"])
def test_image_nets_refuse_tables(model):
    message = (
        f"model={model}: needs images (channels, height, width), but each input of this dataset is a row of 30 "
        "numbers; use model=mlp, or an image dataset (digits, mnist, cifar10, ...)"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        build(model, shape=(30,))


def test_an_mlp_takes_tables():
    net = build("mlp", shape=(30,), widths=[])
    assert isinstance(net.net.fc, nn.Linear)
    assert net(torch.rand(5, 30)).shape == (5, 10)
