r"""Ensembles of classifiers: three ways to combine their predictions, and what the combination owes to their diversity.

M members give the logits z_m (N, K) and the probabilities p_m = softmax(z_m); labels are y. Everything is computed in
float64 from one tensor `logits` of shape (M, N, K).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from dlexp.errors import InputError
from dlexp.probes.calibration import Quality, expected_calibration_error, quality


def average_of_probabilities(logits: Tensor) -> Tensor:
    """log of (1/M) sum_m p_m, shape (N, K): the uniform mixture of the members (Lakshminarayanan et al. 2017)."""
    checked(logits)
    return logits.double().log_softmax(2).logsumexp(0) - math.log(len(logits))


def average_of_logits(logits: Tensor) -> Tensor:
    """log softmax((1/M) sum_m z_m), shape (N, K): the normalised geometric mean of the members' probabilities."""
    checked(logits)
    return logits.double().mean(0).log_softmax(1)


def votes(logits: Tensor) -> Tensor:
    """Shares of the votes (N, K): each member votes for its most probable class, of several the first."""
    checked(logits)
    return one_hot(logits.argmax(2), logits.shape[2]).double().mean(0)


LOG_RULES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "average of probabilities": average_of_probabilities,
    "average of logits": average_of_logits,
}
"""The rules that give log-probabilities; `votes` gives probabilities that may be 0."""
VOTE = "vote"
RULES = (*LOG_RULES, VOTE)


def ensemble_quality(logits: Tensor, labels: Tensor, rule: str = RULES[0]) -> Quality:
    """What the combination of (M, N, K) logits by one of `RULES` is worth against `labels` (N,).

    Votes have an infinite negative log-likelihood as soon as one label gets none; of equally many votes the lowest
    class wins.

    Raises:
        InputError: there is no such rule, or the shapes do not fit.
    """
    if rule in LOG_RULES:
        return quality(LOG_RULES[rule](logits), labels)
    if rule != VOTE:
        raise InputError(f"rule={rule}: there is no such way to combine; choose from: {', '.join(RULES)}")
    shares, labels = votes(logits), labels.to(logits.device)
    chosen = shares.gather(1, labels[:, None])[:, 0]
    return Quality(
        accuracy=float((shares.argmax(1) == labels).double().mean()),
        nll=-float(chosen.log().mean()),
        brier=float((shares - one_hot(labels, shares.shape[1])).square().sum(1).mean()),
        ece=expected_calibration_error(shares, labels),
    )


@dataclass(frozen=True)
class Decomposition:
    """ensemble = members - ambiguity, sample by sample; each (N,) and computed from its own definition."""

    ensemble: Tensor  # loss of the combination
    members: Tensor  # mean loss of the members
    ambiguity: Tensor  # how far the members are from their combination, >= 0

    @property
    def residual(self) -> float:
        """Largest deviation from the identity over all samples: rounding, if it holds."""
        return float((self.ensemble - self.members + self.ambiguity).abs().max())


def squared_error_decomposition(logits: Tensor, labels: Tensor) -> Decomposition:
    """||p - y||^2 = mean_m ||p_m - y||^2 - mean_m ||p_m - p||^2 with p = mean_m p_m (Krogh & Vedelsby 1995).

    y is the one-hot label: means over the samples are Brier scores.
    """
    checked(logits)
    p = logits.double().softmax(2)
    mean, onehot = p.mean(0), one_hot(labels.to(p.device), p.shape[2])
    return Decomposition(
        (mean - onehot).square().sum(1), (p - onehot).square().sum(2).mean(0), (p - mean).square().sum(2).mean(0)
    )


def probability_log_loss_decomposition(logits: Tensor, labels: Tensor) -> Decomposition:
    """-log p(y) = mean_m -log p_m(y) - mean_m log(p(y) / p_m(y)) with p = mean_m p_m.

    The ambiguity is Jensen's gap of the logarithm: never negative, and it depends on the label.
    """
    log_members, log_mean = logits.double().log_softmax(2), average_of_probabilities(logits)
    index = labels.to(logits.device)[:, None]
    of_members = log_members.gather(2, index.expand(len(logits), -1, 1))[..., 0]
    of_mean = log_mean.gather(1, index)[:, 0]
    return Decomposition(-of_mean, -of_members.mean(0), (of_mean - of_members).mean(0))


def logit_log_loss_decomposition(logits: Tensor, labels: Tensor) -> Decomposition:
    """-log g(y) = mean_m -log p_m(y) - mean_m KL(g || p_m) with g the normalised geometric mean (Heskes 1998).

    The ambiguity needs no label, as in the squared error.
    """
    log_members, log_mean = logits.double().log_softmax(2), average_of_logits(logits)
    index = labels.to(logits.device)[:, None]
    of_members = log_members.gather(2, index.expand(len(logits), -1, 1))[..., 0]
    divergence = (log_mean.exp() * (log_mean - log_members)).sum(2).mean(0)
    return Decomposition(-log_mean.gather(1, index)[:, 0], -of_members.mean(0), divergence)


def expected_squared_error(pool: Decomposition, pool_size: int, size: int) -> float:
    """Mean Brier score over all ensembles of `size` members drawn from a pool of `pool_size` >= 2.

    From the pool's `squared_error_decomposition` alone: a drawn ensemble's ambiguity is a variance with divisor
    `size`, so its expectation is (1 - 1 / size) times the pool's unbiased variance. The error falls as 1 / size.
    """
    variance = float(pool.ambiguity.mean()) * pool_size / (pool_size - 1)
    return float(pool.members.mean()) - (1 - 1 / size) * variance


def checked(logits: Tensor) -> None:
    """Raise InputError unless `logits` are finite and of shape (M, N, K) with M, N >= 1."""
    if logits.ndim != 3 or 0 in logits.shape:
        raise InputError(f"logits: have the shape {tuple(logits.shape)}; they must be (members, samples, classes)")
    if not bool(torch.isfinite(logits).all()):
        raise InputError("logits: must be finite")
