"""Downloads that are either complete or not there."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock

from dlexp.errors import DlexpError, InputError


def ensure(
    root: str | None, name: str, items: Sequence[str], fetch: Callable[[Path], None] | None, manual: str
) -> Path:
    """The folder `root` with all `items` (files or folders) in it; fetched if one of them is missing.

    `fetch(folder)` downloads into an empty folder and verifies checksums, or raises; None: nothing may be
    downloaded. Only then is each item moved to its place by a rename, so a download that was cut off never
    looks complete. A lock file (empty, it stays) keeps other processes from fetching the same at once.
    `manual` is what a person can do instead, for the message.

    Raises:
        InputError: `root` is not set or not a folder, or an item is missing and may not be fetched.
        DlexpError: the download failed.
    """
    if not root:
        raise InputError(f"dataset.root is not set; add dataset.root=PATH, the folder to keep {name} in")
    folder = Path(root).expanduser()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"dataset.root={root}: is a file; it must be the folder to keep {name} in")
    if _complete(folder, items):
        return folder
    if fetch is None:
        raise InputError(f"dataset.root={root}: {name} is not there; set dataset.download=true, or {manual}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{name}.lock"):
            if not _complete(folder, items):  # another process may have been first
                _fetch_into(folder, name, items, fetch)
    except DlexpError:
        raise
    except Exception as error:  # URL, socket, checksum and disk errors of many types
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DlexpError(
            f"dataset.root={root}: {name} could not be downloaded ({reason}); try again, or {manual}"
        ) from error
    return folder


def _complete(folder: Path, items: Sequence[str]) -> bool:
    return all((folder / item).exists() for item in items)


def _fetch_into(folder: Path, name: str, items: Sequence[str], fetch: Callable[[Path], None]) -> None:
    part = folder / f".{name}.part"
    shutil.rmtree(part, ignore_errors=True)  # left by a process that was killed: the lock says it is gone
    part.mkdir()
    try:
        with contextlib.redirect_stdout(sys.stderr):  # downloaders print their progress
            fetch(part)
        if not _complete(part, items):
            raise OSError("the archive is incomplete")
        for item in items:
            (folder / item).parent.mkdir(parents=True, exist_ok=True)
            os.replace(part / item, folder / item)
    finally:
        shutil.rmtree(part, ignore_errors=True)
