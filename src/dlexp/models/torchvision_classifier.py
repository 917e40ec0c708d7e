"""Any image classifier of torchvision, untrained."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from dlexp.errors import InputError, nearest
from dlexp.models.inputs import RepeatChannels, image_shape


def classifier(input_shape: Sequence[int], n_classes: int, *, name: str) -> nn.Module:
    """`torchvision.models.NAME` for `n_classes`, with random weights.

    Gray images go in through `RepeatChannels`. Vision transformers (`vit_*`, `maxvit_t`) are built for the
    data's image size; the auxiliary heads of `googlenet` and `inception_v3` are left out.

    Raises:
        InputError: the inputs are no images of one or three channels, there is no such classifier, or it
            refuses images of this size.
    """
    from torchvision import models

    channels, height, width = image_shape(input_shape, "torchvision")
    if channels not in (1, 3):
        raise InputError(f"model=torchvision: needs images of 1 or 3 channels, and these have {channels}")
    known = models.list_models(module=models)
    if name not in known:
        raise InputError(f"model.name={name}: torchvision has no such classifier; {nearest(name, known)}")
    options = _size_options(name, height, width)
    if name in ("googlenet", "inception_v3"):
        options.update(aux_logits=False, init_weights=True)
    try:
        net: nn.Module = models.get_model(name, weights=None, num_classes=n_classes, **options)
        net = RepeatChannels(net) if channels == 1 else net
        _try_one_image(net, (channels, height, width))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(
            f"model.name={name}: does not take images of {height}x{width} ({reason}); "
            "use larger images or another model"
        ) from error
    return net


def _size_options(name: str, height: int, width: int) -> dict[str, Any]:
    if name.startswith("vit_"):
        return {"image_size": height}
    if name == "maxvit_t":
        return {"input_size": (height, width)}
    return {}


@torch.no_grad()
def _try_one_image(net: nn.Module, shape: tuple[int, int, int]) -> None:
    """Raise what the net raises for such images; in eval mode, which moves no state and no random number."""
    net.eval()
    net(torch.zeros(1, *shape))
    net.train()
