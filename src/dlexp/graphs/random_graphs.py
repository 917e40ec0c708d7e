"""Random graphs and random points, to test derivatives on more than a few chosen examples."""

from collections.abc import Mapping

import numpy as np

from dlexp.errors import InputError
from dlexp.graphs.backward import local_derivatives
from dlexp.graphs.evaluate import Given, forward
from dlexp.graphs.graph import Graph
from dlexp.graphs.operations import Value
from dlexp.graphs.parser import parse

TRIES = 200  # points drawn until one has finite values
VECTOR = 3  # entries of a vector

# Smooth everywhere, and none makes large numbers of small ones, so that finite differences can be compared too.
_ELEMENTWISE = (
    "{p} + {q}",
    "{p} - {q}*{r}/(1 + {r}**2)",
    "{p}*{q}/(1 + {q}**2)",
    "tanh({p})*{q}",
    "sin({p} + {q})",
    "cos({p})**3",
    "exp(tanh({p}))",
    "sigmoid({p} - {q})",
    "sqrt(1 + {p}**2)",
    "log(2 + {p}**2)",
    "-{p}/(2 + sin({p}))",
    "(1 + {p}**2)**tanh({q})",
)
_REDUCING = ("sum(tanh({v}))", "mean({v}*{w})", "tanh({v}) @ cos({w})")


def random_statements(rng: np.random.Generator, statements: int = 8) -> tuple[str, dict[str, float | list[float]]]:
    """Text of a random graph with output y, a scalar, and values of its inputs a, b (scalars), s, t (vectors).

    Every statement reads earlier names at random, the latest most often, so that values are shared. Inputs that nothing
    reads are left out of the values.
    """
    kinds = {"a": "scalar", "b": "scalar", "s": "vector", "t": "vector"}
    lines = []
    for number in range(statements):
        vectors = [name for name, kind in kinds.items() if kind == "vector"]
        name = f"u{number + 1}"
        if rng.random() < 0.25:
            template, used = str(rng.choice(_REDUCING)), {"v": _latest(rng, vectors), "w": _latest(rng, vectors)}
            kinds[name] = "scalar"
        else:
            template, used = str(rng.choice(_ELEMENTWISE)), {letter: _latest(rng, list(kinds)) for letter in "pqr"}
            read = [used[letter] for letter in "pqr" if f"{{{letter}}}" in template]
            kinds[name] = "vector" if any(kinds[each] == "vector" for each in read) else "scalar"
        lines.append(f"{name} = {template.format(**used)}")
    last = list(kinds)[-3:]
    lines.append("y = " + " + ".join(name if kinds[name] == "scalar" else f"mean({name})" for name in last))
    text = "; ".join(lines)
    size = {"scalar": (), "vector": (VECTOR,)}
    drawn = {name: rng.normal(size=size[kinds[name]]).tolist() for name in ("a", "b", "s", "t")}
    return text, {name: drawn[name] for name in parse(text).inputs}


def random_point(
    rng: np.random.Generator, graph: Graph, around: Mapping[str, Given], spread: float, where: str = "values"
) -> dict[str, Value]:
    """Inputs near those of `around`: each number moved by up to `spread` times its size (by `spread` itself, at 0).

    Points without finite values and derivatives are drawn anew. With `spread` below 1 no number changes its sign.

    Raises:
        InputError: none of 200 points has them; the message is that of the last.
    """
    problem = None
    for _ in range(TRIES):
        point = {}
        for name, value in around.items():
            array = np.asarray(value, dtype=np.float64)
            size = np.where(array == 0, 1.0, np.abs(array))
            point[name] = array + spread * size * rng.uniform(-1, 1, array.shape)
        try:
            local_derivatives(graph, forward(graph, point, where), where=where)
        except InputError as error:
            problem = error
            continue
        return point
    assert problem is not None
    raise problem


def _latest(rng: np.random.Generator, names: list[str]) -> str:
    """One of the names, the later the more likely."""
    weights = np.arange(1.0, len(names) + 1)
    return str(rng.choice(names, p=weights / weights.sum()))
