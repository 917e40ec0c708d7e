"""What ridge costs in its primal and dual form: counted operations and measured seconds."""

import time
from collections.abc import Callable

import numpy as np


def primal_operations(n: int, m: int) -> int:
    """Multiplications with their additions of `ridge_primal` for one target: O(n m^2 + m^3).

    The lower half of X^T X, X^T y, the Cholesky factor of an (m, m) matrix, and two triangular solves. Divisions count
    as multiplications, square roots are left out.
    """
    return n * m * (m + 1) // 2 + n * m + _cholesky(m) + m * (m + 1)


def dual_operations(n: int, m: int) -> int:
    """Multiplications with their additions of `ridge_dual` for one target: O(n^2 m + n^3); counted alike."""
    return m * n * (n + 1) // 2 + n * m + _cholesky(n) + n * (n + 1)


def _cholesky(size: int) -> int:
    """Sum over columns j of (size - j) entries: j products each, and one division for those below the diagonal."""
    return (size - 1) * size * (size + 1) // 6 + size * (size - 1) // 2


def thread_seconds(call: Callable[[], object], repeats: int) -> float:
    """The least CPU seconds of `repeats` calls in this thread: other programs and threads do not count.

    Limit the linear algebra to this thread (`threadpoolctl.threadpool_limits(1)`), else part of the work is missed.
    """
    call()  # imports and page faults of the first call are not the method's cost
    seconds = []
    for _ in range(repeats):
        started = time.thread_time()
        call()
        seconds.append(time.thread_time() - started)
    return float(np.min(seconds))
