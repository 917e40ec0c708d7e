"""What a run tells MLflow. Nothing here waits, imports mlflow or touches the database: see tracking_writer.py."""

import atexit
import itertools
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlexp.errors import DlexpError, InputError

OPEN_TIMEOUT = 120.0  # seconds a database or server gets to answer at all
CLOSE_TIMEOUT = 600.0  # seconds to write what is left, artifacts included


@dataclass(frozen=True)
class Address:
    """Where runs are recorded: `uri` as MLflow wants it, and the folder of artifacts (None: the server decides)."""

    uri: str
    artifacts: str | None

    @classmethod
    def resolve(cls, uri: str, artifacts: str | None) -> "Address":
        """Relative SQLite paths and artifact folders are taken from the working directory.

        Raises:
            InputError: the scheme is one that MLflow no longer writes to, or none at all.
        """
        if uri.startswith("sqlite:///"):
            uri = f"sqlite:///{Path(uri.removeprefix('sqlite:///')).expanduser().absolute()}"
        elif not uri.startswith(("http://", "https://", "postgresql", "mysql", "mssql")):
            raise InputError(
                f"tracking.uri={uri}: must start with sqlite:///, http://, https:// or a database's scheme"
            )
        folder = str(Path(artifacts).expanduser().absolute()) if artifacts else None
        return cls(uri, folder)


@dataclass
class RunRecord:
    """One MLflow run as its own process sees it: everything is sent on, nothing is waited for until `close`."""

    handle: int
    process: "WriterProcess"
    answers: dict[str, Any] = field(default_factory=dict)
    closed: bool = False

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Numbers at a step. A value that is not finite is left out and the run tagged `dlexp.diverged`."""
        now = int(time.time() * 1000)
        rows = [[key, float(value), now, step] for key, value in values.items() if math.isfinite(value)]
        if len(rows) < len(values):
            self.tags({"dlexp.diverged": ", ".join(key for key in values if not math.isfinite(values[key]))})
        self._send("metrics", rows)

    def tags(self, tags: Mapping[str, str]) -> None:
        """Tags; the last value of a key counts."""
        self._send("tags", dict(tags))

    def artifacts(self, path: Path) -> None:
        """A file, or a folder with all in it that is not hidden."""
        self._send("artifacts", str(path))

    @property
    def run_id(self) -> str:
        """MLflow's id of the run; waits until the database has answered."""
        self.process.wait_for(self, "run_id", OPEN_TIMEOUT)
        return str(self.answers["run_id"])

    def close(self, status: str) -> None:
        """Write what is left and set the status: FINISHED, FAILED or KILLED.

        Raises:
            DlexpError: something could not be recorded; says what.
        """
        if self.closed:
            return
        self.closed = True
        self.process.send({"do": "close", "run": self.handle, "status": status})
        self.process.wait_for(self, "closed", CLOSE_TIMEOUT)
        if self.answers.get("error"):
            raise DlexpError(f"MLflow did not record everything: {self.answers['error']}")

    def _send(self, what: str, *arguments: Any) -> None:
        self.process.send({"do": what, "run": self.handle, "arguments": arguments})


class WriterProcess:
    """The writer and the pipes to it; one serves all runs of this process."""

    def __init__(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "dlexp.tracking_writer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("DLEXP_DEBUG") else subprocess.DEVNULL,
            text=True,
            bufsize=1,
            start_new_session=True,  # the terminal's Ctrl-C must not reach it
        )
        self.runs: dict[int, RunRecord] = {}
        self.news = threading.Condition()
        self.numbers = itertools.count()
        threading.Thread(target=self._listen, daemon=True).start()
        atexit.register(self.stop)

    def prepare(self, address: Address) -> None:
        """Open the store ahead of its first run."""
        self.send({"do": "prepare", "run": None, "uri": address.uri})

    def open(
        self,
        address: Address,
        experiment: str,
        run_name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        parent: str | None = None,
    ) -> RunRecord:
        """Open a run; `run_name` and `params` are what a list of runs shows."""
        record = RunRecord(next(self.numbers), self)
        self.runs[record.handle] = record
        self.send(
            {
                "do": "open",
                "run": record.handle,
                "uri": address.uri,
                "artifacts": address.artifacts,
                "experiment": experiment,
                "run_name": run_name,
                "params": {key: str(value) for key, value in params.items()},
                "tags": dict(tags),
                "parent": parent,
                "cwd": str(Path.cwd()),
            }
        )
        return record

    def send(self, message: Mapping[str, Any]) -> None:
        """Pass a message on; a writer that has died is noticed when the run closes."""
        assert self.child.stdin is not None
        try:
            self.child.stdin.write(json.dumps(message, allow_nan=False) + "\n")
        except (BrokenPipeError, ValueError):
            return

    def wait_for(self, record: RunRecord, key: str, seconds: float) -> None:
        """Block until the writer has answered `key` for the run.

        Raises:
            DlexpError: it did not within `seconds`, could not, or has died.
        """
        with self.news:
            arrived = self.news.wait_for(
                lambda: key in record.answers or self._gone() or (key == "run_id" and "error" in record.answers),
                seconds,
            )
        if key in record.answers:
            return
        reason = record.answers.get("error") or ("its writer died" if arrived else f"no answer in {seconds:.0f} s")
        raise DlexpError(f"tracking is not possible: {reason}; see `dlexp doctor`")

    def stop(self) -> None:
        """Let the writer finish and go; with every run closed there is nothing left to wait for."""
        assert self.child.stdin is not None
        try:
            self.child.stdin.close()
            if not all(run.closed for run in self.runs.values()):
                self.child.wait(CLOSE_TIMEOUT)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.child.kill()

    def _gone(self) -> bool:
        return self.child.poll() is not None

    def _listen(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            message = json.loads(line)
            with self.news:
                self.runs[message["run"]].answers.update(message)
                self.news.notify_all()
        self.child.wait()
        with self.news:
            self.news.notify_all()


_process: WriterProcess | None = None


def writer() -> WriterProcess:
    """This process's writer, started on first use."""
    global _process
    if _process is None or _process.child.poll() is not None:
        _process = WriterProcess()
    return _process
