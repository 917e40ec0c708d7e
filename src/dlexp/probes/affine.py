"""The scales (gamma) of batch normalisation: how they are distributed, and which units they switch off.

A unit with gamma = 0 gives its shift beta whatever the image: the feature is there, and the net does not look at it
(Frankle et al. 2021, section 5).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dlexp.data import Split
from dlexp.models.inputs import bare
from dlexp.probes.activations import captured
from dlexp.probes.interventions import checked
from dlexp.training.evaluate import accuracy, device_of, evaluating

NEAR_ZERO = 0.01  # |gamma| below which Frankle et al. count a feature as disabled

Units = Mapping[str, Tensor]  # layer -> bool (C,)


def normalisations(net: nn.Module) -> dict[str, _BatchNorm]:
    """Every batch normalisation with gamma and beta, by its name in the bare net, in the order of the modules."""
    found = {name: each for name, each in bare(net).named_modules() if isinstance(each, _BatchNorm)}
    return {name: each for name, each in found.items() if each.affine}


def scales(net: nn.Module, state: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Layer -> gamma (C,), a copy on the CPU; of a state dict of the whole `net` (a snapshot) where one is given."""
    layers = normalisations(net)
    if state is None:
        return {name: each.weight.detach().cpu().clone() for name, each in layers.items()}
    whole = {id(module): name for name, module in net.named_modules()}
    return {name: state[f"{whole[id(each)]}.weight"].cpu().clone() for name, each in layers.items()}


def near_zero(gammas: Mapping[str, Tensor], threshold: float = NEAR_ZERO) -> dict[str, Tensor]:
    """Layer -> bool (C,): the units with |gamma| < `threshold`."""
    return {name: gamma.abs() < threshold for name, gamma in gammas.items()}


def share(units: Units) -> float:
    """The marked units of all layers together as a fraction of all units."""
    return float(torch.cat([mask.flatten() for mask in units.values()]).double().mean())


def same_number_elsewhere(units: Units, generator: torch.Generator) -> dict[str, Tensor]:
    """The control of `units`: in each layer as many units, drawn from all of the layer; generator of the CPU."""
    drawn = {}
    for name, mask in units.items():
        chosen = torch.randperm(len(mask), generator=generator)[: int(mask.sum())]
        drawn[name] = torch.zeros_like(mask)
        drawn[name][chosen] = True
    return drawn


@contextmanager
def switched_off(net: nn.Module, units: Units) -> Iterator[None]:
    """Inside, gamma is 0 for the marked units of each layer (beta stays); afterwards the old bits, also if it raises.

    Raises:
        DlexpError: the block changed other weights, or the old bits are not back (checked by SHA-256).
    """
    layers = normalisations(net)
    with checked(net, [layers[name].weight for name in units], "switching units off"):
        with torch.no_grad():
            for name, mask in units.items():
                layers[name].weight.masked_fill_(mask.to(layers[name].weight.device), 0)
        yield


def accuracy_without(net: nn.Module, units: Units, split: Split) -> float:
    """Accuracy on `split` with gamma = 0 for the marked units; the net is afterwards as before."""
    with switched_off(net, units):
        return accuracy(net, split)


@torch.no_grad()
def never_positive(net: nn.Module, split: Split, batch_size: int = 512) -> dict[str, Tensor]:
    """Layer -> bool (C,): units whose normalised, scaled and shifted value is > 0 for no sample at no position.

    A relu that follows at once gives 0 for all of `split`. The net is read in evaluation mode.
    """
    layers = normalisations(net)
    device = device_of(net, split)
    positive = {name: torch.zeros(each.num_features, dtype=torch.bool) for name, each in layers.items()}
    for start in range(0, len(split), batch_size):
        with evaluating(net), captured(net, list(layers)) as outputs:
            net(split.inputs(slice(start, start + batch_size)).to(device))
        for name, output in outputs.items():
            positive[name] |= (output.transpose(0, 1).flatten(1) > 0).any(dim=1).cpu()
    return {name: ~seen for name, seen in positive.items()}
