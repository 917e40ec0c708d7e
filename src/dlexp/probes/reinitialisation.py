"""One layer of a trained net put back: to its initial value, to its value at epoch t, or to a fresh random draw.

Zhang, Bengio, Singer (JMLR 2022): re-initialisation and re-randomisation after training. What a layer is put back to is
always a state dict of the whole net, of which only that layer's weights and buffers are used: a snapshot of its
training, or what the functions here make.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.models.layers import layer_names, layer_tensors, layer_units
from dlexp.probes.prefix_reuse import Part, Reuse, parts_of, uses
from dlexp.probes.rewinding import rewound, with_random_signs
from dlexp.training.callbacks import copied_state
from dlexp.training.evaluate import evaluating

State = Mapping[str, Tensor]  # a state dict of the whole net
BATCHES_AT_ONCE = 8  # whose activations are kept together


@contextmanager
def put_back(net: nn.Module, layer: str, state: State) -> Iterator[None]:
    """Inside, `layer` (one of `layer_units`) has its weights and buffers of `state`; afterwards its old bits again.

    Also when the block raises; checked by the SHA-256 of all weights and buffers (see `rewound`).

    Raises:
        ValueError: the net has no such layer, or the state does not fit it.
        DlexpError: the block changed other weights, or the old bits are not back.
    """
    units = layer_units(net)
    if layer not in units:
        raise ValueError(f"the net has no layer {layer}; it has {', '.join(units)}")
    with ExitStack() as members:
        for name in units[layer]:
            members.enter_context(rewound(net, name, state))
        yield


def fresh_draw(make: Callable[[], nn.Module], seed: int) -> dict[str, Tensor]:
    """The state of a net that `make` builds on the CPU from `seed`: every layer drawn anew by its own initialiser.

    torch's global random state is afterwards as before. Not for several threads at once, as that state is shared.
    """
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(seed)
        return copied_state(make())


def random_direction(net: nn.Module, state: State, generator: torch.Generator) -> dict[str, Tensor]:
    """The control of putting back: every weight as far from now as in `state`, on a random side (CPU generator).

    Its distance is that of `state` exactly, its expected direction is orthogonal to that of `state`.
    """
    layers = (with_random_signs(net, layer, state, generator) for layer in layer_names(net))
    return {name: tensor for moved in layers for name, tensor in moved.items()}


def layer_state(net: nn.Module, layer: str) -> dict[str, Tensor]:
    """Weights and buffers of one of `layer_units`, under their names in the net's state dict; they share its memory."""
    members = layer_units(net)[layer]
    return {name: tensor for member in members for name, tensor in layer_tensors(net, member).items()}


def distance(net: nn.Module, layer: str, state: State) -> float:
    """||theta - theta'|| / ||theta'|| over the parameters of `layer`, theta now and theta' in `state` (L2, float64)."""
    parameters = {name for name, _ in net.named_parameters()}
    now = {name: tensor for name, tensor in layer_state(net, layer).items() if name in parameters}
    there = torch.cat([state[name].double().cpu().flatten() for name in now])
    moved = torch.cat([tensor.detach().double().cpu().flatten() for tensor in now.values()]) - there
    return float(moved.norm() / there.norm())


@torch.no_grad()
def logits_when_put_back(
    net: nn.Module, states: Sequence[State], batches: Sequence[Tensor], reuse: bool = True
) -> Iterator[tuple[str, int, Tensor]]:
    """Layer, index into `states`, and the logits (N, K) of all `batches` with that layer put back to that state.

    Layers come in the order of their use. With `reuse` each is computed from its own input on, where `parts_of` can
    cut the net: the same bits as full passes over the same batches.
    """
    with evaluating(net):
        parts = parts_of(net) if reuse else [net]
        kept = Reuse(parts, list(batches))
        for layer, (first, _) in layer_uses(net, parts, batches[0][:1]).items():
            kept.advance(first)
            for index, state in enumerate(states):
                with put_back(net, layer, state):
                    logits = torch.cat(list(kept.outputs()))
                yield layer, index, logits


def layer_uses(net: nn.Module, parts: Sequence[Part], x: Tensor) -> dict[str, tuple[int, int]]:
    """First and last of the `parts` that use each of `layer_units`, in the order of their first use."""
    called = uses(net, parts, x)
    found = {}
    for layer in layer_units(net):
        modules = {name.rpartition(".")[0] for name in layer_state(net, layer)}
        spans = [called[name] for name in modules]
        found[layer] = (min(first for first, _ in spans), max(last for _, last in spans))
    return dict(sorted(found.items(), key=lambda item: item[1]))


def accuracies(
    net: nn.Module, states: Sequence[State], split: Split, batch_size: int = 512, reuse: bool = True
) -> NDArray[np.float64]:
    """(layers, states): accuracy on `split` with each layer alone put back to each state.

    The activations of at most 8 batches are kept at a time.
    """
    rows = {layer: number for number, layer in enumerate(layer_units(net))}
    right = np.zeros((len(rows), len(states)))
    device = next(net.parameters()).device
    starts = list(range(0, len(split), batch_size))
    for many in range(0, len(starts), BATCHES_AT_ONCE):
        slices = [slice(start, start + batch_size) for start in starts[many : many + BATCHES_AT_ONCE]]
        labels = torch.cat([split.y[each] for each in slices]).to(device)
        batches = [split.inputs(each).to(device) for each in slices]
        for layer, index, logits in logits_when_put_back(net, states, batches, reuse):
            right[rows[layer], index] += int((logits.argmax(dim=1) == labels).sum())
    return right / len(split)
