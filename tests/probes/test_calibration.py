"""Calibration measures against brute force and closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dlexp.errors import InputError
from dlexp.probes.calibration import expected_calibration_error, quality, reliability


def drawn(seed: int, n: int = 200, k: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, k, generator=generator, dtype=torch.float64) * 2
    return logits.softmax(1), torch.randint(0, k, (n,), generator=generator)


def brute_force(probabilities: Tensor, labels: Tensor, bins: int) -> float:
    """The definition, sample by sample."""
    total = 0.0
    for b in range(bins):
        inside = []
        for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True):
            confidence = max(row)
            if b / bins < confidence <= (b + 1) / bins:
                inside.append((confidence, float(row.index(confidence) == label)))
        if inside:
            total += abs(sum(right for _, right in inside) - sum(confidence for confidence, _ in inside))
    return total / len(labels)


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 5, 10, 15, 37]))
def test_equals_brute_force(seed: int, bins: int) -> None:
    probabilities, labels = drawn(seed, n=60)
    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(
        brute_force(probabilities, labels, bins), abs=1e-12
    )


@given(st.integers(0, 10_000))
def test_invariant_to_order_and_to_class_names(seed: int) -> None:
    probabilities, labels = drawn(seed)
    generator = torch.Generator().manual_seed(seed)
    order, names = torch.randperm(len(labels), generator=generator), torch.randperm(4, generator=generator)
    changed = expected_calibration_error(probabilities[order][:, names], names.argsort()[labels[order]])
    assert changed == pytest.approx(expected_calibration_error(probabilities, labels))
    assert 0 <= changed <= 1


def test_one_bin_is_the_gap_of_the_means() -> None:
    probabilities, labels = drawn(1)
    right = (probabilities.argmax(1) == labels).double().mean()
    gap = float((right - probabilities.max(1).values.mean()).abs())
    assert expected_calibration_error(probabilities, labels, bins=1) == pytest.approx(gap)


def test_closed_forms() -> None:
    labels = torch.tensor([0, 1] * 50)
    coin = torch.full((100, 2), 0.5)
    assert expected_calibration_error(coin, labels) == pytest.approx(0)  # the first class is right half of the time
    sure = torch.tensor([[1.0, 0.0]]).expand(100, 2)
    assert expected_calibration_error(sure, labels) == pytest.approx(0.5)
    assert expected_calibration_error(sure, torch.zeros(100, dtype=torch.int64)) == 0
    modest = torch.tensor([[0.7, 0.3]]).expand(10, 2)  # right in 7 of 10
    assert expected_calibration_error(modest, torch.tensor([0] * 7 + [1] * 3)) == pytest.approx(0, abs=1e-7)


def test_calibrated_labels_have_a_small_error() -> None:
    probabilities, _ = drawn(2, n=20_000)
    labels = torch.multinomial(probabilities, 1, generator=torch.Generator().manual_seed(0))[:, 0]
    assert expected_calibration_error(probabilities, labels) < 0.02
    assert expected_calibration_error((probabilities**3) / (probabilities**3).sum(1, True), labels) > 0.1


def test_bins_hold_their_right_end_and_name_what_they_hold() -> None:
    probabilities = torch.tensor([[0.5, 0.5], [0.75, 0.25], [0.750001, 0.249999], [1.0, 0.0]], dtype=torch.float64)
    found = reliability(probabilities, torch.tensor([1, 0, 1, 0]), bins=4)
    assert [(each.low, each.high, each.samples) for each in found] == [
        (0, 0.25, 0),
        (0.25, 0.5, 1),
        (0.5, 0.75, 1),
        (0.75, 1, 2),
    ]
    assert [each.accuracy for each in found] == [0, 0, 1, 0.5]
    assert found[3].confidence == pytest.approx((0.750001 + 1) / 2)


def test_quality_by_hand() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    labels = torch.tensor([0, 0, 1])
    p = [1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1)), 1 / (1 + math.exp(3))]  # of the labels
    found = quality(logits, labels)
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.nll == pytest.approx(-sum(map(math.log, p)) / 3)
    assert found.brier == pytest.approx(sum(2 * (1 - each) ** 2 for each in p) / 3)
    assert found.ece == pytest.approx((1 - p[0] + (1 - p[1]) + (1 - p[2])) / 3)


def test_quality_is_finite_at_extreme_logits() -> None:
    found = quality(torch.tensor([[1e4, -1e4], [1e4, -1e4]]), torch.tensor([0, 1]))
    assert (found.nll, found.brier, found.ece, found.accuracy) == (1e4, 1.0, 0.5, 0.5)


@pytest.mark.parametrize(
    ("probabilities", "labels", "line"),
    [
        (torch.ones(2, 3), torch.tensor([0, 1]), "probabilities: every row must be non-negative and have the sum 1"),
        (
            torch.tensor([[1.5, -0.5]]),
            torch.tensor([0]),
            "probabilities: every row must be non-negative and have the sum 1",
        ),
        (torch.tensor([[0.5, 0.5]]), torch.tensor([2]), "labels: must lie in 0..1"),
        (torch.tensor([[0.5, 0.5]]), torch.tensor([-1]), "labels: must lie in 0..1"),
        (
            torch.zeros(0, 2),
            torch.zeros(0, dtype=torch.int64),
            "probabilities and labels have the shapes (0, 2) and (0,); they must be (N, K) and (N,), N >= 1",
        ),
        (
            torch.tensor([[0.5, 0.5]]),
            torch.tensor([0, 1]),
            "probabilities and labels have the shapes (1, 2) and (2,); they must be (N, K) and (N,), N >= 1",
        ),
    ],
)
def test_what_is_no_prediction_is_refused(probabilities: Tensor, labels: Tensor, line: str) -> None:
    with pytest.raises(InputError) as refused:
        reliability(probabilities, labels)
    assert str(refused.value) == line


def test_at_least_one_bin() -> None:
    with pytest.raises(InputError, match=r"^bins=0: must be 1 or more$"):
        reliability(*drawn(0), bins=0)
