"""What can go wrong in a way a user can mend, said in one line."""

import difflib
from collections.abc import Iterable


class DlexpError(Exception):
    """A run that failed: its message is one clear line; the process exits with `exit_code`."""

    exit_code = 1


class InputError(DlexpError):
    """The user's input is at fault (a name, a value, a file): says what is wrong and what to do."""

    exit_code = 2


def nearest(name: str, choices: Iterable[str], limit: int = 12) -> str:
    """A hint that ends an error line: the closest of `choices` to `name`, else the choices themselves."""
    known = sorted(set(choices))
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    if not known:
        return "there is nothing to choose from"
    more = f", ... ({len(known)} in all)" if len(known) > limit else ""
    return f"choose from: {', '.join(known[:limit])}{more}"


def one_line(error: BaseException, limit: int = 300) -> str:
    """Type and message of an exception that was not written for users, on one line."""
    text = " ".join(str(error).split())[:limit]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
