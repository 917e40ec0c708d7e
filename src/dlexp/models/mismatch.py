"""Why a state dict does not fit a net, in words."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

SHOWN = 3


@dataclass(frozen=True)
class Mismatch:
    """What differs between the tensors a net `wants` and those a file `has`, by key."""

    wants: Mapping[str, Tensor]
    has: Mapping[str, Tensor]

    @property
    def missing(self) -> list[str]:
        """Keys the file lacks, but for the step counters of batch normalisation (new in PyTorch 0.4.1)."""
        return [key for key in self.wants if key not in self.has and not key.endswith("num_batches_tracked")]

    @property
    def unexpected(self) -> list[str]:
        """Keys the net has no place for."""
        return [key for key in self.has if key not in self.wants]

    @property
    def reshaped(self) -> list[str]:
        """Keys on both sides, of different shape."""
        return [key for key in self.wants if key in self.has and self.has[key].shape != self.wants[key].shape]

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.reshaped)

    def describe(self) -> str:
        """'missing: a, b; unexpected: c; wrong shape: d is (2, 3) instead of (4, 3)', a few keys of each."""
        shapes = [
            f"{key} is {tuple(self.has[key].shape)} instead of {tuple(self.wants[key].shape)}" for key in self.reshaped
        ]
        parts = {"missing": self.missing, "unexpected": self.unexpected, "wrong shape": shapes}
        return "; ".join(f"{label}: {_few(items)}" for label, items in parts.items() if items)

    def likely_cause(self) -> str:
        """What the pattern of the keys says about the file, or '' if it says nothing."""
        blocks_wanted, blocks_there = _blocks(self.wants), _blocks(self.has)
        if blocks_wanted and blocks_there and blocks_wanted != blocks_there:
            return _other_depth(blocks_wanted, blocks_there)
        if _any(self.unexpected, "shortcut.0."):
            return "the file holds an option-B net: set model.shortcut=B"
        if _any(self.missing, "shortcut.0."):
            return "the file holds an option-A net: set model.shortcut=A"
        if classes := self._other_classes():
            return classes
        return self._other_stem()

    def _other_classes(self) -> str:
        layers = {key.rpartition(".")[0] for key in self.reshaped}
        if len(layers) != 1 or self.missing or self.unexpected:
            return ""
        there, wanted = (tensors[self.reshaped[0]].shape for tensors in (self.has, self.wants))
        if there[1:] != wanted[1:]:
            return ""
        return f"the file's net has {there[0]} classes, this dataset has {wanted[0]}"

    def _other_stem(self) -> str:
        key = "conv1.weight"
        if key not in self.reshaped or self.has[key].ndim != 4:
            return ""
        there, wanted = self.has[key].shape, self.wants[key].shape
        if there[1] != wanted[1]:
            return f"the file's net takes images of {there[1]} channels, this dataset's have {wanted[1]}"
        if there[0] != wanted[0] and there[0] % 16 == 0 and len(_blocks(self.wants)) == 3:
            return f"the file's net is wider or narrower: set model.width={there[0] // 16}"
        return ""


def _any(keys: Iterable[str], part: str) -> bool:
    return any(part in key for key in keys)


def _few(items: list[str]) -> str:
    more = f", ... and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


def _blocks(keys: Iterable[str]) -> list[int]:
    """Number of blocks in each stage of a ResNet, [] for other nets."""
    found = {(int(m[1]), int(m[2])) for key in keys if (m := re.match(r"layer(\d+)\.(\d+)\.conv1\.", key))}
    stages = sorted({stage for stage, _ in found})
    return [sum(1 for number, _ in found if number == stage) for stage in stages]


def _other_depth(wanted: list[int], there: list[int]) -> str:
    if len(wanted) == len(there) == 3 and len(set(there)) == 1:
        return f"the file holds a net of depth {6 * there[0] + 2}: set model.depth={6 * there[0] + 2}"
    counts = ["+".join(str(n) for n in blocks) for blocks in (there, wanted)]
    return f"the file's ResNet has {counts[0]} blocks, this model {counts[1]}"
