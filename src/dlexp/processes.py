"""This process and others: the cores it may use, and whether one is still alive."""

import os

from dlexp.errors import DlexpError


def available_cores() -> int:
    """Cores that this process may use (containers and schedulers often allow fewer than the machine has)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def process_is_alive(identity: str) -> bool:
    """Whether the process `PID@START` (see `process_identity`) still runs; a reused PID has another start."""
    pid = identity.partition("@")[0]
    return pid.isdecimal() and identity == process_identity(int(pid))


def process_identity(pid: int) -> str:
    """`PID@START` of a live process, empty when there is none."""
    import psutil

    try:
        return f"{pid}@{psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        return ""
    except psutil.Error as error:
        raise DlexpError(f"cannot look at process {pid}: {error}") from error
