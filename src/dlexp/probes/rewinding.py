"""One layer put back to an earlier snapshot, and what the net then forgets (layer rewinding, Maini et al. 2023).

The rest of the net keeps its final weights. Samples that were fitted, and no longer are, depended on what the layer
learnt since the snapshot.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.models.layers import layer_names, layer_tensors
from dlexp.probes.interventions import checked
from dlexp.training.evaluate import predict

State = Mapping[str, Tensor]  # a state dict of the whole net
GROUPS = ("mislabelled", "clean")  # the order of the two groups of samples in a Rewinding


@contextmanager
def rewound(net: nn.Module, layer: str, state: State) -> Iterator[None]:
    """Inside, `layer` has its weights and buffers of `state`; afterwards its old bits, also when the block raises.

    `layer` is one of `layer_names(net)`, `state` a state dict of the whole net, such as a snapshot of its training.
    That everything is as before is checked by the SHA-256 of all weights and buffers.

    Raises:
        ValueError: the net has no such layer, or the state lacks one of its tensors or has it in another shape.
        DlexpError: the block changed other weights, or the old bits are not back.
    """
    tensors = layer_tensors(net, layer)
    for name, tensor in tensors.items():
        if name not in state or state[name].shape != tensor.shape:
            has = tuple(state[name].shape) if name in state else "nothing"
            raise ValueError(f"the snapshot has {has} for {name}, the net {tuple(tensor.shape)}")
    with checked(net, tensors.values(), f"rewinding {layer}"):
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(state[name])
        yield


def with_random_signs(net: nn.Module, layer: str, state: State, generator: torch.Generator) -> dict[str, Tensor]:
    """The control of a rewinding: every weight of `layer` as far from now as in `state`, but on either side.

    Returns the values of the layer's tensors, for `rewound`. What it forgets is due to the size of the change alone.
    The generator is one of the CPU. Buffers (batch statistics) are those of `state`.
    """
    parameters = {name for name, _ in net.named_parameters()}
    moved = {}
    for name, tensor in layer_tensors(net, layer).items():
        there = state[name].to(tensor)
        if name in parameters:
            sign = torch.randint(2, tensor.shape, generator=generator).to(tensor) * 2 - 1
            there = tensor + sign * (there - tensor)
        moved[name] = there
    return moved


def fitted(net: nn.Module, split: Split, batch_size: int = 512) -> Tensor:
    """(N,) bool on the CPU: samples of `split` whose predicted class is their label there, true or not."""
    return (predict(net, split, batch_size).argmax(dim=1).cpu() == split.y.cpu()).detach()


def fitted_when_rewound(net: nn.Module, split: Split, layer: str, state: State, batch_size: int = 512) -> Tensor:
    """`fitted` while `layer` is rewound to `state`."""
    with rewound(net, layer, state):
        return fitted(net, split, batch_size)


def share_forgotten(before: Tensor, after: Tensor, group: Tensor) -> float:
    """Of the samples of `group` fitted `before`, the share not fitted `after`; all are (N,) bool.

    0 where none of the group was fitted: there was nothing to forget.
    """
    remembered = before & group
    return float((remembered & ~after).sum() / remembered.sum().clamp(min=1))


@dataclass(frozen=True)
class Rewinding:
    """What one net forgets when each of its layers is rewound to each of its snapshots."""

    layers: list[str]
    epochs: list[int]  # of the snapshots, ascending
    learnt: NDArray[
        np.float64
    ]  # (2, epochs): share of the mislabelled and of the clean samples fitted at each snapshot
    forgotten: NDArray[np.float64]  # (2, layers, epochs): share of either group forgotten
    control: NDArray[np.float64]  # (2, layers): the same for random signs, at the reference epoch
    test_accuracy: NDArray[np.float64]  # (layers,): of the net with this layer at the reference epoch

    @property
    def reference(self) -> int:
        """Position in `epochs` of the snapshot where the clean samples are furthest ahead of the mislabelled ones.

        Patterns are learnt before exceptions (Arpit et al. 2017): this is before memorisation, as far as one can see.
        """
        return int((self.learnt[1] - self.learnt[0]).argmax())

    @property
    def lost(self) -> NDArray[np.float64]:
        """(2, layers): share of each group forgotten at the reference epoch."""
        lost: NDArray[np.float64] = self.forgotten[:, :, self.reference]
        return lost


def measure_rewinding(
    net: nn.Module,
    snapshots: Mapping[int, State],
    train: Split,
    mislabelled: Tensor,
    test: Split,
    generator: torch.Generator,
    batch_size: int = 512,
) -> Rewinding:
    """Rewind every layer of `net` to every snapshot, and to random signs at the reference epoch.

    Args:
        snapshots: epoch -> state dict of the whole net.
        train: what the net was trained on, with the labels it was given.
        mislabelled: (N,) bool, the samples of `train` whose label is wrong; the others are the clean ones.
        test: samples with true labels.
        generator: of the CPU, for the signs.
    """
    layers, epochs = layer_names(net), sorted(snapshots)
    groups = [mislabelled.cpu(), ~mislabelled.cpu()]
    before = fitted(net, train, batch_size)

    def forgets(layer: str, state: State) -> list[float]:
        after = fitted_when_rewound(net, train, layer, state, batch_size)
        return [share_forgotten(before, after, group) for group in groups]

    earlier = copy.deepcopy(net)
    learnt = []
    for epoch in epochs:
        earlier.load_state_dict(snapshots[epoch])
        right = fitted(earlier, train, batch_size)
        learnt.append([float(right[group].double().mean()) for group in groups])
    forgotten = np.array([[forgets(layer, snapshots[epoch]) for epoch in epochs] for layer in layers])
    made = Rewinding(layers, epochs, np.array(learnt).T, np.moveaxis(forgotten, 2, 0), np.empty(0), np.empty(0))
    state = snapshots[epochs[made.reference]]
    control = [forgets(layer, with_random_signs(net, layer, state, generator)) for layer in layers]
    accuracies = [fitted_when_rewound(net, test, layer, state, batch_size).double().mean() for layer in layers]
    return replace(made, control=np.array(control).T, test_accuracy=np.array(accuracies, dtype=np.float64))
