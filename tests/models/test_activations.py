"""The proposed activation against the conditions it is made for."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import vmap

from dlexp.data import Dataset, Split
from dlexp.errors import InputError
from dlexp.models.activations import CriticalLinearUnit, VariancePreserving
from dlexp.models.gaussian_moments import gaussian_moments
from dlexp.probes.signal_propagation import variance_exponent
from dlexp.schema import instantiate
from dlexp.training.recipe import Recipe, Trainer
from dlexp.training.replicas import train_replicas
from dlexp.training.stackable import why_not_stackable

CONF = Path(__file__).parents[2] / "conf"


@given(st.floats(0.3, 5), st.floats(0.1, 3))
def test_keeps_the_mean_square_of_signals_and_of_gradients(width: float, weight_variance: float) -> None:
    found = gaussian_moments(CriticalLinearUnit(width, weight_variance))
    assert weight_variance * found.square == pytest.approx(1)
    assert weight_variance * found.slope_square == pytest.approx(1)


@given(st.floats(0.3, 5))
def test_its_fixed_point_is_stable(width: float) -> None:
    assert variance_exponent(CriticalLinearUnit(width)) < 0.97
    assert variance_exponent(nn.GELU()) > 1.1  # what it is proposed against
    assert variance_exponent(nn.SiLU()) > 1.1


def test_value_and_derivative_have_their_closed_forms() -> None:
    unit = CriticalLinearUnit(width=1.5)
    x = torch.linspace(-9, 9, 61, dtype=torch.float64, requires_grad=True)
    value = unit(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    bent = torch.where(x < 0, x / (1 + (x / 1.5) ** 2).sqrt(), x)
    torch.testing.assert_close(value, unit.scale * (bent + unit.offset))
    power = torch.where(x < 0, (1 + (x / 1.5) ** 2) ** -1.5, torch.ones_like(x))
    torch.testing.assert_close(slope, unit.scale * power)
    assert torch.autograd.gradcheck(unit, (x,))
    assert torch.autograd.gradgradcheck(unit, (x,))


def test_second_derivative_has_no_jump_at_zero() -> None:
    unit = CriticalLinearUnit()
    x = torch.tensor([-1e-6, 1e-6], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(unit(x).sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    assert float((curvature[1] - curvature[0]).abs()) < 1e-4


def test_bounded_to_the_left_and_finite_everywhere() -> None:
    unit = CriticalLinearUnit(width=2.0)
    x = torch.tensor([-1e38, -1e4, 1e4, 1e37], requires_grad=True)
    value = unit(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    assert value[:2].tolist() == pytest.approx([unit.scale * (unit.offset - 2)] * 2, rel=1e-6)
    assert value[2:].tolist() == pytest.approx([1e4 * unit.scale, 1e37 * unit.scale], rel=1e-4)
    assert slope[2:].tolist() == pytest.approx([unit.scale] * 2)
    assert slope.isfinite().all()


def test_the_configured_one_has_the_constants_that_the_answer_states() -> None:
    node = yaml.safe_load((CONF / "activation" / "critical.yaml").read_text())
    unit = instantiate(node)()
    assert unit.width == 1
    # By adaptive integration on both sides of 0; the quadrature's own error is 4e-6.
    assert (unit.scale, unit.offset) == (pytest.approx(2.05998104, abs=1e-6), pytest.approx(0.09430081, abs=1e-5))
    assert repr(unit) == "CriticalLinearUnit(width=1, scale=2.05998, offset=0.0943045)"
    with pytest.raises(InputError, match=r"^activation\.width=0: input should be greater than 0$"):
        instantiate({**node, "width": 0}, where="activation")


@pytest.mark.parametrize("unit", [CriticalLinearUnit(), VariancePreserving(nn.Mish)])
def test_shape_and_type_stay_and_a_stack_gives_the_same(unit: nn.Module) -> None:
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert (unit(x).shape, unit(x).dtype) == (x.shape, torch.float32)
    assert unit(x.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(vmap(unit)(x), unit(x))
    torch.testing.assert_close(unit(x.flatten()), unit(x).flatten())  # elementwise


def test_variance_preserving_scales() -> None:
    assert VariancePreserving(nn.ReLU).scale == pytest.approx(math.sqrt(6))  # 2 by He et al., 3 for torch's weights
    assert VariancePreserving(nn.ReLU, weight_variance=2.0).scale == pytest.approx(1)
    assert VariancePreserving(nn.Identity, weight_variance=1.0).scale == pytest.approx(1)
    assert gaussian_moments(VariancePreserving(nn.GELU)).square == pytest.approx(3)


def test_variance_preserving_refuses_what_no_scale_helps() -> None:
    node = {
        "_target_": "dlexp.models.activations.VariancePreserving",
        "activation": {"_target_": "torch.nn.Threshold", "_partial_": True, "threshold": 1e9, "value": 0.0},
    }
    refused = r"^activation: VariancePreserving refuses its settings: E f\(z\)\^2 = 0, and no scale makes it 1$"
    with pytest.raises(InputError, match=refused):
        instantiate(node, where="activation")


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "dlexp.models.activations.CriticalLinearUnit", "_partial_": True},
        {
            "_target_": "dlexp.models.activations.VariancePreserving",
            "_partial_": True,
            "activation": {"_target_": "torch.nn.SiLU", "_partial_": True},
        },
    ],
)
def test_trained_as_a_stack_as_alone(node: dict[str, object]) -> None:
    generator = torch.Generator().manual_seed(0)
    splits = [
        Split(torch.rand(40, 5, generator=generator), torch.randint(0, 3, (40,), generator=generator)) for _ in range(3)
    ]
    data = Dataset("small", splits[0], splits[1], splits[2], ("a", "b", "c"), torch.zeros(5), torch.ones(5), "small")
    recipe = Recipe(
        model={"_target_": "dlexp.models.mlp.mlp", "widths": [6], "activation": node, "weights": None},
        optimizer={"_target_": "torch.optim.Adam", "lr": 0.01},
        scheduler={"_target_": "dlexp.training.schedulers.constant"},
        loss={"_target_": "torch.nn.CrossEntropyLoss"},
        augmentation=None,
        trainer=Trainer(epochs=2, batch_size=16),
        seed=0,
    )
    assert why_not_stackable(recipe, data) is None
    recipes = [replace(recipe, seed=seed) for seed in (1, 2)]
    stacked, alone = (train_replicas(recipes, data, method=method) for method in ("stacked", "loop"))  # type: ignore[arg-type]
    for one, other in zip(stacked, alone, strict=True):
        for name, value in one.net.state_dict().items():
            torch.testing.assert_close(value, other.net.state_dict()[name], rtol=1e-4, atol=1e-5)
