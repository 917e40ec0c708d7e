"""Temperature scaling: one number, fitted on held-out samples, that makes probabilities softer or sharper."""

import math
from dataclasses import dataclass

from torch import Tensor

from dlexp.probes.calibration import Quality, quality

LARGEST = 100.0  # temperatures between 1 / LARGEST and LARGEST are tried


def fitted_temperature(logits: Tensor, labels: Tensor) -> float:
    """The T that minimises the negative log-likelihood of softmax(logits / T) on (N, K) and (N,) (Guo et al. 2017).

    Convex in 1 / T, hence one minimum; searched on a logarithmic scale. Log-probabilities serve as logits.
    Where there is no minimum T runs towards an end of the range: all samples right, or worse than chance.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return quality(logits.double() / math.exp(log_temperature), labels).nll

    ends = (-math.log(LARGEST), math.log(LARGEST))
    return math.exp(minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-6}).x)


@dataclass(frozen=True)
class Tempered:
    """What a temperature fitted on held-out samples changes on others; the predicted class stays."""

    temperature: float  # above 1: the probabilities were too sure
    before: Quality
    after: Quality


def tempered(held_out: tuple[Tensor, Tensor], logits: Tensor, labels: Tensor) -> Tempered:
    """Fitted on the logits and labels `held_out`, measured on `logits` (N, K) and `labels` (N,)."""
    temperature = fitted_temperature(*held_out)
    return Tempered(temperature, quality(logits, labels), quality(logits.double() / temperature, labels))
