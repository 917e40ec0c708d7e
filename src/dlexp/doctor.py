"""`dlexp doctor`: is everything in place? One line a check, with what to do where it is not."""

import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dlexp.errors import DlexpError, one_line
from dlexp.processes import available_cores, process_is_alive
from dlexp.tracking import Address

LOW_DISK_GB = 2.0
Finding = tuple[bool, str]


def examine(uri: str, repair: bool) -> bool:
    """Print every check; True when all of them are well."""
    checks: list[Callable[[], Iterator[Finding]]] = [python, torch_pair, device, disk, lambda: tracking(uri, repair)]
    well = True
    for check in checks:
        for fine, line in _findings(check):
            print(f"{'ok  ' if fine else 'bad '} {line}", flush=True)
            well = well and fine
    return well


def _findings(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check finds; that it cannot be made is a finding too."""
    try:
        yield from check()
    except DlexpError:
        raise
    except Exception as error:
        yield False, f"{getattr(check, '__name__', 'check')}: {one_line(error)}"


def python() -> Iterator[Finding]:
    """Version of the interpreter."""
    fine = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield fine, f"Python {platform.python_version()}" + ("" if fine else ": dlexp needs 3.11 to 3.13")


def torch_pair() -> Iterator[Finding]:
    """torch and torchvision must be of one build, else importing torchvision fails on its operators."""
    try:
        pair = f"torch {version('torch')} with torchvision {version('torchvision')}"
    except PackageNotFoundError as error:
        yield False, f"{error.name} is not installed: pip install dlexp"
        return
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import torchvision"], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        yield True, pair
        return
    reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    yield False, f"{pair} do not fit together ({reason}); install both anew, from one index and of one build"


def device() -> Iterator[Finding]:
    """Cores, memory, accelerator."""
    import torch

    name = "no GPU (cpu is used)"
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        name = f"{torch.cuda.get_device_name()}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free"
    elif torch.backends.mps.is_available():
        name = "Apple GPU (mps)"
    yield True, f"device: {available_cores()} cores, {name}"


def disk() -> Iterator[Finding]:
    """Free space in the working directory."""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    fine = free >= LOW_DISK_GB
    yield fine, f"disk: {free:.1f} GB free here" + ("" if fine else f"; runs may need {LOW_DISK_GB:g} GB, make room")


def tracking(uri: str, repair: bool) -> Iterator[Finding]:
    """The store is reachable and current, and no run claims to be running whose process is gone."""
    address = Address.resolve(uri, None)
    if address.file is not None and not address.file.exists():
        yield True, f"tracking: {address.file} will be made by the first run"
        return
    from dlexp.tracking_writer import limit_requests, open_client

    limit_requests()
    try:
        address.check_file()
        client = open_client(address.uri)
        stale = stale_runs(client)
    except Exception as error:
        yield False, f"tracking: {address.uri} cannot be read ({one_line(error)})"
        return
    yield True, f"tracking: {address.uri}"
    for run in stale:
        if repair:
            client.set_terminated(run.info.run_id, "KILLED")
            yield True, f"run {run.info.run_id} ({run.info.run_name}) had lost its process: closed as KILLED"
        else:
            yield False, f"run {run.info.run_id} ({run.info.run_name}) is RUNNING without a process: doctor --repair"


def stale_runs(client: Any) -> list[Any]:
    """Runs of this host that are RUNNING though their process is gone (SIGKILL of all, power loss)."""
    experiments = [each.experiment_id for each in client.search_experiments()]
    running = client.search_runs(experiments, "attributes.status = 'RUNNING'") if experiments else []
    here = socket.gethostname()
    return [
        run
        for run in running
        if run.data.tags.get("dlexp.host") == here and not process_is_alive(run.data.tags.get("dlexp.process", ""))
    ]
