"""Running statistics of batch normalisation in a layer that is put back: three rules.

A layer that goes back has other outputs than the statistics kept beside it were measured on; those of an untrained net
(mean 0, variance 1) were never measured at all. What a net then loses may be nothing but a wrong scale.
"""

import collections
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.probes.prefix_reuse import Reuse, parts_of
from dlexp.probes.reinitialisation import State, layer_state, layer_uses, put_back
from dlexp.training.batch_statistics import estimating, is_norm
from dlexp.training.evaluate import device_of, evaluating

Statistics = Literal["snapshot", "kept", "reestimated"]
STATISTICS: tuple[Statistics, ...] = ("snapshot", "kept", "reestimated")
ESTIMATE_FROM = 4096  # training samples at most


def has_batch_norm(net: nn.Module) -> bool:
    """Whether the net has running statistics at all."""
    return any(is_norm(module) for module in net.modules())


def with_statistics(
    net: nn.Module, states: Sequence[State], statistics: Statistics, train: Split, batch_size: int = 512
) -> list[dict[str, Tensor]]:
    """`states` with running statistics by one of three rules, for putting one layer of `net` at a time back.

    snapshot: those of the state, the layer goes back whole; kept: those of the net, only parameters go back;
    reestimated: see there. The net itself is left alone.
    """
    if statistics == "reestimated" and has_batch_norm(net):
        return reestimated(net, states, train, batch_size)
    kept = dict(net.named_buffers()) if statistics == "kept" else {}
    return [{**state, **{name: buffer.detach().clone() for name, buffer in kept.items()}} for state in states]


@torch.no_grad()
def reestimated(
    net: nn.Module, states: Sequence[State], train: Split, batch_size: int = 512
) -> list[dict[str, Tensor]]:
    """`states` in which each layer has the running statistics that it finds when it alone is put back.

    Mean and variance come from batches of at most 4,096 samples of `train` (without augmentation) that reach the layer
    through the net as trained; each batch counts the same.
    """
    made = [dict(state) for state in states]
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))[:ESTIMATE_FROM]
    pieces = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    pieces = [piece for piece in pieces if len(piece) > 1] or pieces  # one sample has no variance
    device = device_of(net, train)
    batches = [train.inputs(piece.to(train.y.device)).to(device) for piece in pieces]
    with evaluating(net):
        parts = parts_of(net)
        kept = Reuse(parts, batches)
        for layer, (first, last) in layer_uses(net, parts, batches[0][:1]).items():
            own = {name.rpartition(".")[0] for name in layer_state(net, layer)}
            norms = [module for name in sorted(own) if is_norm(module := net.get_submodule(name))]
            if not norms:
                continue
            kept.advance(first)
            for state, target in zip(states, made, strict=True):
                with put_back(net, layer, state):
                    with estimating(norms):
                        collections.deque(kept.outputs(last + 1), maxlen=0)
                    target.update({name: tensor.clone() for name, tensor in layer_state(net, layer).items()})
    return made
