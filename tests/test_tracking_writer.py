"""The process that writes to MLflow: what it makes of messages, and that nothing makes it hang or lie."""

import io
import os
import queue
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlexp import tracking, tracking_writer
from dlexp.errors import DlexpError, InputError
from dlexp.tracking import Address, RunRecord, WriterProcess
from dlexp.tracking_writer import MAX_FAILURES, RunWriter, Server, clean, cut, read_messages

OPEN = {"do": "open", "run": 0, "params": {"p": "1"}}


@given(st.text(max_size=300))
def test_every_name_becomes_one_that_mlflow_takes(name: str) -> None:
    made = clean(name)
    assert re.fullmatch(r"[/\w.\- :]+", made)
    assert not path_not_unique(made)
    assert len(made) <= 250
    assert clean(made) == made


def path_not_unique(name: str) -> bool:
    """MLflow's own rule, as `mlflow.utils.validation` has it (importing mlflow takes a second)."""
    normal = os.path.normpath(name)
    return normal != name or normal == "." or normal.startswith(("..", "/"))


@pytest.mark.parametrize("name", ["loss", "claim/a b", "residual/train_loss", "model.depth", "perda_média", "a:b-c"])
def test_good_names_stay(name: str) -> None:
    assert clean(name) == name


def test_names_of_sweeps() -> None:
    assert clean("accuracy/model.depth=8,seed=0") == "accuracy/model.depth_8_seed_0"
    assert clean("++model.depth") == "_model.depth"


def test_long_values_are_cut() -> None:
    assert cut("x" * 500) == "x" * 500
    assert cut("x" * 501) == "x" * 496 + " ..."


class Recorder:
    """Stands for MLflow's client."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.broken = False

    def log_batch(self, run_id: str, **content: list[Any]) -> None:
        ((kind, items),) = content.items()
        self.calls.append((kind, len(items)))
        if self.broken:
            raise ConnectionError("gone")

    def log_artifact(self, run_id: str, file: str, folder: str | None = None) -> None:
        self.calls.append(("artifact", (Path(file).name, folder)))

    def set_terminated(self, run_id: str, status: str) -> None:
        self.calls.append(("status", status))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()

    def init(self: RunWriter, message: dict[str, Any]) -> None:
        if message.get("fails"):
            raise RuntimeError("no\nstore")
        self.client, self.run_id, self.waiting, self.failures = recorder, "id", [], 0

    monkeypatch.setattr(RunWriter, "__init__", init)
    return recorder


def serve(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What is answered to `messages` that have all come in before the first is carried out."""
    inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
    for message in [*messages, None]:
        inbox.put(message)
    answers: list[dict[str, Any]] = []
    Server(inbox, answers.append).serve()
    return answers


def metrics(step: int) -> dict[str, Any]:
    return {"do": "metrics", "run": 0, "arguments": [[["loss", 0.5, 0, step]]]}


CLOSE = {"do": "close", "run": 0, "status": "FINISHED"}


def test_waiting_metrics_are_written_together(client: Recorder) -> None:
    answers = serve(OPEN, *map(metrics, range(2300)), CLOSE)
    assert client.calls == [
        ("params", 1),
        ("metrics", 1000),
        ("metrics", 1000),
        ("metrics", 300),
        ("status", "FINISHED"),
    ]
    assert answers == [{"run": 0, "run_id": "id"}, {"run": 0, "closed": True, "error": None}]


def test_what_was_not_closed_was_killed(client: Recorder) -> None:
    serve(OPEN, metrics(0))
    assert client.calls == [("params", 1), ("metrics", 1), ("status", "KILLED")]


def test_a_run_that_cannot_be_opened_is_passed_over_and_told_at_the_end(client: Recorder) -> None:
    answers = serve({**OPEN, "fails": True}, metrics(0), {"do": "tags", "run": 0, "arguments": [{"a": "b"}]}, CLOSE)
    assert client.calls == []
    error = "RuntimeError: no store"
    assert answers == [{"run": 0, "error": error}, {"run": 0, "closed": True, "error": error}]


def test_a_store_that_is_gone_costs_a_few_attempts_and_the_status_is_tried(client: Recorder) -> None:
    client.broken = True
    tags = [{"do": "tags", "run": 0, "arguments": [{"a": "b"}]}] * 50
    answers = serve(OPEN, *tags, CLOSE)
    assert client.calls == [("params", 1), ("tags", 1), ("tags", 1), ("status", "FINISHED")]
    assert len(client.calls) == MAX_FAILURES + 1
    assert answers[-1] == {"run": 0, "closed": True, "error": "ConnectionError: gone"}


def test_more_params_than_mlflow_takes_at_once(client: Recorder) -> None:
    serve({**OPEN, "params": {f"p{n}": "1" for n in range(230)}}, CLOSE)
    assert client.calls[:-1] == [("params", 100), ("params", 100), ("params", 30)]


def test_hidden_files_stay_out_of_the_artifacts(client: Recorder, tmp_path: Path) -> None:
    for name in ("answer.md", ".hydra/config.yaml", "figures/a.png", "figures/.a.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    serve(OPEN, {"do": "artifacts", "run": 0, "arguments": [str(tmp_path)]}, CLOSE)
    assert client.calls[1:-1] == [("artifact", ("answer.md", None)), ("artifact", ("a.png", "figures"))]


def test_half_a_message_ends_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"do": "close", "run": 0}\n{"do": "met'))
    inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
    with pytest.raises(ValueError, match="Unterminated string"):
        read_messages(inbox)
    assert [inbox.get_nowait(), inbox.get_nowait()] == [{"do": "close", "run": 0}, None]


def test_an_unreachable_server_is_one_short_reason() -> None:
    error = ConnectionError(
        "API request to http://x failed with exception HTTPConnectionPool: Max retries exceeded ..."
    )
    assert tracking_writer.reason_of(error) == "no server answers"


def open_run(writer: WriterProcess, folder: Path) -> RunRecord:
    address = Address.resolve(f"sqlite:///{folder / 'mlflow.db'}", str(folder / "mlartifacts"))
    return writer.open(address, "exp", "name", {}, {})


def test_signals_noise_and_odd_files_do_not_disturb_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file that would hide one of Python's own, where `python -m` looks first; and what prints beside the answers.
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "queue.py").write_text("raise RuntimeError")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import subprocess\nrun = subprocess.run\n"
        "def noisy(*args, **options):\n    print('noise')\n    return run(*args, **options)\n"
        "subprocess.run = noisy\n"
    )
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    writer = WriterProcess()
    record = open_run(writer, tmp_path)
    assert len(record.run_id) == 32
    for number in (signal.SIGINT, signal.SIGTERM):  # a scheduler sends them to every process of a job
        writer.child.send_signal(number)
    record.metrics({"loss": 1.0})
    record.close("FINISHED")
    assert record.answers["error"] is None
    writer.stop()
    assert writer.child.wait(timeout=30) == 0


def test_a_writer_that_hangs_is_not_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "CLOSE_TIMEOUT", 0.5)
    writer = WriterProcess()
    writer.child.send_signal(signal.SIGSTOP)
    record = open_run(writer, tmp_path)
    started = time.monotonic()
    for step in range(20_000):  # more than the pipe holds: sending must not block either
        record.metrics({"loss": 1.0}, step)
    with pytest.raises(DlexpError, match=r"^tracking is not possible: no answer in 0 s; see `dlexp doctor`$"):
        record.close("FINISHED")
    writer.stop()
    assert time.monotonic() - started < 30
    writer.child.kill()


def test_a_server_that_is_down_is_told_before_the_run_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    writer = WriterProcess()
    with pytest.raises(InputError) as refused:
        writer.open(Address.resolve("http://127.0.0.1:9", None), "exp", "name", {}, {})
    assert str(refused.value) == (
        "tracking.uri=http://127.0.0.1:9: cannot be used (no server answers); start the server or use tracking=sqlite"
    )
    writer.stop()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_bytes(b"no database"), "is not a SQLite database; move it away or name another file"),
        (lambda path: path.mkdir(), "cannot be read (Is a directory)"),
    ],
)
def test_what_cannot_be_a_database_is_refused_at_once(tmp_path: Path, make: Any, why: str) -> None:
    make(tmp_path / "mlflow.db")
    address = Address.resolve(f"sqlite:///{tmp_path / 'mlflow.db'}", None)
    with pytest.raises(InputError) as refused:
        address.check_file()
    assert str(refused.value) == f"tracking.uri={address.uri}: {why}"
