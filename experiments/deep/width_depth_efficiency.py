r"""4.1 The same neurons in more layers: which net is more efficient?

Question. N neurons in two hidden layers, or the same N in k = 4, 8, 16, ... layers of N / k: which net is better in
latency, storage and number of parameters?

Idea. With w = N / k neurons per layer there are about N^2 (k - 1) / k^2 parameters: most for k = 2, fewer with every
further layer. Bytes and FLOPs follow. Latency need not: a layer waits for the one before, so that k layers are k steps,
however small. We count what can be counted, time the rest side by side, train the nets to see what the saved parameters
cost in accuracy, and ask how far the indicators agree (Dehghani et al. 2022). As depth is not the only way to save
parameters, the control saves as many in two layers.

Expected. Depth wins by parameters, bytes, FLOPs and large batches; one sample takes longer in a deep net as long as its
weights fit the caches, and when they do not the fewer bytes may win. Very deep and narrow plain nets are less accurate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dlexp.claims import Claim, claim_above, claim_below, readings
from dlexp.comparison.equal_neurons import EQUAL, NARROW, Bench, Shape, measure, shapes, train
from dlexp.comparison.tuned import validation_split
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.models.initialization import Initialization
from dlexp.probes.efficiency_drawings import draw_ranks, draw_relative_costs, draw_trade_offs
from dlexp.probes.indicators import (
    COUNTED,
    DISK,
    FLOPS,
    PARAMETERS,
    PREDICTING,
    STEP_SECONDS,
    agreement,
    latency,
    rank_rows,
    ratio,
)
from dlexp.stats import Interval, paired_interval
from dlexp.training.batches import steps_per_epoch

# Practical margins, stated before looking. That fewer bytes may win for one sample was added to the docstring after a
# first look at the times.
FEWER = 0.5  # share of the parameters that the deepest net may keep, to be called much smaller
HEADER = 0.05  # share of a file that may be something other than four bytes per parameter
SLOWER, FASTER = 1.2, 1 / 1.2  # ratio of seconds that a user would notice
TELLS = 0.8  # rank correlation from which one indicator stands for another
ACCURACY_GAP = 0.01  # one point: with less, the smaller net would be taken


Batch = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    neurons: Annotated[int, Field(ge=2)]  # hidden neurons of each net that is trained, all layers together
    measured: list[Annotated[int, Field(ge=2)]]  # further totals whose nets are counted and timed, not trained
    layers: Annotated[list[Annotated[int, Field(ge=2, le=4096)]], Field(min_length=2)]  # k, from 2 upwards
    batches: Annotated[list[Batch], Field(min_length=2, max_length=2)]  # two numbers of samples predicted at once
    initialization: Initialization  # of every net, instead of model.initialization; torch's own is too small for depth
    rates: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]  # peak learning rates that all nets try
    tuning_repetitions: Annotated[int, Field(ge=1, le=1000)]  # trainings at each rate; at most `seeds` are made
    rounds: Annotated[int, Field(ge=5, le=100_000)]  # timings of each prediction; training steps get a fifth

    @property
    def totals(self) -> list[int]:
        """All totals, growing."""
        return sorted({self.neurons, *self.measured})


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, neurons that cannot be distributed and models without layers of neurons."""
    model = lab.config["model"]
    if "widths" not in model:
        raise InputError(f"model={lab.choices['model']}: this exercise needs an MLP; use model=mlp")
    if model.get("weights") is not None:
        raise InputError(f"model.weights={model['weights']}: this exercise trains its nets; leave it null")
    if model["initialization"] != "default":
        wanted = f"initialization={model['initialization']}"
        raise InputError(f"model.{wanted}: this exercise sets it; say params.{wanted}")
    if params.layers != sorted(set(params.layers)) or params.layers[0] != 2:
        raise InputError(f"params.layers={params.layers}: must grow from 2, say [2,4,8]")
    for total in params.totals:
        for k in params.layers:
            if total % k:
                raise InputError(f"params.layers: {total} neurons cannot be shared out equally among {k} layers")
    if len(set(params.batches)) < len(params.batches):
        raise InputError(f"params.batches={params.batches}: must be two different numbers, say [1,256]")
    validation_split(lab)


def run(lab: Lab, params: Params) -> None:
    """Count, time and train, compare the indicators, and judge the claims."""
    model = {**lab.config["model"], "initialization": params.initialization}
    costs = measure(lab, model, shapes(lab, model, params.totals, params.layers), params.batches, params.rounds)
    to_train = [shape for shape in costs if shape.neurons == params.neurons]
    bench = Bench(costs, *train(lab, model, to_train, params.rates, params.tuning_repetitions))

    formal_statement(lab, params)
    indicators(lab, params, bench)
    relative_costs(lab, params, bench)
    accuracies(lab, params, bench)
    misnomer(lab, params, bench)
    discussion(lab, params, bench)


def formal_statement(lab: Lab, params: Params) -> None:
    """The shapes, their closed forms, and how each indicator is measured."""
    trainer = lab.config["trainer"]
    lab.answer.section(
        "Formal statement",
        r"With $d$ inputs, $C$ classes and $N$ neurons in $k$ hidden layers of $w = N / k$, counted with biases, "
        r"$$P(k) = (d + 1) w + (k - 1)(w + 1) w + (w + 1) C = N^2 \frac{k - 1}{k^2} + \frac{N (d + C + k)}{k} + C,$$ "
        r"and one prediction takes $F(k) = 2 (d w + (k - 1) w^2 + w C)$ floating-point operations, two for each "
        r"weight. $(k - 1) / k^2$ is largest, $1/4$, at $k = 2$: 3/16 at $k = 4$, 7/64 at $k = 8$, about $1 / k$ "
        r"later. The exercise asks for $\arg\min_k$ of each indicator. Latency has no closed form: it is at least $k$ "
        r"times the time that a layer takes however small, and at least the time to read $4 P(k)$ bytes once they no "
        r"longer fit the caches.",
    )
    lab.answer.section(
        "Method",
        f"Totals of {' and '.join(map(str, params.totals))} neurons; the nets of {params.neurons} are also trained "
        f"({trainer['epochs']} epochs, {len(lab.seeds)} seeds, every net at the best of the same learning rates on "
        "validation samples). Control: two layers with the number of parameters of the net of $k$ layers. Parameters "
        "are counted and equal to the formula, as are the FLOPs of torch's `FlopCounterMode`. Bytes on disk are the "
        "size of the safetensors file. Peak memory is counted, not sampled: the bytes of all tensors alive at once "
        f"(predicting {params.batches[-1]} samples; one training step), without kernels' workspace. Times are on one "
        f"thread, after warm-up: all nets of one total in turn, there and back, {params.rounds} rounds, median and "
        "quartiles; intervals are over five stretches of rounds, net against net in the same stretch. Latency is that "
        "of the whole model with its normalisation, in torch's eager mode.",
    )


def indicators(lab: Lab, params: Params, bench: Bench) -> None:
    """The tables: counts with accuracies, times with quartiles, and the claims about counts."""
    answer, trainer = lab.answer, lab.config["trainer"]
    steps = trainer["epochs"] * steps_per_epoch(len(lab.dataset.train), trainer["batch_size"])
    untrained = dict.fromkeys(("accuracy", "accuracy low", "accuracy high"))
    rows, timed = [], []
    for shape, costs in bench.costs.items():
        row: dict[str, Any] = {"net": shape.family, "neurons": shape.neurons, "k": shape.k}
        widths = f"{len(shape.widths)} x {shape.widths[0]}" if len(set(shape.widths)) == 1 else str(shape.widths)
        rows.append({**row, "widths": widths, **costs.counted, **untrained})
        if shape in bench.accuracy:
            rows[-1] |= bench.mean_accuracy(shape).columns("accuracy", " ")
        for name, timing in costs.timed.items():
            low, high = timing.quartiles
            row |= {name: timing.median, f"{name}, first quartile": low, f"{name}, third quartile": high}
        whole = costs.timed[STEP_SECONDS].median * steps
        timed.append({**row, "whole training in seconds": whole})
    answer.section("All indicators")
    answer.table("counted", rows, f"Counted, and accuracy where trained; peak bytes for {params.batches[-1]} samples")
    answer.table("seconds", timed, "Timed on one thread: median and quartiles, in seconds")

    largest = bench.of(EQUAL, params.totals[-1])
    share = bench.against_two(largest[-1], PARAMETERS)
    statement = f"{largest[-1].neurons} neurons in {largest[-1].k} layers have far fewer parameters than in two."
    answer.claim(claim_below("parameters_fall_with_depth", statement, share, FEWER, "share of the parameters"))
    off = max(costs.counted[DISK] / (4 * costs.counted[PARAMETERS]) - 1 for costs in bench.costs.values())
    statement = "Storage is the number of parameters in another unit: little more than four bytes each."
    answer.claim(claim_below("storage_follows_parameters", statement, Interval(off, off, off, 1), HEADER, "share"))
    for shape in largest:
        answer.metric(f"parameters_{shape.k}_layers", bench.costs[shape].counted[PARAMETERS])
        for batch in params.batches:
            seconds = bench.costs[shape].typical(latency(batch))
            answer.metric(f"latency_of_{batch}_{shape.k}_layers_seconds", seconds)


def relative_costs(lab: Lab, params: Params, bench: Bench) -> None:
    """Every indicator against two layers: figure, table, and the claims about latency."""
    answer = lab.answer
    one, many = (latency(batch) for batch in params.batches)
    shown = (PARAMETERS, FLOPS, PREDICTING, one, many, STEP_SECONDS)
    panels = {
        f"{total} neurons": {
            name: [bench.against_two(shape, name) for shape in bench.of(EQUAL, total)] for name in shown
        }
        for total in params.totals
    }
    answer.section("Against two layers")
    for kind, names in (("counted", COUNTED), ("seconds", (one, many, STEP_SECONDS))):
        rows = [
            {"neurons": total, "indicator": name, f"best k, {kind}": bench.best(total, name)}
            | {f"k = {s.k}, {kind}": bench.against_two(s, name).mean for s in bench.of(EQUAL, total)}
            for total in params.totals
            for name in names
        ]
        answer.table(f"relative_{kind}", rows, f"The same neurons in k layers: cost as a multiple of k = 2 ({kind})")
    made = draw_relative_costs(params.layers, panels)
    answer.figure("relative_costs", made, "Cost of the same neurons in k layers as a multiple of two; 95 % intervals")
    for total in params.totals:
        deepest = bench.of(EQUAL, total)[-1]
        slower, faster = (bench.against_two(deepest, name) for name in (one, many))
        said = f"of {total} neurons in {deepest.k} layers than in two"
        statement = f"A prediction for {params.batches[0]} takes longer with a net {said}."
        name = f"depth_slows_batch_{params.batches[0]}_of_{total}"
        answer.claim(claim_above(name, statement, slower, SLOWER, "ratio of seconds"))
        statement = f"A prediction for {params.batches[1]} takes less time with a net {said}."
        name = f"depth_speeds_batch_{params.batches[1]}_of_{total}"
        answer.claim(claim_below(name, statement, faster, FASTER, "ratio of seconds"))


def accuracies(lab: Lab, params: Params, bench: Bench) -> None:
    """What the saved parameters cost in accuracy, by depth and by narrowing two layers."""
    answer = lab.answer
    deep, narrow = (bench.of(family, params.neurons) for family in (EQUAL, NARROW))
    rows = []
    for shape in (*deep, *narrow):
        over = paired_interval(bench.accuracy[shape], bench.accuracy[deep[0]])
        row: dict[str, Any] = {"net": shape.family, "k": shape.k, "parameters": bench.costs[shape].counted[PARAMETERS]}
        row |= {"learning rate": bench.trained[shape].rate, "at the grid's edge": bench.trained[shape].at_edge}
        row["train loss"] = bench.train_loss(shape) if np.isfinite(bench.train_loss(shape)) else None
        rows.append(row | over.columns("over k = 2"))
    answer.section("Accuracy")
    answer.table(
        "accuracy", rows, f"{params.neurons} neurons: test accuracy over that of two full layers, paired by seed"
    )
    axes = {"parameters": (PARAMETERS, 1)} | {
        f"latency of {each}, in milliseconds": (latency(each), 1000) for each in params.batches
    }
    families = {EQUAL: deep, NARROW: [deep[0], *narrow]}  # the first net belongs to both
    made = draw_trade_offs(
        {
            label: {family: [unit * bench.costs[s].typical(name) for s in those] for family, those in families.items()}
            for label, (name, unit) in axes.items()
        },
        {family: [bench.mean_accuracy(s) for s in those] for family, those in families.items()},
        {EQUAL: [str(s.k) for s in deep], NARROW: ["", *(str(s.k) for s in narrow)]},
    )
    caption = (
        f"Accuracy of {params.neurons} neurons against three costs; numbers: k, of a narrow net the k that it matches"
    )
    answer.figure("trade_offs", made, caption)
    answer.objective = bench.mean_accuracy(deep[-1]).mean
    for shape in deep:
        answer.metric(f"accuracy_{shape.k}_layers", bench.mean_accuracy(shape).mean)
    lost = paired_interval(bench.accuracy[deep[0]], bench.accuracy[deep[-1]])
    statement = f"{params.neurons} neurons are less accurate in {deep[-1].k} layers than in two."
    answer.claim(claim_above("depth_costs_accuracy", statement, lost, ACCURACY_GAP, "accuracy"))
    gained = paired_interval(bench.accuracy[narrow[-1]], bench.accuracy[deep[-1]])
    statement = f"Two layers with as many parameters are at least as accurate as {deep[-1].k} layers."
    answer.claim(claim_above("two_layers_are_as_accurate", statement, gained, -ACCURACY_GAP, "accuracy"))
    quicker = ratio(bench.costs[narrow[-1]], bench.costs[deep[-1]], latency(params.batches[0]))
    statement = (
        f"Two layers with as many parameters answer sooner than {deep[-1].k} layers (batch {params.batches[0]})."
    )
    answer.claim(claim_below("two_layers_answer_sooner", statement, quicker, FASTER, "ratio of seconds"))


def misnomer(lab: Lab, params: Params, bench: Bench) -> None:
    """Do the indicators order the trained nets alike? Rank correlations, and two claims."""
    answer = lab.answer
    those = list(bench.accuracy)
    one, many = (latency(batch) for batch in params.batches)
    values = {name: [float(bench.costs[shape].counted[name]) for shape in those] for name in COUNTED}
    values["error"] = [1 - bench.mean_accuracy(shape).mean for shape in those]
    values |= {name: [bench.costs[shape].typical(name) for shape in those] for name in (one, many, STEP_SECONDS)}
    rows = rank_rows(values)
    answer.section("Do the indicators agree?")
    answer.table("ranks", rows, f"Spearman's rank correlation over the {len(those)} nets that were trained")
    answer.figure("ranks", draw_ranks(rows), "Rank correlation of every two indicators over the trained nets")
    costs = [bench.costs[shape] for shape in those]
    for name, first, second, said in (
        ("parameters_tell_latency_of_one", PARAMETERS, one, f"predicting {params.batches[0]}"),
        ("flops_tell_latency_of_many", FLOPS, many, f"predicting {params.batches[1]}"),
    ):
        statement = f"The order of the nets by {first} is that by the time of {said}."
        agrees = agreement(costs, first, second)
        answer.claim(claim_above(name, statement, agrees, TELLS, "Spearman's rho of seconds"))


def discussion(lab: Lab, params: Params, bench: Bench) -> None:
    """The answer per indicator, and where they disagree."""
    claims = {claim.name: claim for claim in lab.answer.claims}
    largest = bench.of(EQUAL, params.totals[-1])
    deepest, total = largest[-1], largest[0].neurons
    lines = [
        f"**Which is more efficient?** {total} neurons, as a multiple of two layers of {total // 2}: "
        + "; ".join(answer_of(bench, shape, params) for shape in largest[1:])
        + ". "
        + " ".join(best_text(bench, params, neurons) for neurons in params.totals),
        "**Parameters, storage, FLOPs, memory** agree, as they must: all are $N^2 (k - 1) / k^2$ in different units, "
        "plus a little that belongs to inputs, biases and file header. More layers win whatever the machine.",
        "**Latency** does not follow them. One sample has to pass the layers one after the other, and each costs its "
        "share of time however small it is; a batch has enough arithmetic to hide that. When the weights no longer fit "
        "the caches, reading them may take most of the time, and fewer bytes win even for one sample. Here: "
        + "; ".join(latency_text(claims, params, neurons) for neurons in params.totals)
        + f". Over the trained nets the rank correlation of parameters with the latency of {params.batches[0]} is "
        f"{claims['parameters_tell_latency_of_one'].effect:.2f} ({claims['parameters_tell_latency_of_one'].verdict}), "
        f"of FLOPs with that of {params.batches[1]} {claims['flops_tell_latency_of_many'].effect:.2f} "
        f"({claims['flops_tell_latency_of_many'].verdict}). Who reports one indicator alone chooses the winner "
        "(Dehghani et al.): name the batch and the machine with the time, and the time with the parameters.",
        f"**Accuracy.** {params.neurons} neurons in {deepest.k} layers instead of two lose "
        f"{claims['depth_costs_accuracy'].effect:.3f} ({claims['depth_costs_accuracy'].verdict}). Two layers narrowed "
        f"to as many parameters are {claims['two_layers_are_as_accurate'].effect:+.3f} above the deep net "
        f"({claims['two_layers_are_as_accurate'].verdict}) and take {claims['two_layers_answer_sooner'].effect:.2f} "
        f"times its latency of {params.batches[0]} ({claims['two_layers_answer_sooner'].verdict}). The training loss "
        f"is {bench.train_loss(bench.of(EQUAL, params.neurons)[-1]):.2g} in {deepest.k} layers and "
        f"{bench.train_loss(bench.of(EQUAL, params.neurons)[0]):.2g} in two: where it stays high, the deep net does "
        "not generalise worse, it was not trained in the first place. Equal neurons is no fair budget for depth, as "
        "it takes quadratically from the width; and what makes deep nets trainable (shortcuts, normalisation) is "
        "absent here.",
        *readings(lab.answer.claims, explanations(params)),
        "The times are those of this machine, one thread, eager mode, with other nets in between, which keeps the "
        "caches cold; compilation or a GPU would change the price of a layer, not the counts. The intervals of times "
        "cover this run, not other machines.",
    ]
    lab.answer.section("Discussion", "\n\n".join(lines))


def answer_of(bench: Bench, shape: Shape, params: Params) -> str:
    """One net against two layers, indicator by indicator."""
    names = {"parameters": PARAMETERS, "bytes on disk": DISK, "peak memory": PREDICTING}
    names |= {f"latency of {batch}": latency(batch) for batch in params.batches}
    said = ", ".join(f"{label} {bench.against_two(shape, name).mean:.2f}" for label, name in names.items())
    return f"$k = {shape.k}$: {said}"


def best_text(bench: Bench, params: Params, neurons: int) -> str:
    """The best number of layers by each kind of indicator."""
    by_time = ", ".join(f"of {batch} at $k = {bench.best(neurons, latency(batch))}$" for batch in params.batches)
    least = bench.best(neurons, PARAMETERS)
    return f"With {neurons} neurons the fewest parameters are at $k = {least}$, the least latency {by_time}."


def latency_text(claims: Mapping[str, Claim], params: Params, neurons: int) -> str:
    """The two claims about the latency of one total."""
    slow = claims[f"depth_slows_batch_{params.batches[0]}_of_{neurons}"]
    fast = claims[f"depth_speeds_batch_{params.batches[1]}_of_{neurons}"]
    return (
        f"{neurons} neurons, {params.layers[-1]} layers against two: {slow.effect:.2f} times as long for "
        f"{params.batches[0]} ({slow.verdict}), {fast.effect:.2f} times for {params.batches[1]} ({fast.verdict})"
    )


def explanations(params: Params) -> dict[str, str]:
    """Why a claim may be refuted, by name."""
    one, many = params.batches
    texts = {
        "parameters_fall_with_depth": "inputs and classes that are many beside the neurons are paid for at any depth.",
        "storage_follows_parameters": "in small deep nets the names of many tensors, in the header of the file, are no "
        "longer negligible beside the weights.",
        "depth_costs_accuracy": "nets of these depths can be trained on these data, or none learns much.",
        "two_layers_are_as_accurate": "depth is worth its price here.",
        "two_layers_answer_sooner": "what a layer takes however small it is counts for little on this machine.",
        "parameters_tell_latency_of_one": "layers are passed one after the other, and parameters do not count them.",
        "flops_tell_latency_of_many": "narrow layers use the processor less well, and elementwise work, which no FLOP "
        "counts, grows with the number of layers.",
    }
    for total in params.totals:
        texts[f"depth_slows_batch_{one}_of_{total}"] = (
            "the weights may be read anew for every prediction, and the deep net has fewer to read."
        )
        texts[f"depth_speeds_batch_{many}_of_{total}"] = (
            "the batch does not hold enough arithmetic to hide what each further layer takes however small it is."
        )
    return texts
