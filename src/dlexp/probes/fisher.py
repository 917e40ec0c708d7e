r"""The trace of the Fisher information of a classifier's weights: how much its predictions depend on them.

With p(k | x) the net's own probabilities, F = E_x E_{k ~ p(. | x)} [g g^T], g = grad_theta log p(k | x). Labels are
drawn from the net (or summed over all classes): with the data's labels it would be another matrix, the "empirical"
Fisher. As the trace needs no more than the squared norms of gradients,

    tr F = E_x sum_k p_k |J^T (e_k - p)|^2,    J = d logits / d theta.

Achille, Rovere and Soatto 2019 (Critical learning periods in deep networks), section 3, follow it during training.
"""

from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from dlexp.errors import InputError
from dlexp.probes.gradient_squares import is_known, squares
from dlexp.training.evaluate import evaluating

Squares = dict[str, float]  # parameter name -> sum over the rows of the squared norm of its gradient


def fisher_trace(
    net: nn.Module, x: Tensor, *, draws: int | None = None, generator: torch.Generator | None = None, rows: int = 512
) -> float:
    """tr F of all parameters of `net`, averaged over the samples `x` (N, ...) on the net's device; never negative.

    Args:
        draws: labels drawn for each sample from the net's prediction, >= 1: an unbiased estimate that costs `draws`
            gradients per sample; None: the exact expectation over all K classes, which costs K.
        generator: of the CPU, for the draws.
        rows: gradients computed at a time, which bounds the memory.

    The net is taken in evaluation mode, where samples do not depend on each other; frozen parameters count, too. It and
    the gradients that it holds are left as they were.

    Raises:
        InputError: there are no samples, or draws without a generator.
    """
    return sum(fisher_by_parameter(net, x, draws=draws, generator=generator, rows=rows).values())


def fisher_by_parameter(
    net: nn.Module, x: Tensor, *, draws: int | None = None, generator: torch.Generator | None = None, rows: int = 512
) -> Squares:
    """The summands of `fisher_trace`: name of each parameter -> the trace of its block of F."""
    if len(x) == 0:
        raise InputError("x: the Fisher information needs at least one sample")
    if draws is not None and (draws < 1 or generator is None):
        raise InputError(f"draws={draws}: must be 1 or more, and comes with a generator; None sums over all classes")
    total = dict.fromkeys((name for name, _ in net.named_parameters()), 0.0)
    with evaluating(net):
        weights = directions(net, x, draws, generator, rows)  # (N, R, K)
        by_part = squares_by_layer if made_of_known_layers(net, x[:1]) else squares_by_sample
        sample = torch.arange(len(x), device=x.device).repeat_interleave(weights.shape[1])
        for part, direction in zip(torch.split(sample, rows), torch.split(weights.flatten(0, 1), rows), strict=True):
            for name, value in by_part(net, x[part], direction).items():
                total[name] += value / len(x)
    return total


@torch.no_grad()
def directions(
    net: nn.Module, x: Tensor, draws: int | None, generator: torch.Generator | None, rows: int = 512
) -> Tensor:
    """(N, R, K): vectors c of logit space with sum_r |J^T c_r|^2 the trace of a sample's Fisher information.

    All classes: R = K, c_k = sqrt(p_k) (e_k - p). Drawn labels y: R = draws, c_r = (e_y - p) / sqrt(draws).
    """
    p = torch.cat([net(part) for part in torch.split(x, rows)]).softmax(dim=1)
    one_hot = torch.eye(p.shape[1], dtype=p.dtype, device=p.device)
    if draws is None:
        all_classes: Tensor = p.sqrt()[:, :, None] * (one_hot - p[:, None])
        return all_classes
    labels = torch.multinomial(p.cpu(), draws, replacement=True, generator=generator).to(p.device)
    drawn: Tensor = (one_hot[labels] - p[:, None]) / draws**0.5
    return drawn


def squares_by_sample(net: nn.Module, x: Tensor, direction: Tensor) -> Squares:
    """Sum over rows n of |J_n^T direction_n|^2 for any net: one whole gradient per row (B, ...), (B, K).

    A gradient of each row is held in memory, so they are taken a few at a time.
    """
    weights = {name: parameter.detach() for name, parameter in net.named_parameters()}
    buffers = {name: buffer.detach() for name, buffer in net.named_buffers()}

    def projected(weights: dict[str, Tensor], x: Tensor, direction: Tensor) -> Tensor:
        logits: Tensor = functional_call(net, (weights, buffers), (x[None],))[0]
        return logits @ direction

    gradients = vmap(grad(projected), in_dims=(None, 0, 0), chunk_size=32)(weights, x, direction)
    return {name: float(gradient.double().square().sum()) for name, gradient in gradients.items()}


def squares_by_layer(net: nn.Module, x: Tensor, direction: Tensor) -> Squares:
    """The same from one backward pass, for nets that are `made_of_known_layers`.

    A linear layer a -> W a + b whose output has the gradient d has the gradient d a^T for W, of squared norm
    |d|^2 |a|^2: no gradient of a single row need be formed. For a convolution it is the sum over positions of d a^T
    with the patches a.
    """
    layers = own_parameters(net)
    seen: dict[str, tuple[Tensor, Tensor]] = {}
    with torch.enable_grad(), ExitStack() as hooks:
        for name, module in layers.items():
            hooks.callback(module.register_forward_hook(partial(_keep, seen, name)).remove)
        logits = net(x.detach().requires_grad_())  # so that layers of frozen weights have a graph, too
        outputs = [output for _, output in seen.values()]
        received = torch.autograd.grad((logits * direction).sum(), outputs, allow_unused=True)
    found: Squares = {}
    for (name, (a, _)), d in zip(seen.items(), received, strict=True):
        if d is not None:
            prefix = f"{name}." if name else ""
            found |= {f"{prefix}{key}": value for key, value in squares(layers[name], a, d).items()}
    return found


def _keep(
    seen: dict[str, tuple[Tensor, Tensor]], name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor
) -> Tensor:
    # Copies, because an activation after the layer may work in place.
    seen[name] = (inputs[0].detach().clone(), output)
    return output.clone()


def own_parameters(net: nn.Module) -> dict[str, nn.Module]:
    """The modules of `net` that hold parameters themselves, by name."""
    return {
        name: module
        for name, module in net.named_modules(remove_duplicate=False)
        if next(module.parameters(recurse=False), None) is not None
    }


@torch.no_grad()
def made_of_known_layers(net: nn.Module, x: Tensor) -> bool:
    """Whether every parameter belongs to one linear map, convolution or batch norm that a forward pass calls once."""
    layers = own_parameters(net)
    shared = len(list(net.named_parameters())) < len(list(net.named_parameters(remove_duplicate=False)))
    if shared or not all(is_known(module) for module in layers.values()):
        return False
    calls = dict.fromkeys(layers, 0)

    def count(name: str, *_: Any) -> None:
        calls[name] += 1

    with ExitStack() as hooks:
        for name, module in layers.items():
            hooks.callback(module.register_forward_hook(partial(count, name)).remove)
        net(x)
    return all(number == 1 for number in calls.values())
