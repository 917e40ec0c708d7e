"""A whole `dlexp run` of a 10-epoch MLP on digits against a bare torch script that trains the same net."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.compare import Comparison, in_turn

HERE = Path(__file__).parent
COMMAND = [str(Path(sys.executable).with_name("dlexp")), "run", "exercise=bench_mlp", "store.dir=null", "seeds=1"]


def compare() -> list[Comparison]:
    """Wall seconds of the two processes; the warm-up run makes the database."""
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder) / "work"
        shutil.copytree(HERE / "workdir", workdir)

        def ours() -> None:
            subprocess.run(COMMAND, cwd=workdir, check=True, capture_output=True)

        def plain() -> None:
            subprocess.run([sys.executable, str(HERE / "bare_mlp.py")], cwd=workdir, check=True, capture_output=True)

        return [in_turn("whole run of an MLP, bare script", ours, plain, target=1.5, difference=True)]
