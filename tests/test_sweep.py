"""A sweep through the real command line: parent and children, failures that do not stop it, scales of each job."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DLEXP = str(Path(sys.executable).with_name("dlexp"))
EXERCISE = """
# @package _global_
defaults:
  - override /dataset: wine
exercise:
  title: A tiny exercise
  chapter: ideas
  number: "9.1"
  statement: {pt: "Meça.", en: "Measure."}
  references: []
  scales:
    smoke: [params.size=3]
    default: [params.size=7]
params:
  size: 1
  fail: false
"""
EXPERIMENT = '''
"""Claims that the size is what it is."""
from dataclasses import dataclass
from dlexp.claims import claim_above
from dlexp.stats import mean_interval

@dataclass(frozen=True)
class Params:
    size: int  # any number
    fail: bool  # raise instead

def run(lab, params):
    if params.fail:
        raise RuntimeError("told to fail")
    lab.answer.metric("size", params.size)
    values = [params.size + seed / 1000 for seed in lab.seeds]
    lab.answer.claim(claim_above("is_large", "The size is large.", mean_interval(values), 5, "units"))
    lab.answer.objective = params.size
'''


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "conf" / "exercise").mkdir(parents=True)
    (folder / "experiments" / "ideas").mkdir(parents=True)
    (folder / "conf" / "exercise" / "tiny.yaml").write_text(EXERCISE)
    (folder / "experiments" / "ideas" / "tiny.py").write_text(EXPERIMENT)
    return folder


def dlexp(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([DLEXP, *words], cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def runs_of(folder: Path) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], order_by=["start_time ASC"]))


@pytest.fixture(scope="module")
def sweep(workdir: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    words = (
        "run",
        "exercise=tiny",
        "scale=smoke,default",
        "-m",
        "seed=0,1",
        "params.fail=false",
        "hydra.sweep.dir=out",
    )
    return workdir, dlexp(workdir, *words)


def test_a_sweep_is_a_parent_with_a_child_for_each_combination(
    sweep: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = sweep
    assert done.returncode == 0, done.stderr
    parent, *children = runs_of(folder)
    assert parent.info.run_name == "sweep scale=smoke,default seed=0,1"
    assert len(children) == 4
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    # each job got the overrides of its own scale
    found = {(run.data.params["scale"], run.data.params["seed"]): run.data.params["params.size"] for run in children}
    assert found == {("smoke", "0"): "3", ("smoke", "1"): "3", ("default", "0"): "7", ("default", "1"): "7"}


def test_a_sweep_is_summed_up_over_its_seeds(sweep: tuple[Path, Any]) -> None:
    rows = json.loads((sweep[0] / "out" / "sweep" / "over_seeds.json").read_text())
    large = {row["scale"]: row for row in rows if row["metric"] == "claim/is_large"}
    # seeds=2 at smoke: 0, 1 and 1000, 1001; seeds=5 at default: 0..4 and 1000..1004
    assert large["smoke"]["mean"] == pytest.approx(3 + (0.0005 + 1.0005) / 2)
    assert large["default"]["mean"] == pytest.approx(7 + (0.002 + 1.002) / 2)
    assert {row["n"] for row in rows} == {2}


def test_a_failed_job_does_not_stop_the_others(sweep: tuple[Path, Any]) -> None:
    folder = sweep[0]
    before = len(runs_of(folder))
    done = dlexp(folder, "run", "-m", "exercise=tiny", "params.fail=true,false", "hydra.sweep.dir=failing")
    assert done.returncode == 1
    assert "job 0: FAILED, told to fail" in done.stderr
    assert "job 1: FINISHED" in done.stderr
    assert done.stderr.rstrip().endswith("error: 1 of 2 jobs failed (see the table above)")
    assert "| True | FAILED | told to fail |" in done.stdout
    parent, failed, fine = runs_of(folder)[before:]
    assert [run.info.status for run in (parent, failed, fine)] == ["FAILED", "FAILED", "FINISHED"]
    assert "told to fail" in (folder / "failing" / "0" / "traceback.txt").read_text()
    assert "told to fail" in (folder / "failing" / "0" / "run.log").read_text()


def test_all_jobs_are_checked_before_the_first_runs(sweep: tuple[Path, Any]) -> None:
    folder = sweep[0]
    before = len(runs_of(folder))
    done = dlexp(folder, "run", "-m", "exercise=tiny", "params.size=1,2.5")
    assert done.returncode == 2
    assert done.stderr.startswith("error: params.size=2.5: input should be a valid integer")
    assert len(runs_of(folder)) == before


def test_a_failed_run_says_so_in_one_line(sweep: tuple[Path, Any]) -> None:
    folder = sweep[0]
    done = dlexp(folder, "run", "exercise=tiny", "params.fail=true")
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: the run failed: RuntimeError: told to fail (")
    assert runs_of(folder)[-1].info.status == "FAILED"
    assert "RuntimeError" in runs_of(folder)[-1].data.tags["dlexp.error"]
