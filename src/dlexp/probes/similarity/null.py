"""What a measure reads out of nothing: independent Gaussian features, whose similarity is none."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from dlexp.stats import Interval, mean_interval


def reading_of_nothing(
    measure: Callable[[ArrayLike, ArrayLike], float], samples: int, features: int, draws: Sequence[Sequence[int]]
) -> Interval:
    """Mean of `measure` over independent draws of two (samples, features) matrices; one draw per seed in `draws`."""
    read = []
    for seed in draws:
        x, y = np.random.default_rng([*seed, samples]).standard_normal((2, samples, features))
        read.append(measure(x, y))
    return mean_interval(read)
