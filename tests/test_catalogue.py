"""What `dlexp show` says of a parameter is read from what is checked."""

import pytest

from dlexp.catalogue import store_table, values_of


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ("Annotated[float, Field(gt=0, lt=1)]", "float > 0, < 1"),
        ("Annotated[int, Field(ge=1, le=10000)]", "int >= 1, <= 10000"),
        ("Annotated[int, Field(ge=1)] | None", "int >= 1 | None"),
        ("list[Annotated[int, Field(ge=1)]]", "list[int >= 1]"),
        ("Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=2)]", "list[float > 0]"),
        ("bool", "bool"),
        ("Literal['a', 'b']", "a | b"),
        ("Literal['a b', 3, None]", "a b | 3 | None"),
        ("Annotated[list[Literal['a', 'b']], Field(min_length=1)]", "list[a | b]"),
        ("Annotated[list[dict[str, Any]], Field(min_length=1)]", "list[dict[str, Any]]"),
        ("dict[str, Annotated[int, Field(ge=1)]]", "dict[str, int >= 1]"),
    ],
)
def test_ranges_in_words(annotation: str, words: str) -> None:
    assert values_of(annotation) == words


def test_no_store_yet(tmp_path: object) -> None:
    assert store_table(f"{tmp_path}/none", clear=False) == f"nothing is kept: there is no {tmp_path}/none"
