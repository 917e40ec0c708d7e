"""The ends of error lines: hints and foreign exceptions."""

import string

from hypothesis import given
from hypothesis import strategies as st

from dlexp.errors import DlexpError, InputError, nearest, one_line

names = st.text(string.ascii_lowercase + "_", min_size=1, max_size=12)


def test_exit_codes() -> None:
    assert (DlexpError("x").exit_code, InputError("x").exit_code) == (1, 2)


@given(names, st.lists(names, min_size=1, max_size=30))
def test_a_hint_names_choices_only(name: str, choices: list[str]) -> None:
    hint = nearest(name, choices)
    if hint.startswith("did you mean '"):
        assert hint.removeprefix("did you mean '").removesuffix("'?") in choices
    else:
        listed = hint.removeprefix("choose from: ").split(", ...")[0].split(", ")
        assert listed == sorted(set(choices))[:12]


@given(names, st.lists(names, max_size=30))
def test_a_name_that_exists_is_its_own_nearest(name: str, choices: list[str]) -> None:
    assert nearest(name, [*choices, name]) == f"did you mean '{name}'?"


def test_a_foreign_exception_is_one_line() -> None:
    assert one_line(ValueError("first\n  second\tthird")) == "ValueError: first second third"
    assert one_line(KeyError()) == "KeyError"
    assert len(one_line(ValueError("x" * 1000))) == len("ValueError: ") + 300
