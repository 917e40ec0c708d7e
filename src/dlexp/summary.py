"""What a run prints last: the claims with their verdicts, where the answer is, how to open the UI."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlexp.answer import cell
from dlexp.compose import show_path

if TYPE_CHECKING:
    from dlexp.job import Outcome
    from dlexp.tracking import Address

MARKS = {"supported": ("✔", "green"), "refuted": ("✘", "red"), "inconclusive": ("?", "yellow")}


def print_outcome(outcome: "Outcome", address: "Address") -> None:
    """The claims as a table, then the three lines that lead on."""
    console = Console(highlight=False)
    answer = outcome.answer
    table = Table(title=f"{answer.title} ({answer.scale})", title_justify="left")
    for heading, justify in (
        ("claim", "left"),
        ("effect", "right"),
        ("95 % interval", "right"),
        ("unit", "left"),
        ("verdict", "left"),
    ):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in answer.verdicts():
        mark, colour = MARKS[row["verdict"]]
        *values, verdict = (cell(value) for value in row.values())
        table.add_row(*values, Text(f"{mark} {verdict}", style=colour))
    console.print(table)
    console.print(f"answer  {show_path(answer.folder / 'answer.md')}", soft_wrap=True)
    console.print(f"run     {outcome.run_id} in {address.uri} ({outcome.seconds:.1f} s)", soft_wrap=True)
    console.print("open    dlexp ui", soft_wrap=True)
