"""Progress outside of a terminal: a plain line now and then, nothing for what is quick."""

import sys

import pytest

from dlexp import progress as module
from dlexp.progress import progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    return now


def test_quick_work_says_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("training", 3) as shown:
        for _ in range(3):
            clock[0] += 0.5
            shown.advance()
    assert capsys.readouterr().err == ""


def test_long_work_says_a_line_every_ten_seconds_and_one_at_the_end(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress("training", 30) as shown:
        for _ in range(30):
            clock[0] += 1
            shown.advance()
    assert capsys.readouterr().err.splitlines() == [
        "training: 11/30 after 11 s",
        "training: 22/30 after 22 s",
        "training: done in 30.0 s",
    ]


def test_what_fails_is_not_called_done(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with progress("training", 3) as shown:
            clock[0] += 5
            shown.advance()
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        work()
    assert capsys.readouterr().err == "training: stopped at 1/3 after 5.0 s\n"


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with progress("training", 4) as shown:
        assert shown.bar is not None
        shown.advance(3)
        (task,) = shown.bar.rich.tasks
        assert (task.description, task.completed, task.total) == ("training", 3, 4)
    assert shown.bar.rich.finished is False
    assert not shown.bar.rich.live.is_started
