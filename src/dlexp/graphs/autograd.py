"""The same graph in torch: what its autograd says about the derivatives."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from dlexp.graphs.evaluate import Given
from dlexp.graphs.graph import CONSTANT, INPUT, Graph
from dlexp.graphs.operations import Value

if TYPE_CHECKING:
    from torch import Tensor


def _functions() -> "dict[str, Callable[..., Tensor]]":
    import torch

    arithmetic = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow}
    elementwise = ("neg", "abs", "cos", "exp", "log", "relu", "sigmoid", "sin", "sqrt", "tan", "tanh")
    named = {name: getattr(torch, name) for name in (*elementwise, "dot", "mean", "sum")}
    return {**arithmetic, **named, "same": torch.clone}


def autograd(
    graph: Graph, inputs: Mapping[str, Given], output: int, sources: list[int], seed: Value | None = None
) -> list[Value]:
    """d (seed . output) / d source for each of `sources`, by torch in float64; 0 where there is no dependence.

    `seed` has the shape of the output; ones where it is None. A source may be an intermediate node.
    """
    import torch

    functions, tensors = _functions(), list[torch.Tensor]()
    for node in graph.nodes[: max(output, *sources) + 1]:
        if node.operation == INPUT:
            made = torch.tensor(np.asarray(inputs[node.name], dtype=np.float64), requires_grad=True)
        elif node.operation == CONSTANT:
            made = torch.tensor(node.constant, dtype=torch.float64)
        else:
            made = functions[node.operation](*(tensors[parent] for parent in node.parents))
        tensors.append(made if made.requires_grad else made.requires_grad_())
    start = torch.ones_like(tensors[output]) if seed is None else torch.as_tensor(seed, dtype=torch.float64)
    wanted = [tensors[source] for source in sources]
    found = torch.autograd.grad(tensors[output], wanted, start, allow_unused=True)
    return [
        np.zeros(tensor.shape) if gradient is None else gradient.detach().numpy()
        for tensor, gradient in zip(wanted, found, strict=True)
    ]
