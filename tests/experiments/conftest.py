"""One smoke run per exercise through the real command line, and the promises that every answer keeps."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DLEXP = str(Path(sys.executable).with_name("dlexp"))
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def run_dlexp(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`dlexp WORDS` in `folder`."""
    return subprocess.run([DLEXP, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="session")
def dlexp_cli() -> Cli:
    """The command line as a function: (folder, *words) -> finished process."""
    return run_dlexp


@dataclass(frozen=True)
class Smoke:
    """A finished smoke run."""

    folder: Path  # of the run; its parent is the working directory
    stdout: str

    @property
    def answer(self) -> dict[str, Any]:
        """The content of answer.json."""
        answer: dict[str, Any] = json.loads((self.folder / "answer.json").read_text(encoding="utf-8"))
        return answer

    @property
    def text(self) -> str:
        """The content of answer.md."""
        return (self.folder / "answer.md").read_text(encoding="utf-8")

    def table(self, name: str) -> list[dict[str, Any]]:
        """The rows of tables/NAME.json."""
        rows: list[dict[str, Any]] = json.loads((self.folder / "tables" / f"{name}.json").read_text(encoding="utf-8"))
        return rows

    def claim(self, name: str) -> dict[str, Any]:
        """The claim called `name`."""
        return next(claim for claim in self.answer["claims"] if claim["name"] == name)


@pytest.fixture(scope="module")
def smoke(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    dlexp_in: Callable[[Path, list[str]], int],
) -> Smoke:
    """The smoke run of the exercise that the test's file is called after (`test_SLUG.py`)."""
    slug = Path(request.node.path).stem.removeprefix("test_")
    work = tmp_path_factory.mktemp(slug)
    done = run_dlexp(work, "run", f"exercise={slug}", "scale=smoke", "threads=1", "hydra.run.dir=first")
    assert done.returncode == 0, done.stderr
    made = Smoke(work / "first", done.stdout)
    check_promises(made, slug)
    # The first run trained and kept its nets; this one, in another process, trains again, and must find the same.
    words = [f"exercise={slug}", "scale=smoke", "threads=1", "store.dir=null", "hydra.run.dir=again"]
    assert dlexp_in(work, words) == 0
    again = Smoke(work / "again", "")
    assert without_times(again.answer) == without_times(made.answer)
    return made


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    """`answer` without what a clock measured: metrics called `..._seconds`, claims in a unit with seconds."""
    claims = [claim for claim in answer["claims"] if "seconds" not in claim["unit"]]
    metrics = {name: value for name, value in answer["metrics"].items() if not name.endswith("_seconds")}
    return {**answer, "claims": claims, "metrics": metrics}


def check_promises(made: Smoke, slug: str) -> None:
    """What every answer holds, whatever the exercise."""
    answer = made.answer
    assert list(answer) == ["exercise", "scale", "seeds", "claims", "metrics", "figures", "tables"]
    assert (answer["exercise"], answer["scale"], answer["seeds"]) == (slug, "smoke", [0, 1])
    assert answer["claims"]
    assert answer["figures"]
    assert answer["tables"]
    for file in (*answer["figures"], *answer["tables"], "answer.md", "config.yaml", "run.log"):
        assert (made.folder / file).stat().st_size > 0
    for file in answer["figures"]:
        assert f"]({file})" in made.text
    assert "$" in made.text  # a formal statement
    assert "## Discussion" in made.text
    for claim in answer["claims"]:
        assert f"`{claim['name']}`: {claim['statement']}" in made.text
        assert claim["name"] in made.stdout
        check_verdict(claim)
    assert "answer  first/answer.md" in made.stdout


def check_verdict(claim: dict[str, Any]) -> None:
    """The verdict follows from interval and rule."""
    rule = re.search(r"interval lies (?:(above|below)|within (\S+) to) (\S+) ", claim["rule"])
    assert rule is not None, claim["rule"]
    margin = float(rule[3])
    low, high = claim["low"], claim["high"]
    assert low is not None, f"{claim['name']} has no interval"
    assert low <= claim["effect"] <= high
    if rule[1] == "above":
        inside, outside = low > margin, high < margin
    elif rule[1] == "below":
        inside, outside = high < margin, low > margin
    else:
        assert float(rule[2]) == -margin
        inside, outside = low > -margin and high < margin, high < -margin or low > margin
    expected = "supported" if inside else "refuted" if outside else "inconclusive"
    assert claim["verdict"] == expected, claim["name"]
