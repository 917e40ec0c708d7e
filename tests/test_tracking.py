"""What a run tells MLflow arrives whole, and its status is true however the run ends."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from dlexp.doctor import examine
from dlexp.errors import DlexpError, InputError
from dlexp.tracking import Address, RunRecord, WriterProcess

HEAD = """
import sys, time
from pathlib import Path
from dlexp.tracking import Address, writer
record = writer().open(Address.resolve("sqlite:///mlflow.db", "mlartifacts"), "exp", "name", {"a": 1}, {"t": "x"})
"""


def open_run(writer: WriterProcess, folder: Path, name: str = "name", **params: Any) -> RunRecord:
    address = Address.resolve(f"sqlite:///{folder / 'mlflow.db'}", str(folder / "mlartifacts"))
    return writer.open(address, "exp", name, params, {"dlexp.exercise": "exp"})


def runs_of(folder: Path) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("exp")
    return list(client.search_runs([experiment.experiment_id])) if experiment is not None else []


@pytest.fixture(scope="module")
def writer() -> WriterProcess:
    return WriterProcess()


def test_everything_arrives(writer: WriterProcess, tmp_path: Path) -> None:
    from mlflow import MlflowClient

    record = open_run(writer, tmp_path, **{f"p{n}": n for n in range(250)}, long="x" * 10_000)
    for step in range(2500):
        record.metrics({"loss": float(step), "rate": 0.5}, step)
    (tmp_path / "out" / "figures").mkdir(parents=True)
    (tmp_path / "out" / "figures" / "a.png").write_bytes(b"png")
    (tmp_path / "out" / "answer.md").write_text("answer")
    (tmp_path / "out" / ".hidden").write_text("no")
    record.artifacts(tmp_path / "out")
    record.tags({"dlexp.verdict.c": "supported"})
    record.close("FINISHED")
    (run,) = runs_of(tmp_path)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert run.info.status == "FINISHED"
    assert run.info.run_id == record.run_id
    assert len(run.data.params) == 251
    assert len(run.data.params["long"]) == 500
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(step, float(step)) for step in range(2500)]
    assert run.data.tags["dlexp.verdict.c"] == "supported"
    assert {file.path for file in client.list_artifacts(run.info.run_id)} == {"figures", "answer.md"}


def test_non_finite_values_are_left_out_and_told(writer: WriterProcess, tmp_path: Path) -> None:
    record = open_run(writer, tmp_path)
    record.metrics({"good": 1.0, "bad": float("nan"), "worse": float("inf")})
    record.close("FINISHED")
    (run,) = runs_of(tmp_path)
    assert run.data.metrics == {"good": 1.0}
    assert run.data.tags["dlexp.diverged"] == "bad, worse"


def test_a_fault_is_reported_when_the_run_closes(writer: WriterProcess, tmp_path: Path) -> None:
    record = open_run(writer, tmp_path)
    assert record.run_id
    (tmp_path / "mlartifacts").write_text("a file where the folder of artifacts should be")
    (tmp_path / "answer.md").write_text("answer")
    record.artifacts(tmp_path / "answer.md")
    record.metrics({"a name with = in it": 1.0})
    with pytest.raises(DlexpError, match=r"^MLflow did not record everything: \w+Error: "):
        record.close("FINISHED")
    (run,) = runs_of(tmp_path)
    assert run.info.status == "FINISHED"
    assert list(run.data.metrics.values()) == [1.0]  # under a name that MLflow accepts


def test_a_corrupt_database_is_reported_and_left_alone(writer: WriterProcess, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(InputError, match=r"mlflow\.db: is not a SQLite database; move it away or name another file$"):
        open_run(writer, tmp_path)
    assert (tmp_path / "mlflow.db").read_bytes() == b"this is no database" * 100


def test_a_dead_writer_is_noticed(tmp_path: Path) -> None:
    writer = WriterProcess()
    record = open_run(writer, tmp_path)
    assert record.run_id
    writer.child.kill()
    writer.child.wait()
    record.metrics({"loss": 1.0})
    with pytest.raises(DlexpError, match="the process that writes to MLflow has died"):
        record.close("FINISHED")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, "KILLED"), (None, "KILLED")])
def test_a_run_whose_process_is_gone_is_closed_as_killed(
    tmp_path: Path, number: signal.Signals | None, status: str
) -> None:
    # Killed from outside, or by an exit that closes nothing.
    script = HEAD + "print(record.run_id, flush=True)\n"
    script += "import os; os._exit(0)" if number is None else "time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert len(process.stdout.readline().strip()) == 32
    if number is not None:
        process.send_signal(number)
    process.wait()
    deadline = time.monotonic() + 30
    while runs_of(tmp_path)[0].info.status == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.1)  # the writer outlives its run by a moment
    assert runs_of(tmp_path)[0].info.status == status


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupted_run_is_killed_and_says_so(tmp_path: Path, number: signal.Signals, code: int) -> None:
    (tmp_path / "conf" / "exercise").mkdir(parents=True)
    (tmp_path / "experiments" / "ideas").mkdir(parents=True)
    (tmp_path / "conf" / "exercise" / "exp.yaml").write_text(
        "# @package _global_\n"
        'exercise: {title: T, chapter: ideas, number: "9.1", statement: {pt: x, en: x}, references: []}\n'
    )
    (tmp_path / "experiments" / "ideas" / "exp.py").write_text(
        textwrap.dedent("""
        import time
        from dataclasses import dataclass
        from pathlib import Path

        @dataclass
        class Params:
            pass

        def run(lab, params):
            Path("running").touch()
            time.sleep(60)
        """)
    )
    command = [str(Path(sys.executable).with_name("dlexp")), "run", "exercise=exp"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "running").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert errors.strip() == "interrupted"
    assert process.returncode == code
    assert [run.info.status for run in runs_of(tmp_path)] == ["KILLED"]


def test_processes_racing_for_a_new_database_lose_nothing(tmp_path: Path) -> None:
    script = HEAD + "[record.metrics({'m': float(step)}, step) for step in range(50)]\nrecord.close('FINISHED')"
    environment = {**os.environ, "MLFLOW_RUN_ID": "0" * 32}  # must not matter
    processes = [subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=environment) for _ in range(4)]
    assert [process.wait(timeout=120) for process in processes] == [0] * 4
    runs = runs_of(tmp_path)
    assert len({run.info.run_id for run in runs}) == 4
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {run.data.metrics["m"] for run in runs} == {49.0}


def test_doctor_closes_runs_that_lost_their_process(
    writer: WriterProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlexp.processes import process_identity, process_is_alive

    mine = process_identity(os.getpid())
    assert process_is_alive(mine)
    assert not process_is_alive(f"{os.getpid()}@1")  # the number was given to another process since
    import socket

    lost, living = open_run(writer, tmp_path, "lost"), open_run(writer, tmp_path, "living")
    lost.tags({"dlexp.host": socket.gethostname(), "dlexp.process": f"{os.getpid()}@1"})
    living.tags({"dlexp.host": socket.gethostname(), "dlexp.process": mine})
    assert lost.run_id != living.run_id
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    deadline = time.monotonic() + 20
    while any("dlexp.process" not in run.data.tags for run in runs_of(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not examine(uri, repair=False)
    assert f"bad  run {lost.run_id} (lost) is RUNNING without a process: doctor --repair" in capsys.readouterr().out
    assert examine(uri, repair=True)
    assert examine(uri, repair=False)
    assert {run.info.run_name: run.info.status for run in runs_of(tmp_path)} == {"lost": "KILLED", "living": "RUNNING"}
    living.close("FINISHED")
    lost.close("KILLED")


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = Address.resolve("sqlite:///a.db", "arts")
    assert (here.uri, here.artifacts) == (f"sqlite:///{tmp_path / 'a.db'}", str(tmp_path / "arts"))
    assert Address.resolve("http://127.0.0.1:5000", None) == Address("http://127.0.0.1:5000", None)
    with pytest.raises(InputError, match=r"^tracking.uri=file:/x: must start with"):
        Address.resolve("file:/x", None)
