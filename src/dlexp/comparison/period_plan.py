"""The same training with something turned on in one period or another: which periods there are.

The protocol of Golatkar et al. 2019 (until t, from t, a sliding window) and of Achille et al. 2019 (a deficit until t,
or in a window): every training has the same number of epochs, whatever is on when.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dlexp.errors import InputError

Window = tuple[int, int]  # epochs [from, to), counted from 0
NEVER, DECAY, AUGMENTATION, PAUSE = "never", "weight decay", "augmentation", "pause"


@dataclass(frozen=True)
class Periods:
    """The epochs at which things are turned on or off, in a training of `epochs`."""

    epochs: int
    times: list[int]  # t of "until t" and "from t", increasing, each in 1..epochs - 1
    starts: list[int]  # of the sliding window, evenly spaced from 0 to epochs - length
    length: int  # of the window, >= 1

    @property
    def always(self) -> Window:
        """The whole training."""
        return 0, self.epochs

    @property
    def early(self) -> Window:
        """The first window."""
        return 0, self.length

    @property
    def late(self) -> Window:
        """The last window."""
        return self.epochs - self.length, self.epochs

    @property
    def until(self) -> list[Window]:
        """From the start until t."""
        return [(0, t) for t in self.times]

    @property
    def since(self) -> list[Window]:
        """From t to the end."""
        return [(t, self.epochs) for t in self.times]

    @property
    def sliding(self) -> list[Window]:
        """All windows of the one length, `early` first and `late` last."""
        return [(start, start + self.length) for start in self.starts]

    @property
    def with_recovery(self) -> list[Window]:
        """The sliding windows after which at least as many epochs follow."""
        return [window for window in self.sliding if window[1] + self.length <= self.epochs]


def periods_of(epochs: int, times: Sequence[float], window: float) -> Periods:
    """The shares `times` and `window` (each in 0..1, exclusive) of a training, in whole epochs and at least one.

    Raises:
        InputError: the first window, the last and one between do not fit into the training.
    """
    length = max(1, round(window * epochs))
    if epochs < 3 * length:
        raise InputError(
            f"trainer.epochs={epochs}: the first window, the last and one between, of {length} epochs each, do not "
            f"fit in; take {3 * length} epochs or more, or a smaller params.window"
        )
    within = sorted({min(max(1, round(share * epochs)), epochs - 1) for share in times})
    starts = [round(start) for start in np.linspace(0, epochs - length, epochs // length).tolist()]
    return Periods(epochs, within, starts, length)


class Run(NamedTuple):
    """One treatment: what is on, and when, in which setting of everything else."""

    setting: str
    kind: str
    window: Window

    def __str__(self) -> str:
        return f"{self.setting}, {self.kind} {self.window[0]}-{self.window[1]}"


def run_of(setting: str, kind: str, window: Window) -> Run:
    """The run; whatever is on in no epoch is the run "never" of its setting."""
    return Run(setting, kind, window) if window[0] < window[1] else Run(setting, NEVER, (0, 0))
