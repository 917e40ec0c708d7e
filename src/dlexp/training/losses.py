"""Losses of the probability p that the net gives to the label, as modules: loss(logits (B, K), labels (B,)) -> scalar.

Each is the mean over the batch of a function l of log p; log p comes from log_softmax, so the loss and its gradient are
finite at any finite logits. The gradient with respect to a sample's logits is weight(p) (softmax(logits) -
onehot(label)) / B, where weight(p) = -dl / dlog p says what the sample counts for; with cross-entropy it is 1.
"""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn


def label_log_probability(logits: Tensor, labels: Tensor) -> Tensor:
    """log softmax(logits)[label] of each sample, (..., B, K) and (..., B) -> (..., B)."""
    return logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


class Focal(nn.Module):
    """-(1 - p)^gamma log p: samples that are right already count less (Lin et al. 2017, Eq. 4)."""

    def __init__(self, gamma: Annotated[float, Field(ge=0)] = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over the batch."""
        log_p = label_log_probability(logits, labels)
        # At 1 - p = 0 a power below 1 has an infinite slope, and 0 times infinity is NaN.
        wrong = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        return -(wrong**self.gamma * log_p).mean()

    def weight(self, p: Tensor) -> Tensor:
        """What a sample counts for, with p in (0, 1)."""
        return (1 - p) ** self.gamma - self.gamma * p * (1 - p) ** (self.gamma - 1) * p.log()


class MeanAbsoluteError(nn.Module):
    """2 (1 - p), which is |softmax(logits) - onehot(label)|_1: robust to symmetric label noise (Ghosh et al. 2017)."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over the batch."""
        return -2 * torch.expm1(label_log_probability(logits, labels)).mean()

    def weight(self, p: Tensor) -> Tensor:
        """What a sample counts for."""
        return 2 * p


class GeneralizedCrossEntropy(nn.Module):
    """(1 - p^q) / q: cross-entropy for q -> 0, half the absolute error for q = 1 (Zhang and Sabuncu 2018)."""

    def __init__(self, q: Annotated[float, Field(gt=0, le=1)] = 0.7) -> None:
        super().__init__()
        self.q = q

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over the batch."""
        return -torch.expm1(self.q * label_log_probability(logits, labels)).mean() / self.q

    def weight(self, p: Tensor) -> Tensor:
        """What a sample counts for."""
        return p**self.q


class ContaminatedCrossEntropy(nn.Module):
    r"""-log((p + tau) / (1 + tau)): the likelihood of a label that is wrong with probability `noise`.

    If a wrong label is each of the other K - 1 classes with equal chance, the given label has the probability
    (1 - noise) p + noise (1 - p) / (K - 1), which is p + tau up to a factor, with tau = noise / (K - 1 - noise K). The
    weight p / (p + tau) is the posterior probability that the label was not drawn blindly. At p = 1 / K, where training
    starts, it is 1 - noise K / (K - 1) for any K. noise = 0 is cross-entropy, noise -> (K - 1) / K absolute error.

    The forward correction of Patrini et al. 2017 (their Theorem 2) for symmetric noise, in closed form. With fewer
    classes than 1 / (1 - noise) the labels say nothing.

    Raises:
        ValueError: (when called) noise >= (K - 1) / K.
    """

    def __init__(self, noise: Annotated[float, Field(ge=0, lt=1)] = 0.3) -> None:
        super().__init__()
        self.noise = noise

    def tau(self, n_classes: int) -> float:
        """What is added to p."""
        informative = n_classes - 1 - self.noise * n_classes
        if informative <= 0:
            raise ValueError(f"noise={self.noise}: with {n_classes} classes it must be below {1 - 1 / n_classes:.3g}")
        return self.noise / informative

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over the batch."""
        log_p, tau = label_log_probability(logits, labels), self.tau(logits.shape[-1])
        if tau == 0:
            return -log_p.mean()
        return math.log1p(tau) - torch.logaddexp(log_p, log_p.new_tensor(math.log(tau))).mean()

    def weight(self, p: Tensor, n_classes: int = 10) -> Tensor:
        """What a sample counts for."""
        return p / (p + self.tau(n_classes))


class MisassignedWeights(ContaminatedCrossEntropy):
    """The control: cross-entropy in which each sample has the weight that belongs to its neighbour in the batch.

    The weights of a batch are those of the contaminated cross-entropy, and so the gradient is as large; which sample
    they fall on is blind.
    """

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over the batch."""
        log_p = label_log_probability(logits, labels)
        weight = self.weight(log_p.detach().exp(), logits.shape[-1])
        return -(weight.roll(1, -1) * log_p).mean()
