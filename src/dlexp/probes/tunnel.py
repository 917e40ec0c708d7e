"""The tunnel of a deep net: the layers from which on linear probes gain nothing more (Masarczyk et al. 2023).

The layers up to its start, the extractor, make the classes linearly separable; those in the tunnel pass the
representation on and compress it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Tunnel:
    """Where probe accuracy stops rising. Position 0 is the net's input, position l the output of hidden layer l."""

    start: int  # the earliest position that no later one beats by the margin or more
    layers: int  # L: hidden layers of the net

    @property
    def share(self) -> float:
        """The part of the hidden layers that lie behind the start, in [0, 1]."""
        return (self.layers - self.start) / self.layers


def gain_to_come(accuracies: ArrayLike) -> NDArray[np.float64]:
    """(P,): at each position, how much the best later one is better; negative if all are worse, 0 at the last."""
    values = np.asarray(accuracies, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"accuracies of shape {values.shape}: must be those of two positions or more")
    best_from = np.maximum.accumulate(values[::-1])[::-1]
    return np.append(best_from[1:] - values[:-1], 0.0)


def find_tunnel(accuracies: Sequence[float], margin: float) -> Tunnel:
    """The tunnel by the rule: it starts at the first position where the gain still to come is below `margin`.

    Args:
        accuracies: (L + 1,) of linear probes on the input and on each hidden layer in order. On samples other than
            those on which anything about the tunnel is then measured: the rule picks a position because it did well.
        margin: the smallest rise that counts, > 0, in accuracy: 0.01 is one point.

    Raises:
        ValueError: `margin` is not above 0, or there are fewer than two accuracies.
    """
    if margin <= 0:
        raise ValueError(f"margin={margin}: must be above 0")
    below = gain_to_come(accuracies) < margin
    return Tunnel(int(below.argmax()), len(accuracies) - 1)  # the last position always qualifies


def numerical_rank(x: NDArray[np.float64], share: float = 1e-3) -> int:
    """How many eigenvalues of the covariance of `x` (N, F) exceed `share` times the largest; 0 if nothing varies.

    What Masarczyk et al. 2023 follow through the tunnel. At most min(N - 1, F).
    """
    centred = x - x.mean(axis=0)
    if not centred.any():
        return 0
    variances = np.square(np.linalg.svd(centred, compute_uv=False))
    return int((variances > share * variances[0]).sum())
