"""How much memory a computation needs at its worst moment, counted tensor by tensor: the same number every time."""

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_bytes(function: Callable[[], object]) -> int:
    """The most bytes of tensors made inside `function()` that are alive at once, its result included.

    Counted are storages from the operation that makes them until nothing refers to them any more; views and in-place
    operations make none. What was there before (weights, inputs) is not counted, nor are a kernel's own workspace, the
    allocator's rounding and what frees late because of reference cycles. Works on any device, for forward passes as
    well as for training steps.
    """
    watch = _Watch()
    with watch:
        result = function()
    del result
    return watch.peak


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the life of every storage that an operation makes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive = 0
        self.peak = 0
        self._known: set[int] = set()  # addresses of storages that are followed

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {_address(each) for each in tree_leaves([args, kwargs]) if isinstance(each, Tensor)}
        out = func(*args, **(kwargs or {}))
        for each in tree_leaves(out):
            if isinstance(each, Tensor) and _address(each) not in given | self._known:
                self._follow(each.untyped_storage())
        return out

    def _follow(self, storage: UntypedStorage) -> None:
        size, address = storage.nbytes(), storage.data_ptr()
        self._known.add(address)
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._freed, address, size)

    def _freed(self, address: int, size: int) -> None:
        self._known.discard(address)
        self.alive -= size


def _address(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
