"""How far predicted probabilities can be trusted: calibration error, log-likelihood and Brier score."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dlexp.errors import InputError

BINS = 15  # as in Guo et al. 2017


@dataclass(frozen=True)
class Bin:
    """The samples whose confidence lies in (low, high]; the first bin also holds those of confidence 0."""

    low: float
    high: float
    samples: int
    confidence: float  # mean over the samples, 0 where there are none
    accuracy: float  # share of the samples whose most probable class is the label, 0 where there are none


@dataclass(frozen=True)
class Quality:
    """What `probabilities` are worth on one split."""

    accuracy: float  # in [0, 1]
    nll: float  # mean negative log-likelihood of the labels, in nats
    brier: float  # mean squared distance to the one-hot label, in [0, 2]
    ece: float  # expected calibration error, in [0, 1]


def reliability(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> list[Bin]:
    """Confidence (the largest probability) against accuracy, in `bins` bins of equal width over [0, 1].

    Args:
        probabilities: (N, K), non-negative, each row with sum 1. Of several largest ones the first counts.
        labels: (N,) int64.

    Raises:
        InputError: there are no samples, the shapes do not fit, or rows are no probabilities.
    """
    check_probabilities(probabilities, labels)
    if bins < 1:
        raise InputError(f"bins={bins}: must be 1 or more")
    confidence, predicted = probabilities.double().max(dim=1)
    right = (predicted == labels).double()
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64, device=confidence.device)
    which = torch.bucketize(confidence, edges[1:-1])  # right edges belong to the bin below
    counts = torch.bincount(which, minlength=bins)
    divisor = counts.clamp(min=1)
    confidences = torch.bincount(which, confidence, minlength=bins) / divisor
    accuracies = torch.bincount(which, right, minlength=bins) / divisor
    columns = zip(counts.tolist(), confidences.tolist(), accuracies.tolist(), strict=True)
    ends = edges.tolist()
    return [Bin(ends[index], ends[index + 1], *values) for index, values in enumerate(columns)]


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """sum_b n_b / N |accuracy_b - confidence_b| over the bins of `reliability` (Guo et al. 2017, Eq. 3).

    Biased upwards: with few samples a bin's accuracy differs from its confidence by chance alone.
    """
    found = reliability(probabilities, labels, bins)
    return sum(each.samples * abs(each.accuracy - each.confidence) for each in found) / len(labels)


def quality(logits: Tensor, labels: Tensor, bins: int = BINS) -> Quality:
    """All measures, from finite logits (N, K), in float64."""
    log_p = logits.double().log_softmax(1)
    probabilities, labels = log_p.exp(), labels.to(logits.device)
    error = expected_calibration_error(probabilities, labels, bins)
    chosen = log_p.gather(1, labels[:, None])[:, 0]
    onehot = torch.nn.functional.one_hot(labels, logits.shape[1])
    return Quality(
        accuracy=float((probabilities.argmax(1) == labels).double().mean()),
        nll=-float(chosen.mean()),
        brier=float((probabilities - onehot).square().sum(1).mean()),
        ece=error,
    )


def check_probabilities(probabilities: Tensor, labels: Tensor) -> None:
    """Raise InputError unless these are N >= 1 distributions over K classes and N labels among them."""
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or len(labels) == 0:
        shapes = f"{tuple(probabilities.shape)} and {tuple(labels.shape)}"
        raise InputError(f"probabilities and labels have the shapes {shapes}; they must be (N, K) and (N,), N >= 1")
    if not bool((probabilities >= 0).all()) or not bool(((probabilities.sum(1) - 1).abs() < 1e-4).all()):
        raise InputError("probabilities: every row must be non-negative and have the sum 1")
    if int(labels.min()) < 0 or int(labels.max()) >= probabilities.shape[1]:
        raise InputError(f"labels: must lie in 0..{probabilities.shape[1] - 1}")
