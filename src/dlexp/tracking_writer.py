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
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

MAX_BATCH = 1000  # metrics that MLflow's log_batch takes at once
MAX_PARAM = 500  # characters of a parameter that is still useful in a table; the whole text is in config.yaml
Message = dict[str, Any]


class RunWriter:
    """One MLflow run: opened, filled and closed by messages."""

    def __init__(self, message: Message) -> None:
        from mlflow.entities import RunTag

        self.failed: str | None = None
        self.client = open_client(message["uri"])
        experiment_id = experiment_of(self.client, message["uri"], message["experiment"], message["artifacts"])
        tags = {**message["tags"], **git_state(message["cwd"])}
        parent = message.get("parent")
        run = self.client.create_run(
            experiment_id,
            tags={**tags, **({"mlflow.parentRunId": parent} if parent else {})},
            run_name=message["run_name"],
        )
        self.run_id, self.experiment_id = run.info.run_id, experiment_id
        self.tag_entity = RunTag
        self.params(message["params"])

    def params(self, params: dict[str, str]) -> None:
        """Parameters, in batches of at most 100 (MLflow's limit); long values are cut."""
        from mlflow.entities import Param

        made = [Param(key, cut(str(value))) for key, value in params.items()]
        for start in range(0, len(made), 100):
            self.client.log_batch(self.run_id, params=made[start : start + 100])

    def metrics(self, rows: list[list[Any]]) -> None:
        """Rows of key, value, time in milliseconds, step."""
        from mlflow.entities import Metric

        made = [Metric(key, value, timestamp, step) for key, value, timestamp, step in rows]
        for start in range(0, len(made), MAX_BATCH):
            self.client.log_batch(self.run_id, metrics=made[start : start + MAX_BATCH])

    def tags(self, tags: dict[str, str]) -> None:
        """Tags, all at once."""
        self.client.log_batch(self.run_id, tags=[self.tag_entity(key, cut(value)) for key, value in tags.items()])

    def artifacts(self, folder: str, to: str | None = None) -> None:
        """A file, or every file of a folder, hidden ones left out."""
        path = Path(folder)
        if path.is_file():
            self.client.log_artifact(self.run_id, folder, to)
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


def experiment_of(client: Any, uri: str, name: str, artifacts: str | None) -> str:
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


def cut(text: str) -> str:
    """Text short enough for a column of MLflow's table."""
    return text if len(text) <= MAX_PARAM else text[: MAX_PARAM - 4] + " ..."


def one_line(error: BaseException) -> str:
    """An exception as one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"


def read_messages(inbox: "queue.Queue[Message | None]") -> None:
    """Drain standard input from the very start, so that the sender's pipe never fills up."""
    for line in sys.stdin:
        inbox.put(json.loads(line))
    inbox.put(None)


def reply(**fields: Any) -> None:
    """Answer the run, which may be gone already."""
    try:
        print(json.dumps(fields), flush=True)
    except (BrokenPipeError, OSError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115


def serve(inbox: "queue.Queue[Message | None]") -> None:
    """Carry out messages until the input ends; runs still open then were killed."""
    runs: dict[int, RunWriter] = {}
    errors: dict[int, str] = {}
    while (message := inbox.get()) is not None:
        handle, what = message["run"], message["do"]
        try:
            if what == "prepare":
                with suppress(Exception):  # opening a run meets the same fault, and reports it
                    open_client(message["uri"])  # mlflow keeps the opened store for the runs to come
            elif what == "open":
                runs[handle] = RunWriter(message)
                reply(run=handle, run_id=runs[handle].run_id, experiment_id=runs[handle].experiment_id)
            elif what == "close":
                writer = runs.pop(handle, None)
                if writer is not None:
                    writer.close(message["status"])
                reply(run=handle, closed=True, error=errors.get(handle))
            elif handle in runs:
                getattr(runs[handle], what)(*message["arguments"])
        except Exception as error:  # reported when the run closes: tracking never stops a training
            errors.setdefault(handle, one_line(error))
            reply(run=handle, error=errors[handle])
    for writer in runs.values():
        writer.close("KILLED")


def main() -> None:
    """Serve one run's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's business; it tells us how it ended
    os.environ.pop("MLFLOW_RUN_ID", None)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    inbox: queue.Queue[Message | None] = queue.Queue()
    threading.Thread(target=read_messages, args=(inbox,), daemon=True).start()
    import mlflow  # noqa: F401  # a second of work, done before the first message asks for it

    serve(inbox)


if __name__ == "__main__":
    main()
