"""What the README says to type works as it stands there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dlexp import registry
from dlexp.schema import instantiate

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
DLEXP = str(Path(sys.executable).with_name("dlexp"))


def files_of(section: str) -> dict[str, str]:
    """The code blocks of a section whose first line is `# PATH`."""
    text = README.split(f"## {section}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```\w+\n# (\S+)\n(.*?)```", text, flags=re.DOTALL)
    return dict(blocks)


@pytest.fixture
def folder(own_folder: Path) -> Path:
    """Where a user has written all files of the section."""
    files = files_of("Your own scheduler, activation or loss")
    groups = ("scheduler", "activation", "loss")
    assert set(files) == {
        "experiments/mine.py",
        "experiments/bent.py",
        *(f"conf/{group}/mine.yaml" for group in groups),
    }
    for name, text in files.items():
        (own_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (own_folder / name).write_text(text)
    return own_folder


def test_a_scheduler_of_ones_own_enters_the_comparison(folder: Path) -> None:
    (command,) = re.findall(r"^    dlexp (run .*scheduler=mine.*)$", README, flags=re.MULTILINE)
    words = [*shlex.split(command), "scale=smoke", "threads=1", "hydra.run.dir=out"]
    done = subprocess.run([DLEXP, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    out = folder / "out"
    rows = json.loads((out / "tables" / "standings.json").read_text())
    assert "mine" in {row["contender"] for row in rows}
    assert "peak: 0.5" in (out / "config.yaml").read_text()


def test_an_activation_and_a_loss_of_ones_own_are_what_they_say(folder: Path) -> None:
    """That such a one enters the comparison is tested with each of the two exercises."""
    bent = instantiate(registry.option_node("activation", "mine", {}), where="activation")()
    loss = instantiate(registry.option_node("loss", "mine", {}), where="loss")
    x = torch.tensor([-1.0, 0.0, 2.0])
    torch.testing.assert_close(bent(x), x + ((x**2 + 1).sqrt() - 1) / 2)
    assert float(loss(torch.tensor([[0.0, 0.0], [99.0, 0.0]]), torch.tensor([1, 0]))) == pytest.approx(0.25)
    for group in ("activation", "loss"):
        assert f"    dlexp run exercise=custom_{group} {group}=mine" in README.splitlines()


def test_every_config_named_in_the_readme_exists() -> None:
    conf = Path(__file__).parent.parent / "conf"
    for group, name in re.findall(r"\b(exercise|dataset|model|scale)=(\w+)", README):
        if name not in ("my_idea", "SLUG"):
            assert (conf / group / f"{name}.yaml").is_file(), f"{group}={name}"
