"""`dlexp ui`: MLflow's own web page over the recorded runs, reachable from this machine only."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dlexp.errors import DlexpError, InputError
from dlexp.tracking import Address

HOST = "127.0.0.1"
GRACE = 10.0  # seconds that the server's processes get to end by themselves


def serve(uri: str, port: int, open_browser: bool) -> None:
    """Run the page until Ctrl-C or a signal ends it.

    Raises:
        InputError: there is no store yet, or the port is taken.
        DlexpError: MLflow's server ended by itself.
    """
    address = Address.resolve(uri, "mlartifacts")
    if address.file is not None and not address.file.is_file():
        raise InputError(f"there is no {address.file} yet; `dlexp run exercise=...` makes it")
    address.check_file()
    port = _free_port(port)
    page = f"http://{HOST}:{port}"
    print(f"{page}  (Ctrl-C ends it)", flush=True)
    if open_browser and sys.stdout.isatty():
        threading.Thread(target=_open_when_up, args=(port, page), daemon=True).start()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", address.uri, "--workers", "1"]
    command += ["--host", HOST, "--port", str(port), "--default-artifact-root", str(address.artifacts)]
    # The user's folder may hold a queue.py; the processes for MLflow's own jobs have nothing to do here.
    settings = {"PYTHONSAFEPATH": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with _signals_interrupt():
        # A session of its own: the server has children, and all of them must go with it.
        server = subprocess.Popen(command, env={**os.environ, **settings}, start_new_session=True)
        try:
            code = server.wait()
        except KeyboardInterrupt:
            return
        finally:
            _end(server)
    raise DlexpError(f"MLflow's server ended with exit code {code}; its messages stand above")


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM and a closed terminal act like Ctrl-C."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server's whole session, kindly at first."""
    import psutil

    ending = time.monotonic() + GRACE
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(max(0.0, ending - time.monotonic()))
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        left = [each for each in psutil.process_iter() if _in_session(each.pid, server.pid)]
        psutil.wait_procs(left, max(0.0, ending - time.monotonic()))


def _in_session(pid: int, session: int) -> bool:
    try:
        return os.getsid(pid) == session
    except OSError:
        return False


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise InputError(
                f"--port {port}: cannot be used ({error.strerror}); leave --port away to take a free one"
            ) from error
        return int(probe.getsockname()[1])


def _open_when_up(port: int, page: str) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                webbrowser.open(page)
                return
        time.sleep(0.1)
