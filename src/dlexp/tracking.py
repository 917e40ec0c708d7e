"""What a run tells MLflow. Nothing here waits, imports mlflow or touches the database: see tracking_writer.py.

The exceptions are the ends: a server is waited for before the run starts, and `RunRecord.close` waits until all is
written. Both are bounded.
"""

import atexit
import itertools
import json
import math
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlexp.errors import DlexpError, InputError
from dlexp.processes import process_identity

OPEN_TIMEOUT = 120.0  # seconds a database or server gets to answer at all
CLOSE_TIMEOUT = 600.0  # seconds to write what is left, artifacts included
SQLITE = "sqlite:///"
SERVERS = ("http://", "https://")
DATABASES = ("postgresql", "mysql", "mssql")


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
        if not isinstance(uri, str) or not uri.startswith((SQLITE, *SERVERS, *DATABASES)):
            raise InputError(
                f"tracking.uri={uri}: must start with sqlite:///, http://, https:// or a database's scheme"
            )
        if uri.startswith(SQLITE):
            uri = f"{SQLITE}{Path(uri.removeprefix(SQLITE)).expanduser().absolute()}"
        folder = str(Path(artifacts).expanduser().absolute()) if artifacts else None
        return cls(uri, folder)

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for a server."""
        return Path(self.uri.removeprefix(SQLITE)) if self.uri.startswith(SQLITE) else None

    def check_file(self) -> None:
        """Refuse at once, before anything is trained, a SQLite file that cannot be one.

        Raises:
            InputError: it is a folder, holds something else, or cannot be read.
        """
        if self.file is None or not self.file.exists():
            return
        try:
            with self.file.open("rb") as opened:
                start = opened.read(16)
        except OSError as error:
            raise InputError(f"tracking.uri={self.uri}: cannot be read ({error.strerror})") from error
        if start not in (b"", b"SQLite format 3\0"):
            raise InputError(f"tracking.uri={self.uri}: is not a SQLite database; move it away or name another file")


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
        if rows:
            self._send("metrics", rows)

    def tags(self, tags: Mapping[str, str]) -> None:
        """Tags; the last value of a key counts."""
        self._send("tags", dict(tags))

    def artifacts(self, path: Path) -> None:
        """A file, or a folder with all in it that is not hidden."""
        self._send("artifacts", str(Path(path).absolute()))

    @property
    def run_id(self) -> str:
        """MLflow's id of the run; waits until the database has answered.

        Raises:
            DlexpError: the run could not be opened.
        """
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
            [sys.executable, "-P", "-m", "dlexp.tracking_writer"],  # -P: the user's folder may hold a queue.py
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("DLEXP_DEBUG") else subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # the terminal's Ctrl-C must not reach it
        )
        self.runs: dict[int, RunRecord] = {}
        self.news = threading.Condition()
        self.numbers = itertools.count()
        self.outbox: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._pass_on, daemon=True).start()
        threading.Thread(target=self._listen, daemon=True).start()
        atexit.register(self.stop)

    def prepare(self, address: Address) -> None:
        """Open the store ahead of its first run.

        Raises:
            InputError: it cannot be a store.
        """
        address.check_file()
        if address.file is not None:  # a server opens nothing ahead
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
        """Open a run; `run_name` and `params` are what a list of runs shows.

        Raises:
            InputError: the store cannot be one, or no server answers there. A fault inside of a SQLite file comes up
                when the run closes: waiting for it to be opened would cost every run a second.
        """
        address.check_file()
        record = RunRecord(next(self.numbers), self)
        self.runs[record.handle] = record
        who = {"dlexp.host": socket.gethostname(), "dlexp.process": process_identity(os.getpid())}
        self.send(
            {
                "do": "open",
                "run": record.handle,
                "uri": address.uri,
                "artifacts": address.artifacts,
                "experiment": experiment,
                "run_name": run_name,
                "params": {key: str(value) for key, value in params.items()},
                "tags": {**who, **tags},
                "parent": parent,
                "cwd": str(Path.cwd()),
            }
        )
        if address.file is None:
            self._wait_for_server(address, record)
        return record

    def _wait_for_server(self, address: Address, record: RunRecord) -> None:
        try:
            self.wait_for(record, "run_id", OPEN_TIMEOUT)
        except DlexpError as error:
            record.closed = True  # there is nothing to wait for at exit
            reason = record.answers.get("error", error)
            raise InputError(
                f"tracking.uri={address.uri}: cannot be used ({reason}); start the server or use tracking=sqlite"
            ) from error

    def send(self, message: Mapping[str, Any]) -> None:
        """Pass a message on; a writer that has died is noticed when the run closes."""
        self.outbox.put(json.dumps(message, allow_nan=False))

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
        silent = "the process that writes to MLflow has died" if arrived else f"no answer in {seconds:.0f} s"
        raise DlexpError(f"tracking is not possible: {record.answers.get('error') or silent}; see `dlexp doctor`")

    def stop(self) -> None:
        """Let the writer finish and go; with every run closed there is nothing left to wait for."""
        self.outbox.put(None)
        if all(run.closed for run in self.runs.values()):
            return
        try:
            self.child.wait(CLOSE_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.child.kill()

    def _gone(self) -> bool:
        return self.child.poll() is not None

    def _pass_on(self) -> None:
        """Write messages from a thread of its own: a signal cannot cut one in half, a full pipe holds nobody up."""
        assert self.child.stdin is not None
        try:
            while (text := self.outbox.get()) is not None:
                self.child.stdin.write(text + "\n")
                self.child.stdin.flush()
            self.child.stdin.close()
        except (OSError, ValueError):
            return  # the writer has died

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
