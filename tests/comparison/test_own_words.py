"""What is said of a proposal of the user's own."""

from pathlib import Path

import pytest

from dlexp import registry
from dlexp.comparison.own_words import listed, own_words
from dlexp.errors import InputError


def test_the_docstring_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "words.py").write_text(
        'class Told:\n    """First.\n\n    Second.\n    """\n\n\nclass Silent:\n    pass\n'
    )
    monkeypatch.chdir(tmp_path)
    registry.roots.cache_clear()
    try:
        told = own_words("mine", "experiments.words.Told", "loss")
        silent = own_words("mine", "experiments.words.Silent", "loss")
        with pytest.raises(InputError, match=r"^loss: _target_ 'experiments\.words\.Nothing' does not exist"):
            own_words("mine", "experiments.words.Nothing", "loss")
    finally:
        registry.roots.cache_clear()
    head = "The proposal of this run is `mine`, which is `experiments.words.Told`:"
    assert told == f"{head}\n\n> First.\n>\n> Second."
    assert silent.endswith("> (It has no docstring that would say more.)")


@pytest.mark.parametrize(
    ("names", "said"),
    [([], "none"), (["a"], "`a`"), (["a", "b"], "`a` and `b`"), (["a", "b", "c"], "`a`, `b` and `c`")],
)
def test_lists_of_names(names: list[str], said: str) -> None:
    assert listed(names) == said
