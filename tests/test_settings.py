"""The settings that every run has."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlexp.errors import InputError
from dlexp.settings import Settings, choose_device, read_settings

CONFIG: dict[str, Any] = {
    "seed": 3,
    "seeds": 2,
    "scale": "smoke",
    "device": "cpu",
    "threads": None,
    "tracking": {"uri": "sqlite:///mlflow.db", "artifacts": None, "parent_run": None},
    "store": {"dir": None, "max_gb": 5},
    "params": {"anything": 1},
}


@given(st.integers(0, 999_999), st.integers(0, 999_999), st.integers(1, 1000), st.integers(1, 1000))
def test_repetitions_of_different_seeds_never_overlap(a: int, b: int, n: int, m: int) -> None:
    first, second = (Settings(seed, seeds, "smoke", "cpu", None).repetitions for seed, seeds in ((a, n), (b, m)))
    assert len(set(first)) == n
    assert a == b or not set(first) & set(second)


def test_what_is_right_is_read() -> None:
    assert read_settings(CONFIG) == Settings(3, 2, "smoke", "cpu", None)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"store": {"dir": 5, "max_gb": 1.0}}, "store.dir=5: input should be a valid string"),
        ({"store": {"dir": None, "max_gb": 0}}, "store.max_gb=0: input should be greater than 0"),
        ({"store": {"dir": None}}, "store.max_gb: it has no value; say store.max_gb=..."),
        ({"store": None}, "store=null: must hold keys, as store.KEY=VALUE"),
        (
            {"tracking": {**CONFIG["tracking"], "url": "x"}},
            "tracking.url: there is no such key; did you mean 'uri'?",
        ),
        (
            {"tracking": {**CONFIG["tracking"], "parent_run": 5}},
            "tracking.parent_run=5: input should be a valid string",
        ),
        ({"scale": "big"}, "scale='big': input should be 'smoke', 'default' or 'paper'"),
        ({"threads": 0}, "threads=0: input should be greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError) as refused:
        read_settings({**CONFIG, **change})
    assert str(refused.value) == line


def test_a_missing_setting() -> None:
    config = {key: value for key, value in CONFIG.items() if key != "seed"}
    with pytest.raises(InputError, match=r"^seed: it has no value; say seed=\.\.\.$"):
        read_settings(config)


def test_devices() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda", "mps")
    for name in ("meta", "cuba", ""):  # meta is a torch device that computes nothing
        with pytest.raises(InputError, match=rf"^device={name}: there is no such device; "):
            choose_device(name)
    with pytest.raises(
        InputError, match=r"^device=cuda:999: not available here \(.*\); use device=auto or device=cpu$"
    ):
        choose_device("cuda:999")
