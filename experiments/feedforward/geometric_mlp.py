r"""2.1 An MLP of n layers, the i-th with k^i neurons: how large, how fast, how good?

Question. Given integers n and k, build the MLP whose layer i = 1, ..., n has k^i neurons. We read "n layers" as the n
hidden layers; a linear layer to the classes follows. What does this geometric shape cost, and what does it buy?

Idea. The size is a geometric series, so parameters and memory are known in closed form before anything is built, and a
net beyond the memory limit is refused with the figure. Over a grid of (n, k) we count parameters, time an epoch and
measure accuracy. All that the net knows of an input has to pass k neurons first: logits = g(W_1 x), W_1 of k rows. To
tell that narrow entrance from the small number of parameters, nets of the same depth and no more parameters are trained
with the widths in reverse order and with equal widths; the very same neurons in reverse order, which have more
parameters, show what the shrinking to the budget does. Every net gets the same small grid of learning rates.

Expected. With k = 1 the net is a function of one number, a monotone one of w^T x: depth can add nothing. With more, the
width k of the entrance decides more than depth or parameters do, and both controls beat the geometric order.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from math import log, log10, prod
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn
from torch.optim import Optimizer

from dlexp.claims import claim_above, claim_below
from dlexp.comparison.tuned import Contender, scores_of, tune_and_train, validation_split
from dlexp.errors import DlexpError, InputError
from dlexp.lab import Lab
from dlexp.models.geometric_mlp import (
    Memory,
    count_text,
    geometric_parameters,
    geometric_widths,
    measure_memory,
    memory_text,
    mlp_parameters,
    optimizer_state,
    predict_memory,
    refuse_too_large,
    why_too_large,
    widths_within,
)
from dlexp.parallel import torch_threads
from dlexp.plots import COLOURS, LINES, MARKERS, bars, error_bar, figure, legend, name_ticks
from dlexp.schema import instantiate
from dlexp.stats import Interval, mean_interval, paired_interval, spearman
from dlexp.training.recipe import Recipe
from dlexp.training.single import train_one

# Practical margins, stated before looking: accuracy that would change which net one builds.
DEPTH_GAIN = 0.02  # more than this, and depth would be worth its cost with one neuron per layer
ORDER_GAP = 0.02  # less than this, and the order of the widths would be a matter of taste
ENTRANCE_GAP = 0.05  # at equal parameters, a wider entrance must gain more than the shape of a net may cost
RANK_GAP = 0.1  # Spearman's rho by which k must tell the accuracy better than the number of parameters does
CONTROL_FROM = 3  # hidden layers: with fewer there is hardly an order to reverse

LABELS = {"geometric": "geometric", "reversed": "reversed", "equal": "equal", "mirrored": "reversed, same neurons"}

Accuracies = NDArray[np.float64]  # one per seed


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose; the net that is asked for is model.n, model.k."""

    ns: list[Annotated[int, Field(ge=1, le=1000)]]  # numbers of hidden layers of the grid
    ks: list[Annotated[int, Field(ge=1, le=1_000_000)]]  # neurons of the first hidden layer in the grid
    rates: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]  # peak learning rates that all nets try
    tuning_repetitions: Annotated[int, Field(ge=1, le=1000)]  # trainings at each rate; at most `seeds` are made
    timed_epochs: Annotated[int, Field(ge=1, le=1000)]  # the time of an epoch is the median of so many, on one thread


@dataclass(frozen=True)
class Cell:
    """One net of the grid, known before it is built."""

    n: int
    k: int
    parameters: int
    memory: Memory
    refused: str | None  # why it must not be built


@dataclass(frozen=True)
class Result:
    """Nets of one shape, one per seed, at the learning rate that did best on validation samples."""

    widths: list[int]
    parameters: int
    rate: float
    test: Accuracies
    recipe: Recipe


Key = tuple[str, Cell]  # order of the widths, net


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, what cannot be compared and a net too large for the memory."""
    model = lab.config["model"]
    if not {"n", "k", "memory_gb"} <= set(model):
        raise InputError(f"model={lab.choices['model']}: this exercise builds nets of n and k; use model=geometric_mlp")
    validation_split(lab)
    if model.get("weights") is not None:
        raise InputError(f"model.weights={model['weights']}: this exercise trains its nets; leave it null")
    n, k = model["n"], model["k"]
    refuse_too_large(memory_of(lab, geometric_widths(n, k)), model["memory_gb"], n, k)


def run(lab: Lab, params: Params) -> None:
    """Predict all sizes, train what fits, compare shapes, and judge the claims."""
    cells = plan(lab, params)
    asked = next(cell for cell in cells if (cell.n, cell.k) == (lab.config["model"]["n"], lab.config["model"]["k"]))
    trained = [cell for cell in cells if cell.refused is None]
    results = train(lab, params, shapes(lab, trained))

    formal_statement(lab)
    the_net(lab, asked, results["geometric", asked])
    the_grid(lab, params, cells, {cell: results["geometric", cell] for cell in trained})
    controls(lab, results)
    discussion(lab, cells, asked, results)


def memory_of(lab: Lab, widths: list[int]) -> Memory:
    """Predicted for the composed data, batch size and optimizer."""

    def make(parameters: list[nn.Parameter]) -> Optimizer:
        optimizer: Optimizer = instantiate(lab.config["optimizer"], parameters, where="optimizer")
        return optimizer

    sizes = (prod(lab.dataset.input_shape), *widths, lab.dataset.n_classes)
    return predict_memory(sizes, batch_size(lab), optimizer_state(make))


def plan(lab: Lab, params: Params) -> list[Cell]:
    """The grid and the net that is asked for, with what each would need."""
    model, data = lab.config["model"], lab.dataset
    cells = []
    for n, k in sorted({(n, k) for n in params.ns for k in params.ks} | {(model["n"], model["k"])}):
        memory = memory_of(lab, geometric_widths(n, k))
        parameters = geometric_parameters(n, k, prod(data.input_shape), data.n_classes)
        cells.append(Cell(n, k, parameters, memory, why_too_large(memory, model["memory_gb"], lab.device)))
    return cells


def shapes(lab: Lab, cells: list[Cell]) -> dict[Key, list[int]]:
    """Hidden widths of every net: the geometric ones, and within the same parameters the controls."""
    inputs, classes = prod(lab.dataset.input_shape), lab.dataset.n_classes
    widths = {("geometric", cell): geometric_widths(cell.n, cell.k) for cell in cells}
    for cell in cells:
        if cell.n >= CONTROL_FROM and cell.k > 1:
            backwards = geometric_widths(cell.n, cell.k)[::-1]
            if why_too_large(memory_of(lab, backwards), lab.config["model"]["memory_gb"], lab.device) is None:
                widths["mirrored", cell] = backwards
            widths["reversed", cell] = widths_within(cell.parameters, backwards, inputs, classes)
            widths["equal", cell] = widths_within(cell.parameters, [1] * cell.n, inputs, classes)
    return widths


def node(lab: Lab, shape: str, cell: Cell, widths: list[int]) -> dict[str, Any]:
    """The model group of one net; the geometric one is told the memory that it was checked for."""
    model = lab.config["model"]
    if shape != "geometric":
        return {"_target_": "dlexp.models.mlp.mlp", "activation": model["activation"], "widths": widths}
    state = cell.memory.optimizer // cell.memory.weights
    return {**model, "n": cell.n, "k": cell.k, "batch_size": batch_size(lab), "optimizer_state": state}


def train(lab: Lab, params: Params, widths: Mapping[Key, list[int]]) -> dict[Key, Result]:
    """Every order of widths at the learning rate that is best for it, once per seed."""
    contenders = {
        (order, cell): Contender(f"{order} n{cell.n} k{cell.k}", {"model": node(lab, order, cell, hidden)})
        for (order, cell), hidden in widths.items()
    }
    tuned = tune_and_train(lab, list(contenders.values()), params.rates, params.tuning_repetitions)
    results = {}
    for ((order, cell), hidden), each in zip(widths.items(), tuned, strict=True):
        parameters = mlp_parameters((prod(lab.dataset.input_shape), *hidden, lab.dataset.n_classes))
        built = {sum(weight.numel() for weight in trained.net.parameters()) for trained in each.trained}
        if built != {parameters} or (order == "geometric" and parameters != cell.parameters):
            raise DlexpError(f"{each.name}: {built} parameters, but the formula says {parameters}")
        test = np.array([score.accuracy for score in scores_of(lab, each.trained, lab.dataset.test)])
        results[order, cell] = Result(hidden, parameters, each.rate, test, each.trained[0].recipe)
    return results


def batch_size(lab: Lab) -> int:
    """Samples per training step."""
    return int(lab.config["trainer"]["batch_size"])


def formal_statement(lab: Lab) -> None:
    """The net, its size and its memory, as formulas."""
    limit = lab.config["model"]["memory_gb"]
    lab.answer.section(
        "Formal statement",
        r"For an input $x \in \mathbb{R}^d$ let $h_0 = x$ and $h_i = \phi(W_i h_{i-1} + b_i)$, with "
        r"$W_1 \in \mathbb{R}^{k \times d}$ and $W_i \in \mathbb{R}^{k^i \times k^{i-1}}$ for $i = 2, \dots, n$; the "
        r"logits are $z = V h_n + c$ with $V \in \mathbb{R}^{C \times k^n}$. We read the exercise's $n$ layers as the "
        r"hidden ones; the linear layer $V$ to the $C$ classes is added to them. The number of parameters is"
        "\n\n"
        r"$$P(n, k) = (d + 1)\,k + \sum_{i=2}^{n} (k^{i-1} + 1)\,k^i + (k^n + 1)\,C = (d+1)\,k + "
        r"k^3\,\frac{k^{2(n-1)} - 1}{k^2 - 1} + k^2\,\frac{k^{n-1} - 1}{k - 1} + (k^n + 1)\,C \quad (k > 1),$$"
        "\n\n"
        r"and $P(n, 1) = (d + 1) + 2 (n - 1) + 2 C$. For $k > 1$ it grows like $k^{2n+1} / (k^2 - 1)$: one more layer "
        r"costs a factor of $k^2$, and the last hidden matrix alone tends to the share $1 - k^{-2}$ of all parameters. "
        r"One training step in float32 with batch size $B$ and an optimizer that keeps $s$ numbers per weight holds"
        "\n\n"
        r"$$M = 4 \left[(2 + s)\, P + B \left(d + 2 \sum_{i=1}^{n} k^i + 2 C\right)\right] \text{ bytes:}$$"
        "\n\n"
        r"weights, gradients, optimizer state, and of each sample inputs, every hidden value before and after $\phi$, "
        "logits and log-probabilities. Both are computed in exact integers before anything is built, and a net with "
        f"$M$ beyond the smaller of {limit:g} GB (`model.memory_gb`) and the free memory is refused.",
    )


def the_net(lab: Lab, cell: Cell, result: Result) -> None:
    """The net that was asked for, layer by layer, and its predicted against its measured memory."""
    data, answer = lab.dataset, lab.answer
    sizes = (prod(data.input_shape), *result.widths, data.n_classes)
    answer.section(f"The net for n = {cell.n}, k = {cell.k}")
    names = [*map(str, range(1, cell.n + 1)), "output"]
    rows: list[dict[str, Any]] = [
        {"layer": name, "inputs": fan_in, "neurons": fan_out, "weights": fan_in * fan_out, "biases": fan_out}
        for name, fan_in, fan_out in zip(names, sizes, sizes[1:], strict=False)
    ]
    caption = f"Its layers: {count_text(cell.parameters)} parameters in all, by the closed form and by counting"
    answer.table("layers", rows, caption)

    torch.manual_seed(lab.seeds[0])
    net = lab.model(node(lab, "geometric", cell, result.widths)).train()
    optimizer = instantiate(lab.config["optimizer"], net.parameters(), where="optimizer")
    loss = instantiate(lab.config["loss"], where="loss")
    batch = slice(0, min(batch_size(lab), len(data.train)))
    measured = measure_memory(net, optimizer, loss, data.train.inputs(batch), data.train.y[batch])
    rows = [
        {"held for": part, "predicted bytes": getattr(cell.memory, part), "measured bytes": getattr(measured, part)}
        for part in ("weights", "gradients", "optimizer", "activations")
    ]
    answer.table("memory", rows, "Memory of one training step, predicted before building and counted afterwards")
    answer.metric("parameters", cell.parameters)
    answer.metric("accuracy", float(result.test.mean()))
    answer.objective = float(result.test.mean())


def the_grid(lab: Lab, params: Params, cells: list[Cell], trained: dict[Cell, Result]) -> None:
    """Parameters, time and accuracy of every (n, k), and what depth and width do to them."""
    answer, epochs = lab.answer, lab.config["trainer"]["epochs"]
    seconds = {cell: seconds_per_epoch(lab, result.recipe, params.timed_epochs) for cell, result in trained.items()}
    answer.section(
        "The grid",
        f"{len(trained)} of {len(cells)} nets fit the memory. The learning rate of each was chosen among "
        f"{len(params.rates)} on validation samples, in trainings of their own; at that rate it was trained for "
        f"{epochs} epochs from {len(lab.seeds)} seeds. The table gives test accuracy and its 95 % intervals. The "
        f"training time is that of an epoch (the median of {params.timed_epochs}, on one thread, one net at a time, "
        "apart from these trainings) times the epochs.",
    )
    rows = []
    for cell in cells:
        result = trained.get(cell)
        interval = None if result is None else mean_interval(result.test)
        rows.append(
            {
                "n": cell.n,
                "k": cell.k,
                "parameters": cell.parameters if cell.parameters < 10**15 else count_text(cell.parameters),
                "predicted memory": memory_text(cell.memory.total),
                "built": "yes" if cell.refused is None else f"refused: {cell.refused}",
                "learning rate": None if result is None else result.rate,
                "accuracy": None if interval is None else interval.mean,
                "low": None if interval is None else interval.low,
                "high": None if interval is None else interval.high,
                "training seconds": seconds[cell] * epochs if cell in seconds else None,
            }
        )
    answer.table("grid", rows, "Every (n, k): size, memory, time and test accuracy; refused nets were not built")
    answer.metric("nets_refused", len(cells) - len(trained))
    smallest, largest = (pick(trained, key=lambda cell: cell.parameters) for pick in (min, max))
    larger, longer = largest.parameters / smallest.parameters, seconds[largest] / seconds[smallest]
    text = (
        f"The largest trained net (n = {largest.n}, k = {largest.k}) has {larger:,.0f} times the parameters of the "
        f"smallest (n = {smallest.n}, k = {smallest.k}); an epoch of it takes {longer:.1f} times as long."
    )
    if larger > 10 * longer:
        text += " Nets this small are paid for by the layer, not by the parameter: most of a step is overhead."
    answer.text(text)
    draw_memory(lab, cells)
    draw_accuracy(lab, trained)
    judge_grid(lab, trained)


def judge_grid(lab: Lab, trained: dict[Cell, Result]) -> None:
    """The claims about n and k."""
    answer = lab.answer
    chain = line_of(trained, 1)
    if len(chain) > 1:
        gain = paired_interval(trained[chain[-1]].test, trained[chain[0]].test)
        statement = f"One neuron per layer: depth {chain[-1].n} gains nothing over depth {chain[0].n}."
        answer.claim(claim_below("depth_adds_nothing_to_one_neuron", statement, gain, DEPTH_GAIN, "accuracy"))
    if pair := closest_in_size(trained):
        narrow, wide = pair
        gain = paired_interval(trained[wide].test, trained[narrow].test)
        statement = (
            f"At about equal parameters ({wide.parameters} and {narrow.parameters}) the shallower net with the wider "
            f"entrance, n = {wide.n} and k = {wide.k}, beats the deeper one, n = {narrow.n} and k = {narrow.k}."
        )
        answer.claim(claim_above("wider_entrance_beats_depth", statement, gain, ENTRANCE_GAP, "accuracy"))
    if len({cell.k for cell in trained}) > 1:
        by_seed = np.array([result.test for result in trained.values()]).T  # (seeds, nets)
        k, parameters = [cell.k for cell in trained], [cell.parameters for cell in trained]
        ahead = mean_interval([spearman(k, test) - spearman(parameters, test) for test in by_seed])
        statement = "Over the grid, k tells the order of the accuracies better than the number of parameters does."
        answer.claim(claim_above("k_tells_more_than_parameters", statement, ahead, RANK_GAP, "Spearman's rho"))


def line_of(cells: Iterable[Cell], k: int) -> list[Cell]:
    """Those with this k, by depth."""
    return sorted((cell for cell in cells if cell.k == k), key=lambda cell: cell.n)


def seconds_per_epoch(lab: Lab, recipe: Recipe, epochs: int) -> float:
    """Median seconds of one epoch on one thread; the trainings themselves ran side by side."""
    once = replace(recipe, trainer=replace(recipe.trainer, epochs=1, snapshot_epochs=[], checkpoint_every=0))
    taken = []
    with torch_threads(1):
        for _ in range(epochs):
            start = time.perf_counter()
            train_one(once, lab.dataset, device=lab.device)
            taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def closest_in_size(cells: Iterable[Cell]) -> tuple[Cell, Cell] | None:
    """The two nets nearest in parameters of which one is deeper and the other has the larger k, both k at least 2."""
    pairs = [
        (narrow, wide)
        for narrow, wide in combinations(sorted(cells, key=lambda cell: cell.k), 2)
        if 1 < narrow.k < wide.k and narrow.n > wide.n
    ]
    return min(pairs, key=lambda pair: abs(log(pair[0].parameters / pair[1].parameters)), default=None)


def draw_memory(lab: Lab, cells: list[Cell]) -> None:
    """Memory against depth, the limit, and which nets lie beyond it."""
    limit = lab.config["model"]["memory_gb"]
    made, axes = figure()
    for index, k in enumerate(sorted({cell.k for cell in cells})):
        colour, marker = COLOURS[index % 6], MARKERS[index % 6]
        line = line_of(cells, k)
        powers = [log10(cell.memory.total) - 9 for cell in line]  # the integers may be too large for floats
        axes.plot([cell.n for cell in line], powers, linestyle=LINES[index % 6], color=colour)
        axes.plot([], [], marker, linestyle=LINES[index % 6], color=colour, label=f"k = {k}")
        for cell, power in zip(line, powers, strict=True):
            axes.plot(cell.n, power, marker, color=colour, mfc=colour if cell.refused is None else "white")
    axes.axhline(log10(limit), color="black", linewidth=1, label=f"limit {limit:g} GB")
    axes.yaxis.set_major_formatter(lambda power, _: f"$10^{{{power:g}}}$")
    axes.set(xlabel="hidden layers n", ylabel="memory to train (GB)")
    legend(axes, columns=5)
    lab.answer.figure("memory", made, "Predicted memory of one training step; hollow marks: refused, never built")


def draw_accuracy(lab: Lab, trained: dict[Cell, Result]) -> None:
    """Accuracy against depth and against parameters, one line per k."""
    depths = sorted({cell.n for cell in trained})
    made, (left, right) = figure(width=9.5, columns=2, sharey=True)
    for index, k in enumerate(sorted({cell.k for cell in trained})):
        line = line_of(trained, k)
        intervals = [cut(mean_interval(trained[cell].test)) for cell in line]
        means, ends = [each.mean for each in intervals], error_bar(intervals)
        look: dict[str, Any] = {
            "color": COLOURS[index % 6],
            "marker": MARKERS[index % 6],
            "linestyle": LINES[index % 6],
        }
        look |= {"capsize": 2, "markersize": 5}
        left.errorbar([depths.index(cell.n) + 0.07 * index for cell in line], means, ends, label=f"k = {k}", **look)
        right.errorbar([cell.parameters for cell in line], means, ends, **look)
    name_ticks(left, [str(n) for n in depths])
    left.tick_params(axis="x", rotation=0)
    for axes in (left, right):
        axes.axhline(1 / lab.dataset.n_classes, color="black", linewidth=1, linestyle=":", label="chance")
    left.set(xlabel="hidden layers n", ylabel="test accuracy", ylim=(0, 1.02))
    right.set(xlabel="parameters (n grows along each line)", xscale="log")
    made.legend(*left.get_legend_handles_labels(), loc="outside upper left", ncols=7, frameon=False)
    caption = "Test accuracy against depth (left) and parameters (right); 95 % intervals over seeds, cut at 0 and 1"
    lab.answer.figure("accuracy", made, caption)


def cut(interval: Interval) -> Interval:
    """For drawing: Student's interval of accuracies that lie far apart may reach beyond 0 or 1."""
    if interval.low is None or interval.high is None:
        return interval
    return replace(interval, low=max(interval.low, 0.0), high=min(interval.high, 1.0))


def controls(lab: Lab, results: dict[Key, Result]) -> None:
    """The same depth and no more parameters, with the widths in another order."""
    cells = [cell for shape, cell in results if shape == "equal"]
    if not cells:
        return
    answer = lab.answer
    answer.section(
        "Controls: the same budget in another order",
        f"For every trained net with $n \\ge {CONTROL_FROM}$ and $k > 1$: *reversed*, widths in the proportions "
        "$k^n : \\dots : k$, and *equal* widths, both as wide as the parameters of the geometric net allow. *Reversed, "
        "same neurons* has exactly the widths $k^n, \\dots, k$, whatever that takes: a diagnosis, not a control.",
    )
    orders = [order for order in LABELS if all((order, cell) in results for cell in cells)]
    rows = []
    for cell in cells:
        for order in orders:
            each = results[order, cell]
            interval, gain = mean_interval(each.test), paired_interval(each.test, results["geometric", cell].test)
            rows.append(
                {"n": cell.n, "k": cell.k, "order": LABELS[order], "widths": "-".join(map(str, each.widths))}
                | {"parameters": each.parameters, "learning rate": each.rate}
                | {"accuracy": interval.mean, "low": interval.low, "high": interval.high}
                | {"over geometric": gain.mean, "gain low": gain.low, "gain high": gain.high}
            )
    answer.table("orders", rows, "Test accuracy of the orders of widths; gains are paired by seed")
    draw_orders(lab, cells, orders, results)

    def gain_of(order: str) -> Interval:
        gains = [results[order, cell].test - results["geometric", cell].test for cell in cells]
        return mean_interval(np.mean(gains, axis=0))

    for order, words in (("reversed", "the reverse order beats"), ("equal", "equal widths beat")):
        statement = f"At no more parameters, {words} the geometric order, averaged over the {len(cells)} nets."
        answer.claim(claim_above(f"{order}_beats_geometric", statement, gain_of(order), ORDER_GAP, "accuracy"))
    if "mirrored" in orders:
        answer.metric("gain_of_same_neurons_reversed", gain_of("mirrored").mean)


def draw_orders(lab: Lab, cells: list[Cell], orders: list[str], results: dict[Key, Result]) -> None:
    """One group of bars per net, and each seed as a dot: nets whose ReLUs died lie far below the others."""
    made, axes = figure(width=max(7.0, 1.3 * len(cells)))
    bars(axes, {LABELS[order]: [cut(mean_interval(results[order, cell].test)) for cell in cells] for order in orders})
    width = 0.8 / len(orders)
    dot: dict[str, Any] = {"color": "black", "mfc": "white", "markersize": 3, "mew": 0.7}
    for index, order in enumerate(orders):
        for number, cell in enumerate(cells):
            at = number + width * (index + 0.75 - len(orders) / 2)  # beside the interval
            axes.plot([at] * len(lab.seeds), results[order, cell].test, "o", **dot)
    axes.plot([], [], "o", label="one seed", **dot)
    name_ticks(axes, [f"n = {cell.n}\nk = {cell.k}" for cell in cells])
    axes.tick_params(axis="x", rotation=0)
    axes.set(ylabel="test accuracy", ylim=(0, 1.02))
    made.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=5, frameon=False)
    caption = "Test accuracy by the order of the widths; 95 % intervals over seeds, cut at 0 and 1"
    lab.answer.figure("orders", made, caption)


def discussion(lab: Lab, cells: list[Cell], asked: Cell, results: dict[Key, Result]) -> None:
    """What the shape does, with the numbers of this run."""
    verdicts = {claim.name: claim.verdict for claim in lab.answer.claims}
    effects = {claim.name: f"{claim.effect:+.3f}, {claim.verdict}" for claim in lab.answer.claims}
    grid = {cell: each for (order, cell), each in results.items() if order == "geometric"}
    lines = [
        f"**The net.** For n = {asked.n} and k = {asked.k} the hidden layers have "
        f"{', '.join(map(count_text, grid[asked].widths))} neurons and the net {count_text(asked.parameters)} "
        f"parameters; its test accuracy is {mean_interval(grid[asked].test)}. k = 1 (a chain of single neurons) and "
        "n = 1 (one hidden layer of k neurons) are nets like any other."
    ]
    if refused := [cell for cell in cells if cell.refused is not None]:
        first = min(refused, key=lambda cell: cell.memory.total)
        lines.append(
            f"**Size.** Parameters grow exponentially with n: {len(refused)} of the {len(cells)} nets cannot be "
            f"trained within the limit; the smallest of them (n = {first.n}, k = {first.k}) would need "
            f"{memory_text(first.memory.total)}. The prediction needs n and k only, so nothing of them was allocated."
        )
    line = line_of(grid, max(cell.k for cell in grid))
    if len(line) > 1:
        gain = paired_interval(grid[line[-1]].test, grid[line[0]].test)
        lines.append(
            f"**What depth buys.** With k = {line[0].k}, going from n = {line[0].n} to n = {line[-1].n} multiplies the "
            f"parameters by {line[-1].parameters / line[0].parameters:,.0f} and changes the accuracy by {gain}. All "
            "that the net knows of $x$ are the k numbers $W_1 x$: later layers may bend this picture in k dimensions, "
            "but cannot bring back what the projection left out."
        )
    if "depth_adds_nothing_to_one_neuron" in verdicts:
        lines.append(
            r"**One neuron per layer.** With k = 1 every layer is $\phi(w h + b)$ of one number, so with a monotone "
            r"$\phi$ the net is $V \psi(w^T x) + c$ with a monotone scalar $\psi$. For ReLU, $\psi$ is linear between "
            "two constant pieces, and each partition of the line into classes that a deeper chain makes, one layer can "
            "make too. Depth can only harm: one ReLU that is 0 for all samples makes the net constant. Measured: "
            f"{effects['depth_adds_nothing_to_one_neuron']}."
        )
    if verdicts.get("k_tells_more_than_parameters") in ("inconclusive", "refuted"):
        lines.append(
            f"That k orders the accuracies better than parameters do ({effects['k_tells_more_than_parameters']}) does "
            "not stand out in this grid: parameters grow with k as well, so the two ranks can hardly be told apart. "
            "The pair at equal parameters is the sharper test."
        )
    if "equal_beats_geometric" in verdicts:
        lines += about_the_order(verdicts, effects, gains_of_equal_widths(results), lab.answer.metrics)
    lines.append(
        "**Limits.** One data set, one activation, one training length; the intervals cover initialisation and the "
        "order of the samples. Very narrow ReLU layers often die (accuracy at chance for some seeds): part of what "
        "such a shape costs, and milder with leaky activations; `activation=leaky_relu` tries it."
    )
    lab.answer.section("Discussion", "\n\n".join(lines))


def gains_of_equal_widths(results: dict[Key, Result]) -> dict[int, Interval]:
    """For each k: accuracy of equal widths over geometric ones, averaged over the depths, paired by seed."""
    gains = defaultdict(list)
    for order, cell in results:
        if order == "equal":
            gains[cell.k].append(results["equal", cell].test - results["geometric", cell].test)
    return {k: mean_interval(np.mean(each, axis=0)) for k, each in sorted(gains.items())}


def about_the_order(
    verdicts: Mapping[str, str], effects: Mapping[str, str], gains: dict[int, Interval], metrics: Mapping[str, float]
) -> list[str]:
    """What the controls say about the geometric order."""
    text = f"**The order of the widths.** Equal widths against geometric ones: {effects['equal_beats_geometric']}. "
    if verdicts["equal_beats_geometric"] == "supported":
        text += (
            "They use the same parameters better: a geometric net spends nearly all of them on its last matrix, behind "
            "an entrance that has already thrown most of the input away. "
        )
    else:
        text += "The average mixes budgets that give equal layers many neurons with budgets that give them a handful. "
    by_k = "; ".join(f"k = {k}: {gain}" for k, gain in gains.items())
    text += f"By k, the gain of equal widths is {by_k}."
    lines = [text]
    text = f"The reverse order, at the same budget: {effects['reversed_beats_geometric']}. "
    if verdicts["reversed_beats_geometric"] == "supported":
        lines.append(f"{text}A narrow exit costs less than a narrow entrance.")
        return lines
    text += (
        "A wide first layer pays d weights for each neuron, so within the budget the reversed net shrinks to an exit "
        "of a few neurons, often one: the logits of all classes are functions of these numbers, and where their ReLUs "
        "die the net is constant. The bottleneck has moved from the entrance to the exit and become narrower still."
    )
    if "gain_of_same_neurons_reversed" in metrics:
        text += (
            " The very same neurons in reverse order, not shrunk, change the accuracy by "
            f"{metrics['gain_of_same_neurons_reversed']:+.3f} on average; the figure shows for which k."
        )
    lines.append(text)
    return lines
