"""What `dlexp list`, `dlexp show` and `dlexp store` print. Reads YAML and source text; imports no experiment."""

import ast
import json
import shutil
import textwrap
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from dlexp import registry
from dlexp.registry import Exercise

SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def as_json() -> str:
    """The exercises as a JSON array of slug, chapter, number, title, starred."""
    keys = ("slug", "chapter", "number", "title", "starred")
    rows = [{key: getattr(exercise, key) for key in keys} for exercise in registry.exercises().values()]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def as_table() -> str:
    """The exercises as a table by chapter; a star marks the course's harder ones."""
    known = list(registry.exercises().values())
    width = max((len(exercise.slug) for exercise in known), default=0)
    lines: list[str] = []
    for title, members in groupby(known, key=registry.chapter_title):
        lines += ["", title]
        for exercise in members:
            star = "*" if exercise.starred else " "
            lines.append(f"  {exercise.number:>4}{star} {exercise.slug:<{width}}  {exercise.title}")
    return "\n".join([*lines, "", "dlexp show SLUG explains one; dlexp run exercise=SLUG runs it."]).strip("\n")


def describe(slug: str) -> str:
    """Everything about one exercise."""
    exercise = registry.find(slug)
    star = " (starred)" if exercise.starred else ""
    parts = [
        f"{exercise.number} {exercise.title}{star}\n{registry.chapter_title(exercise)}",
        f"Enunciado\n{_wrap(exercise.statement['pt'])}",
        f"Statement\n{_wrap(exercise.statement['en'])}",
        f"Command\n  dlexp run exercise={slug}",
        f"Groups (dataset=NAME, model=NAME, ...)\n{_columns(list(exercise.groups.items()))}",
        f"Parameters (params.NAME=VALUE)\n{_parameters(exercise)}",
        f"Scales (scale=NAME)\n{_scales(exercise)}",
        "References\n" + "\n".join(_wrap(f"- {reference}", hanging=4) for reference in exercise.references),
    ]
    return "\n\n".join(parts)


def store_table(folder: str, clear: bool) -> str:
    """The kept nets with size and age, or what clearing them freed."""
    from dlexp.store import Store

    root = Path(folder).expanduser()
    if not root.is_dir():
        return f"nothing is kept: there is no {root}"
    nets = Store(root.absolute(), max_bytes=2**63).entries()
    size = sum(entry.bytes for entry in nets)
    if clear:
        Store(root.absolute(), max_bytes=2**63).clear()
        return f"removed {len(nets)} nets, {size / 1e6:.1f} MB"
    rows = [(entry.key[:16], f"{entry.bytes / 1e6:8.2f} MB", entry.description) for entry in nets]
    return "\n".join([_columns(rows), f"{len(nets)} nets, {size / 1e6:.1f} MB in {root}"]).strip("\n")


def _parameters(exercise: Exercise) -> str:
    """Two lines a parameter: name, default and type; then what it means."""
    lines = []
    for name, (annotation, comment) in registry.parameter_comments(exercise).items():
        default = json.dumps(exercise.parameters.get(name), ensure_ascii=False)
        lines.append(_wrap(f"{name}={default}  ({values_of(annotation)})", hanging=6))
        if comment:
            lines.append(textwrap.indent(_wrap(comment), "    "))
    return "\n".join(lines) or "  none"


def values_of(annotation: str) -> str:
    """A parameter's type and range in words: 'list[Annotated[float, Field(gt=0, lt=1)]]' -> 'list[float > 0, < 1]'."""
    return _words(ast.parse(annotation, mode="eval").body)


def _words(node: ast.expr) -> str:
    if isinstance(node, ast.BinOp):
        return f"{_words(node.left)} | {_words(node.right)}"
    if not isinstance(node, ast.Subscript):
        return ast.unparse(node)
    kind, inside = ast.unparse(node.value), node.slice
    parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    if kind == "Literal":
        return " | ".join(str(ast.literal_eval(part)) for part in parts)
    if kind == "Annotated":
        limits = [keyword for field in parts[1:] if isinstance(field, ast.Call) for keyword in field.keywords]
        said = [f"{SIGNS[each.arg]} {ast.unparse(each.value)}" for each in limits if each.arg in SIGNS]
        return f"{_words(parts[0])} {', '.join(said)}".strip()
    return f"{kind}[{', '.join(map(_words, parts))}]"


def _scales(exercise: Exercise) -> str:
    lines = []
    for scale in ("smoke", "default", "paper"):
        overrides = exercise.scales.get(scale)
        lines.append(_wrap(f"{scale:<8} {' '.join(overrides) if overrides else 'as shown above'}", hanging=11))
    return "\n".join(lines)


def _columns(rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return "  none"
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for row in rows:
        start = "  " + "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=False))
        lines.append(_wrap(f"{start.lstrip()}  {row[-1]}".rstrip(), hanging=len(start) + 2))
    return "\n".join(lines)


def _wrap(text: str, hanging: int = 2) -> str:
    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    lines = textwrap.wrap(
        text.strip(),
        width,
        initial_indent="  ",
        subsequent_indent=" " * hanging,
        break_long_words=False,
        drop_whitespace=True,
    )
    return "\n".join(lines)
