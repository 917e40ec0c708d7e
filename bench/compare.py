"""Two ways of doing the same, timed in turn so that a drifting machine touches both alike."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Comparison:
    """Seconds of both ways, run by run, and the figure that counts."""

    name: str
    ours: list[float]
    plain: list[float]
    target: float  # the figure should stay at or below this
    difference: bool = False  # the figure is ours - plain in seconds, instead of ours / plain

    @property
    def figures(self) -> list[float]:
        """The figure of each pair."""
        pairs = list(zip(self.ours, self.plain, strict=True))
        return [ours - plain if self.difference else ours / plain for ours, plain in pairs]

    def line(self) -> str:
        """One row of the table: medians, and the spread of the figure."""
        middle = statistics.median(self.figures)
        spread = f"[{min(self.figures):.3f}, {max(self.figures):.3f}]"
        figure = f"{middle:+.3f} s more" if self.difference else f"{middle:.3f} x"
        seconds = f"{statistics.median(self.ours):8.3f}s {statistics.median(self.plain):8.3f}s"
        verdict = "met" if middle <= self.target else "MISSED"
        return f"{self.name:<34} {seconds} {figure:>20} {spread:>18} {self.target:>9.2f}  {len(self.ours)} {verdict}"

    def record(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {**asdict(self), "figure": statistics.median(self.figures)}


def in_turn(
    name: str,
    ours: Callable[[], object],
    plain: Callable[[], object],
    target: float,
    runs: int = 7,
    difference: bool = False,
) -> Comparison:
    """Time both `runs` times after one warm-up each, changing which goes first from pair to pair."""
    ours(), plain()
    seconds: dict[Callable[[], object], list[float]] = {ours: [], plain: []}
    for run in range(runs):
        for way in (ours, plain) if run % 2 else (plain, ours):
            start = time.perf_counter()
            way()
            seconds[way].append(time.perf_counter() - start)
    return Comparison(name, seconds[ours], seconds[plain], target, difference)
