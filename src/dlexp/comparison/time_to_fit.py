"""How many epochs a training takes to fit, where some do not within their budget (right-censored).

A censored time is known only to be larger than the budget. It is never put in as the budget: what is computed from it
holds for every value that it may have.
"""

import math
from collections.abc import Sequence

from dlexp.stats import Interval, mean_interval, spearman
from dlexp.training.single import Trained

Epochs = int | None  # None: not within the budget


def loss_of_errors(share: float) -> float:
    """The mean cross-entropy, nats, below which less than `share` of the samples can be wrong.

    A wrong sample's class has a probability of at most 1/2, so it costs at least ln 2.
    """
    return share * math.log(2)


def epochs_to_fit(trained: Trained, loss: float) -> Epochs:
    """The first epoch whose mean training loss, as met during it, lies below `loss`."""
    return next((int(row["epoch"]) for row in trained.history if row["train_loss"] < loss), None)


def rank_correlation(x: Sequence[float], epochs: Sequence[Epochs]) -> tuple[float, float, float]:
    """Spearman's rho of `x` (ascending) and the epochs: the least it can be, with equal censored times, the most."""
    beyond = 1 + max((value for value in epochs if value is not None), default=0)
    late = [index for index, value in enumerate(epochs) if value is None]

    def rho(step: int) -> float:
        """With the censored times in ascending (1), equal (0) or descending (-1) order, all beyond the others."""
        guess = {index: beyond + len(late) + step * place for place, index in enumerate(late)}
        return spearman(x, [guess.get(index, value) or 0 for index, value in enumerate(epochs)])

    low, middle, high = rho(-1), rho(0), rho(1)
    return min(low, middle), middle, max(middle, high)


def share_of_epochs(quick: int, slow: Epochs, budget: int) -> tuple[float, float, float]:
    """`quick` as a share of `slow`: the least it can be, with `slow` just over the budget if censored, the most."""
    share = quick / (budget + 1 if slow is None else slow)
    return (0.0 if slow is None else share), share, share


def bounded_interval(values: Sequence[tuple[float, float, float]]) -> Interval:
    """Interval of the mean of the middles of (low, middle, high), widened to hold whatever lies between the ends."""
    low, middle, high = (mean_interval(each) for each in zip(*values, strict=True))
    if low.low is None or high.high is None or middle.low is None or middle.high is None:
        return middle
    return Interval(middle.mean, min(low.low, middle.low), max(high.high, middle.high), middle.n)
