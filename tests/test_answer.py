"""The written answer: its JSON, its tables and figures, and what it refuses."""

import json
import math
from pathlib import Path

import pytest

from dlexp.answer import Answer, markdown_table, to_json, write_atomically
from dlexp.claims import claim_above
from dlexp.plots import bars, curves, figure, points
from dlexp.stats import Interval


@pytest.fixture
def answer(tmp_path: Path) -> Answer:
    return Answer("slug", "1.1 Title", "smoke", [0, 1], tmp_path)


def test_answer_json_has_the_agreed_structure(answer: Answer) -> None:
    answer.claim(claim_above("big", "It is big.", Interval(2.0, 1.5, 2.5, 5), 1.0, "units"))
    answer.metric("size", 3)
    answer.table("sizes", [{"a": 1, "b": 0.5}, {"a": 2, "b": None}], "Sizes")
    answer.write({"data": "none"}, "Do\n  it.")
    written = json.loads((answer.folder / "answer.json").read_text())
    assert written == {
        "exercise": "slug",
        "scale": "smoke",
        "seeds": [0, 1],
        "claims": [
            {
                "name": "big",
                "statement": "It is big.",
                "effect": 2.0,
                "low": 1.5,
                "high": 2.5,
                "unit": "units",
                "rule": "supported if the whole 95% interval lies above 1 units, "
                "refuted if the whole of it lies on the other side, else inconclusive",
                "verdict": "supported",
            }
        ],
        "metrics": {"size": 3.0},
        "figures": [],
        "tables": ["tables/sizes.csv"],
    }
    assert (answer.folder / "tables" / "sizes.csv").read_text().splitlines() == ["a,b", "1,0.5", "2,"]
    text = (answer.folder / "answer.md").read_text()
    assert text.startswith("# 1.1 Title\n\n> Do it.\n\n## Verdicts\n")
    assert "| big | 2 | [1.5, 2.5] | units | supported |" in text
    assert "| 2 |  |" in text


def test_what_cannot_be_an_answer_is_refused(answer: Answer) -> None:
    claim = claim_above("big", "It is big.", Interval(2.0, 1.5, 2.5, 5), 1.0, "units")
    answer.claim(claim)
    with pytest.raises(ValueError, match="two claims are called big"):
        answer.claim(claim)
    with pytest.raises(ValueError, match="metric loss is nan"):
        answer.metric("loss", math.nan)
    with pytest.raises(ValueError, match="the rows of table t differ in their columns"):
        answer.table("t", [{"a": 1}, {"b": 1}], "T")
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json({"a": math.inf})


def test_cells_cannot_break_the_table() -> None:
    assert markdown_table([{"a": "x|y", "b": True}]).splitlines()[-1] == "| x\\|y | yes |"
    assert markdown_table([]) == "*(no rows)*"


def test_a_long_table_says_how_much_it_shows(answer: Answer) -> None:
    answer.table("long", [{"n": n} for n in range(100)], "Numbers")
    answer.write({}, "Do.")
    text = (answer.folder / "answer.md").read_text()
    assert "The first 60 of 100 rows." in text
    assert len((answer.folder / "tables" / "long.csv").read_text().splitlines()) == 101


def test_writing_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.txt"
    write_atomically(target, "old")

    def full(self: Path, *_: object, **__: object) -> int:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_equal_figures_are_equal_files(answer: Answer) -> None:
    for name in ("one", "two"):
        made, axes = figure(columns=3)
        values = [Interval(1.0, 0.5, 1.5, 3), Interval(2.0, None, None, 1)]
        for draw, each in zip((bars, curves, points), axes, strict=True):
            if draw is bars:
                bars(each, {"a": values, "b": values})
            else:
                draw(each, [0, 1], {"a": values, "b": values})
        answer.figure(name, made, "Two bars")
    first, second = (answer.folder / "figures" / f"{name}.png" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes()[:4] == b"\x89PNG"
