"""Progress on standard error: a bar in a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

QUIET = 2.0  # seconds during which nothing is shown: short work needs no progress
EVERY = 10.0  # seconds between plain lines


class Progress:
    """One piece of work of `total` steps; `advance()` after each."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.done = label, total, 0
        self.started = self.shown = time.monotonic()
        self.bar = _Bar(label, total) if sys.stderr.isatty() else None

    def advance(self, steps: int = 1) -> None:
        """Count `steps` more as done."""
        self.done += steps
        now = time.monotonic()
        if self.bar is not None:
            self.bar.show(self.done)
        elif now - self.started > QUIET and now - self.shown > EVERY:
            self.shown = now
            print(
                f"{self.label}: {self.done}/{self.total} after {now - self.started:.0f} s",
                file=sys.stderr,
                flush=True,
            )

    def finish(self, completed: bool) -> None:
        """Take the bar away; leave one line behind if it took long enough to notice."""
        if self.bar is not None:
            self.bar.stop()
        seconds = time.monotonic() - self.started
        if seconds > QUIET:
            ending = (
                f"done in {seconds:.1f} s"
                if completed
                else f"stopped at {self.done}/{self.total} after {seconds:.1f} s"
            )
            print(f"{self.label}: {ending}", file=sys.stderr, flush=True)


class _Bar:
    """rich's bar, which draws itself from a thread of its own."""

    def __init__(self, label: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress

        self.rich = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self.rich.start()
        self.task = self.rich.add_task(label, total=total)

    def show(self, done: int) -> None:
        self.rich.update(self.task, completed=done)

    def stop(self) -> None:
        self.rich.stop()


@contextmanager
def progress(label: str, total: int) -> Iterator[Progress]:
    """Show the progress of `total` steps while the block runs."""
    shown = Progress(label, total)
    completed = False
    try:
        yield shown
        completed = True
    finally:
        shown.finish(completed)
