"""What every loss of logits should hold: a right gradient, finite at extreme logits; and pictures of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from dlexp.errors import InputError
from dlexp.plots import COLOURS, LINES, MARKERS, figure, legend

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Loss = Callable[[Tensor, Tensor], Tensor]  # logits (B, K), labels (B,) -> scalar

EXTREME = 1e4
BATCH = 8


@dataclass(frozen=True)
class LossCheck:
    """What was found of one loss."""

    gradcheck: bool  # the gradient agrees with finite differences in float64
    closed_form_error: float | None  # largest difference from weight(p) (softmax - onehot) / B; None: it has no weight
    finite_at_extremes: bool  # loss and gradient, float32, logits of +-1e4
    for_label: float | None  # the loss with all of the weight at the label; None where it is not finite
    against_label: float | None  # and with none


def refuse_unless_loss(name: str, loss: Loss, n_classes: int) -> None:
    """Raise InputError where `loss` cannot be called as one or gives no finite scalar; `name` is that of its option."""
    logits, labels = some_logits(n_classes)
    shapes = f"logits ({BATCH}, {n_classes}) and labels ({BATCH},)"
    try:
        value = loss(logits, labels)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"loss={name}: it fails on {shapes}: {reason}") from error
    if not isinstance(value, Tensor) or value.ndim != 0 or not bool(value.isfinite()):
        raise InputError(f"loss={name}: it gives no finite scalar for {shapes}")


def check_loss(loss: Loss, n_classes: int) -> LossCheck:
    """All checks; the closed form is that of modules with a `weight` (see `dlexp.training.losses`)."""
    logits, labels = some_logits(n_classes)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, labels), logits)
    weight = getattr(loss, "weight", None)
    error = None
    if callable(weight):
        softmax = logits.detach().softmax(1)
        p = softmax.gather(1, labels[:, None])
        given = weight(p, n_classes) if hasattr(loss, "tau") else weight(p)
        closed = given * (softmax - one_hot(labels, n_classes)) / BATCH
        error = float((closed - gradient).abs().max())
    with_label, without = (at_extreme(loss, n_classes, sign) for sign in (1.0, -1.0))
    return LossCheck(
        gradcheck=torch.autograd.gradcheck(loss, (logits, labels), raise_exception=False),
        closed_form_error=error,
        finite_at_extremes=with_label[1] and without[1],
        for_label=with_label[0],
        against_label=without[0],
    )


def some_logits(n_classes: int) -> tuple[Tensor, Tensor]:
    """Random float64 logits (8, K) and labels (8,), always the same."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(BATCH, n_classes, generator=generator, dtype=torch.float64) * 2
    return logits, torch.randint(n_classes, (BATCH,), generator=generator)


def at_extreme(loss: Loss, n_classes: int, sign: float) -> tuple[float | None, bool]:
    """The loss where the label's logit is `sign` 1e4 and the others are the opposite; whether all of it is finite."""
    logits = torch.full((2, n_classes), -sign * EXTREME)
    logits[:, 0] = sign * EXTREME
    logits.requires_grad_()
    value = loss(logits, torch.zeros(2, dtype=torch.int64))
    (gradient,) = torch.autograd.grad(value, logits)
    number = value.item() + 0.0  # no -0
    return (number, bool(gradient.isfinite().all())) if math.isfinite(number) else (None, False)


def draw_gradients(losses: Mapping[str, Loss], n_classes: int) -> "Figure":
    """Left: -dl / dz of the label's logit z against z with the others at 0. Right: that over 1 - p against p.

    The first loss is black and thick.
    """
    drawn, (left, right) = figure(width=10.5, height=4.4, columns=2)
    margin = torch.linspace(-8, 8, 161, dtype=torch.float64)
    labels = torch.zeros(len(margin), dtype=torch.int64)
    for index, (name, loss) in enumerate(losses.items()):
        logits = torch.zeros(len(margin), n_classes, dtype=torch.float64)
        logits[:, 0] = margin
        logits.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(logits, labels) * len(margin), logits)
        slope, p = -gradient[:, 0], logits.detach().softmax(1)[:, 0]
        left.plot(margin, slope, label=name, markevery=20, **_look(index))
        right.plot(p, slope / (1 - p), markevery=12, **_look(index))
    left.set(xlabel="logit of the label minus the other logits", ylabel="-dl / dz of the label's logit")
    right.set(xlabel="probability p of the label", ylabel="weight: -dl / dz over 1 - p", ylim=(-0.25, 2.05))
    legend(left, columns=3)
    return drawn


def _look(index: int) -> dict[str, Any]:
    if index == 0:
        return {"color": COLOURS[5], "linestyle": "-", "marker": "P", "linewidth": 2.2, "markersize": 5}
    other, again = (index - 1) % 5, (index - 1) // 5
    line, marker = LINES[(other + again) % 6], MARKERS[(other + again) % 5]
    return {"color": COLOURS[other], "linestyle": line, "marker": marker, "linewidth": 1.2, "markersize": 4}
