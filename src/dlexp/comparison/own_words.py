"""What is said of a proposal that is the user's own, and lists of names in sentences."""

import inspect
from collections.abc import Sequence

from dlexp.schema import locate


def own_words(name: str, target: str, group: str) -> str:
    """The Markdown text that introduces the option `name` of a config group by the docstring of its `_target_`.

    Raises:
        InputError: there is no such callable.
    """
    stated = inspect.getdoc(locate(target, group)) or "(It has no docstring that would say more.)"
    quoted = "\n".join(f"> {line}".rstrip() for line in stated.splitlines())
    return f"The proposal of this run is `{name}`, which is `{target}`:\n\n{quoted}"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: `a`, `b` and `c`; none where there are none."""
    marked = [f"`{name}`" for name in names]
    return " and ".join([", ".join(marked[:-1]), marked[-1]] if len(marked) > 1 else marked) or "none"
