"""What a computation costs: seconds, measured fairly on a machine that does other things too, and memory traffic."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from dlexp.parallel import torch_threads


def alternated_seconds(
    steps: Mapping[str, Callable[[], object]], blocks: int, repetitions: int, warm_up: int = 3
) -> dict[str, list[float]]:
    """Seconds of each step: per block the median of `repetitions`, with one torch thread.

    All steps are timed in turn, again and again, so that what slows the machine down for a while slows all of them;
    compare them block by block. Every second turn goes backwards: no step always finds the caches as the same other one
    left them.
    """
    times: dict[str, list[float]] = {name: [] for name in steps}
    forwards = list(steps.items())
    with torch_threads(1):
        for _ in range(warm_up):
            for step in steps.values():
                step()
        for turn in range(blocks * repetitions):
            for name, step in forwards if turn % 2 == 0 else reversed(forwards):
                start = time.perf_counter()
                step()
                times[name].append(time.perf_counter() - start)
    return {
        name: [median(taken[at : at + repetitions]) for at in range(0, len(taken), repetitions)]
        for name, taken in times.items()
    }


@dataclass(frozen=True)
class Traffic:
    """What an elementwise function does to a tensor of n elements, there and back (its gradient)."""

    kernels: int  # operations that torch runs one after the other, each with a launch of its own
    passes: float  # elements read and written, in units of n: where memory is the limit, time is proportional to it


def elementwise_traffic(function: Callable[[Tensor], Tensor], elements: int = 4096) -> Traffic:
    """Counted on the CPU by the operations that torch dispatches for forward and backward; views cost nothing.

    A kernel that torch has fused (SiLU, GELU, Mish) counts once, however much it computes per element.
    """
    x = torch.linspace(-3, 3, elements).requires_grad_()
    gradient = torch.ones(elements)
    with _Counter(elements) as counted:
        torch.autograd.grad(function(x), x, gradient)
    return Traffic(counted.kernels, counted.elements / elements)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations on tensors of `size` elements and what they read and write."""

    def __init__(self, size: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.size = size
        self.kernels = 0
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        read = [each for each in tree_flatten([args, kwargs])[0] if isinstance(each, Tensor)]
        written = [each for each in tree_flatten(out)[0] if isinstance(each, Tensor)]
        in_place = str(func.__name__).partition(".")[0].endswith("_")
        known = {each.untyped_storage().data_ptr() for each in read}
        is_view = not in_place and all(each.untyped_storage().data_ptr() in known for each in written)
        if not is_view and any(each.numel() >= self.size for each in [*read, *written]):
            self.kernels += 1
            self.elements += sum(each.untyped_storage().nbytes() // each.element_size() for each in [*read, *written])
        return out
