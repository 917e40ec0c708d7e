r"""5.2 Are there critical periods: does regularisation matter in the first epochs of a training, and not later?

Question. A regulariser (weight decay, augmentation) that is on in all epochs improves the final test accuracy. Which
epochs does it owe that to?

Idea (Golatkar et al. 2019). Turn it on only until epoch t, only from t on, or only in a window of fixed length that
slides over the training; everything else, the number of epochs included, stays the same. If regularisation worked by
shaping the end point, the last epochs would matter most; a critical period is the opposite. The verdict is the contrast
of the first window against the last, of equal length, paired by seed. The same is done with a deficit (Achille et al.
2019): blurred or noisy inputs in a period, then true ones. The trace of the Fisher information of the weights, which
these authors propose as the mark of the period, is measured after each epoch.

Controls. Never and always regularised. As the rate falls, a late window also moves the weights less: the contrast is
measured at a constant rate, too, where windows have the same dose. It is also measured with wrong training labels,
which nets fit late: there the late epochs are where regularisation could help most. For deficits: a pause, in which
nothing is learnt, says how much of the harm is the mere loss of the epochs.

Expected, from the papers: early is nearly as good as always, late hardly better than never; an early deficit leaves a
lasting harm; the trace rises in the first epochs and then falls. Their nets are large and their data CIFAR-10.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from dlexp.claims import claim_above, claim_below, claim_within
from dlexp.comparison.period_plan import AUGMENTATION, DECAY, NEVER, PAUSE, Periods, Run, Window, periods_of, run_of
from dlexp.comparison.period_trials import Outcomes, period_callback, trace_rows, train_runs
from dlexp.comparison.period_words import SAID, position, readings, shown
from dlexp.data.label_noise import noisy_training_labels
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.probes.period_drawings import Panel, draw_contrasts, draw_panels, draw_traces
from dlexp.stats import mean_interval
from dlexp.training.deficits import Kind
from dlexp.training.recipe import Recipe

# Practical margins, stated before looking.
MARGIN = 0.01  # test accuracy: a regulariser or its timing that is worth less than a point would not change a recipe
EARLY = 0.25  # share of the training: a peak of the Fisher trace after its first quarter is not one of the early epochs
RISE = 0.22  # log of the peak over the initial trace: a rise by less than a quarter would not be called one

REGULARISERS = (DECAY, AUGMENTATION)
MAIN, CONSTANT, WRONG = "as composed", "constant rate", "wrong labels"
SUFFIX = {MAIN: "", CONSTANT: "_at_constant_rate", WRONG: "_with_wrong_labels"}
ALSO = {MAIN: "", CONSTANT: ", also at a constant rate", WRONG: ", also with wrong training labels"}
NOTHING: Window = (0, 0)


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    weight_decay: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # strength while it is on
    times: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)]  # t, as shares of the training
    window: Annotated[float, Field(gt=0, lt=1)]  # length of the sliding window, as a share of the training
    deficits: Annotated[list[Kind], Field(min_length=1)]  # blur | noise | upside_down | shuffled_labels
    blur_factor: Annotated[int, Field(ge=2)]  # blurred images keep the detail of ones so many times smaller
    wrong_labels: Annotated[float, Field(ge=0, lt=1)]  # share of wrong training labels in that control; 0: without it
    redraw: bool  # draw the training samples anew for every seed, or use the same
    fisher_samples: Annotated[int, Field(ge=1)]  # training inputs on which the Fisher trace is measured
    fisher_every: Annotated[int, Field(ge=1)]  # epochs between two measurements


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, what would spoil the comparison."""
    planned(lab, params)
    if lab.config["optimizer"].get("weight_decay") != 0:
        raise InputError(
            "optimizer.weight_decay: must be there and 0, for the epochs without regularisation; set the strength by "
            "params.weight_decay"
        )
    if len(lab.dataset.input_shape) != 3:
        raise InputError("dataset: augmentation and blur are for images; say dataset=digits, mnist, cifar10, ...")


def run(lab: Lab, params: Params) -> None:
    """Train everything side by side, compare by final test accuracy, and judge the claims."""
    periods = planned(lab, params)
    done = train(lab, params, periods)
    method(lab, params, periods)
    when_regularised(lab, periods, done)
    early_against_late(lab, periods, done)
    deficits(lab, params, periods, done)
    fisher(lab, params, periods, done)
    discussion(lab, params, periods, done)


def planned(lab: Lab, params: Params) -> Periods:
    """The periods in epochs of the composed training."""
    return periods_of(int(lab.config["trainer"]["epochs"]), params.times, params.window)


def settings(lab: Lab, params: Params) -> list[str]:
    """Where the first window is held against the last."""
    constant = [CONSTANT] if lab.choices["scheduler"] != "constant" else []
    return [MAIN, *constant, *([WRONG] if params.wrong_labels else [])]


def all_runs(lab: Lab, params: Params, periods: Periods) -> list[Run]:
    """Every treatment, once."""
    ends = [periods.always, periods.early, periods.late]
    on = [*ends, *periods.until, *periods.since, *periods.sliding]
    runs = [Run(MAIN, kind, window) for kind in REGULARISERS for window in on]
    for setting in settings(lab, params):
        runs += [run_of(setting, NEVER, NOTHING)]
        runs += [Run(setting, kind, window) for kind in REGULARISERS for window in ends]
        spoilt = [*(periods.until if setting == MAIN else []), *periods.with_recovery]
        if setting != WRONG:
            runs += [Run(setting, kind, window) for kind in (*params.deficits, PAUSE) for window in spoilt]
    return list(dict.fromkeys(runs))


def watched(periods: Periods, run: Run) -> bool:
    """Whether the Fisher trace is followed: never, always, early, late, and early deficits."""
    if run.setting != MAIN:
        return False
    regularised = run.kind in (*REGULARISERS, NEVER)
    return run.window == periods.early or (regularised and run.window in (NOTHING, periods.always, periods.late))


def train(lab: Lab, params: Params, periods: Periods) -> Outcomes:
    """All runs with all seeds; the runs of one seed share initialisation, order of the samples and data."""
    clean = [lab.data_with(split_seed=seed) if params.redraw else lab.dataset for seed in lab.seeds]
    noise = params.wrong_labels
    wrong = [noisy_training_labels(data, noise, seed) for data, seed in zip(clean, lab.seeds, strict=True)]
    runs = all_runs(lab, params, periods)
    recipes = {run: [recipe(lab, params, periods, run, seed) for seed in lab.seeds] for run in runs}
    return train_runs(lab, recipes, {run: wrong if run.setting == WRONG else clean for run in runs})


def recipe(lab: Lab, params: Params, periods: Periods, run: Run, seed: int) -> Recipe:
    """The composed training, with what `run` turns on or spoils in its window."""
    callbacks: list[dict[str, Any]] = []
    if run.kind != NEVER:
        callbacks.append(period_callback(run.kind, run.window, params.weight_decay, params.blur_factor, seed))
    if watched(periods, run):
        trace = {"_target_": "dlexp.training.fisher_history.FisherTrace", "samples": params.fisher_samples}
        callbacks.append({**trace, "every": params.fisher_every})
    changes: dict[str, Any] = {} if run.kind == AUGMENTATION else {"augmentation": None}
    if run.setting == CONSTANT:
        changes["scheduler"] = lab.option("scheduler", "constant")
    return lab.recipe(seed, callbacks=callbacks, **changes)


def slug(kind: str) -> str:
    """A part of a claim's name."""
    return kind.replace(" ", "_")


def method(lab: Lab, params: Params, periods: Periods) -> None:
    """The formal statement and the method."""
    n, last, length = len(lab.seeds), periods.epochs, periods.length
    lab.answer.section(
        "Formal statement",
        r"A training of $T$ epochs follows $\theta_{s+1} = \theta_s - \eta_s \nabla [L(\theta_s) + \lambda(e)\, "
        r"R(\theta_s)]$ in the steps $s$ of epoch $e$. Let $A[a, b)$ be the final test accuracy when the regulariser "
        r"is on in the epochs $a \le e < b$ only ($\lambda(e) = \lambda \mathbf{1}[a \le e < b]$; with augmentation, "
        r"inputs are transformed in those epochs only). $A[0, T)$ is *always*, $A[0, 0)$ *never*, $A[0, t)$ *until t*, "
        r"$A[t, T)$ *from t*. There is an early **critical period** if, with windows of equal length $w$, "
        r"$\Delta = A[0, w) - A[T - w, T) > m$, and a sensory one if a deficit in $[0, w)$ costs more than the same "
        r"deficit later, with at least $w$ epochs of true data after either. The Fisher information of the weights is "
        r"$F = E_x E_{k \sim p_\theta(\cdot | x)} [g g^\top]$, $g = \nabla_\theta \log p_\theta(k | x)$, with labels "
        r"of the net's own prediction; $\operatorname{tr} F = E_x \sum_k p_\theta(k | x) \lVert g \rVert^2$ is "
        f"computed exactly over the classes. The margin $m = {MARGIN:g}$ of accuracy was fixed before looking.",
    )
    draws = (
        "drawn anew for each seed (its `split_seed`), as is the test set" if params.redraw else "the same for all seeds"
    )
    lab.answer.section(
        "Method",
        f"{n} seeds, which all treatments share (initialisation, order, data): all differences are paired. "
        f"{len(lab.dataset.train)} training samples, {draws}; $T = {last}$ epochs and the same number of steps for "
        f"every training; windows of $w = {length}$ epochs. Weight decay is {params.weight_decay:g} while it is on, "
        f"augmentation is `{lab.choices['augmentation']}`; there is no other regulariser. Net, rate and strengths of "
        "the default scale were chosen by the gain of always over never, with other seeds; early and late were not "
        "compared for that. Intervals are 95 % over the seeds; the claims are not corrected for one another.",
    )


def when_regularised(lab: Lab, periods: Periods, done: Outcomes) -> None:
    """Final accuracy against the epoch at which a regulariser is turned off or on."""
    last, answer = periods.epochs, lab.answer
    groups: dict[str, tuple[list[int], list[Window]]] = {
        "on until epoch t": ([0, *periods.times, last], [NOTHING, *periods.until, periods.always]),
        "on from epoch t": ([0, *periods.times, last], [periods.always, *periods.since, NOTHING]),
        f"on for {periods.length} epochs from t": (periods.starts, periods.sliding),
    }
    rows = [
        {"regulariser": kind, "when": label, "t": t, "epochs on": window[1] - window[0]}
        | done.row(MAIN, kind, window, "gain over never")
        for kind in REGULARISERS
        for label, (times, windows) in groups.items()
        for t, window in zip(times, windows, strict=True)
    ]
    answer.section("When regularisation is on")
    answer.table("when_regularised", rows, "Final test accuracy by the epochs in which a regulariser is on")
    panels = [
        Panel(label, times, {kind: [done.gain(MAIN, kind, window) for window in windows] for kind in REGULARISERS})
        for label, (times, windows) in groups.items()
    ]
    caption = "Final test accuracy beyond that of a net that was never regularised, with paired 95 % intervals"
    answer.figure("when_regularised", draw_panels(panels, "gain in test accuracy", last), caption)
    for kind in REGULARISERS:
        always, late = done.gain(MAIN, kind, periods.always), done.gain(MAIN, kind, periods.late)
        statement = f"On in all epochs, {kind} improves the final test accuracy."
        answer.claim(claim_above(f"{slug(kind)}_helps", statement, always, MARGIN, "accuracy"))
        rest = done.gain(MAIN, kind, periods.always, over=periods.early)
        statement = f"On in the first {periods.length} epochs only, {kind} is about as good as on in all of them."
        answer.claim(claim_below(f"early_{slug(kind)}_is_enough", statement, rest, MARGIN, "accuracy"))
        statement = f"On in the last {periods.length} epochs only, {kind} changes nothing that matters."
        answer.claim(claim_within(f"late_{slug(kind)}_changes_nothing", statement, late, MARGIN, "accuracy"))


def early_against_late(lab: Lab, periods: Periods, done: Outcomes) -> None:
    """The contrast that decides, in each setting."""
    where, answer = list(dict.fromkeys(run.setting for run in done)), lab.answer
    contrast = {kind: [done.gain(at, kind, periods.early, over=periods.late) for at in where] for kind in REGULARISERS}
    windows = {NEVER: NOTHING, "always": periods.always, "early": periods.early, "late": periods.late}
    rows = [
        {"regulariser": kind, "setting": at}
        | {label: float(done.test(at, kind, window).mean()) for label, window in windows.items()}
        | {"early - late": each.mean, "low": each.low, "high": each.high}
        | {f"{end}: share of rates": done[run_of(at, NEVER, NOTHING)].dose(windows[end]) for end in ("early", "late")}
        for kind in REGULARISERS
        for at, each in zip(where, contrast[kind], strict=True)
    ]
    answer.section(
        "Early against late, at equal length",
        "What weight decay does in a step is proportional to the learning rate. The last columns have the share that a "
        "window has in the sum of the rates of all epochs: at a constant rate both windows have the same.",
    )
    caption = f"Final test accuracy with the first or the last {periods.length} epochs regularised, and their contrast"
    answer.table("early_against_late", rows, caption)
    caption = "First window minus last, with paired 95 % intervals; above 0 the early epochs matter more"
    answer.figure("early_against_late", draw_contrasts(where, contrast, MARGIN), caption)
    for kind in REGULARISERS:
        for at, each in zip(where, contrast[kind], strict=True):
            statement = f"{kind.capitalize()} in the first window beats the same in the last one{ALSO[at]}."
            name = f"early_{slug(kind)}_beats_late{SUFFIX[at]}"
            answer.claim(claim_above(name, statement, each, MARGIN, "accuracy"))
    answer.objective = contrast[DECAY][0].mean


def deficits(lab: Lab, params: Params, periods: Periods, done: Outcomes) -> None:
    """Spoilt inputs until t, or in a window, then true ones; against a pause of the same epochs."""
    kinds, answer, length = (*params.deficits, PAUSE), lab.answer, periods.length
    where = [at for at in settings(lab, params) if at != WRONG]
    groups = {"deficit until epoch t": (MAIN, 1, periods.until)}
    for at in where:
        groups[f"for {length} epochs from t, {at}"] = (at, 0, periods.with_recovery)
    rows = [
        {"deficit": kind, "setting": at, "from": window[0], "until": window[1]}
        | done.row(at, kind, window, "change")
        | {"harm beyond a pause": done.beyond_pause(at, kind, window).mean}
        for kind in kinds
        for at, window in dict.fromkeys((at, window) for at, _, windows in groups.values() for window in windows)
    ]
    answer.section(
        "Deficits",
        "Inputs are spoilt in the epochs of the period, true before and after; no regulariser is on. In a *pause* "
        "nothing is learnt while the schedule goes on: what a deficit costs beyond it is harm, not lost time. Deficits "
        "at a constant rate were added after a first look at those with the schedule.",
    )
    answer.table("deficits", rows, "Final test accuracy after a deficit, and its change against a training without")
    panels = []
    for label, (at, end, windows) in groups.items():
        changes = {kind: [done.gain(at, kind, each) for each in windows] for kind in kinds}
        panels.append(Panel(label, [each[end] for each in windows], changes))
    caption = "Change of the final test accuracy by a deficit that is removed again, with paired 95 % intervals"
    answer.figure("deficits", draw_panels(panels, "change in test accuracy", periods.epochs, one_scale=False), caption)
    later, longest = periods.with_recovery[-1], periods.until[-1]
    for kind in params.deficits:
        named = f"A deficit ({kind.replace('_', ' ')})"
        for at in where:
            effect = done.gain(at, kind, later, over=periods.early)
            statement = f"{named} in the first {length} epochs costs more than in those from {later[0]} on{ALSO[at]}."
            name = f"early_{kind}_harms_more{SUFFIX[at]}"
            answer.claim(claim_above(name, statement, effect, MARGIN, "accuracy"))
        effect = done.beyond_pause(MAIN, kind, longest)
        statement = f"{named} until epoch {longest[1]}, then removed, costs more than learning nothing until then."
        answer.claim(claim_above(f"{kind}_harms_beyond_lost_epochs", statement, effect, MARGIN, "accuracy"))


def fisher(lab: Lab, params: Params, periods: Periods, done: Outcomes) -> None:
    """The trace of the Fisher information, epoch by epoch."""
    last, answer = periods.epochs, lab.answer
    epochs = [*range(0, last, params.fisher_every), last]
    names = {NOTHING: "", periods.always: ", always", periods.early: ", early", periods.late: ", late"}
    traces = {f"{run.kind}{names[run.window]}": each.fisher for run, each in done.items() if each.fisher is not None}
    answer.section(
        "Fisher information",
        f"The trace, exact over the classes, on {params.fisher_samples} true training inputs at most, net in "
        "evaluation mode. Geometric means over the seeds.",
    )
    answer.table("fisher", trace_rows(traces, epochs, periods.length), "Trace of the Fisher information of all weights")
    shown = [(kind, NEVER) for kind in REGULARISERS] + [(*params.deficits, PAUSE, NEVER)]
    panels = [{label: traces[label] for kind in kinds for label in traces if label.startswith(kind)} for kinds in shown]
    caption = "Trace of the Fisher information against the epoch, with 95 % intervals; the first window is shaded"
    answer.figure("fisher", draw_traces(panels, epochs, periods.early), caption)
    free = traces[NEVER]
    peak = mean_interval(np.take(epochs, free.argmax(axis=1)) / last)
    statement = "Without regulariser the Fisher trace has its peak in the first quarter of the training."
    answer.claim(claim_below("fisher_trace_peaks_early", statement, peak, EARLY, "share of the training"))
    rise = mean_interval(np.log(free.max(axis=1) / free[:, 0]))
    statement = "Before it falls, the Fisher trace rises above that of the initialisation by a quarter or more."
    answer.claim(claim_above("fisher_trace_rises_first", statement, rise, RISE, "log of the ratio"))


def discussion(lab: Lab, params: Params, periods: Periods, done: Outcomes) -> None:
    """The answer to the question, with the numbers of this run and the verdicts they led to."""
    verdicts = {claim.name: claim.verdict for claim in lab.answer.claims}
    free, where = done[run_of(MAIN, NEVER, NOTHING)], settings(lab, params)
    lines, ends = [], (periods.always, periods.early, periods.late)
    for kind in REGULARISERS:
        contrast = done.gain(MAIN, kind, periods.early, over=periods.late)
        gains = ["{}: {}, {} and {}".format(at, *(shown(done.gain(at, kind, end)) for end in ends)) for at in where]
        lines.append(
            f"**{kind.capitalize()}.** {SAID[verdicts[f'early_{slug(kind)}_beats_late']]} Early minus late is "
            f"{shown(contrast)}; the interval {position(contrast)}. Gains over never if on always, early and late: "
            f"{'; '.join(gains)}."
        )
    lines.append(
        f"**Timing or dose?** The first window has {free.dose(periods.early):.0%} of the sum of the learning rates, "
        f"the last one {free.dose(periods.late):.0%}: that late weight decay does nothing could mean that it is hardly "
        "applied. Only at a constant rate do both weigh the same. There the last window also leaves no time to settle: "
        "where it loses accuracy, that part of the contrast is no merit of the first."
    )
    longest = periods.until[-1]
    for kind in params.deficits:
        early, pause = (shown(done.gain(MAIN, each, periods.early)) for each in (kind, PAUSE))
        lines.append(
            f"**Deficit: {kind.replace('_', ' ')}.** In the first {periods.length} epochs it changes the accuracy by "
            f"{early}, a pause by {pause}; until epoch {longest[1]} it costs "
            f"{shown(done.beyond_pause(MAIN, kind, longest))} more than a pause."
        )
    nets = [done[run_of(MAIN, DECAY, window)] for window in (NOTHING, *ends)]
    pairs = ", ".join(f"{net.last_trace:.3g} ({net.test.mean():.3f})" for net in nets)
    lines += [
        "**Fisher information.** The final traces (and accuracies) with weight decay never, always, early and late are "
        f"{pairs}. Where the better nets have the larger trace, it is not a flat end point that makes them better.",
        *readings(verdicts),
        "**Limits.** The intervals cover initialisation, order and, where drawn anew, the data; not the choice of net, "
        "rate, strength and length of training.",
    ]
    lab.answer.section("Discussion", "\n\n".join(lines))
