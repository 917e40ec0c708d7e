"""The language of the expressions: Python's grammar with an allow-list. Text in, checked syntax out, nothing evaluated.

Statements `NAME = EXPRESSION`, separated by `;` or line breaks and in any order, or one expression alone. An expression
has names, numbers, `+ - * / ** @` (`x @ w` is the dot product) and `operations.FUNCTIONS`. Everything else is refused.
"""

import ast
import builtins
import itertools
import math
import re
import threading
import warnings
from collections.abc import Iterator
from typing import Any

from dlexp.errors import InputError, nearest
from dlexp.graphs.operations import FUNCTIONS

MAX_LENGTH = 2000  # characters
MAX_DEPTH = 100  # levels of nesting of one expression
MAX_NAME = 24  # characters

BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
    ast.MatMult: "dot",
}
_REFUSED: dict[type[ast.AST], str] = {
    ast.Attribute: "attribute access",
    ast.Subscript: "a subscript",
    ast.Lambda: "a lambda",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.JoinedStr: "a string",
    ast.Compare: "a comparison",
    ast.BoolOp: "a logical operation",
    ast.IfExp: "a condition",
    ast.NamedExpr: "an assignment inside an expression",
    ast.List: "a list (vectors are values of variables)",
    ast.Tuple: "a tuple",
    ast.Dict: "a dictionary",
    ast.Set: "a set",
    ast.Not: "a logical operation",
    ast.Invert: "~",
    ast.BitXor: "^ (powers are written **)",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
_LITERALS = {bool: "a boolean", str: "a string", bytes: "a string", complex: "a complex number", type(None): "None"}
_PARSING = threading.Lock()  # the filters of warnings belong to all threads
EXAMPLE = "write for example y = 2*(a - b) + c"


def read(text: str, where: str = "expression") -> dict[str, ast.expr]:
    """What each name is defined as, checked; an expression alone defines y (or out, if it has a variable y).

    Raises:
        InputError: the text is not in the language, too long or too deep; its message, one line, starts with `where`.
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"{where}: {len(text)} characters are too long; at most {MAX_LENGTH} are read")
    lines = "\n".join(line.strip() for line in text.splitlines() if line.strip())
    body = _parsed(lines, where)
    if not body:
        raise InputError(f"{where}: it is empty; {EXAMPLE}")
    if len(body) == 1 and isinstance(body[0], ast.Expr):
        expression = body[0].value
        _check(expression, lines, where)
        free = itertools.chain(("y", "out"), (f"out{k}" for k in itertools.count(2)))
        return {next(name for name in free if name not in names(expression)): expression}
    found: dict[str, ast.expr] = {}
    for statement in body:
        name, expression = _assignment(statement, lines, where)
        if name in found:
            raise InputError(f"{where}: {name} is defined twice; give each value a name of its own")
        _check(expression, lines, where)
        found[name] = expression
    return found


def names(expression: ast.expr) -> list[str]:
    """The variables of a checked expression, in reading order."""
    found = [node for node in ast.walk(expression) if isinstance(node, ast.Name) and node.id not in FUNCTIONS]
    return list(dict.fromkeys(each.id for each in sorted(found, key=lambda node: (node.lineno, node.col_offset))))


def segment(node: ast.AST, text: str, limit: int = 40) -> str:
    """The piece of the text that a node stands for, on one line, cut where it is long."""
    said = " ".join((ast.get_source_segment(text, node) or "").split())
    return said if len(said) <= limit else said[: limit - 3] + "..."


def _parsed(text: str, where: str) -> list[ast.stmt]:
    try:
        with _PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what is refused below
            return ast.parse(text).body
    except (MemoryError, RecursionError) as error:
        raise _too_deep(where) from error
    except SyntaxError as error:
        if "nested" in str(error.msg):
            raise _too_deep(where) from error
        line = (text.splitlines() or [""])[min((error.lineno or 1), len(text.splitlines()) or 1) - 1]
        near = " ".join(line[max((error.offset or 1) - 1, 0) :][:20].split())
        raise InputError(
            f"{where}: cannot be read{f' at {near!r}' if near else ''} ({error.msg}); {EXAMPLE}"
        ) from error
    except ValueError as error:
        raise InputError(f"{where}: cannot be read ({error}); {EXAMPLE}") from error


def _assignment(statement: ast.stmt, text: str, where: str) -> tuple[str, ast.expr]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            _check_name(target.id, where)
            return target.id, statement.value
    said = segment(statement, text)
    raise InputError(f"{where}: '{said}' is not allowed; statements have the form NAME = EXPRESSION")


def _too_deep(where: str) -> InputError:
    return InputError(f"{where}: too deeply nested; at most {MAX_DEPTH} levels are read")


def _check(expression: ast.expr, text: str, where: str) -> None:
    """Refuse, in reading order, whatever the language does not have."""
    level: list[ast.AST] = [expression]
    for _ in range(MAX_DEPTH):  # first the depth, and without recursion
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    if level:
        raise _too_deep(where)
    for node in _in_order(expression):
        _check_node(node, text, where)


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        children.remove(node.func)  # a function's name, no variable
    for child in children:
        if isinstance(child, ast.expr | ast.keyword | ast.comprehension):
            yield from _in_order(child)


def _check_node(node: ast.AST, text: str, where: str) -> None:
    said = segment(node, text)
    if isinstance(node, ast.Name):
        return _check_name(node.id, where)
    if isinstance(node, ast.Constant):
        return _check_number(node.value, said, where)
    if isinstance(node, ast.Call):
        return _check_call(node, said, where)
    if isinstance(node, ast.BinOp):
        if type(node.op) in BINARY:
            return None
        raise _refusal(_REFUSED[type(node.op)], said, where)
    if isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.UAdd | ast.USub):
            return None
        raise _refusal(_REFUSED[type(node.op)], said, where)
    raise _refusal(_REFUSED.get(type(node), "this"), said, where)


def _check_call(node: ast.Call, said: str, where: str) -> None:
    if not isinstance(node.func, ast.Name):
        raise _refusal(_REFUSED.get(type(node.func), "a call of what is no name"), said, where)
    if node.func.id not in FUNCTIONS:
        raise InputError(f"{where}: there is no function {node.func.id[:40]}; {nearest(node.func.id, FUNCTIONS)}")
    if node.keywords or len(node.args) != 1 or isinstance(node.args[0], ast.Starred):
        raise InputError(f"{where}: '{said}' is not allowed; {node.func.id} takes one argument")


def _check_name(name: str, where: str) -> None:
    if name in FUNCTIONS:
        raise InputError(f"{where}: {name} is a function; write {name}(...), or give the variable another name")
    if name.startswith("_") or hasattr(builtins, name):
        raise InputError(f"{where}: the name {name[:40]} is not allowed, as Python uses it itself; choose another")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) or len(name) > MAX_NAME:
        raise InputError(f"{where}: the name {name[:40]} is not allowed; use up to {MAX_NAME} of A-Z, a-z, 0-9 and _")


def _check_number(value: Any, said: str, where: str) -> None:
    if type(value) not in (int, float):
        raise _refusal(_LITERALS.get(type(value), "this"), said, where)
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        finite = False
    if not finite:
        raise InputError(f"{where}: the number {said} is too large; it must be below 1.8e308")


def _refusal(what: str, said: str, where: str) -> InputError:
    listed = ", ".join(FUNCTIONS)
    return InputError(f"{where}: '{said}': {what} is not allowed; use names, numbers, + - * / ** @ and {listed}")
