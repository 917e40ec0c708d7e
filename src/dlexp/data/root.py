"""`dataset.root`: the file or folder that a dataset is read from."""

from pathlib import Path

from dlexp.errors import InputError


def locate_root(root: str | None, expected: str) -> Path:
    """The path behind `root`: `~` expanded, relative to the current working directory.

    `expected` says what belongs there ("a folder with train.parquet and test.parquet").

    Raises:
        InputError: `root` is not set or is not there.
    """
    if not root:
        raise InputError(f"dataset.root is not set; add dataset.root=PATH, {expected}")
    path = Path(root).expanduser()
    if not path.exists():
        start = "" if path.is_absolute() else f" under {Path.cwd()}"
        raise InputError(f"dataset.root={root}: there is no such file or folder{start}; it must be {expected}")
    return path


def root_file(root: str | None, expected: str) -> Path:
    """`locate_root`, and it must be a file."""
    path = locate_root(root, expected)
    if not path.is_file():
        raise InputError(f"dataset.root={root}: is a folder; it must be {expected}")
    return path


def root_folder(root: str | None, expected: str) -> Path:
    """`locate_root`, and it must be a folder."""
    path = locate_root(root, expected)
    if not path.is_dir():
        raise InputError(f"dataset.root={root}: is a file; it must be {expected}")
    return path
