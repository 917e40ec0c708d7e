"""Geometric means, for positive numbers that span decades."""

import numpy as np
from numpy.typing import ArrayLike

from dlexp.stats import LEVEL, Interval, mean_interval


def geometric_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Geometric mean with the interval of the mean of the logarithms, all on the scale of the `values`.

    Raises:
        ValueError: there are no values, or some are not positive or not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if not (array > 0).all():
        raise ValueError("a geometric mean needs positive values")
    logs = mean_interval(np.log10(array), level)
    low, high = (None if end is None else float(10**end) for end in (logs.low, logs.high))
    return Interval(float(10**logs.mean), low, high, logs.n)
