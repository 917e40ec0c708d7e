"""Squared gradients of single layers against autograd, row by row."""

import pytest
import torch
from torch import Tensor, nn

from dlexp.probes.gradient_squares import is_known, squares

LAYERS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "linear": (nn.Linear(3, 4), (3,)),
    "linear at few positions": (nn.Linear(6, 5), (2, 6)),
    "linear at many positions": (nn.Linear(2, 2), (3, 4, 2)),
    "convolution of many positions": (nn.Conv2d(1, 2, 3, padding=1), (1, 6, 5)),
    "convolution of many channels": (nn.Conv2d(5, 6, 2, stride=2, bias=False), (5, 4, 4)),
    "batch norm of maps": (nn.BatchNorm2d(3), (3, 2, 2)),
    "batch norm of features": (nn.BatchNorm1d(4), (4,)),
    "batch norm of sequences": (nn.BatchNorm1d(4), (4, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_equals_the_gradient_of_each_row(name: str) -> None:
    layer, shape = LAYERS[name]
    torch.manual_seed(0)
    layer.double().train()
    a = torch.randn(5, *shape, dtype=torch.float64)
    layer(a * 2 + 1)  # gives batch norm statistics of its own
    layer.eval()
    assert is_known(layer)
    d = torch.randn_like(layer(a))
    expected = dict.fromkeys((key for key, _ in layer.named_parameters()), 0.0)
    for row, received in zip(a, d, strict=True):
        gradients = torch.autograd.grad((layer(row[None]) * received).sum(), list(layer.parameters()))
        for key, gradient in zip(expected, gradients, strict=True):
            expected[key] += float(gradient.square().sum())
    assert squares(layer, a, d) == pytest.approx(expected, rel=1e-10)


class Doubled(nn.Linear):
    """Looks like a linear map and is none."""

    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


def test_layers_that_compute_something_else_are_not_known() -> None:
    others = [
        nn.Conv2d(2, 2, 1, groups=2),
        nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"),
        nn.Conv2d(1, 1, 3, padding="same"),
        nn.BatchNorm2d(1, track_running_stats=False),
        nn.LayerNorm(2),
        Doubled(1, 1),
    ]
    assert not any(is_known(layer) for layer in others)
