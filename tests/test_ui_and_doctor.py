"""`dlexp ui` serves this machine only and leaves nothing behind; `dlexp doctor` names what is wrong."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from dlexp import doctor
from dlexp.tracking import Address, WriterProcess

DLEXP = str(Path(sys.executable).with_name("dlexp"))


def test_no_store_to_look_at(tmp_path: Path) -> None:
    done = subprocess.run([DLEXP, "ui"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == f"error: there is no {tmp_path / 'mlflow.db'} yet; `dlexp run exercise=...` makes it\n"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ui")
    writer = WriterProcess()
    address = Address.resolve(f"sqlite:///{folder / 'mlflow.db'}", str(folder / "mlartifacts"))
    record = writer.open(address, "my_exercise", "a run", {"depth": 8}, {})
    record.metrics({"accuracy": 0.5})
    record.close("FINISHED")
    writer.stop()
    return folder


def test_a_taken_port(store: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [DLEXP, "ui", "--port", str(port)]
        done = subprocess.run(command, cwd=store, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert (
        done.stderr
        == f"error: --port {port}: cannot be used (Address already in use); leave --port away to take a free one\n"
    )


def test_the_page_answers_on_this_machine_and_ends_with_ctrl_c(store: Path) -> None:
    import psutil

    command = [DLEXP, "ui", "--no-open"]
    server = subprocess.Popen(command, cwd=store, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    page = server.stdout.readline().split()[0]
    assert page.startswith("http://127.0.0.1:")
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{page}/health", timeout=5) as answer:
                    assert answer.status == 200
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        family = [server.pid, *(child.pid for child in psutil.Process(server.pid).children(recursive=True))]
        listening = {
            connection.laddr.ip
            for pid in family
            for connection in psutil.Process(pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in family if psutil.pid_exists(pid)], timeout=15)
    assert alive == []


def test_doctor_is_content_with_this_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = [*doctor.python(), *doctor.device(), *doctor.disk(), *doctor.tracking("sqlite:///mlflow.db", False)]
    assert [line for fine, line in found if not fine] == []
    assert found[-1][1] == f"tracking: {tmp_path / 'mlflow.db'} will be made by the first run"


def test_doctor_names_torch_and_torchvision_of_different_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What importing a torchvision of another build does.
    broken = 'raise RuntimeError("operator torchvision::nms does not exist")'
    (tmp_path / "torchvision.py").write_text(broken)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    ((fine, line),) = doctor.torch_pair()
    assert not fine
    assert "do not fit together (RuntimeError: operator torchvision::nms does not exist); install both anew" in line


def test_doctor_says_that_a_store_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 99)
    ((fine, line),) = doctor.tracking(f"sqlite:///{tmp_path / 'mlflow.db'}", False)
    assert not fine
    assert "cannot be read" in line
    assert "is not a SQLite database; move it away or name another file" in line
