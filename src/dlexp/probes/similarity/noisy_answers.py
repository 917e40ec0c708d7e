"""A deterministic net made stochastic: what its layers answer to the same sample under different noise."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dlexp.data import Split
from dlexp.probes.activations import captured
from dlexp.training.evaluate import device_of, evaluating


@torch.no_grad()
def noisy_answers(
    net: nn.Module, split: Split, layers: Sequence[str], scale: Tensor, repeats: int, seed: int
) -> dict[str, Tensor]:
    """`repeats` (R) answers to every sample, each with Gaussian noise of its own on the input (not clipped).

    Args:
        scale: standard deviation of the noise, per channel (C,) of images, per feature (M,) of tables.
        seed: of the noise.

    Returns:
        layer -> (N, R, F) on the CPU, maps flattened; one repeat is one forward pass over the whole split.
    """
    generator = torch.Generator().manual_seed(seed)
    x = split.inputs().to(device_of(net, split))
    per_feature = scale.to(x).reshape(-1, *[1] * (x.ndim - 2))
    parts: dict[str, list[Tensor]] = {name: [] for name in layers}
    for _ in range(repeats):
        noise = torch.randn(x.shape, generator=generator).to(x)
        with evaluating(net), captured(net, layers) as outputs:
            net(x + per_feature * noise)
        for name in layers:
            parts[name].append(outputs[name].flatten(1).cpu())
    return {name: torch.stack(each, dim=1) for name, each in parts.items()}
