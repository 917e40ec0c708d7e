"""The process that writes to MLflow, so that a run never waits for its tracking.

Importing mlflow and opening its database costs 2 to 3 s of one core; here that happens on another core
while the run imports torch and trains. The run sends one JSON message a line on standard input
(`tracking.py` is the other end); answers go to standard output. Metrics that queue up while the database
opens are written in one batch.

When the input ends without a `close` the run's process was killed: the run is closed as KILLED, so a
status is right even after SIGKILL of the run.
"""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from dlexp.errors import one_line

MAX_BATCH = 1000  # metrics that MLflow's log_batch takes at once
MAX_PARAMS = 100  # parameters that it takes at once
MAX_TEXT = 500  # characters of a parameter or tag that are still useful in a table; the whole text is in config.yaml
MAX_NAME = 250  # characters of a name that MLflow takes
MAX_FAILURES = 3  # messages in a row that may fail before the rest of a run is given up: a dead server costs time
Message = dict[str, Any]


class RunWriter:
    """One MLflow run: opened, filled and closed by messages."""

    def __init__(self, message: Message) -> None:
        self.client = open_client(message["uri"])
        experiment_id = experiment_of(self.client, message["experiment"], message["artifacts"])
        tags = {key: cut(value) for key, value in {**message["tags"], **git_state(message["cwd"])}.items()}
        if message["parent"]:
            tags["mlflow.parentRunId"] = message["parent"]
        run = self.client.create_run(experiment_id, tags=tags, run_name=message["run_name"])
        self.run_id = str(run.info.run_id)
        self.waiting: list[list[Any]] = []  # metrics to write: key, value, time in milliseconds, step
        self.failures = 0  # messages in a row that could not be written

    def params(self, params: dict[str, str]) -> None:
        """Parameters; long values are cut."""
        from mlflow.entities import Param

        made = [Param(key, value) for key, value in {clean(key): cut(value) for key, value in params.items()}.items()]
        for batch in batches(made, MAX_PARAMS):
            self.client.log_batch(self.run_id, params=batch)

    def metrics(self) -> None:
        """The metrics that are waiting."""
        from mlflow.entities import Metric

        made = [Metric(clean(key), value, timestamp, step) for key, value, timestamp, step in self.waiting]
        self.waiting = []
        for batch in batches(made, MAX_BATCH):
            self.client.log_batch(self.run_id, metrics=batch)

    def tags(self, tags: dict[str, Any]) -> None:
        """Tags, all at once."""
        from mlflow.entities import RunTag

        self.client.log_batch(self.run_id, tags=[RunTag(clean(key), cut(value)) for key, value in tags.items()])

    def artifacts(self, name: str) -> None:
        """A file, or every file of a folder, hidden ones left out."""
        path = Path(name)
        if path.is_file():
            self.client.log_artifact(self.run_id, name)
            return
        for each in sorted(path.rglob("*")):
            inside = each.relative_to(path)
            if each.is_file() and not any(part.startswith(".") for part in inside.parts):
                parent = inside.parent.as_posix()
                self.client.log_artifact(self.run_id, str(each), None if parent == "." else parent)

    def close(self, status: str) -> None:
        """Set the final status: FINISHED, FAILED or KILLED."""
        self.client.set_terminated(self.run_id, status)


def open_client(uri: str) -> Any:
    """A client of the store at `uri`. A SQLite database is created under a lock: racing migrations break it."""
    from mlflow import MlflowClient

    if not uri.startswith("sqlite:///"):
        return MlflowClient(uri)
    from filelock import FileLock

    path = Path(uri.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        client = MlflowClient(uri)
        client.search_experiments(max_results=1)
    return client


def experiment_of(client: Any, name: str, artifacts: str | None) -> str:
    """The id of the experiment called `name`, made when it does not exist yet."""
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        location = (Path(artifacts) / name).as_uri() if artifacts else None
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException:  # another process was faster
            found = client.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage != "active":
        raise RuntimeError(f"the MLflow experiment {name} is deleted; restore it or use another tracking.uri")
    return str(found.experiment_id)


def git_state(cwd: str) -> dict[str, str]:
    """Commit and cleanliness of the working directory's repository; empty outside of one."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", cwd, *arguments], capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        return {
            "mlflow.source.git.commit": git("rev-parse", "HEAD"),
            "dlexp.git_dirty": str(bool(git("status", "--porcelain"))),
        }
    except (OSError, subprocess.SubprocessError):
        return {}


def cut(value: Any) -> str:
    """Text short enough for a column of MLflow's table."""
    text = str(value)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 4] + " ..."


def clean(name: str) -> str:
    """A name that MLflow takes: letters, digits, `_ - . : /` and spaces, and a path that is its own normal form."""
    parts = re.sub(r"[^\w/.\- :]+", "_", name).split("/")
    return "/".join(part for part in parts if part not in ("", ".", ".."))[:MAX_NAME].rstrip("/") or "_"


def batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    """`items` in slices of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def read_messages(inbox: "queue.Queue[Message | None]") -> None:
    """Drain standard input from the very start, so that the sender's pipe never fills up."""
    try:
        for line in sys.stdin:
            inbox.put(json.loads(line))
    finally:  # also when the run died in the middle of a line
        inbox.put(None)


class Server:
    """Carries out messages until the input ends; runs that are still open then were killed."""

    def __init__(self, inbox: "queue.Queue[Message | None]", reply: Callable[[Message], None]) -> None:
        self.inbox, self.reply = inbox, reply
        self.runs: dict[int, RunWriter] = {}
        self.errors: dict[int, str] = {}

    def serve(self) -> None:
        """Returns when the input has ended and every run is closed."""
        while (message := self.inbox.get()) is not None:
            if message["do"] == "prepare":
                with suppress(Exception):  # opening a run meets the same fault, and reports it
                    open_client(message["uri"])  # mlflow keeps the opened store for the runs to come
            elif message["do"] == "open":
                self.open(message["run"], message)
            elif message["do"] == "close":
                self.close(message["run"], message["status"])
                self.reply({"run": message["run"], "closed": True, "error": self.errors.get(message["run"])})
            elif message["do"] == "metrics":
                if message["run"] in self.runs:
                    self.runs[message["run"]].waiting.extend(*message["arguments"])
            else:
                self.write(message["run"], message["do"], *message["arguments"])
            for handle, run in self.runs.items():
                if len(run.waiting) >= (1 if self.inbox.empty() else MAX_BATCH):  # else there is more to collect
                    self.write(handle, "metrics")
        for handle in list(self.runs):
            self.close(handle, "KILLED")

    def open(self, handle: int, message: Message) -> None:
        """Open a run and say so, or say why not."""
        try:
            self.runs[handle] = RunWriter(message)
        except Exception as error:  # tracking never stops a training: what follows for this run is passed over
            self.errors[handle] = reason_of(error)
            self.reply({"run": handle, "error": self.errors[handle]})
            return
        self.reply({"run": handle, "run_id": self.runs[handle].run_id})
        self.write(handle, "params", message["params"])

    def close(self, handle: int, status: str) -> None:
        """Write what has come in and set the status; the status even where all else failed."""
        if handle not in self.runs:
            return
        self.write(handle, "metrics")
        self.runs[handle].failures = 0
        self.write(handle, "close", status)
        del self.runs[handle]

    def write(self, handle: int, what: str, *arguments: Any) -> None:
        """Call a method of the run's writer; the first error is kept, to be reported when the run closes."""
        run = self.runs.get(handle)
        if run is None or run.failures >= MAX_FAILURES:
            return
        try:
            getattr(run, what)(*arguments)
            run.failures = 0
        except Exception as error:
            run.failures += 1
            self.errors.setdefault(handle, reason_of(error))


def reason_of(error: Exception) -> str:
    """What went wrong, short: mlflow wraps a refused connection in its whole history of attempts."""
    return "no server answers" if "Max retries exceeded" in str(error) else one_line(error)


def limit_requests() -> None:
    """Make mlflow, which is not imported yet, give up soon on a server that does not answer."""
    for name, value in (("MAX_RETRIES", "2"), ("TIMEOUT", "20")):
        os.environ.setdefault(f"MLFLOW_HTTP_REQUEST_{name}", value)


def main() -> None:
    """Serve one run's process."""
    # Both are the run's business; it tells us how it ended. A job scheduler sends SIGTERM to every process.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what mlflow prints must not mix with the answers
    os.environ.pop("MLFLOW_RUN_ID", None)
    limit_requests()
    inbox: queue.Queue[Message | None] = queue.Queue()
    threading.Thread(target=read_messages, args=(inbox,), daemon=True).start()
    import mlflow  # noqa: F401  # a second of work, done before the first message asks for it

    def reply(message: Message) -> None:
        with suppress(OSError):  # the run may be gone
            print(json.dumps(message), file=answers, flush=True)

    Server(inbox, reply).serve()


if __name__ == "__main__":
    main()
