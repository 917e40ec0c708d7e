"""What all tests share."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("dlexp", deadline=None)  # a busy machine is not a fault
settings.load_profile("dlexp")


@pytest.fixture
def dlexp_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[[list[str]], tuple[int, str]]]:
    """`dlexp run` in this process (importing torch anew for every case would take minutes): exit code and stderr."""
    import torch

    from dlexp import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # `launch` sets it; put back afterwards
    handlers, level, threads = list(logging.root.handlers), logging.root.level, torch.get_num_threads()

    def refused(words: list[str]) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["dlexp", "run", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert isinstance(stop.value.code, int)
        return stop.value.code, capfd.readouterr().err

    yield refused
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    torch.set_num_threads(threads)
