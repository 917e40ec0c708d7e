"""The affine augmentation against known turns, shifts and zooms."""

from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from dlexp.data.affine import affine
from dlexp.schema import instantiate

CONF = Path(__file__).parents[2] / "conf"


def drawn(monkeypatch: pytest.MonkeyPatch, *values: float) -> torch.Generator:
    """Let the draws be `values` in -1..1: angle, size, right, down."""
    left = list(values)
    monkeypatch.setattr(torch, "rand", lambda n, **_: torch.full((n,), (left.pop(0) + 1) / 2))
    return torch.Generator()


def images(*shape: int) -> Tensor:
    return torch.empty(shape).uniform_(generator=torch.Generator().manual_seed(0))


def test_nothing_changes_without_rotation_shift_and_zoom() -> None:
    x = images(3, 2, 5, 7)
    assert torch.allclose(affine(x, torch.Generator(), rotation=0, shift=0, zoom=0), x, atol=1e-6)


def test_a_quarter_turn_of_squares_and_a_half_turn_of_oblongs(monkeypatch) -> None:
    x = images(2, 1, 6, 6)
    turned = affine(x, drawn(monkeypatch, 0.5, 0, 0, 0), rotation=180, shift=0, zoom=0)
    assert torch.allclose(turned, x.rot90(1, (2, 3)), atol=1e-5)
    x = images(2, 1, 4, 7)
    turned = affine(x, drawn(monkeypatch, 1, 0, 0, 0), rotation=180, shift=0, zoom=0)
    assert torch.allclose(turned, x.flip((2, 3)), atol=1e-5)


def test_a_quarter_turn_of_an_oblong_is_one_of_its_middle(monkeypatch) -> None:
    x = images(1, 1, 4, 8)
    turned = affine(x, drawn(monkeypatch, 0.5, 0, 0, 0), rotation=180, shift=0, zoom=0)
    assert torch.allclose(turned[..., 2:6], x[..., 2:6].rot90(1, (2, 3)), atol=1e-5)


def test_shifts_are_in_pixels_and_bring_black_into_view(monkeypatch) -> None:
    x = images(1, 2, 5, 8)
    moved = affine(x, drawn(monkeypatch, 0, 0, 1, -1), rotation=0, shift=2, zoom=0)
    assert torch.allclose(moved[..., 2:, :6], x[..., :3, 2:], atol=1e-5)
    assert float(moved[..., :2, :].abs().max()) == 0
    half = affine(x, drawn(monkeypatch, 0, 0, 1, 0), rotation=0, shift=0.5, zoom=0)
    assert torch.allclose(half[..., :7], (x[..., :7] + x[..., 1:]) / 2, atol=1e-5)


def test_zoom_is_a_change_of_size(monkeypatch) -> None:
    ramp = torch.linspace(-1, 1, 9).expand(1, 1, 9, 9) / 2 + 0.5
    larger = affine(ramp, drawn(monkeypatch, 0, 1, 0, 0), rotation=0, shift=0, zoom=0.25)
    assert torch.allclose(larger - 0.5, (ramp - 0.5) / 1.25, atol=1e-5)


def test_every_sample_has_its_own_draw_and_stays_in_range() -> None:
    x = images(1, 1, 8, 8).expand(200, -1, -1, -1)
    node = yaml.safe_load((CONF / "augmentation" / "affine.yaml").read_text())
    augment = instantiate(node, where="augmentation")
    first, again = (augment(x, torch.Generator().manual_seed(1)) for _ in range(2))
    assert first.equal(again)
    assert len(first.flatten(1).unique(dim=0)) == 200
    assert 0 <= float(first.min()) <= float(first.max()) <= 1
    assert first.shape == x.shape
