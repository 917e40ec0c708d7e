"""A fingerprint of a net's values, to prove that weights were put back as they were."""

import hashlib
import itertools

import torch
from torch import nn


def state_hash(net: nn.Module) -> str:
    """SHA-256 (64 hex digits) over every parameter and buffer: name, dtype, shape and bytes, in name order.

    Equal for equal bits whatever the device and memory format; a changed sign of a zero changes it.
    """
    digest = hashlib.sha256()
    tensors = itertools.chain(net.named_parameters(remove_duplicate=False), net.named_buffers(remove_duplicate=False))
    for name, tensor in sorted(tensors, key=lambda pair: pair[0]):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
