r"""3.2 The derivative of one node of a computational graph by another: dg/db of Figure 1, and of any graph and pair.

Question. In b = 5 - 3a, c = 2b + 3, d = 5b + 6, e = 7c + d^2, f = 2e, g = 3f - o: how do changes in b affect g?

Idea. The chain rule on a graph: dg/db is the sum over all paths from b to g of the product of the local derivatives on
the path. Here there are two, through c and through d: 2 * 7 * 2 * 3 + 5 * 2d * 2 * 3 = 84 + 60 d = 300 b + 444. The
same number is found in five other ways: by one reverse sweep, one forward sweep, a formula (sympy), torch's autograd,
and finite differences, in which b is moved on its own. `params.graph` takes any other graph, any pair can be asked for.

Expected. All agree, the exact ones to rounding, central differences to an error of order h^2. What differs is the cost:
each diamond in a chain doubles the number of paths, while a sweep visits every edge once; and with many inputs one
reverse sweep does what takes one forward sweep for each of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dlexp.claims import claim_above, claim_below, claim_within
from dlexp.errors import InputError
from dlexp.graphs import symbolic
from dlexp.graphs.agreement import distance
from dlexp.graphs.asked import Asked, ask
from dlexp.graphs.cost_graphs import diamond_cost, funnel_cost
from dlexp.graphs.drawing import MAX_DRAWN
from dlexp.graphs.evaluate import shown
from dlexp.graphs.parser import parse
from dlexp.graphs.paths import PathSum, count_paths, elementary_links
from dlexp.graphs.pictures import formula_text, statement_picture
from dlexp.graphs.random_graphs import random_point
from dlexp.lab import Lab
from dlexp.plots import COLOURS, LINES, MARKERS, curves, figure, legend
from dlexp.stats import Interval, mean_interval

FIGURE_1 = "b = 5 - 3*a; c = 2*b + 3; d = 5*b + 6; e = 7*c + d**2; f = 2*e; g = 3*f - o"
POINT = {"a": 1.0, "o": 2.0}  # where Figure 1 is evaluated
PAIR = ("g", "b")  # the derivative that the exercise asks for
PROBE = "u = sin(x)*x; y = exp(u/2) + x**3"  # a graph whose third derivative does not vanish

# Practical margins, stated before looking.
SAME = 1e-6  # relative difference below which two derivatives are the same for any use in training
ORDER = 0.1  # distance of a measured order of convergence from a whole number that still counts as this number
DOUBLING = 0.9  # doublings of the work per further diamond from which on growth counts as exponential
ONCE = 1.5  # multiplications per edge: from here on, half of the edges would be visited twice
SAVED = 4.0  # times fewer multiplications that would decide which mode to use

STEPS = 10.0 ** np.arange(-1, -10.5, -0.5)  # h of finite differences, relative to the size of the input
FITTED = {"central": slice(1, 5), "forward": slice(2, 8)}  # of these steps: truncation outweighs rounding by far
FLOOR = 1e-17  # stands for errors of exactly 0 on a logarithmic axis
WIDTHS = (1, 2, 4, 8, 16, 32)  # inputs of the graphs on which forward and reverse mode are compared
LENGTH = 20  # operations there after the sum
LISTED = 40  # paths that the table lists
LONGEST = 600  # characters of LaTeX that are printed of a formula

CLAIMS = {  # method -> name and statement of the claim that it equals the sum over paths
    "reverse sweep": ("reverse_sweep_equals_paths", "The reverse sweep equals the sum over paths."),
    "forward sweep": ("forward_sweep_equals_paths", "The forward sweep equals the sum over paths."),
    "formula (sympy)": ("formula_equals_paths", "The formula, in 40 digits, equals the sum over paths."),
    "autograd (torch)": ("autograd_equals_paths", "Torch's autograd equals the sum over paths."),
    "central differences": ("finite_differences_equal_paths", "Central differences equal the sum over paths."),
    "300 b + 444": ("dg_db_is_300_b_plus_444", "In Figure 1, the sum over paths from b to g is 300 b + 444."),
}

Kind = Literal["central", "forward"]


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    graph: str | None  # statements NAME = EXPRESSION, separated by ; in any order; null: Figure 1
    values: dict[str, float | list[float]] | None  # of the graph's inputs; null: those of Figure 1, a = 1 and o = 2
    output: str | None  # the variable that is differentiated; null: g of Figure 1, else what no statement reads
    input: str | None  # the variable that is moved, also an intermediate one; null: b of Figure 1, else the first input
    draws: Annotated[int, Field(ge=1, le=100_000)]  # random points for each seed
    spread: Annotated[float, Field(gt=0, lt=1)]  # how far random points lie from the given one, relative
    diamonds: Annotated[int, Field(ge=2, le=16)]  # of the longest chain on which the cost is counted; 2^diamonds paths


def question(params: Params) -> Asked:
    """Graph, point and pair, from the parameters or from the exercise."""
    if params.graph is None:
        point = POINT if params.values is None else params.values
        return ask(FIGURE_1, point, params.output or PAIR[0], params.input or PAIR[1])
    graph = parse(params.graph, "params.graph")
    if not graph.inputs:
        raise InputError("params.graph: it has no variable, so there is nothing to differentiate by")
    output, source = params.output or graph.outputs[-1], params.input or graph.inputs[0]
    return ask(params.graph, params.values or {}, output, source)


def is_figure_1(params: Params, asked: Asked) -> bool:
    """Whether the graph and the pair are those of the exercise, whatever the point."""
    return params.graph is None and asked.names == PAIR


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything runs, graphs, points and pairs that cannot be worked with."""
    if len(lab.seeds) < 2:
        raise InputError("seeds=1: one repetition has no interval; use seeds of 2 or more")
    asked = question(params)
    asked.by_paths()
    symbolic.formula(asked.at.graph, asked.at.values, asked.at.output, {asked.source})


def run(lab: Lab, params: Params) -> None:
    """The paths, the formula, all methods at one point and at random points, and what they cost."""
    asked = question(params)
    formal_statement(lab)
    summed = list_paths(lab, asked)
    formula = as_formula(lab, asked, is_figure_1(params, asked))
    all_methods(lab, asked, formula)
    random_points(lab, params, asked, formula)
    orders_of_convergence(lab, params, asked)
    cost(lab, params)
    discussion(lab, asked, summed, is_figure_1(params, asked))


def formal_statement(lab: Lab) -> None:
    """The chain rule on a graph, and the two ways to factor it."""
    lab.answer.section(
        "Formal statement",
        r"Let $G = (V, E)$ be a directed acyclic graph in which node $v$ is computed by $\varphi_v$ from its "
        r"arguments. For the output $y$ and any node $x$, with $\mathcal{P}(x, y)$ the set of directed paths from $x$ "
        r"to $y$, $$\frac{\partial y}{\partial x} = \sum_{p \in \mathcal{P}(x, y)} \; \prod_{(u, v) \in p} "
        r"\frac{\partial \varphi_v}{\partial u}.$$ "
        r"Here $x$ is moved on its own: what it is computed from stays as it is. The sum has as many terms as there "
        r"are paths, but paths share edges. **Reverse mode** factors it from the output: "
        r"$\bar u = \sum_{(u, v)} \bar v \, \partial \varphi_v / \partial u$ from $\bar y = 1$, which gives the "
        r"derivatives of one output by *all* nodes. **Forward mode** factors it from the input: "
        r"$\dot v = \sum_{(u, v)} \dot u \, \partial \varphi_v / \partial u$ from $\dot x = 1$, which gives those of "
        r"*all* nodes by one input. Each visits every edge once.",
    )


def list_paths(lab: Lab, asked: Asked) -> PathSum:
    """Every path between the statements, with its product as a formula and as a number."""
    graph, answer, summed = asked.at.graph, lab.answer, asked.by_paths()
    local = symbolic.statement_jacobians(graph, asked.at.values)
    output, source = asked.names
    text = "; ".join(f"{name} = {formula}" for name, formula in graph.sources.items())
    point = ", ".join(f"{name} = {shown(np.asarray(value))}" for name, value in asked.at.point.items())
    fine = count_paths(elementary_links(asked.at.values, asked.at.local), asked.source, asked.at.output)
    answer.section(
        f"The paths from {source} to {output}",
        f"The graph is `{text}`, evaluated at {point}. Number of paths from `{source}` to `{output}`: "
        f"{len(summed.routes)} between statements, {fine} between elementary operations.",
    )
    rows = []
    for number, (route, value) in enumerate(zip(summed.routes, summed.products, strict=True), start=1):
        factors = [local[link.parent, link.child] for link in route]
        product = factors[-1]
        for factor in reversed(factors[:-1]):
            product = product * factor
        row = {"path": number, "nodes": " -> ".join([source, *(graph.nodes[link.child].name for link in route)])}
        row |= {"local derivatives": "; ".join(formula_text(factor) for factor in factors)}
        row |= {"product": formula_text(product.applyfunc(symbolic.tidy)), "value": shown(value.squeeze(), 10)}
        rows.append(row)
    caption = f"The paths from {source} to {output}, and the product of the local derivatives along each"
    answer.table("paths", rows[:LISTED], caption if len(rows) <= LISTED else f"{caption} (the first {LISTED})")
    if len(graph.names) > MAX_DRAWN:
        answer.text(f"With {len(graph.names)} variables the graph is not drawn.")
        return summed
    caption = (
        f"The graph between statements: value and adjoint (the derivative of {output}) in each box, local derivatives "
        f"on the arrows, the paths from {source} to {output} marked"
    )
    answer.figure("graph", statement_picture(asked, local, summed), caption)
    return summed


def as_formula(lab: Lab, asked: Asked, of_figure_1: bool) -> Any:
    """The derivative in terms of the input, from sympy."""
    import sympy

    found = asked.formula()
    output, source = (sympy.latex(sympy.Symbol(name)) for name in asked.names)
    latex = sympy.latex(found[0] if found.shape == (1, 1) else found)
    latex = latex if len(latex) <= LONGEST else r"\text{(too long to print)}"
    lab.answer.section(
        "As a formula",
        f"Written out in terms of ${source}$ and of the inputs beside it, and differentiated by sympy: "
        rf"$$\frac{{\partial {output}}}{{\partial {source}}} = {latex}.$$",
    )
    if of_figure_1:
        lab.answer.text(
            r"By hand, through $c$ and through $d$: $\frac{\partial g}{\partial b} = 3 \cdot 2 \cdot (7 \cdot 2 + 2d "
            r"\cdot 5) = 6 (14 + 10 d) = 84 + 60 d$, and with $d = 5b + 6$ this is $300 b + 444$."
        )
    return found


def all_methods(lab: Lab, asked: Asked, formula: Any) -> None:
    """The derivative at the point that is shown, by every method."""
    found = asked.by_methods(formula)
    total, (output, source) = found["sum over paths"], asked.names
    rows = [
        {"method": name, "derivative": shown(value, 10), "relative difference from the sum": distance(value, total)}
        for name, value in found.items()
    ]
    lab.answer.section("All methods at this point")
    lab.answer.table("methods", rows, f"d {output} / d {source} by every method")
    if total.ndim == 0:
        lab.answer.metric("derivative", float(total))


def random_points(lab: Lab, params: Params, asked: Asked, formula: Any) -> None:
    """The largest difference of each method from the sum over paths, per seed."""
    answer, of_figure_1 = lab.answer, is_figure_1(params, asked)

    def of_seed(seed: int) -> dict[str, float]:
        worst: dict[str, float] = {}
        for here in drawn(asked, [seed, 0], params):
            found = here.by_methods(formula)
            if of_figure_1:
                found["300 b + 444"] = 300 * here.value + 444
            total = found.pop("sum over paths")
            worst = {name: max(worst.get(name, 0.0), distance(value, total)) for name, value in found.items()}
        return worst

    by_seed = lab.map(of_seed, lab.seeds, "agreement at random points")
    largest = {name: [each[name] for each in by_seed] for name in by_seed[0]}
    answer.section(
        "Agreement at random points",
        f"Each seed draws {params.draws} points within {params.spread:.0%} of the shown one; what counts is its "
        r"largest difference $|p - q| / \max(1, |q|)$ from the sum over paths $q$.",
    )
    rows = [
        {"method": name, "mean of the seeds": float(np.mean(each)), "largest": max(each)}
        for name, each in largest.items()
    ]
    answer.table("agreement", rows, "Largest relative difference from the sum over paths")
    for method, each in largest.items():
        name, statement = CLAIMS[method]
        unit = "largest relative difference of a seed"
        answer.claim(claim_below(name, statement, mean_interval(each), SAME, unit))
    answer.objective = max(float(np.mean(each)) for each in largest.values())


def drawn(asked: Asked, seed: Sequence[int], params: Params) -> list[Asked]:
    """The same question at random points around the given one."""
    rng, at = np.random.default_rng(seed), asked.at
    points = [random_point(rng, at.graph, at.point, params.spread, at.where) for _ in range(params.draws)]
    return [asked.moved(point) for point in points]


def orders_of_convergence(lab: Lab, params: Params, asked: Asked) -> None:
    """The error of finite differences against h, on the graph that is asked about and on the probe."""
    probe, kinds = ask(PROBE, {"x": 1.0}, "y", "x"), ("central", "forward")
    errors = {
        f"{name}, {kind}": np.array(  # (seeds, steps)
            lab.map(lambda seed, e=each, k=kind: step_errors(e, k, seed, params), lab.seeds, f"{name}, {kind}")
        )
        for name, each in (("probe", probe), ("the graph", asked))
        for kind in kinds
    }
    fitted = [f"{STEPS[FITTED[kind]][0]:.1g} to {STEPS[FITTED[kind]][-1]:.1g} ({kind})" for kind in kinds]
    answer = lab.answer
    answer.section(
        "The error of finite differences",
        f"Mean error over {params.draws} points per seed, against the reverse sweep. Central differences are exact for "
        "quadratic functions, as $g$ is of $b$ in Figure 1: there they show rounding alone. The order is therefore "
        f"measured on a probe with a third derivative, `{PROBE}` by x, within {params.spread:.0%} of x = 1, over steps "
        f"from {' and from '.join(fitted)}.",
    )
    rows = [
        {"step h": float(h)} | {name: float(np.mean(each[:, k])) for name, each in errors.items()}
        for k, h in enumerate(STEPS)
    ]
    answer.table("steps", rows, "Mean error of finite differences, relative, by step")
    made, axes = figure(height=4.4)
    series = {name: [geometric(column) for column in each.T] for name, each in errors.items()}
    curves(axes, STEPS.tolist(), series)
    axes.set(xscale="log", yscale="log", xlabel="step h (relative to the size of the input)", ylabel="relative error")
    legend(axes, columns=2)
    caption = "Error of finite differences against the step: slope 2 (central), slope 1 (forward), rounding on the left"
    answer.figure("steps", made, f"{caption}; geometric means with 95 % bands over seeds")
    for kind, order, word in (("central", 2, "second"), ("forward", 1, "first")):
        part = FITTED[kind]
        slopes = [np.polyfit(np.log10(STEPS[part]), np.log10(one[part]), 1)[0] for one in errors[f"probe, {kind}"]]
        statement = f"The error of {kind} differences is of {word} order in h (measured order minus {order})."
        interval = mean_interval(np.array(slopes) - order)
        answer.claim(claim_within(f"{kind}_differences_are_of_{word}_order", statement, interval, ORDER, "order"))


def step_errors(asked: Asked, kind: Kind, seed: int, params: Params) -> NDArray[np.float64]:
    """(steps,): the mean error over random points."""
    each = [
        [distance(here.by_steps(float(step), kind), here.at.adjoints[here.source]) for step in STEPS]
        for here in drawn(asked, [seed, 1], params)
    ]
    return np.maximum(np.mean(each, axis=0), FLOOR)


def geometric(values: NDArray[np.float64]) -> Interval:
    """The geometric mean with its interval."""
    each = mean_interval(np.log10(values))
    assert each.low is not None
    assert each.high is not None
    return Interval(10**each.mean, 10**each.low, 10**each.high, each.n)


def cost(lab: Lab, params: Params) -> None:
    """Multiplications with a local derivative, counted as they are made."""
    answer = lab.answer
    chains = [diamond_cost(number) for number in range(1, params.diamonds + 1)]
    funnels = [funnel_cost(inputs, LENGTH) for inputs in WIDTHS]
    answer.section(
        "The cost: sum over paths against sweeps",
        "Counted are multiplications with a local derivative (with the seed 1 as well, so one for each edge of a path "
        r"or of a sweep). In a chain of diamonds, $x_k = \sin x_{k-1} + \tanh x_{k-1}$, each diamond doubles the "
        f"number of paths. In a funnel, many inputs are summed and {LENGTH} operations follow; forward mode needs a "
        "sweep for each input. Counts are exact, without interval.",
    )
    answer.table("diamonds", chains, "A chain of diamonds: multiplications for the derivative of its end by its start")
    answer.table("funnel", funnels, "A funnel: multiplications for the derivatives of its end by all inputs")
    draw_cost(lab, chains, funnels)

    growth = np.diff(np.log2([row["sum over paths"] for row in chains]))
    statement = "Each further diamond doubles the work of the sum over paths, or more (the smallest growth; exact)."
    doublings = exact(float(growth.min()))
    answer.claim(claim_above("sum_over_paths_is_exponential", statement, doublings, DOUBLING, "doublings per diamond"))
    statement = "The reverse sweep is linear: it uses each edge once (the most multiplications per edge; exact)."
    most = exact(max(row["reverse sweep"] / row["edges"] for row in chains))
    answer.claim(claim_below("reverse_sweep_is_linear", statement, most, ONCE, "multiplications per edge"))
    statement = f"With {WIDTHS[-1]} inputs, one reverse sweep saves most of the work of forward sweeps (exact)."
    saved = exact(funnels[-1]["forward sweeps"] / funnels[-1]["reverse sweep"])
    answer.claim(claim_above("one_reverse_sweep_serves_all_inputs", statement, saved, SAVED, "times fewer"))


def exact(value: float) -> Interval:
    """A count has no uncertainty."""
    return Interval(value, value, value, 1)


def draw_cost(lab: Lab, chains: list[dict[str, int]], funnels: list[dict[str, int]]) -> None:
    """Both counts on logarithmic axes."""
    made, (left, right) = figure(width=9.5, height=3.8, columns=2)
    for axes, rows, x, names in (
        (left, chains, "diamonds", ("sum over paths", "reverse sweep")),
        (right, funnels, "inputs", ("forward sweeps", "reverse sweep")),
    ):
        for number, name in enumerate(names):
            look = {"marker": MARKERS[number], "color": COLOURS[number], "linestyle": LINES[number], "markersize": 4}
            axes.plot([row[x] for row in rows], [row[name] for row in rows], label=name, **look)
        axes.set(yscale="log", ylabel="multiplications")
        legend(axes)
    left.set_xlabel("diamonds in the chain")
    right.set(xscale="log", xlabel="inputs of the funnel")
    right.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
    right.minorticks_off()
    lab.answer.figure("cost", made, "Multiplications of each method, counted (exact, no interval)")


def discussion(lab: Lab, asked: Asked, summed: PathSum, of_figure_1: bool) -> None:
    """How changes in the input affect the output, and what the methods are good for."""
    claims = {claim.name: claim for claim in lab.answer.claims}
    (output, source), at = asked.names, asked.value
    effect = (
        f"**How do changes in {source} affect {output}?** To first order $\\Delta {output} \\approx "
        f"\\frac{{\\partial {output}}}{{\\partial {source}}} \\Delta {source}$; at {source} = {shown(at)} the "
        f"derivative is {shown(summed.total.squeeze(), 6)}."
    )
    if of_figure_1:
        b, (by_c, by_d) = float(at), (float(product.squeeze()) for product in summed.products)
        effect += (
            f" Through $c$ it is {by_c:g} whatever $b$ is; through $d$ it is $60 d$, here {by_d:g}, as the square "
            f"makes the effect of $d$ grow with $d$. At $b = {b:g}$, $300 b + 444 = {300 * b + 444:g}$. "
            "The derivative changes its sign at $b = -1.48$: below it, raising $b$ lowers $g$. The exact change is "
            r"$\Delta g = (300 b + 444) \Delta b + 150 \Delta b^2$, so the first-order answer is off by "
            r"$150 \Delta b^2$. Neither $a$ nor $o$ occurs: $a$ acts only through $b$, and $o$ enters $g$ on its own."
        )
    same = [claims[name] for name, _ in CLAIMS.values() if name in claims]
    orders = [claims["central_differences_are_of_second_order"], claims["forward_differences_are_of_first_order"]]
    paths, reverse, inputs = (
        claims[name]
        for name in (
            "sum_over_paths_is_exponential",
            "reverse_sweep_is_linear",
            "one_reverse_sweep_serves_all_inputs",
        )
    )
    lines = [
        effect,
        "**The same number in six ways.** The sum over paths explains it: which ways the effect takes, and how much "
        "goes along each. The formula holds for all points at once, but grows with the graph. The sweeps, and "
        "autograd, which is the reverse sweep, give it at one point for the price of the graph. Finite differences "
        "need no derivative at all and lose about a third of the digits (central) or half of them (forward). Verdicts: "
        + "; ".join(f"`{claim.name}` {claim.verdict}" for claim in same)
        + ".",
    ]
    if any(claim.verdict != "supported" for claim in same):
        lines.append(
            f"Where agreement within {SAME:g} is not shown: for finite differences a kink or a large third derivative "
            "nearby is a reason; for any other method it would be an error in a local derivative."
        )
    lines.append(
        f"**The error of finite differences** on the probe falls as $h^{{{orders[0].effect + 2:.2f}}}$ (central) and "
        f"$h^{{{orders[1].effect + 1:.2f}}}$ (forward) until rounding, which grows as $1/h$, takes over: hence the "
        r"step $\epsilon^{1/3}$ of the central ones."
    )
    if any(claim.verdict != "supported" for claim in orders):
        lines.append(
            "An order that is not shown to be whole means that terms of higher order still count at the largest steps, "
            "or rounding at the smallest, or that few points were drawn."
        )
    lines += [
        f"**Why nobody sums over paths.** Its work grows by {paths.effect:.2f} doublings or more per diamond, while "
        f"the reverse sweep makes {reverse.effect:g} multiplication per edge. A dense net with $L$ hidden layers of "
        "width $n$ has $n^L$ paths from one input to one output. And a loss is one number with many inputs, the "
        f"weights: one reverse sweep serves them all, where forward sweeps cost {inputs.effect:.1f} times as much with "
        f"{WIDTHS[-1]} inputs already. With one input and many outputs it is the other way round.",
        "**Limits.** Reverse mode must keep all values of the forward pass, which a count of multiplications does not "
        "show. Random points keep the signs of the given ones. The claims are not corrected for one another.",
    ]
    lab.answer.section("Discussion", "\n\n".join(lines))
