"""Counted operations against an algorithm that counts, and a clock that sees this thread only."""

import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest

from dlexp.tabular.closed_form import ridge_dual, ridge_primal
from dlexp.tabular.ridge_cost import dual_operations, primal_operations, thread_seconds


class Counting:
    """Ridge by plain loops that count every multiplication and division."""

    def __init__(self) -> None:
        self.count = 0

    def dot(self, a: Sequence[float], b: Sequence[float]) -> float:
        self.count += len(a)
        return sum(x * y for x, y in zip(a, b, strict=True))

    def solve(self, matrix: list[list[float]], target: list[float]) -> list[float]:
        """By Cholesky; `matrix` holds its lower half."""
        size = len(target)
        low = [[0.0] * size for _ in range(size)]
        for j in range(size):
            low[j][j] = (matrix[j][j] - self.dot(low[j][:j], low[j][:j])) ** 0.5
            for i in range(j + 1, size):
                low[i][j] = (matrix[i][j] - self.dot(low[i][:j], low[j][:j])) / low[j][j]
                self.count += 1
        forward: list[float] = []
        for i in range(size):
            forward.append((target[i] - self.dot(low[i][:i], forward)) / low[i][i])
            self.count += 1
        backward: list[float] = []
        for i in reversed(range(size)):
            column = [low[k][i] for k in reversed(range(i + 1, size))]
            backward.append((forward[i] - self.dot(column, backward)) / low[i][i])
            self.count += 1
        return backward[::-1]

    def gram(self, vectors: list[list[float]], penalty: float) -> list[list[float]]:
        return [
            [self.dot(vectors[i], vectors[j]) + penalty * (i == j) for j in range(i + 1)] for i in range(len(vectors))
        ]


@pytest.mark.parametrize(("n", "m"), [(3, 7), (6, 2), (4, 4), (1, 5), (1, 1)])
def test_the_counts_are_those_of_the_algorithms(n: int, m: int) -> None:
    random = np.random.default_rng(0)
    x, y = random.standard_normal((n, m)), random.standard_normal(n)
    rows, columns, target = x.tolist(), x.T.tolist(), y.tolist()
    primal = Counting()
    w = primal.solve(primal.gram(columns, 0.5), [primal.dot(column, target) for column in columns])
    np.testing.assert_allclose(w, ridge_primal(x, y, 0.5), atol=1e-10)
    assert primal.count == primal_operations(n, m)
    dual = Counting()
    alpha = dual.solve(dual.gram(rows, 0.5), target)
    w = [dual.dot(column, alpha) for column in columns]
    np.testing.assert_allclose(w, ridge_dual(x, y, 0.5), atol=1e-10)
    assert dual.count == dual_operations(n, m)


def test_the_leading_orders() -> None:
    n = 50
    assert primal_operations(n, 2_000_000) / primal_operations(n, 1_000_000) == pytest.approx(8, rel=1e-3)
    assert dual_operations(n, 2_000_000) / dual_operations(n, 1_000_000) == pytest.approx(2, rel=1e-3)
    assert primal_operations(n, n) == dual_operations(n, n)


def test_the_clock_counts_work_and_the_fastest_call_after_the_first() -> None:
    calls = []

    def work() -> None:
        calls.append(sum(range(20_000 if len(calls) else 2_000_000)))

    before = time.thread_time()
    seconds = thread_seconds(work, repeats=3)
    spent = time.thread_time() - before
    assert len(calls) == 4
    assert 0 < seconds < spent / 4  # the expensive first call is left out


def test_the_clock_does_not_count_another_thread() -> None:
    def wait_for_busy_thread() -> None:
        busy = threading.Thread(target=sum, args=(range(2_000_000),))
        busy.start()
        busy.join()

    started = time.process_time()
    seconds = thread_seconds(wait_for_busy_thread, repeats=1)
    spent = time.process_time() - started
    assert seconds < spent / 4
