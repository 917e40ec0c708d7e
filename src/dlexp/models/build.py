"""From the composed `model` group to a net that takes raw inputs."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from dlexp.models.inputs import Normalized, normalized
from dlexp.models.weights import load_weights
from dlexp.schema import convert, instantiate


def build_model(
    node: Mapping[str, Any], input_shape: Sequence[int], n_classes: int, mean: Tensor, std: Tensor
) -> Normalized:
    """The net that `node` describes, initialised from torch's global random state (seed it before).

    Args:
        node: the `model` group: `_target_` names a builder `(input_shape, n_classes, *, keys) -> nn.Module`,
            beside it stand the builder's keys and `weights` (a file for `load_weights`, or null).
        input_shape: (C, H, W) for images, (M,) for tables.
        n_classes: number of logits.
        mean, std: the data's, per channel (C,) or per feature (M,).

    Raises:
        InputError: a key is unknown or out of range, the model does not fit the data, or the weights do
            not fit the model.
    """
    options = {key: value for key, value in node.items() if key != "weights"}
    weights = convert(node.get("weights"), str | None, "model.weights")
    net = normalized(instantiate(options, tuple(input_shape), n_classes, where="model"), input_shape, mean, std)
    if weights is not None:
        load_weights(net, weights, where="model.weights")
    return net
