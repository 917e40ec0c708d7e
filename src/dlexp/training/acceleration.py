"""What makes the forward pass faster on a device without the loop knowing."""

from collections.abc import Callable

import torch
from torch import Tensor

from dlexp.training.callbacks import Training


def accelerated(training: Training) -> Callable[[Tensor], Tensor]:
    """The net's forward pass (B, ...) -> (B, K) with the precision, layout and compilation asked for.

    channels_last lays the net's own weights out anew; the caller brings them back if it must.
    """
    net, trainer, device = training.net, training.trainer, training.noise.device
    on_gpu = device.type == "cuda"
    images = len(training.dataset.input_shape) == 3
    channels_last = images and (on_gpu if trainer.channels_last == "auto" else trainer.channels_last)
    gpu_bf16 = on_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    bf16 = gpu_bf16 if trainer.precision == "auto" else trainer.precision == "bf16"

    forward: Callable[[Tensor], Tensor] = net
    if trainer.compile:
        forward = torch.compile(net)
    if channels_last:
        net.to(memory_format=torch.channels_last)
        forward = _channels_last(forward)
    if bf16:
        forward = _autocast(forward, device.type)
    return forward


def _channels_last(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: forward(x.contiguous(memory_format=torch.channels_last))


def _autocast(forward: Callable[[Tensor], Tensor], device_type: str) -> Callable[[Tensor], Tensor]:
    def in_bf16(x: Tensor) -> Tensor:
        with torch.autocast(device_type, torch.bfloat16):
            return forward(x).float()  # the loss is computed in float32

    return in_bf16
