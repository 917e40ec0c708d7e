"""What the README says to type works as it stands there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
DLEXP = str(Path(sys.executable).with_name("dlexp"))


def files_of(section: str) -> dict[str, str]:
    """The code blocks of a section whose first line is `# PATH`."""
    text = README.split(f"## {section}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```\w+\n# (\S+)\n(.*?)```", text, flags=re.DOTALL)
    return dict(blocks)


def test_a_scheduler_of_ones_own_enters_the_comparison(tmp_path: Path) -> None:
    files = files_of("Your own scheduler, activation or loss")
    assert set(files) == {"experiments/mine.py", "conf/scheduler/mine.yaml"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (command,) = re.findall(r"^    dlexp (run .*scheduler=mine.*)$", README, flags=re.MULTILINE)
    words = [*shlex.split(command), "scale=smoke", "threads=1", "hydra.run.dir=out"]
    done = subprocess.run([DLEXP, *words], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out" / "tables" / "standings.json").read_text())
    assert "mine" in {row["contender"] for row in rows}
    assert "peak: 0.5" in (tmp_path / "out" / "config.yaml").read_text()


def test_every_config_named_in_the_readme_exists() -> None:
    conf = Path(__file__).parent.parent / "conf"
    for group, name in re.findall(r"\b(exercise|dataset|model|scale)=(\w+)", README):
        if name not in ("my_idea", "SLUG"):
            assert (conf / group / f"{name}.yaml").is_file(), f"{group}={name}"
