"""Typed configuration: what fits is built, what does not is one line that names the key."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
import torch
from pydantic import Field
from torch import nn

from dlexp.errors import InputError
from dlexp.schema import build_params, check_arguments, instantiate, locate


@dataclass(frozen=True)
class Sample:
    count: Annotated[int, Field(ge=1, le=9)]
    share: Annotated[float, Field(gt=0, lt=1)]
    kind: Literal["a", "b"] = "a"
    sizes: list[Annotated[int, Field(ge=0)]] | None = None

    def __post_init__(self) -> None:
        if self.sizes and len(self.sizes) > self.count:
            raise ValueError("more sizes than count")


def test_what_fits_is_built() -> None:
    assert build_params(Sample, {"count": 3, "share": 0.5, "sizes": [1, 2]}) == Sample(3, 0.5, "a", [1, 2])


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"count": 0, "share": 0.5}, "params.count=0: input should be greater than or equal to 1"),
        ({"count": "3", "share": 0.5}, "params.count='3': input should be a valid integer"),
        ({"count": True, "share": 0.5}, "params.count=true: input should be a valid integer"),
        ({"count": 2.5, "share": 0.5}, "params.count=2.5: input should be a valid integer"),
        ({"count": 3, "share": "x"}, "params.share='x': input should be a valid number"),
        ({"count": 3, "share": 1}, "params.share=1: input should be less than 1"),
        ({"count": 3, "share": 0.5, "kind": "c"}, "params.kind='c': input should be 'a' or 'b'"),
        ({"count": 3, "share": 0.5, "sizes": [1, -1]}, "params.sizes.1=-1: input should be greater than or equal to 0"),
        ({"count": 3, "share": 0.5, "knd": "a"}, "params.knd: there is no such key; did you mean 'kind'?"),
        ({"share": 0.5}, "params.count: it has no value; say params.count=..."),
        ({"count": 1, "share": 0.5, "sizes": [1, 2]}, "params: more sizes than count"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(line)):
        build_params(Sample, values)


def test_keys_at_the_root_have_no_prefix() -> None:
    with pytest.raises(InputError, match=r"^count=0: input should be"):
        build_params(Sample, {"count": 0, "share": 0.5}, where="")


def test_targets_nested_and_partial() -> None:
    activation = {"_target_": "torch.nn.LeakyReLU", "_partial_": True, "negative_slope": 0.2}
    made = instantiate(activation, where="activation")
    assert isinstance(made, functools.partial)
    assert made().negative_slope == 0.2
    layer = instantiate({"_target_": "torch.nn.Linear", "in_features": 3}, out_features=2)
    assert isinstance(layer, nn.Linear)
    optimizer = instantiate({"_target_": "torch.optim.Adam", "lr": 0.1, "betas": [0.8, 0.9]}, layer.parameters())
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.defaults["betas"] == (0.8, 0.9)


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "torch.load",
        "torch.hub.load",
        "dlexp",
        "dlexp.schema.__builtins__.eval",
        "subprocess.run",
    ],
)
def test_targets_outside_the_allow_list_are_refused(target: str) -> None:
    for node in ({"_target_": target}, {"_target_": "torch.nn.Linear", "in_features": {"_target_": target}}):
        with pytest.raises(InputError, match=r"is not allowed; it must be one of dlexp"):
            instantiate(node)


@pytest.mark.parametrize(
    ("node", "line"),
    [
        ({"_target_": "torch.nn.Liner"}, "m: _target_ 'torch.nn.Liner' does not exist; did you mean 'Linear'?"),
        ({"_target_": "torch.nn.nothing.X"}, "m: _target_ 'torch.nn.nothing.X' does not exist: No module named"),
        ({"_target_": "torch.nn.Linear", "in_feature": 1}, "m.in_feature: there is no such key; did you mean 'in_feat"),
        ({"_target_": "torch.optim.SGD", "lr": "fast"}, "m.lr='fast': input should be"),
        ({"lr": 1}, "m: there is no _target_ to call"),
    ],
)
def test_bad_targets_name_what_is_wrong(node: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(line)):
        instantiate(node, where="m")


def test_only_the_given_arguments_are_checked() -> None:
    def function(first: int, *, second: float = 1.0, call: Callable[[], int] | None = None) -> None: ...

    assert check_arguments(function, {"second": 2}, "f") == {"second": 2}
    assert locate("torch.nn.ReLU") is nn.ReLU
