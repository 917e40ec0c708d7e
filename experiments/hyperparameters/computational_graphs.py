r"""3.1 The computational graphs of 2(a - b) + c, x^T w + b and ((x - mu) / sigma) gamma + delta, and of any expression.

Question. Which graph computes an expression?

Idea. Read the expression into a directed acyclic graph: inputs and constants are leaves, every elementary operation is
a node, an edge says "reads". Nodes in topological order give the value (forward); each edge carries the local
derivative of its operation; one sweep in reverse order gives the derivative of the output by every node. The text is
parsed by an allow-list, never run as code: `params.expression` takes any, and refuses what is not arithmetic.

Checks. The same graph built in torch and differentiated by its autograd; central differences, which know nothing of
the chain rule; random points around the given ones; and random graphs, as the three expressions are trees, in which no
value has two readers, so they cannot show whether the contributions of several readers add up. The control is a sweep
that keeps only the last contribution, the classic error.

Expected. The sweep equals autograd to rounding (it is the same algorithm), and finite differences to their own error.
The control is right on the three trees and wrong on most graphs with shared values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from dlexp.claims import claim_above, claim_below
from dlexp.errors import InputError, nearest
from dlexp.graphs import symbolic
from dlexp.graphs.agreement import Agreement, agreement
from dlexp.graphs.autograd import autograd
from dlexp.graphs.differentiated import Differentiated, differentiated
from dlexp.graphs.drawing import MAX_DRAWN
from dlexp.graphs.evaluate import shown, written
from dlexp.graphs.finite_differences import finite_differences
from dlexp.graphs.operations import FUNCTIONS
from dlexp.graphs.parser import parse
from dlexp.graphs.pictures import elementary_picture
from dlexp.graphs.random_graphs import random_point, random_statements
from dlexp.lab import Lab
from dlexp.plots import COLOURS, MARKERS, figure, legend
from dlexp.stats import mean_interval

# Practical margins, stated before looking.
SAME = 1e-6  # relative difference below which two derivatives are the same for any use in training
WRONG = 0.01  # relative difference from which on a derivative counts as wrong
SPOILED = 0.1  # share of graphs with a wrong derivative from which on an implementation is plainly broken

FLOOR = 1e-17  # where differences of exactly 0 are drawn on a logarithmic axis
LONGEST = 300  # characters of LaTeX that are printed of one derivative
RANDOM = "random graphs"

Measured = Mapping[str, Sequence[Sequence[Agreement]]]  # name -> seed -> points or graphs


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    expressions: dict[str, str]  # name -> statements NAME = EXPRESSION, separated by ;
    points: dict[str, dict[str, float | list[float]]]  # name -> value of each input, a number or a list of numbers
    expression: str | None  # one's own, looked at in place of `expressions`; null: none
    values: dict[str, float | list[float]] | None  # of the inputs of `expression`; null: none
    draws: Annotated[int, Field(ge=1, le=100_000)]  # random points for each expression and seed
    spread: Annotated[float, Field(gt=0, lt=1)]  # how far random points lie from the given one, relative
    random_graphs: Annotated[int, Field(ge=1, le=100_000)]  # random graphs for each seed
    random_statements: Annotated[int, Field(ge=1, le=20)]  # statements of each random graph


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything runs, what cannot be parsed, evaluated or differentiated."""
    if len(lab.seeds) < 2:
        raise InputError("seeds=1: one repetition has no interval; use seeds of 2 or more")
    for each in examples(params).values():
        symbolic.formula(each.graph, each.values, each.output, each.sources)


def examples(params: Params) -> dict[str, Differentiated]:
    """The expressions of this run, differentiated at the points that are shown."""
    if params.expression is not None:
        return {"own": differentiated(params.expression, params.values or {}, "params.expression", "params.values")}
    if params.values:
        raise InputError("params.values: these belong to params.expression, which is null; say params.expression=...")
    if not params.expressions:
        raise InputError("params.expressions={}: there is nothing to look at; say params.expression=...")
    for name in (*params.expressions, *params.points):
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise InputError(f"params.expressions.{name}: a name has lower-case letters, digits and _ only")
        if name not in params.expressions:
            raise InputError(f"params.points.{name}: no expression is called so; {nearest(name, params.expressions)}")
    return {
        name: differentiated(text, params.points.get(name, {}), f"params.expressions.{name}", f"params.points.{name}")
        for name, text in params.expressions.items()
    }


def run(lab: Lab, params: Params) -> None:
    """Every expression as formula, table and figure; then the sweep against its references."""
    found = examples(params)
    formal_statement(lab)
    for name, each in found.items():
        show(lab, name, each)
    measured = {
        name: lab.map(lambda seed, e=each, k=k: at_random_points(e, [seed, k], params), lab.seeds, f"points of {name}")
        for k, (name, each) in enumerate(found.items())
    }
    measured[RANDOM] = lab.map(lambda seed: on_random_graphs(seed, params), lab.seeds, RANDOM)
    verify(lab, params, measured)
    discussion(lab, found, measured)


def formal_statement(lab: Lab) -> None:
    """What a computational graph is, and both passes."""
    lab.answer.section(
        "Formal statement",
        r"A computational graph is a directed acyclic graph $G = (V, E)$. Its leaves are inputs and constants; every "
        r"other node $v$ has an elementary operation $\varphi_v$ and ordered arguments $\mathrm{pa}(v)$, with one edge "
        r"$(u, v)$ for each. In a topological order (arguments first) the **forward pass** computes "
        r"$v = \varphi_v(\mathrm{pa}(v))$. Each edge carries the local derivative $\partial \varphi_v / \partial u$ at "
        r"these values. With the adjoint $\bar v = \partial y / \partial v$, the **backward sweep** starts from "
        r"$\bar y = 1$ and computes, in reverse order, "
        r"$\bar u = \sum_{(u, v) \in E} \bar v \, \partial \varphi_v / \partial u$. The sum runs over all readers of "
        r"$u$: a value that is used twice receives two contributions. Where a scalar is broadcast to a vector, the "
        r"contributions of the entries add up as well. If $y$ is a vector, its adjoint is $(1, \dots, 1)$, which gives "
        r"the derivatives of $\sum_i y_i$.",
    )
    lab.answer.section(
        "Method",
        "The text is parsed with Python's grammar (`ast`) and an allow-list: names, numbers, `+ - * / ** @` (`x @ w` "
        f"is $x^T w$) and {', '.join(f'`{name}`' for name in FUNCTIONS)}; several statements `NAME = EXPRESSION` in "
        "any order. Anything else is refused, and nothing is run as code. Equal sub-expressions become one node. "
        "Derivatives are checked against torch's autograd on the same graph and against central differences with a "
        r"step of $\epsilon^{1/3}$; a difference is $|p - q| / \max(1, |q|)$. Formulas come from sympy.",
    )


def show(lab: Lab, name: str, each: Differentiated) -> None:
    """One expression: its derivatives as formulas, its nodes in topological order, its drawing, three methods."""
    graph, answer = each.graph, lab.answer
    text = "; ".join(f"{target} = {source}" for target, source in graph.sources.items())
    operations = sum(bool(node.parents) for node in graph.nodes)
    count = f"{len(graph.nodes)} nodes, {operations} of them operations, {len(graph.edges)} edges."
    answer.section(f"The graph of `{name}`: `{text}`", f"{count} {gradient_formulas(each)}")
    rows = [
        {
            "order": order + 1,
            "node": node.name,
            "operation": written(graph, order) if node.parents else node.operation,
            "value": shown(each.values[order], 6),
            "local derivatives": "; ".join(
                f"by {graph.nodes[parent].name}: {shown(each.local[parent, order, position], 6)}"
                for position, parent in enumerate(node.parents)
                if (parent, order, position) in each.local
            ),
            "adjoint": "" if node.constant is not None else shown(each.adjoints[order], 6),
        }
        for order, node in enumerate(graph.nodes)
    ]
    answer.table(f"nodes_{name}", rows, "Nodes in topological order: the forward pass and the backward sweep")
    if len(graph.nodes) <= MAX_DRAWN:
        made = elementary_picture(graph, each.values, each.local, each.adjoints, each.output)
        caption = f"Graph of {name}: value and adjoint in each box, the local derivative on each arrow"
        answer.figure(f"graph_{name}", made, caption)
    else:
        answer.text(f"With {len(graph.nodes)} nodes the graph is not drawn; the table above is the whole of it.")
    by_torch = autograd(graph, each.point, each.output, each.sources)
    rows = [
        {
            "input": graph.nodes[source].name,
            "backward sweep": shown(each.adjoints[source], 10),
            "autograd": shown(torch, 10),
            "central differences": shown(finite_differences(graph, each.point, each.output, source), 10),
        }
        for source, torch in zip(each.sources, by_torch, strict=True)
    ]
    answer.table(f"derivatives_{name}", rows, "Derivative of the output by each input, by three methods")


def gradient_formulas(each: Differentiated) -> str:
    """The derivatives by the inputs as formulas."""
    import sympy

    def latex(node: int) -> str:
        return str(sympy.latex(sympy.Symbol(each.graph.nodes[node].name)))

    output = symbolic.formula(each.graph, each.values, each.output, each.sources)
    top = latex(each.output) if each.values[each.output].ndim == 0 else rf"\sum_i {latex(each.output)}_i"
    parts = []
    for source in each.sources:
        symbols = symbolic.symbols_of(each.graph, each.values, source)
        by = [sympy.latex(sympy.factor_terms(one)) for one in symbolic.jacobian([sympy.Add(*output)], symbols)]
        value = by[0] if len(by) == 1 else rf"\left({', '.join(by)}\right)"
        derivative = rf"\partial {top} / \partial {latex(source)}"
        short = len(value) <= LONGEST
        parts.append(f"${derivative} = {value}$" if short else f"${derivative}$ (too long to print)")
    return f"As formulas: {', '.join(parts)}."


def at_random_points(each: Differentiated, seed: list[int], params: Params) -> list[Agreement]:
    """One expression at random points; a vector output with random adjoints."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(params.draws):
        point = random_point(rng, each.graph, each.point, params.spread, each.where)
        weights = np.asarray(rng.normal(size=each.values[each.output].shape))
        found.append(agreement(each.graph, point, each.output, weights))
    return found


def on_random_graphs(seed: int, params: Params) -> list[Agreement]:
    """Graphs in which values are shared."""
    found = []
    for number in range(params.random_graphs):
        text, point = random_statements(np.random.default_rng([seed, 1000 + number]), params.random_statements)
        graph = parse(text)
        found.append(agreement(graph, point, graph.index("y")))
    return found


def worst(measured: Measured, names: Sequence[str], reference: str) -> list[float]:
    """For each seed the largest difference over its points or graphs, of all `names`."""
    by_seed = zip(*(measured[name] for name in names), strict=True)
    return [max(getattr(one, reference) for each in seed for one in each) for seed in by_seed]


def share_spoiled(measured: Measured, name: str) -> list[float]:
    """For each seed the share of points or graphs at which the control is wrong."""
    return [float(np.mean([one.overwriting > WRONG for one in each])) for each in measured[name]]


def verify(lab: Lab, params: Params, measured: Measured) -> None:
    """The sweep against autograd and finite differences, and the control."""
    answer, unit = lab.answer, "largest relative difference of a seed"
    answer.section(
        "The sweep against its references",
        f"Each seed draws {params.draws} points per expression, within {params.spread:.0%} of the given one (a vector "
        f"output with random adjoints), and {params.random_graphs} random graphs of {params.random_statements} "
        "statements, in which values are read by several later statements. What counts is the largest difference over "
        "all points, graphs, inputs and entries of a seed. The control is the same sweep, but $\\bar u$ is overwritten "
        "where it should be added to.",
    )
    rows = [
        {
            "graphs": name,
            "autograd": max(worst(measured, [name], "autograd")),
            "central differences": max(worst(measured, [name], "differences")),
            "control wrong (share)": float(np.mean(share_spoiled(measured, name))),
        }
        for name in measured
    ]
    caption = "Largest relative difference of the backward sweep over all seeds, and how often the control is wrong"
    answer.table("verification", rows, caption)
    draw_differences(lab, measured)

    expressions = [name for name in measured if name != RANDOM]
    for names, prefix, on in ((expressions, "sweep", "the expressions"), ([RANDOM], "random_graphs", RANDOM)):
        for reference, method in (("autograd", "torch's autograd"), ("differences", "central differences")):
            each = worst(measured, names, reference)
            name = f"{prefix}_equal{'s' if prefix == 'sweep' else ''}_{reference}"
            name = name.replace("differences", "finite_differences")
            statement = f"On {on}, the backward sweep equals {method}."
            answer.claim(claim_below(name, statement, mean_interval(each), SAME, unit))
            answer.metric(f"largest_{name}", max(each))
    answer.objective = answer.claims[0].effect
    statement = f"Contributions must add up: overwriting them is off by over {WRONG:.0%} on many random graphs."
    interval = mean_interval(share_spoiled(measured, RANDOM))
    answer.claim(claim_above("contributions_must_add_up", statement, interval, SPOILED, "share of the graphs"))


def draw_differences(lab: Lab, measured: Measured) -> None:
    """The largest difference of each seed, on a logarithmic axis with the margin."""
    made, axes = figure(height=3.6)
    for number, (key, label) in enumerate((("autograd", "autograd"), ("differences", "central differences"))):
        for position, name in enumerate(measured):
            values = [max(value, FLOOR) for value in worst(measured, [name], key)]
            at = position + (number - 0.5) * 0.36 + np.linspace(-0.12, 0.12, len(values))
            look = {"color": COLOURS[number], "markersize": 4, "label": label if position == 0 else None}
            axes.plot(at, values, MARKERS[number], **look)
    axes.axhline(SAME, color="black", linestyle=":", linewidth=1, label=f"margin {SAME:g}")
    axes.set(yscale="log", ylabel="largest relative difference", xlim=(-0.5, len(measured) - 0.5))
    axes.set_xticks(range(len(measured)), list(measured))
    legend(axes)
    caption = "Largest difference of the sweep from each reference, one mark per seed"
    lab.answer.figure("differences", made, f"{caption} (0 is drawn at {FLOOR:g})")


def discussion(lab: Lab, found: Mapping[str, Differentiated], measured: Measured) -> None:
    """What the graphs show, and how far the checks reach."""
    claims = {claim.name: claim for claim in lab.answer.claims}
    spoiled = claims["contributions_must_add_up"]
    by_torch, by_steps = (
        max(claim.effect for name, claim in claims.items() if name.endswith(f"_{end}"))
        for end in ("autograd", "finite_differences")
    )
    last = [f"`{name}`: `{each.graph.nodes[each.output].name} = {written(each.graph, each.output)}`"
            for name, each in found.items()]  # fmt: skip
    lines = [
        f"**The graphs** are those of the figures; their last operations are {'; '.join(last)}. A graph belongs to the "
        "*text*: `2*a - 2*b + c` has another one than `2*(a - b) + c`, with the same function and derivatives.",
        "**What one reads off the arrows.** An addition copies the adjoint to both arguments; a subtraction changes "
        "its sign for the second; a product exchanges the factors (the derivative by one is the value of the other), "
        "and so does the dot product, entry by entry; a scalar that is broadcast over a vector gets the sum of the "
        "contributions of all entries.",
    ]
    trees = [f"`{name}`" for name, each in found.items() if not each.shared]
    if trees:
        lines.append(
            f"**Shared values.** In {', '.join(trees)} no value has two readers, so a sweep that overwrites adjoints "
            "is right all the same: such expressions alone would not find the error. On random graphs with shared "
            f"values it is wrong for {spoiled.effect:.0%} of them ({spoiled.verdict})."
        )
    lines += [
        f"**Shared values.** In `{name}` {', '.join(f'`{node}`' for node in each.shared)} is read more than once: its "
        "adjoint is a sum."
        for name, each in found.items()
        if each.shared
    ]
    lines.append(
        f"**Agreement.** The sweep and autograd differ by {by_torch:.1e} (mean of the seeds' largest), which is to be "
        f"compared with the rounding unit {np.finfo(float).eps:.1e}. Autograd is the same algorithm, so this checks "
        "the implementation, not the principle. Finite differences check the principle, up to their own error, "
        rf"truncation of order $h^2$ and rounding of order $\epsilon / h$: here {by_steps:.1e}."
    )
    for name in ("sweep_equals_finite_differences", "random_graphs_equal_finite_differences"):
        if claims[name].verdict != "supported":
            lines.append(
                f"`{name}` is {claims[name].verdict}. Near a kink or a pole, or where third derivatives are large, "
                "central differences are themselves off by more than the margin; where autograd agrees with the sweep "
                "at the same points, they are the ones at fault."
            )
    if any(claim.verdict == "refuted" for name, claim in claims.items() if name.endswith("_autograd")):
        lines.append("A sweep that differs from autograd by more than rounding has a wrong local derivative.")
    if spoiled.verdict != "supported":
        lines.append(
            "The control is not shown to fail on a tenth of the random graphs: where graphs are few or short, few "
            "values are shared, or the contributions that get lost are small."
        )
    lines.append(
        "**Limits.** Values are scalars and vectors, no matrices. At a kink (`relu`, `abs` at 0) the derivative is "
        "torch's convention, 0, and finite differences give something else. Random points keep the signs of the given "
        "ones. The claims are not corrected for one another."
    )
    lab.answer.section("Discussion", "\n\n".join(lines))
