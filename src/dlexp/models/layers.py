"""The layers of a net by name, for what looks at them or changes them one by one."""

from collections.abc import Iterator

from torch import Tensor, nn

from dlexp.models.inputs import bare


def layer_names(net: nn.Module) -> list[str]:
    """The layers of `net` in order: its children with parameters; a sequence of layers or blocks counts as these.

    A layer is a linear map or convolution with what follows it inside the same child (normalisation, activation), or
    a residual block. Names are relative to the bare net.
    """
    return list(_layers(bare(net), ""))


def _layers(module: nn.Module, prefix: str) -> Iterator[str]:
    for name, child in module.named_children():
        if next(child.parameters(), None) is None:
            continue
        with_weights = [part for part in child.children() if any(each.ndim > 1 for each in part.parameters())]
        blocks = any(next(part.children(), None) is not None for part in with_weights)
        if isinstance(child, nn.Sequential) and (len(with_weights) > 1 or blocks):
            yield from _layers(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def layer_units(net: nn.Module) -> dict[str, tuple[str, ...]]:
    """The layers with the normalisation that follows them: name of the first -> the `layer_names` that belong together.

    `conv1, bn1, layer1.0, ..., fc` becomes `conv1` (with `bn1`), `layer1.0`, ..., `fc`.
    """
    units: dict[str, tuple[str, ...]] = {}
    for name in layer_names(net):
        module = bare(net).get_submodule(name)
        if units and all(parameter.ndim <= 1 for parameter in module.parameters()):
            first = next(reversed(units))
            units[first] = (*units[first], name)
        else:
            units[name] = (name,)
    return units


def layer_tensors(net: nn.Module, layer: str) -> dict[str, Tensor]:
    """The parameters and buffers of `layer`, under their names in the state dict of `net`; they share its memory.

    Raises:
        ValueError: the net has no such layer.
    """
    names = layer_names(net)
    if layer not in names:
        raise ValueError(f"the net has no layer {layer}; it has {', '.join(names)}")
    wanted = bare(net).get_submodule(layer)
    (prefix,) = (name for name, module in net.named_modules() if module is wanted)
    return {name: tensor for name, tensor in net.state_dict().items() if name.startswith(f"{prefix}.")}
