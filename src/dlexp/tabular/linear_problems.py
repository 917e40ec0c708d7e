"""Linear regression problems of known structure, with the expected test error of least squares on one of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STRUCTURES = ("dense", "factors", "sparse")
ACTIVE = 5  # latent factors of "factors", features with a weight of "sparse"


@dataclass(frozen=True)
class Problem:
    """Training and test rows of y = signal + noise; the signal has variance 1 and everything has mean 0."""

    x: Array  # (n, m)
    y: Array  # (n,)
    x_test: Array  # (test rows, m)
    y_test: Array  # (test rows,)

    def test_error(self, w: Array) -> Array:
        """Mean squared error on the test rows: a scalar for w (m,), one per model for a path (models, m)."""
        error: Array = ((self.y_test - w @ self.x_test.T) ** 2).mean(axis=-1)
        return error


def draw_problem(seed: Sequence[int], structure: str, n: int, m: int, noise: float, test_rows: int = 500) -> Problem:
    """A fresh problem of one of `STRUCTURES`.

    "dense": independent standard normal features, weights of norm 1 in a random direction. "sparse": the same features,
    `ACTIVE` (or m) of them with weights of equal size and random sign. "factors": `ACTIVE` latent factors give the
    target, and the features are noisy mixtures of them, with as much variance from the factors as of their own.

    Args:
        seed: of everything drawn. n, m: training rows and features, >= 1. noise: its standard deviation, >= 0.

    Raises:
        ValueError: `structure` is none of `STRUCTURES`.
    """
    if structure not in STRUCTURES:
        raise ValueError(f"structure={structure}: must be one of {', '.join(STRUCTURES)}")
    random = np.random.default_rng(seed)
    rows = n + test_rows
    x = random.standard_normal((rows, m))
    if structure == "factors":
        factors = random.standard_normal((rows, ACTIVE))
        signal = factors @ _unit(random.standard_normal(ACTIVE))
        x += factors @ random.standard_normal((ACTIVE, m)) / np.sqrt(ACTIVE)
    elif structure == "sparse":
        weights = np.zeros(m)
        weights[random.permutation(m)[:ACTIVE]] = random.choice([-1.0, 1.0], size=min(ACTIVE, m))
        signal = x @ _unit(weights)
    else:
        signal = x @ _unit(random.standard_normal(m))
    y = signal + noise * random.standard_normal(rows)
    return Problem(x[:n], y[:n], x[n:], y[n:])


def expected_error(n: int, m: int, noise: float) -> float:
    """Expected test error of minimum-norm least squares on a "dense" problem; infinite for |n - m| <= 1.

    The mean of the inverse Wishart matrix gives noise^2 (1 + m / (n - m - 1)) for m < n - 1 and, for m > n + 1,
    (1 - n/m) + noise^2 (1 + n / (m - n - 1)) (Breiman and Freedman 1983; Belkin, Hsu and Xu 2020).
    """
    if abs(n - m) <= 1:
        return float("inf")
    if m < n:
        return noise**2 * (1 + m / (n - m - 1))
    return (1 - n / m) + noise**2 * (1 + n / (m - n - 1))


def _unit(vector: Array) -> Array:
    length: Array = vector / np.linalg.norm(vector)
    return length
