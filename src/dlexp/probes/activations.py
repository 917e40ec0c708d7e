"""What each layer of a net computes for each sample: the representations that similarity and separability compare."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn

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


def _keep(outputs: dict[str, Tensor], name: str, module: nn.Module, inputs: object, output: Tensor) -> None:
    outputs[name] = output


@torch.no_grad()
def activation_batches(
    net: nn.Module, split: Split, layers: Sequence[str], batch_size: int = 512, pooled: bool = False
) -> Iterator[dict[str, Tensor]]:
    """The representations of `split` in order, one batch at a time: layer -> (B, F) on the net's device.

    Maps (B, C, H, W) are flattened to C*H*W features, or with `pooled` averaged over positions to C. The net is in
    evaluation mode during a pass and in its own mode between two batches.
    """
    device = device_of(net, split)
    for start in range(0, len(split), batch_size):
        x = split.inputs(slice(start, start + batch_size)).to(device)
        with evaluating(net), captured(net, layers) as outputs:
            net(x)
        yield {name: as_features(outputs[name], pooled) for name in layers}


def activations(
    net: nn.Module, split: Split, layers: Sequence[str], batch_size: int = 512, pooled: bool = False
) -> dict[str, Tensor]:
    """All of `activation_batches` at once: layer -> (N, F), on the CPU. Needs N x F numbers of memory per layer."""
    parts: dict[str, list[Tensor]] = {name: [] for name in layers}
    for batch in activation_batches(net, split, layers, batch_size, pooled):
        for name, features in batch.items():
            parts[name].append(features.cpu())
    return {name: torch.cat(each) for name, each in parts.items()}


def as_features(output: Tensor, pooled: bool = False) -> Tensor:
    """(B, ...) -> (B, F): flattened, or maps (B, C, H, W) averaged over positions."""
    if pooled and output.ndim > 2:
        return output.flatten(2).mean(dim=2)
    return output.flatten(1)
