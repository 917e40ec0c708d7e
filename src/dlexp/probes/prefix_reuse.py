"""A net cut into parts that are computed one after the other, so that what comes before a changed layer is kept.

A change of layer l leaves the activations before l as they are. Probing all L layers of a net with L parts in their
order, each from its own input on, costs about half of L full passes for every kind of change, and gives the same bits.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from dlexp.errors import InputError
from dlexp.models import as_chain
from dlexp.models.inputs import Normalized, RepeatChannels
from dlexp.training.evaluate import evaluating

Part = Callable[[Tensor], Tensor]


def parts_of(net: nn.Module) -> list[Part]:
    """Parts that, applied in turn, compute what `net` does, with the same operations and the net's own weights.

    An `nn.Sequential` is cut into its children, a net that `as_chain` takes apart into stem, blocks and head, and an
    input wrapper into itself and the net inside. Any other net is one part: nothing of it can be reused.
    """
    if isinstance(net, Normalized | RepeatChannels):
        return [net.prepare, *parts_of(net.net)]
    if isinstance(net, nn.Sequential) and type(net).forward is nn.Sequential.forward:
        return [part for child in net for part in parts_of(child)]
    try:
        chain = as_chain(net)
    except InputError:
        return [net]
    return [chain.stem, *(block for _, block in chain.blocks), chain.head]


def uses(net: nn.Module, parts: Sequence[Part], x: Tensor) -> dict[str, tuple[int, int]]:
    """Submodules with weights or buffers of their own: name -> indices of the first and the last part that calls it.

    Found by sending `x` (a batch of any size) through the parts. A submodule that is never called (its weights are
    used by another's code) counts as used by all parts, which is always safe.
    """
    found: dict[str, tuple[int, int]] = {}
    now = 0

    def note(name: str, module: nn.Module, inputs: object) -> None:
        found[name] = (found.get(name, (now, now))[0], now)

    own = [
        name
        for name, module in net.named_modules()
        if [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    ]
    hooks = [net.get_submodule(name).register_forward_pre_hook(partial(note, name)) for name in own]
    try:
        with torch.no_grad(), evaluating(net):
            for now, part in enumerate(parts):  # noqa: B007
                x = part(x)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: found.get(name, (0, len(parts) - 1)) for name in own}


@dataclass
class Reuse:
    """Batches on their way through the parts of a net, kept at the input of part `position`.

    Needs the memory of one activation for all samples. The net must be in evaluation mode while it is used.
    """

    parts: Sequence[Part]
    hidden: list[Tensor]  # one per batch: inputs of part `position`
    position: int = 0

    def advance(self, position: int) -> None:
        """Move on to the input of part `position`, not before where we are."""
        if position < self.position:
            raise ValueError(f"the activations before part {position} are gone; the next one is {self.position}")
        self.hidden = list(self._through(self.position, position))
        self.position = position

    def outputs(self, end: int | None = None) -> Iterator[Tensor]:
        """For each batch what the parts from `position` to before `end` (None: all) give with their present weights."""
        return self._through(self.position, len(self.parts) if end is None else end)

    def _through(self, start: int, end: int) -> Iterator[Tensor]:
        for kept in self.hidden:
            x = kept.clone() if end > start else kept  # the first part may write into its input
            for part in self.parts[start:end]:
                x = part(x)
            yield x
