"""Graphs on which ways to differentiate differ most in cost, and what they cost there.

Counted are multiplications with a local derivative, as they are made.
"""

import numpy as np

from dlexp.graphs.backward import backward, forward_mode
from dlexp.graphs.differentiated import differentiated
from dlexp.graphs.paths import elementary_links, sum_over_paths


def diamonds(number: int) -> str:
    """A chain of diamonds from x0 to x<number>: 2^number paths in 4 number edges."""
    return "; ".join(f"l{k} = sin(x{k - 1}); r{k} = tanh(x{k - 1}); x{k} = l{k} + r{k}" for k in range(1, number + 1))


def funnel(inputs: int, length: int) -> str:
    """Inputs x1, x2, ..., which a chain of additions sums up, and `length` operations on the sum."""
    sums = ["s1 = sin(x1)", *(f"s{k} = s{k - 1} + x{k}" for k in range(2, inputs + 1))]
    chain = [f"t{k} = sin({f't{k - 1}' if k > 1 else f's{inputs}'})" for k in range(1, length + 1)]
    return "; ".join([*sums, *chain])


def diamond_cost(number: int) -> dict[str, int]:
    """A chain of diamonds: the derivative of its end by its start, as a sum over paths and by a reverse sweep."""
    each = differentiated(diamonds(number), {"x0": 0.5}, "diamonds", "diamonds")
    summed = sum_over_paths(elementary_links(each.values, each.local), each.sources[0], each.output, (1, 1))
    swept = backward(each.graph, each.values, each.local, each.output)
    counts = {"diamonds": number, "edges": len(each.local), "paths": len(summed.routes)}
    return counts | {"sum over paths": summed.multiplications, "reverse sweep": swept.multiplications}


def funnel_cost(inputs: int, length: int) -> dict[str, int]:
    """A funnel: the derivatives of its end by all inputs, by one forward sweep for each and by one reverse sweep."""
    point = {f"x{k}": 0.1 * k for k in range(1, inputs + 1)}
    each = differentiated(funnel(inputs, length), point, "funnel", "funnel")
    one = np.asarray(1.0)
    forwards = [forward_mode(each.graph, each.values, each.local, source, one) for source in each.sources]
    swept = backward(each.graph, each.values, each.local, each.output)
    counts = {"inputs": inputs, "edges": len(each.local)}
    together = sum(sweep.multiplications for sweep in forwards)
    return counts | {"forward sweeps": together, "reverse sweep": swept.multiplications}
