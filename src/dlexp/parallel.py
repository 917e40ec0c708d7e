"""The same work on many nets side by side: one torch thread for each piece, as many pieces at once as cores.

Threads suffice where training needs processes: evaluation spends its time inside torch, which lets other threads run
meanwhile. One thread a piece is faster than all threads on one piece after another: small convolutions gain little from
a second thread, and waiting for it costs much when another program wants the core (measured: up to 10 times).
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

import torch
from threadpoolctl import threadpool_limits

from dlexp.processes import available_cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_side_by_side(
    function: Callable[[Item], Result], items: Sequence[Item], device: str, on_done: Callable[[], None]
) -> list[Result]:
    """`[function(item) for item in items]`; the pieces must not share what they change.

    One item, or a device other than the CPU: in turn, with all threads. `on_done` is called in this thread after each.
    """
    workers = min(len(items), available_cores()) if device == "cpu" else 1
    if workers < 2:
        results = []
        for item in items:
            results.append(function(item))
            on_done()
        return results
    # NumPy's linear algebra has threads of its own, which would fight over the same cores.
    with (
        torch_threads(1),
        threadpool_limits(1),
        ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
                on_done()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return [future.result() for future in futures]


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """torch computes with `count` threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
