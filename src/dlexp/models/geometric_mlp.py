r"""The multilayer perceptron whose layer i has k^i neurons: its size is known before it is built.

With d inputs, hidden layers of k, k^2, ..., k^n neurons and C outputs, each with biases, it has

    (d + 1) k  +  sum_{i=2..n} (k^{i-1} + 1) k^i  +  (k^n + 1) C    parameters,

two geometric series. Training one step needs 4 bytes for each weight, each gradient, each number that the optimizer
keeps, and each activation of the batch; a net that would need more than there is must not be built at all.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import Optimizer

from dlexp.errors import InputError
from dlexp.models.mlp import mlp

FLOAT32_BYTES = 4
UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
Layers = Annotated[int, Field(ge=1, le=1000)]
Base = Annotated[int, Field(ge=1, le=1_000_000)]
Gigabytes = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def geometric_mlp(
    input_shape: Sequence[int],
    n_classes: int,
    *,
    n: Layers,
    k: Base,
    activation: Callable[[], nn.Module],
    memory_gb: Gigabytes = 4.0,
    batch_size: Annotated[int, Field(ge=1)] = 128,
    optimizer_state: Annotated[int, Field(ge=0)] = 2,
) -> nn.Sequential:
    """Hidden layers of k, k^2, ..., k^n units, then the linear layer `fc`; see `mlp` for the names of its parts.

    Args:
        memory_gb, batch_size, optimizer_state: what `predict_memory` and `refuse_too_large` ask for. The net is
            refused, before anything of it exists, if one step of its training would need more.

    Raises:
        InputError: it would; says how much.
    """
    sizes = (math.prod(input_shape), *geometric_widths(n, k), n_classes)
    refuse_too_large(predict_memory(sizes, batch_size, optimizer_state), memory_gb, n, k)
    return mlp(input_shape, n_classes, widths=geometric_widths(n, k), activation=activation)


def geometric_widths(n: int, k: int) -> list[int]:
    """k, k^2, ..., k^n: neurons of the n hidden layers."""
    return [k**i for i in range(1, n + 1)]


def geometric_parameters(n: int, k: int, n_inputs: int, n_outputs: int) -> int:
    """Weights and biases in closed form, exact for any size: no sum over layers, no net."""
    if k == 1:
        return (n_inputs + 1) + 2 * (n - 1) + 2 * n_outputs
    weights: int = k**3 * (k ** (2 * (n - 1)) - 1) // (k**2 - 1)  # sum of k^(2i-1), i = 2..n
    biases: int = k**2 * (k ** (n - 1) - 1) // (k - 1)  # sum of k^i, i = 2..n
    last: int = k**n
    return (n_inputs + 1) * k + weights + biases + (last + 1) * n_outputs


def mlp_parameters(sizes: Iterable[int]) -> int:
    """Weights and biases of an MLP with `sizes` = (inputs, hidden ..., outputs)."""
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))


def widths_within(budget: int, shape: Sequence[int], n_inputs: int, n_outputs: int) -> list[int]:
    """The widest hidden layers in the proportions of `shape`, each at least 1, with at most `budget` parameters.

    Raises:
        ValueError: not even one neuron per layer fits.
    """

    def scaled(factor: float) -> list[int]:
        return [max(1, round(factor * width)) for width in shape]

    def fits(factor: float) -> bool:
        return mlp_parameters((n_inputs, *scaled(factor), n_outputs)) <= budget

    if not fits(0.0):
        raise ValueError(f"{len(shape)} layers of one neuron have more than {budget} parameters")
    low, high = 0.0, budget / min(shape)
    for _ in range(100):  # halving the bracket to the last bit
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return scaled(low)


@dataclass(frozen=True)
class Memory:
    """Bytes that training holds at once, by what they are for."""

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All of it, in bytes."""
        return self.weights + self.gradients + self.optimizer + self.activations


def predict_memory(sizes: Sequence[int], batch_size: int, optimizer_state: int) -> Memory:
    """What one training step of an MLP holds in float32, from its `sizes` = (inputs, hidden ..., outputs) alone.

    4 P bytes of weights, as many of gradients, `optimizer_state` times as many of the optimizer's (see
    `optimizer_state`). Of each of `batch_size` samples: its inputs, each hidden value before and after the activation,
    the logits and their log-probabilities. ReLU frees the value before, so this is an upper bound for it, about twice
    what is kept for the backward pass; the rest is room for the gradients of the activations.
    """
    parameters = FLOAT32_BYTES * mlp_parameters(sizes)
    values = sizes[0] + 2 * sum(sizes[1:])
    return Memory(parameters, parameters, optimizer_state * parameters, FLOAT32_BYTES * batch_size * values)


def optimizer_state(make: Callable[[list[nn.Parameter]], Optimizer]) -> int:
    """Numbers that an optimizer keeps for each weight (SGD 0, with momentum 1; Adam 2), found by one step of it."""
    parameter = nn.Parameter(torch.zeros(8, 8))
    optimizer = make([parameter])
    parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    kept = (value for value in optimizer.state[parameter].values() if isinstance(value, Tensor))
    return sum(value.numel() for value in kept) // parameter.numel()  # the step counter is less than one per weight


def measure_memory(
    net: nn.Module, optimizer: Optimizer, loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor
) -> Memory:
    """What one training step on the batch `x` (B, ...), `y` (B,) does hold, counted tensor by tensor; changes `net`.

    Activations are the tensors that autograd keeps for the backward pass, each once, without the net's own.
    """
    own = {tensor.untyped_storage().data_ptr() for tensor in net.state_dict().values()}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value = loss(net(x), y)
    activations = sum(tensor.untyped_storage().nbytes() for place, tensor in kept.items() if place not in own)
    optimizer.zero_grad()
    value.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    parameters = list(net.parameters())
    states = [state for parameter in parameters for state in optimizer.state[parameter].values()]
    return Memory(
        weights=sum(parameter.nbytes for parameter in parameters),
        gradients=sum(parameter.grad.nbytes for parameter in parameters if parameter.grad is not None),
        optimizer=sum(state.nbytes for state in states if isinstance(state, Tensor) and state.ndim),
        activations=activations,
    )


def free_bytes(device: str = "cpu") -> int:
    """Memory that is free now, of the machine or of the GPU `device`."""
    if device.startswith("cuda"):
        return torch.cuda.mem_get_info(device)[0]
    import psutil

    return int(psutil.virtual_memory().available)


def why_too_large(memory: Memory, limit_gb: float, device: str = "cpu") -> str | None:
    """The figure and the limit it exceeds, `limit_gb` or the memory that is free; None if it exceeds neither."""
    if memory.total > limit_gb * 1e9:
        return f"needs {memory_text(memory.total)}, beyond the limit of {limit_gb:g} GB"
    free = free_bytes(device)
    if memory.total > free:
        return f"needs {memory_text(memory.total)}, beyond the {memory_text(free)} that are free"
    return None


def refuse_too_large(memory: Memory, limit_gb: float, n: int, k: int) -> None:
    """Raise InputError, with the figure, if training would hold more than `limit_gb` or than the free memory."""
    if reason := why_too_large(memory, limit_gb):
        parameters = count_text(memory.weights // FLOAT32_BYTES)
        raise InputError(
            f"model.n={n} model.k={k}: training this net of {parameters} parameters {reason}; "
            "choose a smaller n or k, or raise model.memory_gb"
        )


def memory_text(count: int) -> str:
    """`count` bytes in kB, MB or GB (powers of 1000), three significant digits, however large."""
    if count >= 10**15:
        return f"{Decimal(count) / 10**9:.2e} GB"
    value, unit = next((count / size, unit) for size, unit in UNITS if count >= size or unit == "kB")
    return f"{float(f'{value:.3g}'):g} {unit}"


def count_text(count: int) -> str:
    """A count in full below 10^15, beyond it with three significant digits."""
    return f"{count:,}" if count < 10**15 else f"{Decimal(count):.2e}"
