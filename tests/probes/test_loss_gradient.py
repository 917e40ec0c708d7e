"""Checks that find what is wrong with a loss."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlexp.errors import InputError
from dlexp.probes.loss_gradient import check_loss, draw_gradients, refuse_unless_loss, some_logits
from dlexp.training.losses import ContaminatedCrossEntropy, Focal, GeneralizedCrossEntropy


class WrongGradient(torch.autograd.Function):
    """Twice the logits' sum, said to have the slope 1."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor) -> Tensor:
        ctx.shape = logits.shape
        return 2 * logits.sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.expand(ctx.shape)


class WrongWeight(Focal):
    """A closed form that belongs to another loss."""

    def weight(self, p: Tensor) -> Tensor:
        return p


def naive(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy as nobody should write it."""
    return -(logits.exp() / logits.exp().sum(1, keepdim=True)).gather(1, labels[:, None]).log().mean()


def test_a_good_loss() -> None:
    found = check_loss(GeneralizedCrossEntropy(0.5), 5)
    assert found.gradcheck
    assert found.finite_at_extremes
    assert found.closed_form_error is not None
    assert found.closed_form_error < 1e-15
    assert (found.for_label, found.against_label) == (0, pytest.approx(2))
    assert check_loss(ContaminatedCrossEntropy(), 3).closed_form_error < 1e-15  # type: ignore[operator]


def test_a_loss_without_a_closed_form() -> None:
    found = check_loss(nn.CrossEntropyLoss(), 4)
    assert (found.closed_form_error, found.gradcheck) == (None, True)
    assert found.against_label == pytest.approx(2e4 + np.log(3))


def test_what_is_wrong_is_found() -> None:
    assert not check_loss(lambda logits, labels: WrongGradient.apply(logits), 3).gradcheck
    error = check_loss(WrongWeight(), 3).closed_form_error
    assert error is not None
    assert error > 1e-3
    found = check_loss(naive, 3)
    assert found.gradcheck
    assert not found.finite_at_extremes


def test_the_same_logits_every_time() -> None:
    one, other = some_logits(7), some_logits(7)
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        (
            lambda z, y: cross_entropy(z, y, reduction="none"),
            "it gives no finite scalar for logits (8, 4) and labels (8,)",
        ),
        (lambda z, y: z.sum() * float("nan"), "it gives no finite scalar for logits (8, 4) and labels (8,)"),
        (lambda z, y: 1.0, "it gives no finite scalar for logits (8, 4) and labels (8,)"),
        (lambda z, y: (z - y).mean(), "it fails on logits (8, 4) and labels (8,): The size of tensor a (4) must match"),
        (
            ContaminatedCrossEntropy(0.8),
            "it fails on logits (8, 4) and labels (8,): noise=0.8: with 4 classes it must be below 0.75",
        ),
    ],
)
def test_what_is_no_loss_is_refused(loss: Any, line: str) -> None:
    with pytest.raises(InputError) as refused:
        refuse_unless_loss("mine", loss, 4)
    assert str(refused.value).startswith(f"loss=mine: {line}")


def test_gradients_are_drawn_as_they_are() -> None:
    made = draw_gradients({"gce": GeneralizedCrossEntropy(0.5), "cross_entropy": nn.CrossEntropyLoss()}, 10)
    left, right = made.axes
    p = np.asarray(right.get_lines()[0].get_xdata())
    assert np.allclose(np.asarray(right.get_lines()[0].get_ydata()), p**0.5)
    assert np.allclose(np.asarray(right.get_lines()[1].get_ydata()), 1)
    margin = np.asarray(left.get_lines()[1].get_xdata())
    assert np.allclose(np.asarray(left.get_lines()[1].get_ydata()), 9 / (9 + np.exp(margin)))
