"""The operations that a graph may hold: their values and their local derivatives, in NumPy.

Values are scalars () or vectors (n,), float64; scalars broadcast. `derivatives` gives one array per argument. For an
operation that goes element by element, entry i is d result_i / d argument_i; for one that reduces vectors to a scalar,
entry i is d result / d argument_i. The two never mix, so one rule serves both (`backward.pulled_back`).

At a kink the derivative is the one that torch takes: 0 for relu and abs at 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Value = NDArray[np.float64]


@dataclass(frozen=True)
class Operation:
    """`value(*arguments)`, and `derivatives(*arguments)`: one per argument."""

    value: Callable[..., Value]
    derivatives: Callable[..., tuple[Value, ...]]
    sign: str | None = None  # how a binary operation is written; None: a function of one argument
    reduces: bool = False  # vectors to a scalar


def _sigmoid(x: Value) -> Value:
    return np.asarray(np.exp(-np.logaddexp(0.0, -x)))  # 1 / (1 + exp(-x)) without overflow


def _power_derivatives(a: Value, b: Value) -> tuple[Value, Value]:
    of_base = np.where(b == 0, 0.0, b * a ** (b - 1))
    of_exponent = np.where((a == 0) & (b > 0), 0.0, a**b * np.log(a))  # nan for a < 0: there is none
    return of_base, of_exponent


OPERATIONS: dict[str, Operation] = {
    "add": Operation(lambda a, b: a + b, lambda a, b: (np.ones_like(a + b), np.ones_like(a + b)), "+"),
    "sub": Operation(lambda a, b: a - b, lambda a, b: (np.ones_like(a - b), -np.ones_like(a - b)), "-"),
    "mul": Operation(lambda a, b: a * b, lambda a, b: (b + 0 * a, a + 0 * b), "*"),
    "div": Operation(lambda a, b: a / b, lambda a, b: (1 / b + 0 * a, -a / b**2), "/"),
    "pow": Operation(lambda a, b: a**b, _power_derivatives, "**"),
    "dot": Operation(lambda a, b: a @ b, lambda a, b: (b, a), "@", reduces=True),
    "neg": Operation(lambda a: -a, lambda a: (-np.ones_like(a),)),
    "same": Operation(lambda a: a, lambda a: (np.ones_like(a),)),  # the statement `b = a`
    "abs": Operation(np.abs, lambda a: (np.sign(a),)),
    "cos": Operation(np.cos, lambda a: (-np.sin(a),)),
    "exp": Operation(np.exp, lambda a: (np.exp(a),)),
    "log": Operation(np.log, lambda a: (1 / a,)),
    "mean": Operation(np.mean, lambda a: (np.full_like(a, 1 / a.size),), reduces=True),
    "relu": Operation(lambda a: np.maximum(a, 0.0), lambda a: (np.where(a > 0, 1.0, 0.0),)),
    "sigmoid": Operation(_sigmoid, lambda a: (_sigmoid(a) * _sigmoid(-a),)),
    "sin": Operation(np.sin, lambda a: (np.cos(a),)),
    "sqrt": Operation(np.sqrt, lambda a: (0.5 / np.sqrt(a),)),
    "sum": Operation(np.sum, lambda a: (np.ones_like(a),), reduces=True),
    "tan": Operation(np.tan, lambda a: (1 + np.tan(a) ** 2,)),
    "tanh": Operation(np.tanh, lambda a: (1 - np.tanh(a) ** 2,)),
}

SIGNS = {name: each.sign for name, each in OPERATIONS.items() if each.sign is not None}
"""How binary operations are written."""

FUNCTIONS = tuple(name for name in OPERATIONS if name not in SIGNS and name not in ("neg", "same"))
"""What an expression may call by name, each with one argument."""


def compute(operation: str, arguments: Sequence[Value]) -> Value:
    """The value of an operation; it may be infinite or NaN, which is the caller's to refuse."""
    with np.errstate(all="ignore"):
        return np.asarray(OPERATIONS[operation].value(*arguments), dtype=np.float64)


def differentiate(operation: str, arguments: Sequence[Value]) -> tuple[Value, ...]:
    """The local derivatives of an operation, one per argument; they may be infinite or NaN."""
    with np.errstate(all="ignore"):
        found = OPERATIONS[operation].derivatives(*arguments)
    return tuple(np.asarray(each, dtype=np.float64) for each in found)
