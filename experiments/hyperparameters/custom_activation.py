r"""3.4 A proposed activation function, with its reason, against the usual ones on accuracy and on cost per step.

Question. Which elementwise function f should follow each linear layer?

Idea. In a deep net f is applied again and again, so what it does to the scale of signals is raised to the power of the
depth. The proposal starts from three conditions on a layer with inputs z ~ N(0, 1) before f and weights as torch draws
them: it keeps the mean square going forward, it keeps the mean square of the gradient coming back, and the first of the
two is a stable fixed point, so that a wrong scale heals instead of growing. A shape that is steep at 0 and bounded to
the left gives the third; one scale and one offset, found by Gauss-Hermite quadrature, give the other two
(`dlexp.models.activations.CriticalLinearUnit`).

Controls. The identity (a linear net), and every rival twice: as torch has it, and times the constant that keeps the
variance in the same sense. The second tells the shape of an activation from its scale, which a net could get from its
initialisation just as well.

Expected. Under torch's initialisation a deep net with the usual activations hardly trains, as the squared gradient is
multiplied by v f'(0)^2 = 1/12 to 1/3 in every layer; the proposal does. Against the rivals with the right scale no
material difference on so small a task: the scale matters, the shape little. In eager mode the proposal costs more per
step than a fused built-in function, since it runs as several kernels.

Any other activation can take the place of the proposal: `activation=NAME`, the user's own included.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import nn

from dlexp.claims import claim_above, claim_below, claim_within
from dlexp.comparison.drawings import draw_standings
from dlexp.comparison.own_words import listed, own_words
from dlexp.comparison.standings import best_rival, claims_against, corrected_level, standings
from dlexp.comparison.tuned import Contender, Tuned, scores_of, tune_and_train, validation_split
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.models.activations import TORCH_WEIGHT_VARIANCE
from dlexp.models.elementwise import refuse_unless_elementwise
from dlexp.models.gaussian_moments import gaussian_moments
from dlexp.plots import figure, legend, name_ticks, points
from dlexp.probes.activation_drawings import draw_functions, draw_signals
from dlexp.probes.signal_propagation import (
    Activation,
    Propagation,
    gain,
    measure_propagation,
    predict_propagation,
    torch_default,
    variance_exponent,
)
from dlexp.probes.step_cost import alternated_seconds, elementwise_traffic
from dlexp.schema import instantiate
from dlexp.stats import mean_interval, paired_interval

CONTROL = "identity"  # the trivial control: no activation at all
OURS = "critical"
SCALED = "scaled_"  # before the name of an activation that has been given the scale that keeps the variance
REFERENCE = "relu"  # whose cost per step is the unit of cost

# Practical margins, stated before this comparison was run; trial runs had been seen when depth and width were chosen.
MARGIN = 0.01  # test accuracy: for less than a point nobody would change the activation
OCTAVES = 1.0  # a mean square within a factor of 2 of what it should be counts as kept
LOST = -3.0  # log10 of the squared gradient at the first layer over that at the last: a thousandth is lost
AGREE = 0.5  # octaves between theory and measurement, averaged: less than half of what counts as kept
COST_MARGIN = 1.10  # a step that takes a tenth longer is a price one would look at twice

SAME_SCALE = 0.01  # an activation that keeps the mean square to 1 % needs no other scale
SAMPLES = 32  # inputs of each random net
GRADCHECK_AT = torch.linspace(-6, 6, 25, dtype=torch.float64) + 0.13  # away from kinks at 0 and at whole numbers


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    rates: Annotated[
        list[Annotated[float, Field(gt=0)]], Field(min_length=2)
    ]  # learning rates that all try, increasing
    tuning_repetitions: Annotated[int, Field(ge=1, le=1000)]  # trainings at each rate; at most `seeds` are made
    rivals: Annotated[list[str], Field(min_length=1)]  # options of the group activation; the identity is always added
    probe_depth: Annotated[int, Field(ge=2, le=1000)]  # layers of the random nets in which signals are followed
    probe_width: Annotated[int, Field(ge=8, le=8192)]  # units of each of these layers
    timing_blocks: Annotated[int, Field(ge=2, le=1000)]  # repetitions of the timing: one ratio of medians each
    timing_repetitions: Annotated[int, Field(ge=1, le=10_000)]  # steps per block and activation


@dataclass(frozen=True)
class Contest:
    """Who takes part: config nodes by name. The proposal comes first, the scaled ones have no claims of their own."""

    proposal: str
    plain: dict[str, dict[str, Any]]  # the proposal, the rivals and the control, as they are
    scaled: dict[str, dict[str, Any]]  # those of them whose scale does not keep the variance, given one that does

    @property
    def nodes(self) -> dict[str, dict[str, Any]]:
        return self.plain | self.scaled

    @property
    def rivals(self) -> list[str]:
        return [name for name in self.plain if name != self.proposal]

    def title(self, name: str) -> str:
        """What a figure calls it."""
        return f"{name} (proposed)" if name == self.proposal else name

    @property
    def scaled_rivals(self) -> list[str]:
        """Without the control: it has no shape to compare."""
        return [name for name in self.scaled if name not in (SCALED + self.proposal, SCALED + CONTROL)]


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, what cannot be compared."""
    validation_split(lab)
    model = lab.config["model"]
    if "activation" not in model:
        raise InputError(f"model={lab.choices['model']}: it takes no activation; choose mlp or cnn")
    if model.get("initialization", "default") != "default":
        raise InputError(
            f"model.initialization={model['initialization']}: scales here are for the weights as torch draws them; "
            "leave it at default"
        )
    if lab.recipe(0).trainer.epochs == 0:
        raise InputError("trainer.epochs=0: there is nothing to compare; train for one epoch or more")
    if sorted(set(params.rates)) != params.rates:
        raise InputError(f"params.rates={params.rates}: must increase from one to the next")
    twice = [name for name, times in Counter(params.rivals).items() if times > 1]
    if twice:
        raise InputError(f"params.rivals={params.rivals}: {twice[0]} stands there twice; name each rival once")
    for name, node in plain_nodes(lab, params).items():
        refuse_unless_elementwise(name, function_of(node))


def plain_nodes(lab: Lab, params: Params) -> dict[str, dict[str, Any]]:
    """The proposal, which is the composed `activation`, its rivals, and the control."""
    proposal = lab.choices["activation"]
    nodes = {proposal: dict(lab.config["model"]["activation"])}
    nodes |= {name: lab.option("activation", name) for name in params.rivals if name != proposal}
    return nodes | {CONTROL: {"_target_": "torch.nn.Identity", "_partial_": True}}


def contest(lab: Lab, params: Params) -> Contest:
    """Everyone as they are, and those whose scale does not keep the variance with one that does."""
    plain = plain_nodes(lab, params)
    scaled = {
        SCALED + name: {
            "_target_": "dlexp.models.activations.VariancePreserving",
            "_partial_": True,
            "activation": node,
            "weight_variance": TORCH_WEIGHT_VARIANCE,
        }
        for name, node in plain.items()
        if abs(TORCH_WEIGHT_VARIANCE * gaussian_moments(function_of(node)).square - 1) > SAME_SCALE
    }
    return Contest(lab.choices["activation"], plain, scaled)


def function_of(node: Mapping[str, Any]) -> nn.Module:
    """The activation that a node of the group describes."""
    made: nn.Module = instantiate(node, where="activation")()
    return made


def run(lab: Lab, params: Params) -> None:
    """The function itself, signals in random nets, then all at equal budget on the data, and what a step costs."""
    everyone = contest(lab, params)
    formal_statement(lab, everyone)
    functions(lab, everyone)
    signals(lab, params, everyone)
    model = lab.config["model"]
    contenders = [Contender(name, {"model": {**model, "activation": node}}) for name, node in everyone.nodes.items()]
    results = tune_and_train(lab, contenders, params.rates, params.tuning_repetitions)
    accuracies(lab, params, everyone, results)
    costs(lab, params, everyone)
    discussion(lab, params, everyone, results)


def formal_statement(lab: Lab, everyone: Contest) -> None:
    """What is proposed in this run, and why."""
    node = everyone.plain[everyone.proposal]
    if everyone.proposal != OURS:
        lab.answer.section("Formal statement", own_words(everyone.proposal, str(node["_target_"]), "activation"))
        lab.answer.text(CONDITIONS)
        return
    ours = function_of(node)
    lab.answer.section("Formal statement", PROPOSAL)
    lab.answer.text(
        rf"With $v = {node['weight_variance']:.4g}$ and $w = {node['width']:g}$: $\lambda = {ours.scale:.4f}$, "
        rf"$c = {ours.offset:.4f}$."
    )
    lab.answer.text(CONDITIONS)
    lab.answer.text(REASON)


def functions(lab: Lab, everyone: Contest) -> None:
    """Value, derivative, gradcheck, and the numbers that decide how signals travel."""
    answer = lab.answer
    answer.section(
        "Value, derivative and moments",
        r"$\mathrm{E}$ is over $z \sim N(0, 1)$, by Gauss-Hermite quadrature with 128 nodes in float64. The gain is "
        r"$(\mathrm{E} f^2)^{-1/2}$, what the standard deviation of the weights times $\sqrt{\text{fan-in}}$ must be "
        r"to keep the variance; $\chi = \mathrm{E} f'^2 / \mathrm{E} f^2$ is what a layer then does to the squared "
        r"gradient; the exponent is $\mathrm{d} \log \mathrm{E} f(\sqrt{q} z)^2 / \mathrm{d} \log q$ at $q = 1$: below "
        "1 a wrong variance heals from layer to layer, above 1 it runs away. gradcheck compares the derivative that "
        "training uses with finite differences in float64, gradgradcheck the second derivative.",
    )
    rows = []
    for name, node in everyone.plain.items():
        function = function_of(node)
        of = gaussian_moments(function)
        rows.append(
            {
                "activation": name,
                "E f": of.mean,
                "E f^2": of.square,
                "E f'^2": of.slope_square,
                "gain": gain(function),
                "chi": of.slope_square / of.square,
                "exponent": variance_exponent(function),
                "gradcheck": passes(torch.autograd.gradcheck, function),
                "gradgradcheck": passes(torch.autograd.gradgradcheck, function),
            }
        )
    answer.table("functions", rows, "What each activation does to a standard normal variable")
    drawn = draw_functions({everyone.title(name): function_of(node) for name, node in everyone.plain.items()})
    answer.figure("functions", drawn, "Each activation as it is and its derivative; the proposal comes first")


def passes(test: Callable[..., bool], function: Activation) -> bool:
    """Whether torch's `test` of derivatives finds nothing."""
    x = GRADCHECK_AT.clone().requires_grad_()
    try:
        return test(function, (x,), raise_exception=False)
    except RuntimeError:  # no second derivative at all
        return False


def signals(lab: Lab, params: Params, everyone: Contest) -> None:
    """Variance and squared gradient by depth under torch's initialisation: theory of wide nets against random nets."""
    start = torch_default(params.probe_width)
    made = {name: function_of(node) for name, node in everyone.nodes.items()}
    theory = {name: predict_propagation(each, params.probe_depth, start) for name, each in made.items()}

    def measure(seed: int) -> dict[str, Propagation]:
        return {
            name: measure_propagation(
                each, params.probe_depth, params.probe_width, start, SAMPLES, torch.Generator().manual_seed(seed)
            )
            for name, each in made.items()
        }

    measured = lab.map(measure, lab.seeds, "signals in random nets")
    lab.answer.section(
        "Signal propagation",
        f"Random nets of {params.probe_depth} layers of {params.probe_width} units with weights and biases as "
        f"`torch.nn.Linear` draws them, {SAMPLES} standard normal inputs, {len(lab.seeds)} draws. The theory of wide "
        "nets gives the mean square $q^l$ of the pre-activations and that of the gradient with respect to them, "
        r"relative to the last layer: $q^{l+1} = v\,\mathrm{E} f(\sqrt{q^l} z)^2 + c_b$ and "
        r"$g^l = g^{l+1} v\,\mathrm{E} f'(\sqrt{q^l} z)^2$, with $v = 1/3$ and $c_b = 1 / (3n)$. "
        f"`{SCALED}NAME` is NAME times the constant that makes $v\\,\\mathrm{{E}} f(z)^2 = 1$; this is the same as "
        "giving all weights after the first layer the gain. All of them start from $q^1 = 1/3$, so that a stable "
        "variance comes back to 1 and an unstable one does not.",
    )
    lab.answer.table(
        "signals",
        [signal_row(name, theory[name], [of_seed[name] for of_seed in measured]) for name in made],
        "Log2 of the mean square at the last layer and of the squared gradient at the first over the last, 95 % "
        "intervals over the random nets",
    )
    versions = {name: [key for key in (name, SCALED + name) if key in made] for name in everyone.plain}
    drawn = draw_signals(
        {
            everyone.title(name): [(theory[key], [of_seed[key] for of_seed in measured]) for key in keys]
            for name, keys in versions.items()
        }
    )
    lab.answer.figure("signals", drawn, "Mean squares by layer: lines are the theory, marks the mean over random nets")
    claims_on_signals(lab, everyone, theory, measured)


def signal_row(name: str, theory: Propagation, measured: Sequence[Propagation]) -> dict[str, Any]:
    """Where the signals of one activation end."""
    variance = mean_interval([math.log2(each.variance[-1]) for each in measured])
    gradient = mean_interval([log2(each.gradient[0]) for each in measured])
    return {
        "activation": name,
        "variance, theory": math.log2(theory.variance[-1]),
        "variance": variance.mean,
        "variance low": variance.low,
        "variance high": variance.high,
        "gradient, theory": log2(theory.gradient[0]),
        "gradient": gradient.mean,
        "gradient low": gradient.low,
        "gradient high": gradient.high,
    }


def log2(value: float) -> float:
    """Finite where a gradient has vanished altogether in float32."""
    return math.log2(max(value, 2.0**-300))


def claims_on_signals(
    lab: Lab, everyone: Contest, theory: Mapping[str, Propagation], measured: Sequence[Mapping[str, Propagation]]
) -> None:
    """Does the proposal keep what the usual activations lose, and does the theory foresee it?"""
    answer, proposal = lab.answer, everyone.proposal
    ours = [of_seed[proposal] for of_seed in measured]
    variance = mean_interval([math.log2(each.variance[-1]) for each in ours])
    statement = f"With {proposal} the mean square of the pre-activations ends within a factor of 2 of 1."
    answer.claim(claim_within("keeps_the_variance", statement, variance, OCTAVES, "octaves"))
    gradient = mean_interval([log2(each.gradient[0]) for each in ours])
    statement = f"With {proposal} the squared gradient at the first layer is within a factor of 2 of that at the last."
    answer.claim(claim_within("keeps_the_gradient", statement, gradient, OCTAVES, "octaves"))
    usual = [name for name in everyone.rivals if name != CONTROL]
    best = [max(log2(of_seed[name].gradient[0]) for name in usual) * math.log10(2) for of_seed in measured]
    statement = "Of the usual activations as they are, even the one that keeps most loses the gradient."
    answer.claim(claim_below("usual_activations_lose_the_gradient", statement, mean_interval(best), LOST, "decades"))
    apart = [
        fmean(float(np.abs(np.log2(of_seed[name].variance / theory[name].variance)).mean()) for name in everyone.nodes)
        for of_seed in measured
    ]
    statement = "Theory and random nets agree on the variance, averaged over layers and activations."
    answer.claim(claim_below("theory_foresees_the_variance", statement, mean_interval(apart), AGREE, "octaves"))


def accuracies(lab: Lab, params: Params, everyone: Contest, results: list[Tuned]) -> None:
    """The standings at the tuned rates, and the claims against the rivals as they are and with the right scale."""
    answer, proposal = lab.answer, everyone.proposal
    accuracy = test_accuracy(lab, results)
    trainer = lab.recipe(0).trainer
    runs = len(next(iter(results[0].trials.values())))
    answer.section(
        "Accuracy at equal budget",
        f"All train the same net ({shape_of(lab)}) from torch's own initialisation on the same batches for "
        f"{trainer.epochs} epochs of {len(lab.dataset.train)} samples; only the activation differs. The learning rate "
        f"of each is that of {', '.join(f'{rate:g}' for rate in params.rates)} with the highest mean validation "
        f"accuracy over {runs} trainings, whose seeds are used for nothing else; then each is trained anew on "
        f"{len(lab.seeds)} seeds. Differences are paired by seed. Those with the {len(everyone.rivals)} rivals as they "
        f"are are corrected for their number (Bonferroni, level {corrected_level(len(everyone.rivals)):.4g} each). "
        "The settings of the rivals are those of `conf/activation`.",
    )
    rows = standings(results, {"test accuracy": accuracy}, "test accuracy")
    answer.table("standings", rows, "Every contender at its own learning rate, with 95 % intervals over the seeds")
    grid = [{"contender": each.name} | {f"{rate:g}": s.accuracy for rate, s in each.tuning.items()} for each in results]
    answer.table("tuning", grid, "Mean validation accuracy at each learning rate")
    answer.figure(
        "accuracy", draw_accuracy(everyone, accuracy), "Test accuracy at the tuned rates, with 95 % intervals"
    )
    lead = draw_standings(only(accuracy, everyone.plain), proposal, MARGIN, "test accuracy")
    caption = "As they are. Left: test accuracy with 95 % intervals. Right: the proposal's lead, Bonferroni intervals"
    answer.figure("lead", lead, caption)
    for name, values in accuracy.items():
        answer.metric(f"accuracy_{name}", fmean(values))
    answer.objective = results[0].tuning[results[0].rate].accuracy  # a sweep must not choose by test data
    for claim in claims_against(only(accuracy, everyone.plain), proposal, MARGIN, "accuracy", "test accuracy"):
        answer.claim(claim)
    claims_on_scale(lab, everyone, results, accuracy)


def test_accuracy(lab: Lab, results: Sequence[Tuned]) -> dict[str, list[float]]:
    """Per contender one value per seed; a net that diverged is worth chance."""
    return {each.name: [one.accuracy for one in scores_of(lab, each.trained, lab.dataset.test)] for each in results}


def only(values: Mapping[str, list[float]], names: Sequence[str] | Mapping[str, Any]) -> dict[str, list[float]]:
    """The values of `names`."""
    return {name: values[name] for name in names}


def shape_of(lab: Lab) -> str:
    """The configured net in a few words."""
    model = lab.config["model"]
    sizes = model.get("widths") or model.get("channels") or []
    return f"{lab.choices['model']}, hidden layers of {', '.join(map(str, sizes))}"


def draw_accuracy(everyone: Contest, accuracy: Mapping[str, list[float]]) -> Any:
    """Each activation as it is and with the right scale, side by side."""
    made, axes = figure(width=8.5, height=4.0)
    names = list(everyone.plain)
    series = {
        "as it is": [mean_interval(accuracy[name]) for name in names],
        "with the scale that keeps the variance": [
            mean_interval(accuracy.get(SCALED + name, accuracy[name])) for name in names
        ],
    }
    points(axes, range(len(names)), series)
    ours = mean_interval(accuracy[everyone.proposal])
    axes.axhline(ours.mean, color="black", linestyle=":", linewidth=1, label=f"{everyone.proposal}, as it is")
    name_ticks(axes, names)
    axes.set_ylabel("test accuracy")
    legend(axes, columns=3)
    return made


def claims_on_scale(lab: Lab, everyone: Contest, results: list[Tuned], accuracy: Mapping[str, list[float]]) -> None:
    """Is it the shape of the proposal, or its scale?"""
    answer, proposal, rivals = lab.answer, everyone.proposal, everyone.scaled_rivals
    if not rivals:
        return
    scaled = np.mean([accuracy[name] for name in rivals], axis=0)
    plain = np.mean([accuracy[name.removeprefix(SCALED)] for name in rivals], axis=0)
    statement = "The scale that keeps the variance raises the test accuracy of the rivals, averaged over them."
    answer.claim(claim_above("scale_helps_the_rivals", statement, paired_interval(scaled, plain), MARGIN, "accuracy"))
    statement = f"{proposal} and the rivals with the right scale, averaged over them, reach the same test accuracy."
    gap = paired_interval(accuracy[proposal], scaled)
    answer.claim(claim_within("shape_is_immaterial_at_the_right_scale", statement, gap, MARGIN, "accuracy"))
    best = best_rival([each for each in results if each.name in rivals], proposal)
    statement = f"{proposal} is not worse by the margin than {best}, on validation data the best at the right scale."
    gap = paired_interval(accuracy[proposal], accuracy[best])
    answer.claim(claim_above("keeps_up_with_the_best_scaled_rival", statement, gap, -MARGIN, "accuracy"))


def costs(lab: Lab, params: Params, everyone: Contest) -> None:
    """Seconds of a whole training step, measured in turns, and the memory traffic of the activation, counted."""
    nodes = dict(everyone.plain)
    if REFERENCE not in nodes:
        nodes[REFERENCE] = lab.option("activation", REFERENCE)
    steps = {name: training_step(lab, node) for name, node in nodes.items()}
    seconds = alternated_seconds(steps, params.timing_blocks, params.timing_repetitions)
    ratios = {name: np.array(taken) / np.array(seconds[REFERENCE]) for name, taken in seconds.items()}
    rows = []
    for name, node in nodes.items():
        interval, traffic = mean_interval(ratios[name]), elementwise_traffic(function_of(node))
        rows.append(
            {
                "activation": name,
                "seconds per step": fmean(seconds[name]),
                f"seconds / {REFERENCE}'s seconds": interval.mean,
                "ratio of seconds low": interval.low,
                "ratio of seconds high": interval.high,
                "kernels": traffic.kernels,
                "memory passes": traffic.passes,
            }
        )
    lab.answer.section(
        "Cost per step",
        f"A step is forward, loss, backward and update of the net above with {batch_of(lab)} samples, one thread. "
        f"All activations are timed in turn, {params.timing_blocks * params.timing_repetitions} times; a block's "
        f"median is divided by that of {REFERENCE} in the same block. Counted, and so the same on any machine: the "
        "kernels that torch runs for the activation alone, forward and backward, and the elements these read and "
        "write, per element of the input. A fused kernel counts once, whatever it computes.",
    )
    lab.answer.table("costs", rows, "What an activation costs")
    ours = mean_interval(ratios[everyone.proposal])
    lab.answer.metric("step_seconds", fmean(seconds[everyone.proposal]))
    lab.answer.metric("memory_passes", elementwise_traffic(function_of(nodes[everyone.proposal])).passes)
    statement = f"A training step with {everyone.proposal} takes at most a tenth longer than one with {REFERENCE}."
    unit = "seconds per second"
    lab.answer.claim(claim_below("a_step_costs_little_more", statement, ours, COST_MARGIN, unit))


def batch_of(lab: Lab) -> int:
    """Samples of one training step."""
    return min(lab.recipe(0).trainer.batch_size, len(lab.dataset.train))


def training_step(lab: Lab, node: Mapping[str, Any]) -> Callable[[], None]:
    """One step of training a net with this activation, always on the same batch."""
    recipe = lab.recipe(0)
    with torch.random.fork_rng([]):
        net = lab.model({**recipe.model, "activation": node}).train()
    optimizer = instantiate(recipe.optimizer, net.parameters(), where="optimizer")
    loss = instantiate(recipe.loss, where="loss")
    batch = slice(0, batch_of(lab))
    x, y = lab.dataset.train.inputs(batch), lab.dataset.train.y[batch]

    def step() -> None:
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()
        if lab.device.startswith("cuda"):
            torch.cuda.synchronize()

    return step


def discussion(lab: Lab, params: Params, everyone: Contest, results: list[Tuned]) -> None:
    """What the numbers say about the proposal, and what may explain what they do not support."""
    answer, proposal = lab.answer, everyone.proposal
    claims = {claim.name: claim for claim in answer.claims}
    means = {each.name: answer.metrics[f"accuracy_{each.name}"] for each in results}
    won, lost, open_ = (
        listed([name for name in everyone.rivals if claims[f"beats_{name}"].verdict == verdict])
        for verdict in ("supported", "refuted", "inconclusive")
    )
    usual = {name: means[name] for name in everyone.rivals if name != CONTROL}
    lines = [
        f"The proposed activation is `{proposal}`. Under torch's own initialisation it reaches {means[proposal]:.4f}; "
        f"the usual ones as they are reach {min(usual.values()):.4f} to {max(usual.values()):.4f}, the linear net "
        f"{means[CONTROL]:.4f}. By the margin of {MARGIN:g} it is shown to be better than {won}; the claim is refuted "
        f"against {lost} and undecided against {open_}."
    ]
    if f"{SCALED}{CONTROL}" in means:
        lines.append(
            f"The linear net with the right scale, {means[SCALED + CONTROL]:.4f}, tells how much of this task needs an "
            f"activation at all: {means[proposal] - means[SCALED + CONTROL]:+.4f} of accuracy."
        )
    lines += scale_lines(claims, everyone, means)
    variance, gradient, usual_gradient = (
        claims[name] for name in ("keeps_the_variance", "keeps_the_gradient", "usual_activations_lose_the_gradient")
    )
    lines.append(
        f"Why: over {params.probe_depth} layers under torch's initialisation the variance with the proposal ends at "
        f"2^{variance.effect:.2f} and the squared gradient grows by 2^{gradient.effect:.2f} on its way back (kept "
        f"within a factor of 2: {variance.verdict} and {gradient.verdict}). Of the usual activations as they are, even "
        f"the best keeps only 10^{usual_gradient.effect:.1f} of it."
    )
    if proposal == OURS and gradient.verdict != "supported":
        lines.append(
            r"What the gradient gains is the price of the start. $\chi(q) = 1$ holds at $q = 1$ only, and these "
            r"nets begin at $q^1 = 1/3$, where more inputs lie on the steep part and $\chi > 1$; it takes some layers "
            "until (iii) has brought the variance to 1. Inputs scaled by the square root of 3, or LeCun's rule for the "
            "first layer, would start there; after that, depth adds nothing."
        )
    cost = claims["a_step_costs_little_more"]
    passes_ours = answer.metrics["memory_passes"]
    lines.append(
        f"Cost: a step takes {cost.effect:.2f} times as long as with {REFERENCE}; that this is at most a tenth more is "
        f"{cost.verdict}. The proposal reads and writes {passes_ours:.0f} elements per element of its input, a "
        "built-in activation 5, since each of those is one fused kernel: in eager mode the number of kernels counts, "
        "not the arithmetic, and one fused kernel (`trainer.compile=true`, or one written for it) would remove most "
        "of the difference."
    )
    edges = [each.name for each in results if each.at_edge]
    if edges:
        lines.append(f"The tuned rate of {listed(edges)} ends the grid: with a wider one it might do better.")
    lines.append(
        "Limits: one small task, one kind of net, no normalisation layers and no shortcuts, both of which keep signals "
        "alive by other means; a net that has them gains less from any of this. The intervals cover initial weights "
        "and batches, not the choice of data, split, depth and budget (`-m model.widths=...`)."
    )
    answer.section("Discussion", "\n\n".join(lines))


def scale_lines(claims: Mapping[str, Any], everyone: Contest, means: Mapping[str, float]) -> list[str]:
    """Shape or scale?"""
    if "scale_helps_the_rivals" not in claims:
        return []
    helps, shape = claims["scale_helps_the_rivals"], claims["shape_is_immaterial_at_the_right_scale"]
    keeps_up = claims["keeps_up_with_the_best_scaled_rival"]
    scaled = [means[name] for name in everyone.scaled_rivals]
    lines = [
        f"Shape or scale? Times the constant that keeps the variance the same rivals reach {min(scaled):.4f} to "
        f"{max(scaled):.4f}, {helps.effect:+.4f} on average (a material gain: {helps.verdict}). Against them the "
        f"proposal is ahead by {shape.effect:+.4f} on average (immaterial: {shape.verdict}), and by "
        f"{keeps_up.effect:+.4f} against the one that was best on validation data (not worse by the margin: "
        f"{keeps_up.verdict})."
    ]
    if helps.verdict == "supported" and keeps_up.verdict == "supported":
        lines.append(
            "So the lead over the rivals as they are is a lead of scale: with a gain in the initialisation, or this "
            "constant, the best of them do as well. What the proposal offers is that it needs no gain."
        )
    if shape.verdict != "supported":
        lines.append(
            "That the average rival with the right scale is as good is not shown. The average holds both those whose "
            "variance is stable and those whose is not (table of the functions, exponent), and each has its own rate "
            "from a coarse grid, chosen on few validation samples: a rate that is one step too high costs a deep net "
            "more than a difference of this size."
        )
    return lines


# The proposal in words; what stands here is derived, not measured.

PROPOSAL = r"""$$f(x) = \lambda\,(s(x) + c), \qquad
s(x) = \begin{cases} x & x \ge 0 \\ \dfrac{x}{\sqrt{1 + (x/w)^2}} & x < 0, \end{cases} \qquad
f'(x) = \lambda \begin{cases} 1 & x \ge 0 \\ (1 + (x/w)^2)^{-3/2} & x < 0. \end{cases}$$

$$\lambda = \frac{1}{\sqrt{v\,\mathrm{E}\,s'(z)^2}}, \qquad
c = -\mathrm{E}\,s(z) + \sqrt{(\mathrm{E}\,s(z))^2 + \mathrm{E}\,s'(z)^2 - \mathrm{E}\,s(z)^2}, \qquad z \sim N(0, 1),$$

with $v$ the variance of a weight times its fan-in: $1/3$ for weights uniform in $\pm 1/\sqrt{n}$."""

CONDITIONS = r"""**What an activation does to signals.** In a wide net with weights of variance $v/n$ the
pre-activations of layer $l$ are nearly $N(0, q^l)$ with $q^{l+1} = V(q^l) = v\,\mathrm{E} f(\sqrt{q^l} z)^2$, and the
squared gradient is multiplied by $\chi(q) = v\,\mathrm{E} f'(\sqrt{q} z)^2$ in every layer on its way back (Poole et
al. 2016, Schoenholz et al. 2017). Over $L$ layers an error in either acts to the power $L$."""

REASON = r"""**Why this function.** Three conditions at $q = 1$: (i) $V(1) = 1$, the variance is kept; (ii)
$\chi(1) = 1$, the gradient is kept; (iii) $V'(1) < 1$, a variance that is not 1 returns to it.

(iii) decides the shape. $\mathrm{E} f(\sqrt{q} z)^2 / q$ runs from $f'(0)^2$ at small $q$ to the mean of the squared
slopes at $\pm\infty$ at large $q$, and (iii) asks that it falls. For GELU and SiLU it rises, from $1/4$ to $1/2$: their
fixed point is unstable. For ReLU it is constant. A function that is steep at 0, keeps its slope to the right and is
bounded to the left falls from 1 to $1/2$. $s$ is the simplest such function without an exponential that is twice
differentiable (the inverse square root linear unit of Carlile et al. 2017).

(i) and (ii) then fix $\lambda$ and $c$. With any shape $s$, $f = \lambda (s + c)$ has
$v\,\mathrm{E} f'^2 = v \lambda^2\,\mathrm{E} s'^2$ and
$v\,\mathrm{E} f^2 = v \lambda^2 (\mathrm{E} s^2 + 2 c\,\mathrm{E} s + c^2)$; both are 1 for the values above. An offset
is needed: expanding $f = \sum_k a_k H_k$ in normalised Hermite polynomials, $\mathrm{E} f^2 = \sum_k a_k^2$ and
$\mathrm{E} f'^2 = \sum_k k a_k^2$, so that a function with mean $a_0 = 0$ that is not linear has
$\mathrm{E} f'^2 > \mathrm{E} f^2$, and its gradient grows with depth (as for tanh and SELU).

**What is not new.** Self-normalisation by a stable fixed point is due to Klambauer et al. (2017), whose SELU keeps mean
and variance but has $\chi(1) = 1.06$ for LeCun's initialisation; criticality to Schoenholz et al. (2017). Put together
here: both, for the initialisation that torch gives by default, without an exponential."""
