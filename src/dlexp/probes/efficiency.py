"""What a net costs, indicator by indicator: counted where it can be counted, measured side by side where it cannot."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from dlexp.probes.peak_memory import peak_bytes
from dlexp.probes.step_cost import alternated_seconds
from dlexp.training.callbacks import copied_state
from dlexp.training.evaluate import evaluating

BLOCKS = 5  # into which the rounds of a measurement are cut, for intervals


def mlp_flops(sizes: Iterable[int], batch_size: int = 1) -> int:
    """FLOPs as counted, closed form, for an MLP of `sizes` = (inputs, hidden ..., outputs): 2 B sum_i n_{i-1} n_i."""
    return 2 * batch_size * sum(fan_in * fan_out for fan_in, fan_out in pairwise(sizes))


def stored_bytes(net: nn.Module) -> int:
    """Size of the file that safetensors writes for the state dict: all parameters and buffers, and a header."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.safetensors"
        save_file(copied_state(net), file)
        return file.stat().st_size


def state_bytes(net: nn.Module) -> int:
    """Bytes of all parameters and buffers in memory."""
    return sum(tensor.nbytes for tensor in net.state_dict().values())


def prediction_bytes(net: nn.Module, x: Tensor) -> int:
    """The most bytes alive at once while predicting the batch `x`: the net, `x`, and what `peak_bytes` counts."""
    with evaluating(net), torch.inference_mode():
        return state_bytes(net) + x.nbytes + peak_bytes(lambda: net(x))


def training_bytes(net: nn.Module, step: Callable[[], object], x: Tensor) -> int:
    """The most bytes alive at once in the first training step on the batch `x`, the net and `x` included.

    `step` must be the first of its optimizer, so that the state which it makes and keeps is counted.
    """
    before = state_bytes(net)
    return before + x.nbytes + peak_bytes(step)


def training_step(
    net: nn.Module, optimizer: Optimizer, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor
) -> Callable[[], None]:
    """One optimisation step on the batch `x`, `y`, to be called again and again; it trains `net`."""

    def step() -> None:
        net.train()
        optimizer.zero_grad()
        loss(net(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def prediction(net: nn.Module, x: Tensor) -> Callable[[], None]:
    """One prediction of the batch `x`, to be called again and again; on a GPU it waits for the result."""
    net.eval()

    def predict() -> None:
        with torch.inference_mode():
            net(x)
        if x.is_cuda:
            torch.cuda.synchronize(x.device)

    return predict


@dataclass(frozen=True)
class Timing:
    """Seconds of one candidate, round by round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the rounds took less."""
        return median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """A quarter of the rounds took less than the first, a quarter more than the second."""
        low, high = np.quantile(self.seconds, [0.25, 0.75])
        return float(low), float(high)

    @property
    def blocks(self) -> list[float]:
        """The medians of `BLOCKS` stretches of neighbouring rounds, to be compared with another candidate's."""
        return [float(np.median(part)) for part in np.array_split(np.array(self.seconds), BLOCKS)]


def side_by_side(candidates: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 3) -> dict[str, Timing]:
    """Time all candidates in turn, there and back, on one thread, after `warm_up` rounds that do not count.

    What slows the machine for a while slows all of them (`alternated_seconds`). Each finds the caches as others left
    them.

    Raises:
        ValueError: there are fewer rounds than blocks.
    """
    if rounds < BLOCKS:
        raise ValueError(f"{rounds} rounds cannot be cut into {BLOCKS} blocks")
    found = alternated_seconds(candidates, blocks=rounds, repetitions=1, warm_up=warm_up)
    return {name: Timing(tuple(seconds)) for name, seconds in found.items()}
