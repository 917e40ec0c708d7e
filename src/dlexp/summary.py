"""What a run prints last: the claims with their verdicts, where the answer is, how to open the UI."""

import sys
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlexp.answer import interval_text
from dlexp.compose import show_path

if TYPE_CHECKING:
    from dlexp.job import Outcome
    from dlexp.tracking import Address

MARKS = {"supported": ("✔", "green"), "refuted": ("✘", "red"), "inconclusive": ("?", "yellow")}


def print_outcome(outcome: "Outcome", address: "Address") -> None:
    """The claims as a table, then the three lines that lead on."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    answer = outcome.answer
    console.print(f"\n{answer.title} ({answer.scale} scale)", style="bold")
    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim", overflow="fold")  # goes on in the next line where the terminal is narrow: never cut
    table.add_column("effect", no_wrap=True, justify="right")
    table.add_column("95 % interval", no_wrap=True)
    for claim in answer.claims:
        mark, colour = MARKS[claim.verdict]
        verdict = Text(f"{mark} {claim.verdict}", style=colour)
        table.add_row(verdict, claim.name, f"{claim.effect:.3g}", interval_text(claim))
    console.print(table)
    console.print(f"answer  {show_path(answer.folder / 'answer.md')}", soft_wrap=True)
    console.print(f"run     {outcome.run_id} in {address.uri} ({outcome.seconds:.1f} s)", soft_wrap=True)
    console.print("open    dlexp ui", soft_wrap=True)
