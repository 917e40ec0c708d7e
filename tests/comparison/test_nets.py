"""Nets by name, with keys of their own."""

from collections.abc import Callable
from typing import Any

import pytest

from dlexp.comparison.nets import named_nets
from dlexp.errors import InputError
from dlexp.lab import Lab


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    made = make_lab()
    made.config["activation"] = {"_target_": "torch.nn.Tanh", "_partial_": True}
    return made


def test_an_entry_is_its_option_with_the_keys_it_changes(lab: Lab) -> None:
    found = named_nets(lab, [{"model": "cifar_resnet", "depth": 14}, {"label": "flat", "model": "mlp"}])
    assert list(found) == ["cifar_resnet", "flat"]
    assert found["cifar_resnet"] == {**lab.option("model", "cifar_resnet"), "depth": 14}
    assert found["flat"]["activation"]["_target_"] == "torch.nn.Tanh"  # the composed one


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"depth": 8}], "params.nets: {'depth': 8} names no model; write {model: mlp, ...}"),
        (
            [{"model": "cifar_plain", "shortcut": "B"}],
            "params.nets: model=cifar_plain has no key shortcut; it has depth, width, weights",
        ),
        (
            [{"model": "cifar_plain", "_target_": "torch.nn.Linear"}],
            "params.nets: model=cifar_plain has no key _target_; it has depth, width, weights",
        ),
        ([{"model": "cifar_plain"}] * 2, "params.nets: two nets are called cifar_plain; give each a label of its own"),
        (
            [{"model": "cifar_plain", "label": "a/0"}],
            "params.nets: label: 'a/0' may only have letters, digits, '_', '.' and '-'",
        ),
        ([{"model": "cifar_plan"}], "model=cifar_plan: there is no such model; did you mean 'cifar_plain'?"),
    ],
)
def test_what_names_no_net_is_refused(lab: Lab, entries: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InputError) as caught:
        named_nets(lab, entries)
    assert str(caught.value) == message
