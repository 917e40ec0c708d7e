r"""3.3 A proposed learning-rate schedule, with its reason, against the usual ones at equal budget and equal tuning.

Question. How should the learning rate fall from its peak when the number of steps is fixed beforehand?

Idea. While the rate is high a net learns fast but stays noisy; how much of that noise is left at the end depends on how
the rate falls. In a quadratic bowl with gradient noise this is a convex problem with a closed solution: hold the
largest stable rate, then fall as a power of the steps that are left, the power set by how the curvature is spread over
the directions (`dlexp.training.spectral_cooldown`). With the spread that trained nets show, the fall is a line that
ends not at 0 but near lr / sqrt(steps). The proposal is first held against the best schedule that a numerical search
finds in that model, then against the usual schedules on real data: each is tuned over the same peak rates on
validation data, with seeds used for nothing else, then trained anew.

Expected. A gain over the constant rate, which keeps its noise, and over schedules that fall abruptly (step) or as
slowly as 1 / sqrt(t). No material gain over cosine and one-cycle: the gain lies in ending low after having stayed high,
and little depends on the exact way down. A blind choice of the peak should cost less than with the constant rate, as
the cooldown forgets the noise of a rate that is too high.

Any other schedule can take the place of the proposal: `scheduler=NAME`, the user's own included.
"""

import inspect
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dlexp.claims import claim_above
from dlexp.comparison.drawings import draw_beside_proposal, draw_standings
from dlexp.comparison.standings import best_rival, claims_against, corrected_level, standings
from dlexp.comparison.tuned import Contender, Score, Tuned, scores_of, tune_and_train, validation_split
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.plots import COLOURS, LINES, MARKERS, figure, legend
from dlexp.schema import locate, refuse_unknown
from dlexp.stats import mean_interval, paired_interval
from dlexp.training.batches import steps_per_epoch
from dlexp.training.noisy_quadratic import NoisyQuadratic
from dlexp.training.schedule_rates import schedule_rates

CONTROL = "constant"  # the trivial control: no schedule at all
OURS = "spectral_cooldown"

# Practical margins, stated before looking.
MARGIN = 0.005  # test accuracy: for less than half a point nobody would change the schedule
ROBUST_MARGIN = 0.01  # mean accuracy over the grid: a point less to lose by a peak rate that nobody tuned

# The noisy quadratic model: curvatures 1/k, the spectrum that the proposal assumes; 1 is half the largest stable rate.
DIRECTIONS_PER_STEP = 5  # enough that directions too flat to be learned are left
SIGNAL_TO_NOISE = (0.5, 2.0, 20.0)  # initial squared distance over the noise of one step at rate 1
ASSUMED = 1  # of these, the one for which the proposal's default share of held steps is derived
PEAKS = np.geomspace(0.02, 1.0, 18)  # among which each schedule gets its best in the model

Rates = Sequence[float]  # the learning rate of each step


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    rates: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=2)]  # peak rates that all try, increasing
    tuning_repetitions: Annotated[int, Field(ge=1, le=1000)]  # trainings at each peak rate; at most `seeds` are made
    rivals: Annotated[list[str], Field(min_length=1)]  # options of the group scheduler; constant must be among them
    rival_settings: dict[str, dict[str, Any]]  # what is changed of conf/scheduler/RIVAL.yaml, by rival
    model_steps: Annotated[int, Field(ge=2, le=1000)]  # steps of training in the noisy quadratic model


@dataclass(frozen=True)
class InModel:
    """What the noisy quadratic model says, for each signal-to-noise ratio."""

    best: list[Rates]  # the best of all schedules
    excess: dict[str, list[float]]  # schedule -> expected loss beyond that of the best, as a share of it


@dataclass(frozen=True)
class Comparison:
    """The tuned contenders, the proposal first, and what each of their nets reached on test data, per seed."""

    results: list[Tuned]
    accuracy: dict[str, list[float]]
    nll: dict[str, list[float]]
    best_rival: str  # by validation accuracy

    @property
    def proposal(self) -> str:
        return self.results[0].name

    @property
    def rivals(self) -> list[str]:
        return [each.name for each in self.results[1:]]


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, rivals and rates that cannot be compared."""
    validation_split(lab)
    if lab.recipe(0).trainer.epochs == 0:
        raise InputError("trainer.epochs=0: there is nothing to schedule; train for one epoch or more")
    if lab.choices["scheduler"] == CONTROL:
        raise InputError(f"scheduler={CONTROL}: this is the trivial control; propose another schedule")
    if CONTROL not in params.rivals:
        raise InputError(f"params.rivals={params.rivals}: {CONTROL}, the trivial control, must be among them")
    twice = [name for name, times in Counter(params.rivals).items() if times > 1]
    if twice:
        raise InputError(f"params.rivals={params.rivals}: {twice[0]} stands there twice; name each rival once")
    if sorted(set(params.rates)) != params.rates:
        raise InputError(f"params.rates={params.rates}: must increase from one to the next")
    for name, changed in params.rival_settings.items():  # those of schedules that are no rivals in this run are unused
        refuse_unknown(changed, lab.option("scheduler", name), f"params.rival_settings.{name}")
    for each in contenders(lab, params):
        schedule_rates(each.changes["scheduler"], 1, 1.0, where=f"scheduler {each.name}")


def contenders(lab: Lab, params: Params) -> list[Contender]:
    """The proposal, which is the composed `scheduler`, and its rivals; the proposal is no rival of its own."""
    proposal = lab.choices["scheduler"]
    found = [Contender(proposal, {"scheduler": lab.recipe(0).scheduler})]
    for name in params.rivals:
        node = lab.option("scheduler", name) | params.rival_settings.get(name, {})
        if name != proposal:
            found.append(Contender(name, {"scheduler": node}))
    return found


def run(lab: Lab, params: Params) -> None:
    """The proposal in its own model, then all at equal budget on the data; tables, figures, claims."""
    everyone = contenders(lab, params)
    formal_statement(lab)
    in_model = noisy_quadratic(lab, params, everyone)
    results = tune_and_train(lab, everyone, params.rates, params.tuning_repetitions)
    found = measured(lab, results)
    method(lab, params, found)
    draw_schedules(lab, params, everyone, found, in_model)
    accuracy_at_tuned_rates(lab, found)
    robustness(lab, params, found)
    training_losses(lab, found)
    discussion(lab, found, in_model)


def measured(lab: Lab, results: list[Tuned]) -> Comparison:
    """Accuracy and negative log-likelihood on test data; a net that diverged is worth chance in both."""
    scores = {each.name: scores_of(lab, each.trained, lab.dataset.test) for each in results}
    chance = math.log(lab.dataset.n_classes)

    def nll(score: Score) -> float:
        return score.nll if math.isfinite(score.nll) else chance

    accuracy = {name: [each.accuracy for each in of_name] for name, of_name in scores.items()}
    nlls = {name: [nll(each) for each in of_name] for name, of_name in scores.items()}
    return Comparison(results, accuracy, nlls, best_rival(results, results[0].name))


def formal_statement(lab: Lab) -> None:
    """What is proposed in this run, and why."""
    name, target = lab.choices["scheduler"], str(lab.recipe(0).scheduler["_target_"])
    if name == OURS:
        lab.answer.section("Formal statement", PROPOSAL)
        lab.answer.text(REASON)
        lab.answer.text(LIMITS)
        return
    stated = inspect.getdoc(locate(target, "scheduler")) or "(It has no docstring that would say more.)"
    lab.answer.section("Formal statement", f"The proposal of this run is `{name}`, which is `{target}`:")
    lab.answer.text("\n".join(f"> {line}".rstrip() for line in stated.splitlines()))
    lab.answer.text(
        r"A schedule is $\eta(t) = \eta_0 f(t)$ for the steps $t = 0, \dots, T - 1$. All contenders have the same "
        r"budget $T$, and the peak $\eta_0$ of each is chosen from the same values."
    )


def noisy_quadratic(lab: Lab, params: Params, everyone: Sequence[Contender]) -> InModel:
    """Each schedule at its best peak in the model against the best schedule of all; nothing here is random."""
    steps = params.model_steps
    curvatures = 1.0 / np.arange(1, DIRECTIONS_PER_STEP * steps + 1)
    models = [NoisyQuadratic(curvatures, 1.0, 1 / ratio) for ratio in SIGNAL_TO_NOISE]
    best = [each.best_schedule(steps, 1.0) for each in models]
    excess = {}
    for each in everyone:
        tried = [rates for peak in PEAKS if (rates := schedule_rates(each.changes["scheduler"], steps, peak))]
        if tried:  # what waits for losses has no rates without a training
            pairs = zip(models, best, strict=True)
            excess[each.name] = [float(model.loss(tried).min() / model.loss(least) - 1) for model, least in pairs]
    lab.answer.section(
        "In the noisy quadratic model",
        f"Does the derivation hold? With $h_k = 1/k$, {len(curvatures)} directions and {steps} steps of SGD the "
        "expected loss of any schedule is computed exactly, and the best of all schedules with rates up to 1 is "
        r"searched for (every rate free, L-BFGS-B). $\rho$ is the signal-to-noise ratio at rate 1; half of the steps "
        rf"held is the derived share for $\rho = {SIGNAL_TO_NOISE[ASSUMED]:g}$ only. Each schedule has its own best "
        "peak. This tests the derivation, not its use for nets.",
    )
    columns = [f"excess at rho {ratio:g}" for ratio in SIGNAL_TO_NOISE]
    ranked = sorted(excess.items(), key=lambda item: item[1][ASSUMED])
    rows = [{"schedule": name} | dict(zip(columns, values, strict=True)) for name, values in ranked]
    lab.answer.table("noisy_quadratic", rows, "Expected loss in the model beyond that of the best schedule, as a share")
    if everyone[0].name in excess:
        lab.answer.metric("model_excess", excess[everyone[0].name][ASSUMED])
    return InModel([each.tolist() for each in best], excess)


def method(lab: Lab, params: Params, found: Comparison) -> None:
    """Budget, tuning and statistics in a few lines."""
    trainer, rivals = lab.recipe(0).trainer, len(found.rivals)
    used = {name: settings for name, settings in params.rival_settings.items() if name in found.rivals}
    changed = "; ".join(f"`{name}`: {settings}" for name, settings in used.items())
    lab.answer.section(
        "Method",
        f"All contenders train the same nets from the same initial weights on the same batches for {total_steps(lab)} "
        f"steps ({trainer.epochs} epochs of {len(lab.dataset.train)} samples, {trainer.batch_size} at a time); only "
        f"the schedule differs. The peak rate of each is that of {', '.join(f'{rate:g}' for rate in params.rates)} "
        f"with the highest mean validation accuracy over {tuning_runs(found)} trainings, whose seeds are used for "
        f"nothing else. Then each is trained anew on {len(lab.seeds)} seeds and measured on test data. The trivial "
        f"control is `{CONTROL}`. Settings are those of `conf/scheduler`, fixed "
        f"beforehand{f' ({changed})' if changed else ''}. Differences are paired by seed; the {rivals} comparisons "
        f"with rivals are corrected for their number (Bonferroni, level {corrected_level(rivals):.4g} each); those "
        f"with the best rival, chosen on validation data, and on robustness are one each. An advantage counts from "
        f"{MARGIN:g} of accuracy on. Budget, grid, settings and "
        "margins were fixed before any result was seen.",
    )


def total_steps(lab: Lab) -> int:
    """Optimisation steps of one training."""
    trainer = lab.recipe(0).trainer
    return trainer.epochs * steps_per_epoch(len(lab.dataset.train), trainer.batch_size)


def tuning_runs(found: Comparison) -> int:
    """Trainings per contender and peak rate."""
    return len(next(iter(found.results[0].trials.values())))


def last_rate(each: Tuned) -> float:
    """The rate of the last step as a share of the peak, averaged over the trainings."""
    return fmean(one.history[-1]["lr"] for one in each.trained) / each.rate


def draw_schedules(
    lab: Lab, params: Params, everyone: Sequence[Contender], found: Comparison, in_model: InModel
) -> None:
    """All schedules as shares of their peaks, one that looks at the training as it went; and the best in the model."""
    made, (left, right) = figure(width=10.5, height=4.6, columns=2, sharey=True)
    for index, (contender, tuned) in enumerate(zip(everyone, found.results, strict=True)):
        rates = schedule_rates(contender.changes["scheduler"], total_steps(lab), tuned.rate)
        if rates is None:
            whole = [one.history for one in tuned.trained if not one.diverged]
            rates = [fmean(row["lr"] for row in epoch) for epoch in zip(*whole, strict=True)]
        draw_rates(left, np.array(rates) / tuned.rate, contender.name, index)
    ours = schedule_rates(everyone[0].changes["scheduler"], params.model_steps, 1.0)
    if ours is not None:
        draw_rates(right, ours, everyone[0].name, 0)
    for index, (ratio, best) in enumerate(zip(SIGNAL_TO_NOISE, in_model.best, strict=True), start=1):
        draw_rates(right, best, rf"best in the model, $\rho$ = {ratio:g}", index)
    left.set(xlabel="share of the training done", ylabel="learning rate / peak", ylim=(-0.03, 1.06))
    right.set(xlabel="share of the training done")
    legend(left, columns=3)
    legend(right, columns=2)
    caption = (
        "Left: the compared schedules as shares of their peaks. Right: the proposal and the best schedules that a "
        "search finds in the noisy quadratic model, as shares of the largest rate allowed there"
    )
    lab.answer.section("The schedules")
    lab.answer.figure("schedules", made, caption)


def draw_rates(axes: Any, rates: Any, label: str, index: int) -> None:
    """One schedule; number 0, the proposal, is black and thick."""
    other = (index - 1) % 5
    line, marker = LINES[(index - 1 + (index - 1) // 5) % 6], MARKERS[(other + (index - 1) // 5) % 5]
    style = {"color": COLOURS[other], "linestyle": line, "marker": marker, "linewidth": 1.2, "markersize": 4}
    if index == 0:
        style = {"color": COLOURS[5], "linestyle": "-", "marker": "P", "linewidth": 2.2, "markersize": 5}
    at = (np.arange(len(rates)) + 0.5) / max(len(rates), 1)
    axes.plot(at, rates, label=label, markevery=max(len(rates) // 8, 1), **style)


def accuracy_at_tuned_rates(lab: Lab, found: Comparison) -> None:
    """The standings, and the claims against each rival and the best of them."""
    answer = lab.answer
    answer.section("Accuracy at the tuned rates")
    columns = {"test accuracy": found.accuracy, "test NLL": found.nll}
    last = {each.name: last_rate(each) for each in found.results}
    rows = standings(found.results, columns, "test accuracy")
    rows = [row | {"last rate / peak": last[row["contender"]]} for row in rows]
    answer.table("standings", rows, "Every contender at its own peak rate, with 95 % intervals over the seeds")
    caption = "Left: test accuracy with 95 % intervals. Right: the lead of the proposal, paired, Bonferroni intervals"
    answer.figure("accuracy", draw_standings(found.accuracy, found.proposal, MARGIN, "test accuracy"), caption)
    for name, values in found.accuracy.items():
        answer.metric(f"accuracy_{name}", fmean(values))
    tuned = found.results[0]
    answer.objective = tuned.tuning[tuned.rate].accuracy  # a sweep must not choose by test data
    for claim in claims_against(found.accuracy, found.proposal, MARGIN, "accuracy", "test accuracy"):
        answer.claim(claim)
    gap = paired_interval(found.accuracy[found.proposal], found.accuracy[found.best_rival])
    statement = (
        f"{found.proposal} has a higher test accuracy than {found.best_rival}, the best rival on validation data."
    )
    answer.claim(claim_above("beats_the_best_rival", statement, gap, MARGIN, "accuracy"))


def robustness(lab: Lab, params: Params, found: Comparison) -> None:
    """Validation accuracy against the peak rate, and what a rate drawn blindly from the grid costs."""
    cost = {each.name: grid_shortfall(each) for each in found.results}
    level = corrected_level(len(found.rivals))
    rows = []
    for each in sorted(found.results, key=lambda one: fmean(cost[one.name])):
        row: dict[str, Any] = {"contender": each.name, "mean over the grid": fmean(grid_means(each))}
        for column, interval in (
            ("shortfall", mean_interval(cost[each.name])),
            ("minus the proposal's", paired_interval(cost[each.name], cost[found.proposal], level)),
        ):
            row |= interval.columns(column, " ")
        rows.append(row)
    lab.answer.section(
        "Robustness to the peak rate",
        r"The shortfall of a contender is $A(\hat\eta) - \frac{1}{|G|} \sum_{\eta \in G} A(\eta)$, with $A$ its "
        r"validation accuracy, $G$ the grid and $\hat\eta$ its tuned rate: what a blind draw of the rate costs.",
    )
    caption = "Over the grid of peak rates; differences to the proposal are paired and corrected (Bonferroni)"
    lab.answer.table("robustness", rows, caption)
    series = {
        each.name: [mean_interval([score.accuracy for score in each.trials[rate]]) for rate in params.rates]
        for each in found.results
    }
    made = draw_beside_proposal(
        found.proposal, params.rates, series, "peak learning rate", "validation accuracy", xscale="log", ylim=(0, 1.02)
    )
    lab.answer.figure("tuning", made, "Validation accuracy against the peak rate; bands are 95 % intervals")
    gap = paired_interval(cost[CONTROL], cost[found.proposal])
    statement = f"A peak rate drawn blindly from the grid costs {found.proposal} less than it costs the {CONTROL} rate."
    lab.answer.claim(claim_above("more_robust_to_the_peak_rate", statement, gap, ROBUST_MARGIN, "accuracy"))


def grid_means(each: Tuned) -> list[float]:
    """Validation accuracy averaged over the grid, one value per tuning run."""
    return [fmean(score.accuracy for score in runs) for runs in zip(*each.trials.values(), strict=True)]


def grid_shortfall(each: Tuned) -> list[float]:
    """Validation accuracy at the tuned rate beyond that average, one value per tuning run."""
    return [score.accuracy - mean for score, mean in zip(each.trials[each.rate], grid_means(each), strict=True)]


def training_losses(lab: Lab, found: Comparison) -> None:
    """Training loss per epoch at the tuned rates, of the nets that did not diverge."""
    kept = {each.name: [one.history for one in each.trained if not one.diverged] for each in found.results}
    series = {
        name: [mean_interval([row["train_loss"] for row in epoch]) for epoch in zip(*histories, strict=True)]
        for name, histories in kept.items()
        if histories
    }
    if found.proposal not in series:
        return
    means = [each.mean for intervals in series.values() for each in intervals if each.mean > 0]
    limits = {"yscale": "log", "ylim": (min(means) * 0.6, max(means) * 1.6)} if means else {}
    epochs = range(1, len(series[found.proposal]) + 1)
    made = draw_beside_proposal(found.proposal, epochs, series, "epoch", "training loss in nats", **limits)
    lab.answer.section("Training loss")
    lab.answer.figure("training_loss", made, "Mean loss met during each epoch at the tuned rates, with 95 % intervals")


def discussion(lab: Lab, found: Comparison, in_model: InModel) -> None:
    """What the numbers say about the proposal, and what may explain what they do not support."""
    answer, proposal = lab.answer, found.proposal
    claims = {claim.name: claim for claim in answer.claims}
    means = {name: fmean(values) for name, values in found.accuracy.items()}
    place = 1 + sum(means[name] > means[proposal] for name in found.rivals)
    verdicts = {name: claims[f"beats_{name}"].verdict for name in found.rivals}
    better, refuted, undecided = (
        listed([name for name in found.rivals if verdicts[name] == verdict])
        for verdict in ("supported", "refuted", "inconclusive")
    )
    lines = [
        f"The proposed schedule is `{proposal}`. At equal budget and equal tuning it reaches {means[proposal]:.4f}, "
        f"place {place} of {len(means)}; the constant rate reaches {means[CONTROL]:.4f}, and `{found.best_rival}`, the "
        f"best rival on validation data, {means[found.best_rival]:.4f}. With a margin of {MARGIN:g} the proposal is "
        f"shown to be better than {better}; the claim is refuted against {refuted} and undecided against {undecided}."
    ]
    if len(lab.seeds) > 1:
        spread = {name: stdev(found.accuracy[name]) for name in (proposal, CONTROL)}
        lines.append(
            "What a schedule can remove is the noise of the last steps. From seed to seed the accuracy of the constant "
            f"rate has a standard deviation of {spread[CONTROL]:.4f}, that of the proposal {spread[proposal]:.4f}."
        )
    if verdicts[CONTROL] != "supported":
        lines.append(
            "The constant rate is not shown to be worse by the margin. Where a net comes to fit its training data the "
            "noise of every sample fades by itself, and tuning gives the constant rate a peak at which there is little "
            "of it: both leave less for a schedule to remove than the model, whose noise never fades, lets expect."
        )
    open_leads = [claims[f"beats_{name}"] for name in found.rivals if verdicts[name] == "inconclusive"]
    if open_leads and len(lab.seeds) > 1:
        lines.append(
            f"Against the undecided rivals the lead is {min(each.effect for each in open_leads):.4f} to "
            f"{max(each.effect for each in open_leads):.4f} on average, and the margin lies inside the intervals: more "
            "seeds would decide it. By test NLL, which also sees how sure a net is, the first is "
            f"`{min(found.nll, key=lambda name: fmean(found.nll[name]))}`."
        )
    ours, others = in_model.excess.get(OURS), {name: each for name, each in in_model.excess.items() if name != OURS}
    if proposal == OURS and ours and others and claims["beats_the_best_rival"].verdict != "supported":
        closest = min(others, key=lambda name: others[name][ASSUMED])
        lines.append(
            "That the best rival is not beaten by the margin is what the model lets expect: there (ratio "
            f"{SIGNAL_TO_NOISE[ASSUMED]:g}) the proposal ends {ours[ASSUMED]:.1%} above the best possible loss, "
            f"`{closest}` {others[closest][ASSUMED]:.1%} and the constant rate {others[CONTROL][ASSUMED]:.1%}. Most of "
            "what can be gained, any schedule gains that stays high for long and ends low."
        )
    robust = claims["more_robust_to_the_peak_rate"]
    cost = {each.name: fmean(grid_shortfall(each)) for each in found.results}
    safer = sorted((name for name in found.rivals if cost[name] < cost[proposal]), key=lambda name: cost[name])
    lines.append(
        f"Robustness: a blind choice of the peak costs the constant rate {robust.effect:.3f} of accuracy more than the "
        f"proposal ({robust.verdict}), and it costs less than with the proposal with {listed(safer)}."
    )
    if proposal == OURS and safer:
        lines.append(
            "That is the price of holding the peak: an unstable rate acts for longer than under a schedule that rises "
            "to it slowly or leaves it at once. A cooldown forgets noise; it brings back no net that was thrown off."
        )
    idle = [each.name for each in found.results[1:] if last_rate(each) == 1 and each.name != CONTROL]
    if idle:
        lines.append(
            f"{listed(idle)} never lowered the rate at its tuned peak: what waits for the training loss to stop "
            "falling is the constant rate under another name in a budget in which the loss keeps falling."
        )
    edges = [each.name for each in found.results if each.at_edge]
    if edges:
        lines.append(f"The tuned rate of {listed(edges)} ends the grid: with a wider one it might do better.")
    if proposal == OURS:
        lines.append(
            "Limits of the reason: the model has a fixed quadratic, constant noise and plain SGD, while a net's "
            "curvature and noise change, and momentum and weight decay act here too."
        )
    lines.append(
        "Limits of the comparison: no schedule had its shape tuned for these data, only its peak. The intervals cover "
        "initial weights and batches, not the choice of data, split, net and budget: with another number of epochs the "
        "order may be another (`-m trainer.epochs=4,8,16,32`)."
    )
    answer.section("Discussion", "\n\n".join(lines))


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them."""
    marked = [f"`{name}`" for name in names]
    return " and ".join([", ".join(marked[:-1]), marked[-1]] if len(marked) > 1 else marked) or "none"


# The proposal in words; what stands here is derived, not measured.

PROPOSAL = r"""Let $\eta_0$ be the peak rate, $T$ the number of steps, $n$ of them cooldown, $r = T - t$ the steps left
before step $t$. With $p = 2 \alpha - 1$ the proposal is

$$\eta(t) = \eta_0 \ \text{ for } r \ge n, \qquad
\eta(t) = \eta_0 \left(\frac{r + \tau}{n + \tau}\right)^{p} \ \text{ for } r < n, \qquad
\tau = \frac{\alpha}{\kappa e}, \quad e \left(1 + \frac{\kappa e n}{\alpha}\right)^{p} = 1.$$

$\alpha$ says how fast the curvature falls from one direction to the next, $\kappa$ is the peak rate times the largest
curvature, and $e \in (0, 1]$ comes out as the rate at the end in units of the peak."""

REASON = r"""**Why.** Take SGD on $L(\theta) = \frac12 \sum_k h_k \theta_k^2$ from $\mathrm{E}\,\theta_k^2 = m^2$, with
gradient noise of variance $s h_k$ along direction $k$ (the noisy quadratic model, Zhang et al. 2019). Let
$u(t) = \sum_{t' \ge t} \eta(t')$ be the learning still to come and $S = u(0)$. To first order in $\eta h_k$ the
expected loss at the end is

$$\mathrm{E}\, L = \frac12 \sum_k h_k m^2 e^{-2 h_k S} + \frac12 \int_0^S \eta(u)\, \varphi(u)\, du, \qquad
\varphi(u) = s \sum_k h_k^2 e^{-2 h_k u}, \qquad T = \int_0^S \frac{du}{\eta(u)}.$$

For given $S$ and $T$ only the second term, the noise that is left, depends on the shape. It is linear in $\eta(u)$, and
the constraint on $T$ is convex; with $\eta \le \eta_0$ (stability) the optimum is therefore
$\eta(u) = \min(\eta_0, \sqrt{\lambda / \varphi(u)})$: hold the peak, then fall. For many directions with
$h_k = H k^{-\alpha}$ (cut off smoothly at $H$), $\varphi(u) \propto (1 + 2 H u)^{-\gamma}$ with
$\gamma = 2 - 1/\alpha$, and $du/dt = -\eta$ integrates to the closed form above with $\kappa = H \eta_0$. How long to
hold follows from the best $S$: $(S / u_c)^{\gamma} = 2 \rho - 1$, with $u_c$ the learning done in the cooldown and
$\rho = m^2 / (s \eta_0)$ the initial squared distance over the noise of one step. For $\alpha = 1$ and many steps the
share held is $1 - 1/\rho$."""

LIMITS = r"""**Limits.** $\alpha = \frac12$, $n = 0$ or $\kappa \to 0$: the constant rate. $\alpha = 1$: a line down to
about $\eta_0 / \sqrt{\kappa n}$. $\kappa \to \infty$: the power $(r/n)^p$ down to 0, linear decay for $\alpha = 1$.
$\alpha \to \infty$: geometric decay. One curvature instead of a spectrum gives $\eta \propto 1/(t + \mathrm{const})$.

**Defaults, fixed before any run.** $\alpha = 1$, as measured in trained nets (Xie et al. 2022); $\kappa = 1$, half of
what is stable; half of the steps held, right for $\rho = 2$, as $\rho$ is not known beforehand.

**What is not new.** Li et al. (2026) derive the same power $2 \alpha - 1$, after a stable phase, for kernel regression,
and linear decay is optimal for the last iterate on convex Lipschitz losses (Defazio et al. 2023). The offset $\tau$, by
which the rate ends above 0 and the lower the longer the training, and the rule for the share held are derived here.

**State.** The class is a PyTorch `LRScheduler` whose rate is a closed form of the number of steps done; a restored
`state_dict` goes on with exactly the same rates."""
