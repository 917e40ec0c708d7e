"""What each layer of a net computes for each sample: the representations that similarity and separability compare."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from dlexp.data import Split
from dlexp.models.inputs import bare
from dlexp.models.layers import layer_names, layer_units
from dlexp.training.evaluate import device_of, evaluating


def representation_names(net: nn.Module) -> list[str]:
    """Where representations are read, in order: the layers of the net, a normalisation in place of what it follows.

    `conv1, bn1, layer1.0, ..., fc` becomes `bn1, layer1.0, ..., fc`: a convolution and the normalisation after it are
    one layer. The last one gives the logits. A net of the user's own has its children with parameters.
    """
    return [members[-1] for members in layer_units(net).values()]


@contextmanager
def captured(net: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Inside, every forward pass leaves here the output of each of `layers`, (N, ...), with its graph if there is one.

    Names are those of submodules of the bare net. The hooks are gone afterwards, also when the block raises.

    Raises:
        ValueError: the net has no such submodule.
    """
    inner, outputs = bare(net), dict[str, Tensor]()
    known = dict(inner.named_modules())
    unknown = [name for name in layers if name not in known]
    if unknown:
        raise ValueError(f"the net has no layer {unknown[0]}; it has {', '.join(layer_names(net))}")

    with ExitStack() as hooks:
        for name in layers:
            hooks.callback(known[name].register_forward_hook(partial(_keep, outputs, name)).remove)
        yield outputs


def _keep(outputs: dict[str, Tensor], name: str, module: nn.Module, inputs: object, output: Tensor) -> Tensor:
    """Keep the output and let the net go on with a copy, which an in-place relu behind the layer may change."""
    outputs[name] = output
    return output.clone()


@torch.no_grad()
def activation_batches(
    net: nn.Module, split: Split, layers: Sequence[str], batch_size: int = 512, most: int | None = None
) -> Iterator[dict[str, Tensor]]:
    """The representations of `split` in order, one batch at a time: layer -> (B, F) on the net's device.

    Maps (B, C, H, W) are flattened to C*H*W features, or with `most` averaged to fewer, see `coarse_features`. The net
    is in evaluation mode during a pass and in its own mode between two batches.
    """
    device = device_of(net, split)
    for start in range(0, len(split), batch_size):
        x = split.inputs(slice(start, start + batch_size)).to(device)
        with evaluating(net), captured(net, layers) as outputs:
            net(x)
        yield {name: coarse_features(outputs[name], most) for name in layers}


def activations(
    net: nn.Module, split: Split, layers: Sequence[str], batch_size: int = 512, most: int | None = None
) -> dict[str, Tensor]:
    """All of `activation_batches` at once: layer -> (N, F), on the CPU. Needs N x F numbers of memory per layer."""
    parts: dict[str, list[Tensor]] = {name: [] for name in layers}
    for batch in activation_batches(net, split, layers, batch_size, most):
        for name, features in batch.items():
            parts[name].append(features.cpu())
    return {name: torch.cat(each) for name, each in parts.items()}


def coarse_features(output: Tensor, most: int | None) -> Tensor:
    """(B, ...) -> (B, F) with F <= `most` where `output` is maps (B, C, H, W): averaged over a grid of equal cells.

    The finest square grid that fits is used: 1 x 1, the mean over all positions, where `most` < 4 C (F is then C,
    which may be more than `most`). `most=None`, vectors and maps that fit: flattened, nothing is averaged.
    """
    if most is not None and output.ndim == 4 and output[0].numel() > most:
        cells = max(1, int((most / output.shape[1]) ** 0.5))
        height, width = output.shape[2:]
        output = adaptive_avg_pool2d(output, (min(cells, height), min(cells, width)))
    return output.flatten(1)
