"""What all tests share."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("dlexp", deadline=None)  # a busy machine is not a fault
settings.load_profile("dlexp")


Here = Callable[[list[str]], tuple[int, str]]


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory whose `conf` and `experiments` the registry finds, and forgets afterwards."""
    from dlexp import registry

    cached = (registry.roots, registry.exercises, registry.root_keys, registry.groups)
    monkeypatch.chdir(tmp_path)
    for each in cached:
        each.cache_clear()
    yield tmp_path
    for each in cached:
        each.cache_clear()


@contextmanager
def in_this_process(folder: Path) -> Iterator[Callable[[list[str]], int]]:
    """`dlexp run WORDS` in `folder` and in this process, as a function from words to the exit code.

    Importing torch anew for every case would take minutes. What a run sets for its process is put back afterwards.
    """
    import torch

    from dlexp import cli

    handlers, level, threads = list(logging.root.handlers), logging.root.level, torch.get_num_threads()

    def run(words: list[str]) -> int:
        monkeypatch.setattr(sys, "argv", ["dlexp", "run", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        code = stop.value.code or 0
        assert isinstance(code, int)
        return code

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # `launch` sets it; put back afterwards
        try:
            yield run
        finally:
            logging.root.handlers[:] = handlers
            logging.root.setLevel(level)
            torch.set_num_threads(threads)


@pytest.fixture
def dlexp_here(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Here]:
    """`dlexp run WORDS` in this process: words -> (exit code, stderr)."""
    with in_this_process(tmp_path) as run:
        yield lambda words: (run(words), capfd.readouterr().err)


@pytest.fixture(scope="session")
def dlexp_in() -> Callable[[Path, list[str]], int]:
    """`dlexp run WORDS` in a folder and in this process: (folder, words) -> exit code."""

    def run(folder: Path, words: list[str]) -> int:
        with in_this_process(folder) as run_here:
            return run_here(words)

    return run
