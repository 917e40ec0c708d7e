"""The written answer: what an experiment found, as text, tables, figures and claims.

An experiment fills an `Answer` in reading order; the files appear in the run's folder as it goes:
`figures/NAME.png`, `tables/NAME.csv` and `.json`, and at the end `answer.md` and `answer.json`.
`answer.json` holds no times, so the same seed on the same machine gives the same bytes.
"""

import csv
import io
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
        if not all(math.isfinite(number) for number in (claim.effect, claim.low or 0, claim.high or 0)):
            raise ValueError(f"claim {claim.name}: effect {claim.effect}, interval {claim.low} to {claim.high}")
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
        rows = [{key: plain(value) for key, value in row.items()} for row in rows]
        as_json = to_json(rows)
        file = self._new(self.tables, f"tables/{name}.csv")
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(file, text.getvalue())
        write_atomically(file.with_suffix(".json"), as_json)
        more = f"\n\nThe first {MAX_ROWS_IN_TEXT} of {len(rows)} rows." if len(rows) > MAX_ROWS_IN_TEXT else ""
        shown = markdown_table(rows[:MAX_ROWS_IN_TEXT])
        self._body.append(f"**{caption}** (`tables/{name}.csv`){more}\n\n{shown}")

    def figure(self, name: str, figure: "Figure", caption: str) -> None:
        """Write `figures/NAME.png` and show it in the answer; the caption is also its alternative text."""
        file = self._new(self.figures, f"figures/{name}.png")
        drawn = io.BytesIO()
        # No creation date or software version inside, so that equal figures are equal files.
        figure.savefig(drawn, format="png", dpi=150, bbox_inches="tight", metadata={"Software": None})
        write_atomically(file, drawn.getvalue())
        alternative = caption.replace("[", "(").replace("]", ")")
        self._body.append(f"![{alternative}](figures/{name}.png)\n\n*{caption}*")

    def _new(self, known: list[str], file: str) -> Path:
        if file in known:
            raise ValueError(f"{file} is written twice")
        known.append(file)
        return self.folder / file

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
        [cell(heading) for heading in rows[0]],
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
    return "" if value is None else " ".join(str(value).replace("|", "\\|").splitlines())


def to_json(value: Any) -> str:
    """Canonical JSON text; NaN and infinity are errors, not tokens that other readers choke on.

    Raises:
        ValueError: there is a NaN or an infinity in `value`.
    """
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """A NumPy or torch scalar as Python's; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write `content` so that a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
