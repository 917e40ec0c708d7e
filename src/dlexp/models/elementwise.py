"""Whether a function can serve as an activation."""

from collections.abc import Callable

import torch
from torch import Tensor

from dlexp.errors import InputError


def refuse_unless_elementwise(name: str, function: Callable[[Tensor], Tensor]) -> None:
    """Raise InputError where `function` mixes units, changes shapes, or is not finite, or 0, all over [-4, 4].

    Tried in float64, in which derivatives are checked too. `name` is its option in the group `activation`.
    """
    x = torch.linspace(-4, 4, 24, dtype=torch.float64).reshape(4, 6)
    try:
        with torch.no_grad():
            whole = function(x)
            apart = torch.stack([function(each.reshape(1)).reshape(()) for each in x.flatten()]).reshape(x.shape)
    except (RuntimeError, IndexError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"activation={name}: it fails on float64 inputs: {reason}") from error
    if whole.shape != x.shape or not torch.allclose(whole, apart, equal_nan=True):
        raise InputError(f"activation={name}: it is not elementwise; each output may depend on its own input alone")
    if not whole.isfinite().all():
        raise InputError(f"activation={name}: it is not finite between -4 and 4")
    if not whole.any():
        raise InputError(f"activation={name}: it is 0 between -4 and 4; nothing would pass through a net")
