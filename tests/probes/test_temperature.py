"""Temperature scaling: the fitted number against a grid and against what scaling the logits must do to it."""

import numpy as np
import pytest
import torch

from dlexp.probes.calibration import quality
from dlexp.probes.temperature import LARGEST, fitted_temperature, tempered


def sample(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits whose softmax is the distribution that the labels are drawn from."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return logits, torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]


def test_probabilities_that_are_right_need_no_temperature() -> None:
    assert fitted_temperature(*sample(4000, 0)) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("factor", [0.2, 3.0])
def test_scaled_logits_scale_the_temperature(factor: float) -> None:
    logits, labels = sample(300, 1)
    expected = factor * fitted_temperature(logits, labels)
    assert fitted_temperature(factor * logits, labels) == pytest.approx(expected, rel=1e-4)


def test_no_temperature_of_a_grid_is_better() -> None:
    logits, labels = sample(60, 2)
    best = quality(logits / fitted_temperature(logits, labels), labels).nll
    assert best <= min(quality(logits / t, labels).nll for t in np.geomspace(0.1, 10, 50))


def test_without_a_minimum_it_runs_away_but_stays_in_the_range() -> None:
    labels = torch.tensor([0, 1])
    right = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert 1 / LARGEST <= fitted_temperature(right, labels) < 0.05
    assert 50 < fitted_temperature(-right, labels) <= LARGEST


def test_tempered_on_other_samples() -> None:
    (held_logits, held_labels), (logits, labels) = sample(2000, 3), sample(500, 4)
    found = tempered((4 * held_logits, held_labels), 4 * logits, labels)
    assert found.temperature == pytest.approx(4, rel=0.1)
    assert found.after.accuracy == found.before.accuracy
    assert found.after.nll < found.before.nll
    assert found.before == quality(4 * logits, labels)
