"""Training some of the parameters of a net only; all others keep the bits of the initialisation.

Frankle et al. 2021 ("Training BatchNorm and only BatchNorm", ICLR) train gamma and beta alone and compare with other
subsets of the parameters.
"""

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dlexp.errors import InputError
from dlexp.models.inputs import bare
from dlexp.models.layers import layer_names
from dlexp.training.callbacks import Callback, Training

Subset = Literal["all", "batchnorm", "output", "batchnorm+output", "random", "none"]
SUBSETS: tuple[str, ...] = get_args(Subset)

MASK_STREAM = 53  # keeps the draw of the mask apart from what else starts from the same seed


def affine_names(net: nn.Module) -> list[str]:
    """The names of all gamma (`weight`) and beta (`bias`) of batch normalisation, as in `net.named_parameters()`.

    Raises:
        InputError: the net has none.
    """
    affine = [
        parameter
        for module in net.modules()
        if isinstance(module, _BatchNorm)
        for parameter in module.parameters(recurse=False)
    ]
    names = [name for name, parameter in net.named_parameters() if any(parameter is each for each in affine)]
    if not names:
        raise InputError("model: it has no batch normalisation whose gamma and beta could learn; use cifar_resnet")
    return names


def output_names(net: nn.Module) -> list[str]:
    """The names of the parameters of the last layer, the one that gives the logits."""
    layer = bare(net).get_submodule(layer_names(net)[-1])
    last = list(layer.parameters())
    return [name for name, parameter in net.named_parameters() if any(parameter is each for each in last)]


def learning_masks(net: nn.Module, subset: Subset, seed: int) -> dict[str, Tensor]:
    """For each parameter of `net`, by name, which of its numbers may learn: bool of its shape, on the CPU.

    "random" are as many numbers as gamma and beta have, drawn without replacement and with equal probability from all
    other parameters; `seed` (of the training) decides which. The others do not depend on it.

    Raises:
        InputError: the subset needs batch normalisation and the net has none, or there are fewer other parameters
            than gamma and beta have.
    """
    whole: set[str] = set()
    if subset == "all":
        whole = {name for name, _ in net.named_parameters()}
    if subset in ("batchnorm", "batchnorm+output"):
        whole |= set(affine_names(net))
    if subset in ("output", "batchnorm+output"):
        whole |= set(output_names(net))
    masks = {
        name: torch.full(parameter.shape, name in whole, dtype=torch.bool) for name, parameter in net.named_parameters()
    }
    if subset == "random":
        affine = set(affine_names(net))
        others = [name for name in masks if name not in affine]
        sizes = [masks[name].numel() for name in others]
        drawn = random_mask(sum(sizes), sum(masks[name].numel() for name in affine), seed)
        for name, piece in zip(others, torch.split(drawn, sizes), strict=True):
            masks[name] = piece.reshape(masks[name].shape)
    return masks


def random_mask(total: int, count: int, seed: int) -> Tensor:
    """(total,) bool with `count` True at random places.

    Raises:
        InputError: there are not so many places.
    """
    if count > total:
        raise InputError(f"model: gamma and beta are {count} numbers, and there are only {total} others to draw from")
    chosen = np.random.default_rng([seed, MASK_STREAM]).choice(total, count, replace=False)
    mask = torch.zeros(total, dtype=torch.bool)
    mask[torch.from_numpy(chosen)] = True
    return mask


class LearnOnly(Callback):
    """Lets one subset of the parameters learn and keeps every other number as it is, bit for bit.

    A parameter of which nothing learns gets no gradient, so that no optimizer touches it. Where a part of a parameter
    learns, the gradient of the rest is 0 before it is clipped, and after each step the rest is put back: neither
    momentum nor weight decay moves it. Running statistics of batch normalisation are no parameters: they go on
    following the batches in every subset.

    For "random" the mask is drawn from the seed that the order of the samples starts from, the recipe's.
    """

    def __init__(self, *, subset: Subset) -> None:
        self.subset = subset
        self._partly: list[tuple[nn.Parameter, Tensor, Tensor]] = []  # parameter, where it learns, what it holds

    def on_start(self, training: Training) -> None:
        # A resumed training may begin here as well: what is frozen has still its first bits then.
        net = training.net
        masks = learning_masks(net, self.subset, training.data_order.initial_seed())
        frozen = [name for name, mask in masks.items() if not mask.any()]
        if len(frozen) == len(masks):
            frozen.pop()  # the loss must depend on something to be differentiated
        self._partly = []
        for name, parameter in net.named_parameters():
            parameter.requires_grad_(name not in frozen)
            mask = masks[name].to(parameter.device)
            if name not in frozen and not mask.all():
                self._partly.append((parameter, mask, parameter.detach().clone()))

    def on_gradients(self, training: Training) -> None:
        for parameter, mask, _ in self._partly:
            if parameter.grad is not None:
                parameter.grad.masked_fill_(~mask, 0)

    @torch.no_grad()
    def on_step_end(self, training: Training) -> None:
        for parameter, mask, held in self._partly:
            parameter.copy_(torch.where(mask, parameter, held))

    def on_end(self, training: Training) -> None:
        training.net.requires_grad_(True)
        self._partly = []
