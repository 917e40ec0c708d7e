"""Time and memory of a selector on many synthetic rows, measured in a process of its own.

A process of its own, because the peak of the caller (torch, plots, earlier runs) says nothing about the selector.
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import DlexpError
from dlexp.tabular.selection import select

CLUSTERS = 10
TOO_SHORT = 0.01  # seconds: below, fixed costs say more than n


@dataclass(frozen=True)
class Task:
    """k of n rows of m float32 features in `CLUSTERS` Gaussian clusters, which are also the classes."""

    selector: str
    n: int
    k: int
    m: int = 16
    seed: int = 0


@dataclass(frozen=True)
class Cost:
    """What one selection took."""

    seconds: float  # wall clock of the selection alone, rows ready in memory
    peak_mb: float  # largest resident memory of the whole process so far, MB: Python, NumPy, the rows, the selection


def measure_costs(tasks: Sequence[Task]) -> list[Cost]:
    """The cost of each task, one after another in one fresh process.

    The number of rows must not fall from one task to the next: a peak is that of the process so far.

    Raises:
        DlexpError: the process failed; its last line says why.
    """
    if any(after.n < before.n for before, after in pairwise(tasks)):
        raise ValueError("tasks of one process must be in ascending order of n")
    command = [sys.executable, "-m", "dlexp.tabular.selection_cost", json.dumps([asdict(task) for task in tasks])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise DlexpError(f"{tasks[0].selector} on {tasks[-1].n} rows failed: {last}")
    return [Cost(**cost) for cost in json.loads(done.stdout)]


def cost_rows(costs: Mapping[Task, Cost]) -> list[dict[str, Any]]:
    """The costs as rows of a table; all that a clock or the machine decides stands in columns that name the seconds."""
    return [
        {"selector": task.selector, "rows": task.n, "k": task.k, "seconds": cost.seconds}
        | {"exponent of the seconds": exponent, "peak MB, measured with the seconds": cost.peak_mb}
        for (task, cost), exponent in zip(costs.items(), exponents(costs).values(), strict=True)
    ]


def exponents(costs: Mapping[Task, Cost]) -> dict[Task, float | None]:
    """For each task the exponent of time in n since the next smaller n of the same selector.

    None for the smallest n, and where that took less than `TOO_SHORT` seconds.
    """
    found: dict[Task, float | None] = {}
    for task, cost in costs.items():
        smaller = [other for other in costs if other.selector == task.selector and other.n < task.n]
        before = max(smaller, key=lambda other: other.n, default=None)
        if before is not None and costs[before].seconds >= TOO_SHORT:
            found[task] = math.log(cost.seconds / costs[before].seconds) / math.log(task.n / before.n)
        else:
            found[task] = None
    return found


def synthetic_rows(task: Task) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(n, m) rows and (n,) clusters: centres from N(0, 9 I), unit variance around them."""
    rng = np.random.default_rng(task.seed)
    centres = 3 * rng.standard_normal((CLUSTERS, task.m), np.float32)
    y = np.arange(task.n) % CLUSTERS
    x = rng.standard_normal((task.n, task.m), np.float32)
    for cluster, centre in enumerate(centres):
        x[cluster::CLUSTERS] += centre
    return x, y


def run(task: Task) -> Cost:
    """Select in this process; the peak is of all that it ever held."""
    x, y = synthetic_rows(task)
    few = slice(0, 10 * CLUSTERS)  # a first selection, untimed, pays for what only a process's first one pays
    select(task.selector, x[few], CLUSTERS, np.random.default_rng(task.seed), y[few])
    began = time.perf_counter()
    select(task.selector, x, task.k, np.random.default_rng(task.seed), y)
    return Cost(time.perf_counter() - began, peak_mb())


def peak_mb() -> float:
    """The largest resident memory that this process has had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: ru_maxrss would still hold the peak of the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


if __name__ == "__main__":
    print(json.dumps([asdict(run(Task(**task))) for task in json.loads(sys.argv[1])]))
