"""Losses of the probability p that the net gives to the label, as modules: loss(logits (B, K), labels (B,)) -> scalar.

Each is the mean over the batch of l(log p), with log p from log_softmax: finite, with a finite gradient, at any finite
logits. Its gradient with respect to the logits is weight(p) (softmax(logits) - onehot(label)) / B, where
weight(p) = -dl / dlog p is what the sample counts for beside its cross-entropy, whose weight is 1.
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import log_softmax, nll_loss


class LabelLoss(nn.Module):
    """What the losses of p share; `of` and `weight` make the difference."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean loss, a scalar, of logits (B, K) and int64 labels (B,)."""
        return self.of(label_log_probability(logits, labels)).mean()

    def of(self, log_p: Tensor) -> Tensor:
        """The loss of each sample from the log-probability of its label, (B,) -> (B,)."""
        raise NotImplementedError

    def weight(self, p: Tensor) -> Tensor:
        """-dl / dlog p in closed form, for p in (0, 1]."""
        raise NotImplementedError


class Focal(LabelLoss):
    """-(1 - p)^gamma log p: samples that are right already count less (Lin et al. 2017, Eq. 4, without alpha)."""

    def __init__(self, gamma: Annotated[float, Field(ge=0)] = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def of(self, log_p: Tensor) -> Tensor:
        # Below the smallest normal number a power < 1 would have an infinite slope, and 0 * inf is NaN.
        wrong = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        return -(wrong**self.gamma) * log_p

    def weight(self, p: Tensor) -> Tensor:
        wrong = 1 - p
        return wrong**self.gamma - self.gamma * p * wrong ** (self.gamma - 1) * p.log()


class MeanAbsoluteError(LabelLoss):
    """2 (1 - p) = |softmax(logits) - onehot(label)|_1: robust to symmetric label noise (Ghosh et al. 2017)."""

    def of(self, log_p: Tensor) -> Tensor:
        return -2 * torch.expm1(log_p)

    def weight(self, p: Tensor) -> Tensor:
        return 2 * p


class GeneralizedCrossEntropy(LabelLoss):
    """(1 - p^q) / q: cross-entropy for q -> 0, half the absolute error for q = 1 (Zhang and Sabuncu 2018, Eq. 6)."""

    def __init__(self, q: Annotated[float, Field(gt=0, le=1)] = 0.7) -> None:
        super().__init__()
        self.q = q

    def of(self, log_p: Tensor) -> Tensor:
        return -torch.expm1(self.q * log_p) / self.q

    def weight(self, p: Tensor) -> Tensor:
        return p**self.q


class ContaminatedCrossEntropy(LabelLoss):
    r"""-log((p + tau) / (1 + tau)): the likelihood of a label of which a share `noise` is wrong.

    If a wrong label is any other of the K classes with equal chance, the label has the probability
    (1 - noise) p + noise (1 - p) / (K - 1), which is p + tau up to a constant factor, with
    tau = noise / (K - 1 - noise K). So p / (p + tau), the weight, is the posterior probability that the label was not
    drawn at random. This is the forward correction of Patrini et al. 2017 for symmetric noise, as one formula.
    """

    def __init__(self, noise: Annotated[float, Field(ge=0, lt=1)] = 0.3) -> None:
        super().__init__()
        self.noise = noise

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        log_p = label_log_probability(logits, labels)
        tau = self.tau(logits.shape[-1])
        log_tau = math.log(tau) if tau > 0 else -math.inf
        return (math.log1p(tau) - torch.logaddexp(log_p, torch.full_like(log_p, log_tau))).mean()
