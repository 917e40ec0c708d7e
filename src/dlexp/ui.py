"""`dlexp ui`: MLflow's own web page over the recorded runs, reachable from this machine only."""

import os
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from pathlib import Path

from dlexp.errors import DlexpError, InputError
from dlexp.tracking import Address

HOST = "127.0.0.1"


def serve(uri: str, port: int, open_browser: bool) -> None:
    """Run the page until Ctrl-C.

    Raises:
        InputError: there is no store yet, or the port is taken.
        DlexpError: MLflow's server ended by itself.
    """
    address = Address.resolve(uri, "mlartifacts")
    database = Path(address.uri.removeprefix("sqlite:///"))
    if address.uri.startswith("sqlite:///") and not database.is_file():
        raise InputError(f"there is no {database} yet; `dlexp run exercise=...` makes it")
    port = _free_port(port)
    page = f"http://{HOST}:{port}"
    print(f"{page}  (Ctrl-C ends it)", flush=True)
    if open_browser and sys.stdout.isatty():
        threading.Thread(target=_open_when_up, args=(port, page), daemon=True).start()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", address.uri, "--workers", "1"]
    command += ["--host", HOST, "--port", str(port), "--default-artifact-root", str(address.artifacts)]
    server = subprocess.Popen(command, env={**os.environ, "MLFLOW_TRACKING_URI": address.uri})
    try:
        code = server.wait()
    except KeyboardInterrupt:
        server.terminate()
        server.wait()
        return
    raise DlexpError(f"MLflow's server ended with exit code {code}; its messages stand above")


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise InputError(f"--port {port}: it is in use; leave --port away to take a free one") from error
        return int(probe.getsockname()[1])


def _open_when_up(port: int, page: str) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                webbrowser.open(page)
                return
        time.sleep(0.1)
