"""The written answer: what an experiment found, as text, tables, figures and claims.

An experiment fills an `Answer` in reading order; the files appear in the run's folder as it goes:
`figures/NAME.png`, `tables/NAME.csv` and `.json`, and at the end `answer.md` and `answer.json`.
`answer.json` holds no times, so the same seed on the same machine gives the same bytes.
"""

import csv
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlexp.claims import Claim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
MAX_ROWS_IN_TEXT = 60


@dataclass
class Answer:
    """What one run found. `folder` is the run's directory."""

    exercise: str
    title: str
    scale: str
    seeds: list[int]
    folder: Path
    claims: list[Claim] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    figures: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    objective: float | None = None  # the number a sweeper may optimise
    _body: list[str] = field(default_factory=list)

    def section(self, heading: str, text: str = "") -> None:
        """A heading and its Markdown text; math in LaTeX between dollars."""
        self._body.append(f"## {heading}\n\n{text.strip()}".strip())

    def text(self, text: str) -> None:
        """A paragraph of Markdown."""
        self._body.append(text.strip())

    def claim(self, claim: Claim) -> Claim:
        """Add a tested claim; the list of them opens the answer."""
        if any(known.name == claim.name for known in self.claims):
            raise ValueError(f"two claims are called {claim.name}")
        self.claims.append(claim)
        return claim

    def metric(self, name: str, value: float) -> None:
        """Add one named number; it must be finite."""
        if not math.isfinite(value):
            raise ValueError(f"metric {name} is {value}")
        self.metrics[name] = float(value)

    def table(self, name: str, rows: Sequence[Row], caption: str) -> None:
        """Write `rows` (same keys in each) to `tables/NAME.csv` and `.json`, and show them in the answer."""
        columns = list(rows[0]) if rows else []
        if any(list(row) != columns for row in rows):
            raise ValueError(f"the rows of table {name} differ in their columns")
        folder = self.folder / "tables"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        write_atomically(folder / f"{name}.json", to_json([dict(row) for row in rows]))
        self.tables.append(f"tables/{name}.csv")
        more = f"\n\nThe first {MAX_ROWS_IN_TEXT} of {len(rows)} rows." if len(rows) > MAX_ROWS_IN_TEXT else ""
        shown = markdown_table(rows[:MAX_ROWS_IN_TEXT])
        self._body.append(f"**{caption}** (`tables/{name}.csv`){more}\n\n{shown}")

    def figure(self, name: str, figure: "Figure", caption: str) -> None:
        """Write `figures/NAME.png` and show it in the answer; the caption is also its alternative text."""
        folder = self.folder / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        # No creation date or software version inside, so that equal figures are equal files.
        figure.savefig(folder / f"{name}.png", dpi=150, bbox_inches="tight", metadata={"Software": None})
        self.figures.append(f"figures/{name}.png")
        self._body.append(f"![{caption}](figures/{name}.png)\n\n*{caption}*")

    def write(self, evidence: Mapping[str, str], statement: str) -> None:
        """Write `answer.md` and `answer.json`; `evidence` is the header: data, n, hardware, versions."""
        record = {
            "exercise": self.exercise,
            "scale": self.scale,
            "seeds": self.seeds,
            "claims": [asdict(claim) for claim in self.claims],
            "metrics": self.metrics,
            "figures": self.figures,
            "tables": self.tables,
        }
        write_atomically(self.folder / "answer.json", to_json(record))
        head = [
            f"# {self.title}",
            f"> {' '.join(statement.split())}",
            "## Verdicts",
            markdown_table(self.verdicts()),
        ]
        rules = "\n".join(f"- `{claim.name}`: {claim.statement} *Rule:* {claim.rule}." for claim in self.claims)
        header = "\n".join(f"- **{key}**: {value}" for key, value in evidence.items())
        parts = [*head, rules, *self._body, "## Evidence", header]
        write_atomically(self.folder / "answer.md", "\n\n".join(part for part in parts if part) + "\n")

    def verdicts(self) -> list[dict[str, Any]]:
        """One row per claim, for tables."""
        return [
            {
                "claim": claim.name,
                "effect": claim.effect,
                "95 % interval": interval_text(claim),
                "unit": claim.unit,
                "verdict": claim.verdict,
            }
            for claim in self.claims
        ]


def interval_text(claim: Claim) -> str:
    """The ends of a claim's interval, or why there are none."""
    if claim.low is None or claim.high is None:
        return "none (n = 1)"
    return f"[{claim.low:.3g}, {claim.high:.3g}]"


def markdown_table(rows: Sequence[Row]) -> str:
    """`rows` as a Markdown table; floats with four significant digits."""
    if not rows:
        return "*(no rows)*"
    lines = [
        list(rows[0]),
        ["---"] * len(rows[0]),
        *([cell(value) for value in row.values()] for row in rows),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(value: Any) -> str:
    """One value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value).replace("|", "\\|")


def to_json(value: Any) -> str:
    """Canonical JSON text; NaN and infinity are errors, not tokens that other readers choke on."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_atomically(path: Path, text: str) -> None:
    """Write `text` so that a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
