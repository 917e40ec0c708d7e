r"""1.2 The mean of all samples, the mean of each class, and per class the sample farthest from its mean.

Question. For n samples of m features in k classes: (i) the mean, (ii) the class means, (iii) the sample of each class
that is farthest from its class mean, formally and in code.

Idea. The formulas are short; what deserves an experiment is around them. Does code without a loop over samples
compute the same (a plain loop is the control), and what does it save? "Farthest" needs a metric: does the answer depend
on it, and on the units of the features? And how do the two kinds of statistic behave as a class grows: a mean is an
average and settles down, the farthest sample is an extreme and does not.

Expected. mu is the average of the class means weighted by class size, exactly. The error of a class mean is
sqrt(tr Sigma_c / n_c), so it shrinks like 1/sqrt(n_c). The farthest sample moves outwards as n_c grows (for a Gaussian
class in the plane like sqrt(log n_c)). The Mahalanobis distance does not change under invertible linear maps of the
features, the Euclidean one does: stretching one direction changes who is farthest.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dlexp.claims import claim_above, claim_below, claim_within
from dlexp.errors import InputError
from dlexp.feature_space import Table, all_samples, fresh_draw, is_generated
from dlexp.lab import Lab
from dlexp.plots import COLOURS, curves, figure, legend
from dlexp.stats import Interval, mean_interval
from dlexp.tabular import drawing
from dlexp.tabular.class_statistics import (
    ClassStatistics,
    Metric,
    class_statistics,
    distances_to_class_mean,
    farthest_samples,
)
from dlexp.tabular.class_statistics_trials import by_loop, changes_when_stretched, farthest, laws_of_size
from dlexp.tabular.families import family_level, least_favourable

# Practical margins, stated before looking.
IDENTITY = 1e-12  # relative difference of two numbers that are equal on paper: some thousand roundings
ANOTHER = 0.01  # share of farthest samples that may differ where they must not
TENFOLD = 1.0  # log10 of a ratio of seconds: what would make one rewrite a loop
EXPONENT = 0.05  # distance from -1/2 that would mean another law
CLOSED_FORM = 0.05  # relative distance of a measured error from the one on paper
MOVES_OUT = 0.5  # growth of the farthest distance, in typical distances of the class
SETTLED = 0.05  # relative change of the typical distance that would count as growth
MOVED = 0.2  # share of classes whose farthest sample changes: one class in five

SHOWN = 8  # columns shown in tables
Array = NDArray[np.float64]
Measured = dict[str, Array]


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    other_metrics: list[Literal["mahalanobis", "cosine"]]  # beside the Euclidean one; [] for none
    draws: Annotated[int, Field(ge=1, le=10_000)]  # repetitions for each seed
    sizes: Annotated[list[Annotated[int, Field(ge=2, le=10_000_000)]], Field(min_length=2)]  # n_c, increasing
    subsets: Annotated[int, Field(ge=2, le=100_000)]  # subsets drawn of each class for each size
    stretches: Annotated[list[Annotated[float, Field(ge=1, le=1e4)]], Field(min_length=2)]  # factors, from 1 increasing
    timed_samples: Annotated[list[Annotated[int, Field(ge=10, le=10_000_000)]], Field(min_length=1)]  # n, increasing


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything runs, settings that do not fit each other or the data."""
    for name in ("sizes", "stretches", "timed_samples"):
        values = getattr(params, name)
        if sorted(set(values)) != values:
            raise InputError(f"params.{name}={values}: must increase from one to the next")
    if params.stretches[0] != 1:
        raise InputError(f"params.stretches={params.stretches}: must begin with 1, the classes as round as they are")
    if len(set(params.other_metrics)) < len(params.other_metrics):
        raise InputError(f"params.other_metrics={params.other_metrics}: names a metric twice")
    if len(lab.seeds) * params.draws < 2 or len(lab.seeds) < 2:
        raise InputError("seeds=1: one repetition has no interval; use seeds of 2 or more")
    table = all_samples(lab.dataset)
    if params.timed_samples[0] < len(table.classes):
        raise InputError(f"params.timed_samples={params.timed_samples}: must hold one sample of each class at least")
    statistics = class_statistics(table.x, table.y, len(table.classes))
    if len(usable(params.sizes, statistics)) < 2:
        smallest = statistics.counts.min()
        raise InputError(
            f"params.sizes={params.sizes}: the smallest class has {smallest} samples; give two sizes within"
        )
    for metric in params.other_metrics:
        try:
            distances_to_class_mean(table.x, table.y, statistics.class_means, metric)
        except InputError as error:
            raise InputError(f"params.other_metrics={params.other_metrics}: {error}") from error


def usable(sizes: list[int], statistics: ClassStatistics) -> list[int]:
    """The sizes that every class can give without repeating a sample."""
    return [size for size in sizes if size <= statistics.counts.min()]


def run(lab: Lab, params: Params) -> None:
    """The three items on the composed data, then the repetitions that test what is said about them."""
    from threadpoolctl import threadpool_limits

    table = all_samples(lab.dataset)
    statistics = class_statistics(table.x, table.y, len(table.classes))
    sizes = usable(params.sizes, statistics)
    draws = [(seed, k) for seed in lab.seeds for k in range(params.draws)]
    with threadpool_limits(1):  # no sum depends on the number of threads, and the clock of this thread sees all work
        measured = stacked(lab.map(lambda at: measure(lab, params, sizes, at), draws, "repetitions"))
        seconds = np.array([cost(table, params, seed) for seed in lab.seeds])  # (seeds, n, ways)
    formal_statement(lab, params, table, len(draws))
    three_items(lab, params, table, statistics)
    identity_and_loop(lab, params, measured, seconds)
    if "mahalanobis" in params.other_metrics:
        metrics_and_units(lab, params, measured)
    as_classes_grow(lab, table, params, sizes, measured)
    discussion(lab, params, table, measured, sizes)


def stacked(each: list[Measured]) -> Measured:
    """The measurements of all repetitions, along a new first axis."""
    return {name: np.stack([one[name] for one in each]) for name in each[0]}


def metrics_of(params: Params) -> list[Metric]:
    """All metrics of this run."""
    return ["euclidean", *params.other_metrics]


def repetition(lab: Lab, at: tuple[int, int]) -> Table:
    """Fresh data where they come from a generator, else a bootstrap sample of every class."""
    table = fresh_draw(lab, at)
    return table if is_generated(lab) else table.resampled(np.random.default_rng([*at, 1]))


def measure(lab: Lab, params: Params, sizes: list[int], at: tuple[int, int]) -> Measured:
    """Everything that is repeated, on one repetition of the data."""
    table, random = repetition(lab, at), np.random.default_rng([*at, 2])
    statistics = class_statistics(table.x, table.y, len(table.classes))
    scale = np.sqrt(np.mean(np.sum(table.x**2, axis=1)))
    found = {"identity": np.linalg.norm(statistics.pooled_mean - statistics.mean) / scale}
    found |= against_the_loop(table, statistics, params, scale)
    if "mahalanobis" in params.other_metrics:
        found |= changes_when_stretched(table, params.stretches, random)
    return {
        name: np.asarray(value) for name, value in (found | laws_of_size(table, sizes, params.subsets, random)).items()
    }


def against_the_loop(table: Table, statistics: ClassStatistics, params: Params, scale: float) -> Measured:
    """Largest relative difference of the means, and the share of farthest samples that differ."""
    other = []
    for metric in metrics_of(params):
        mean, means, index = by_loop(table.x, table.y, len(table.classes), metric)
        other.append(index != farthest(table.x, table.y, statistics.class_means, metric).index)
    apart = np.abs(np.vstack([mean, means]) - np.vstack([statistics.mean, statistics.class_means])).max() / scale
    return {"loop": np.asarray(apart), "other sample": np.mean(other)}


def cost(table: Table, params: Params, seed: int) -> list[list[float]]:
    """CPU seconds of the vectorised way and of the loop, for each n; rows of the table drawn with replacement."""
    k, seconds = len(table.classes), []
    for n in params.timed_samples:
        one_each = [rows[0] for rows in table.by_class()]
        others = np.random.default_rng([seed, n]).integers(len(table), size=n - k)
        drawn = table.take(np.concatenate([one_each, others]))

        def vectorised(drawn: Table = drawn) -> object:
            means = class_statistics(drawn.x, drawn.y).class_means
            return farthest(drawn.x, drawn.y, means, "euclidean")

        seconds.append([timed(vectorised), timed(lambda drawn=drawn: by_loop(drawn.x, drawn.y, k))])
    return seconds


def timed(call: Callable[[], object]) -> float:
    """The fewer CPU seconds of two calls in this thread: other programs do not count."""
    seconds = []
    for _ in range(2):
        started = time.thread_time()
        call()
        seconds.append(time.thread_time() - started)
    return max(min(seconds), 1e-9)


def formal_statement(lab: Lab, params: Params, table: Table, draws: int) -> None:
    """The items as formulas, and how they were computed and tested."""
    lab.answer.section(
        "Formal statement",
        r"Let $x_1, \dots, x_n \in \mathbb{R}^m$ be the samples, $y_i \in \{1, \dots, k\}$ their classes, "
        r"$I_c = \{i : y_i = c\}$ and $n_c = |I_c| \ge 1$."
        "\n\n"
        r"- (i) $\mu = \frac{1}{n} \sum_{i=1}^{n} x_i$." + "\n"
        r"- (ii) $\mu_c = \frac{1}{|I_c|} \sum_{i \in I_c} x_i$." + "\n"
        r"- (iii) $i^*_c = \arg\max_{i \in I_c} \|x_i - \mu_c\|$, the lowest $i$ among equals. Other metrics: "
        r"Mahalanobis $\sqrt{(x_i - \mu_c)^T \Sigma_c^{-1} (x_i - \mu_c)}$ with "
        r"$\Sigma_c = \frac{1}{n_c - 1} \sum_{i \in I_c} (x_i - \mu_c)(x_i - \mu_c)^T$, and cosine "
        r"$1 - \frac{x_i^T \mu_c}{\|x_i\| \|\mu_c\|}$." + "\n"
        r"- (iv) $\mu = \sum_{c=1}^{k} \frac{n_c}{n} \mu_c$, because the $I_c$ are disjoint and together hold every "
        "$i$. (The exercise speaks of items (i) to (iv) and lists three; the relation between the first two is taken "
        "as the fourth.)" + "\n\n"
        r"**As matrices.** With $X \in \mathbb{R}^{n \times m}$ and one-hot $Y \in \{0, 1\}^{n \times k}$: "
        r"$\mu = \frac{1}{n} X^T \mathbf{1}$, and row $c$ of $M = (Y^T Y)^{-1} Y^T X$ is $\mu_c$ ($Y^T Y$ is the "
        r"diagonal matrix of the $n_c$). The deviations of all samples are $X - Y M$, and (iv) reads "
        r"$\mu = \frac{1}{n} M^T Y^T \mathbf{1}$.",
    )
    kept = "images flattened to pixels" if table.images else "the columns as they are"
    how = "fresh data from the generator" if is_generated(lab) else "bootstrap samples of every class"
    lab.answer.section(
        "Method",
        f"All {len(table)} samples count (training, validation and test together, in this order; rows are numbered "
        f"from 0; {kept}): these are descriptions, nothing is predicted, so nothing can leak. No loop over samples: "
        "rows are sorted by class once, and sums and maxima are taken of whole stretches (`add.reduceat`, "
        "`maximum.reduceat`); float64, sums of deviations from a first estimate of the mean. Claims are tested on "
        f"{draws} repetitions, {how}; intervals are 95 % over them. Distances that differ by less than 1e-12 of the "
        "largest count as equal.",
    )


def three_items(lab: Lab, params: Params, table: Table, statistics: ClassStatistics) -> None:
    """Items (i)-(iii) on the composed data."""
    answer, shown = lab.answer, table.names[:SHOWN]
    answer.section("The means and the farthest samples")
    rows = [
        {"class": name, "samples": int(count)} | dict(zip(shown, map(float, mean), strict=False))
        for name, count, mean in zip(
            ("all (i)", *table.classes),
            (len(table), *statistics.counts),
            np.vstack([statistics.mean, statistics.class_means]),
            strict=True,
        )
    ]
    more = "" if len(shown) == len(table.names) else f" (the first {SHOWN} of {len(table.names)} columns)"
    answer.table("means", rows, f"(i) mean of all samples, (ii) means of the classes{more}")
    rows, marked = [], {}
    for metric in metrics_of(params):
        distance = distances_to_class_mean(table.x, table.y, statistics.class_means, metric)
        found = farthest_samples(distance, table.y)
        marked[metric] = table.x[found.index]
        typical = [float(np.sqrt(np.mean(distance[rows_of] ** 2))) for rows_of in table.by_class()]
        for c, name in enumerate(table.classes):
            rows.append(
                {"metric": metric, "class": name, "row": int(found.index[c]), "distance": float(found.distance[c])}
                | {"typical distance (RMS)": typical[c]}
                | dict(zip(shown, map(float, table.x[found.index[c]]), strict=False))
            )
    answer.table("farthest", rows, f"(iii) the sample farthest from its class mean, by metric{more}")
    if table.x.shape[1] == 2:
        draw_farthest(lab, table, statistics, marked)
    else:
        answer.text(f"With m = {table.x.shape[1]} there is no plane to draw in: see `feature_space_projection`.")


def draw_farthest(lab: Lab, table: Table, statistics: ClassStatistics, marked: dict[Metric, Array]) -> None:
    """The plane with means, and the farthest samples of each metric ringed."""
    made, axes = figure(width=7.5, height=5.5)
    drawing.samples(axes, table.x, table.y, table.classes)
    for (metric, points), size, style in zip(marked.items(), (90, 190, 320), ("-", "--", ":"), strict=False):
        drawing.rings(axes, points, f"farthest, {metric}", size, style)
    drawing.tethers(axes, marked["euclidean"], statistics.class_means)
    drawing.class_means(axes, statistics.class_means, table.classes)
    drawing.overall_mean(axes, statistics.mean)
    axes.axhline(0, color="0.5", linewidth=0.6)
    axes.axvline(0, color="0.5", linewidth=0.6)
    axes.set(xlabel="x1", ylabel="x2", aspect="equal")
    drawing.legend_beside(axes)
    caption = (
        "Means, and the farthest sample of each class by each metric (tied to its class mean by a line: Euclidean)"
    )
    lab.answer.figure("farthest", made, caption)


def identity_and_loop(lab: Lab, params: Params, measured: Measured, seconds: Array) -> None:
    """(iv), and the vectorised code against the loop: results and time."""
    answer, relative = lab.answer, "relative difference"
    answer.section(
        "The identity, and the loop as a control",
        "Differences are relative to the root mean square length of the samples. The loop does what the formulas say "
        "for one sample after another; both do $O(nm)$ arithmetic, but the loop takes $n$ steps of the interpreter. "
        "Seconds are CPU time of one thread for the means and the Euclidean farthest samples, the better of two calls; "
        "only they depend on the machine.",
    )
    average = seconds.mean(axis=0)
    rows = [
        {
            "n": n,
            "vectorised, seconds": float(fast),
            "loop, seconds": float(slow),
            "ratio of seconds": float(slow / fast),
        }
        for n, (fast, slow) in zip(params.timed_samples, average, strict=True)
    ]
    answer.table("cost", rows, f"Vectorised against the loop (means over {len(seconds)} draws of rows)")
    statement = "The overall mean is the average of the class means weighted by class size (iv)."
    answer.claim(claim_below("identity_of_means", statement, mean_interval(measured["identity"]), IDENTITY, relative))
    statement = "Without a loop over samples the means are the same (the largest difference of any coordinate)."
    answer.claim(claim_below("vectorised_equals_loop", statement, mean_interval(measured["loop"]), IDENTITY, relative))
    other = mean_interval(measured["other sample"])
    statement = "Without a loop over samples the same farthest samples are found, in every metric."
    answer.claim(claim_below("same_farthest_samples", statement, other, ANOTHER, "share of farthest samples"))
    saved = mean_interval(np.log10(seconds[:, -1, 1] / seconds[:, -1, 0]))
    statement = f"At n = {params.timed_samples[-1]} the vectorised code takes less than a tenth of the loop's time."
    answer.claim(claim_above("vectorising_pays", statement, saved, TENFOLD, "log10 of the ratio of seconds"))


def metrics_and_units(lab: Lab, params: Params, measured: Measured) -> None:
    """Who is farthest when one direction of the features is stretched."""
    answer = lab.answer
    answer.section(
        "Which metric? What a change of units does",
        "Every repetition was made round (pooled covariance of the classes $I$) and then stretched by a factor along "
        "one random direction, as a change of one feature's unit would. The share of classes whose farthest sample "
        "changes is counted.",
    )
    labels = {
        "euclidean moved": "Euclidean: another sample than without stretching",
        "mahalanobis moved": "Mahalanobis: another sample than without stretching",
        "metrics differ": "Euclidean and Mahalanobis name different samples",
    }
    found = {label: [mean_interval(each) for each in measured[name].T] for name, label in labels.items()}
    rows = [
        {
            "stretched by": factor,
            "what": label,
            "share of classes": each[i].mean,
            "low": each[i].low,
            "high": each[i].high,
        }
        for label, each in found.items()
        for i, factor in enumerate(params.stretches)
    ]
    answer.table("units", rows, "Share of classes whose farthest sample changes, with 95 % intervals")
    made, axes = figure()
    curves(axes, params.stretches, found)
    axes.set(
        xscale="log", xlabel="stretched by (factor along one direction)", ylabel="share of classes", ylim=(-0.03, 1.03)
    )
    axes.set_xticks(params.stretches, [f"{factor:g}" for factor in params.stretches])
    axes.minorticks_off()
    legend(axes, columns=1)
    answer.figure("units", made, "How often the farthest sample changes as one direction is stretched; 95 % bands")
    last = params.stretches[-1]
    moved = mean_interval(measured["euclidean moved"][:, -1])
    statement = (
        f"The Euclidean farthest sample depends on the units: stretching by {last:g} changes it in many classes."
    )
    answer.claim(claim_above("euclidean_depends_on_units", statement, moved, MOVED, "share of classes"))
    kept = mean_interval(measured["mahalanobis moved"][:, -1])
    statement = f"The Mahalanobis farthest sample does not: stretching by {last:g} leaves it."
    answer.claim(claim_below("mahalanobis_ignores_units", statement, kept, ANOTHER, "share of classes"))


def as_classes_grow(lab: Lab, table: Table, params: Params, sizes: list[int], measured: Measured) -> None:
    """The error of a class mean, and the farthest sample, against the size of the class."""
    answer = lab.answer
    n = np.array(sizes, dtype=float)
    on_paper = n**-0.5
    left_out = [size for size in params.sizes if size not in sizes]
    note = f" Sizes {left_out} are left out: the smallest class has fewer samples." if left_out else ""
    answer.section(
        "A mean settles, an extreme does not",
        r"All distances in units of the class's typical distance $\sqrt{\operatorname{tr} \Sigma_c}$. Left: the class "
        r"is the population; the mean of $n_c$ samples drawn with replacement has the root mean square error "
        r"$\sqrt{\operatorname{tr} \Sigma_c / n_c}$, exactly. Right: subsets of the class without repetition, "
        "distances to the subset's own mean. For an isotropic Gaussian class in the plane with known mean, squared "
        r"distances are exponential, so the largest of $n_c$ has the mean $\operatorname{tr} \Sigma_c \, H_{n_c}$, "
        r"with $H_n = \sum_{j \le n} 1/j \approx \log n$; its root, drawn, is just above the mean distance (Jensen). "
        f"{params.subsets} subsets of each size and class.{note}",
    )
    summary = {name: [mean_interval(each) for each in measured[name].T] for name in ("error", "farthest", "typical")}
    rows = [
        {"samples of the class": size, "error of the mean": summary["error"][i].mean, "on paper": float(on_paper[i])}
        | {"farthest sample": summary["farthest"][i].mean, "low": summary["farthest"][i].low}
        | {"high": summary["farthest"][i].high, "typical sample": summary["typical"][i].mean}
        for i, size in enumerate(sizes)
    ]
    answer.table(
        "laws", rows, "Error of the class mean, farthest and typical sample (with the interval of the farthest)"
    )
    draw_laws(lab, sizes, summary, planar=table.x.shape[1] == 2)
    slopes = [np.polyfit(np.log(n), np.log(each), 1)[0] for each in measured["error"]]
    statement = "The error of a class mean shrinks like 1/sqrt(n_c): the exponent is -1/2 (its distance from it)."
    off = mean_interval(np.array(slopes) + 0.5)
    answer.claim(claim_within("error_shrinks_like_inverse_root", statement, off, EXPONENT, "exponent"))
    answer.metric("error_exponent", off.mean - 0.5)
    level = family_level(len(sizes))
    ratios = {
        f"n_c = {size}": mean_interval(each, level)
        for size, each in zip(sizes, (measured["error"] / on_paper - 1).T, strict=True)
    }
    worst, gap = least_favourable(ratios, "within")
    statement = f"The error of a class mean is the one on paper at every size (farthest from it: {worst})."
    answer.claim(claim_within("error_has_its_closed_form", statement, gap, CLOSED_FORM, "relative difference"))
    growth = mean_interval(measured["farthest"][:, -1] - measured["farthest"][:, 0])
    statement = f"The farthest sample moves outwards as a class grows from {sizes[0]} to {sizes[-1]} samples."
    answer.claim(claim_above("farthest_moves_outwards", statement, growth, MOVES_OUT, "typical distances"))
    change = mean_interval(measured["typical"][:, -1] / measured["typical"][:, 0] - 1)
    statement = "The typical distance, the control, does not move."
    answer.claim(claim_within("typical_distance_stays", statement, change, SETTLED, "relative change"))


def draw_laws(lab: Lab, sizes: list[int], summary: dict[str, list[Interval]], planar: bool) -> None:
    """Two panels: the mean settles, the extreme moves on."""
    made, (left, right) = figure(width=10.0, height=4.2, columns=2)
    curves(left, sizes, {"measured": summary["error"]})
    n = np.array(sizes, dtype=float)
    left.plot(n, n**-0.5, "x--", color="black", label=r"on paper, $1/\sqrt{n_c}$")
    left.set(xscale="log", yscale="log", ylabel="error of the class mean (typical distances)")
    left.set_yticks(ticks := [tick for tick in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if tick > n[-1] ** -0.5 / 2])
    left.set_yticklabels([f"{tick:g}" for tick in ticks])
    curves(right, sizes, {"farthest sample": summary["farthest"], "typical sample (RMS)": summary["typical"]})
    if planar:
        harmonic = np.array([np.sum(1 / np.arange(1, size + 1)) for size in sizes])
        label = r"isotropic Gaussian, $\sqrt{H_{n_c}}$"
        right.plot(n, np.sqrt(harmonic), "x:", color=COLOURS[5], label=label)
    right.set(xscale="log", ylabel="distance to the class mean (typical distances)", ylim=(0, None))
    for axes in (left, right):
        axes.set_xticks(sizes, map(str, sizes))
        axes.minorticks_off()
        axes.set_xlabel("samples of the class, $n_c$")
        legend(axes, columns=2)
    caption = "Error of a class mean (left), farthest and typical sample (right) against the class's size; 95 % bands"
    lab.answer.figure("laws", made, caption)


def discussion(lab: Lab, params: Params, table: Table, measured: Measured, sizes: list[int]) -> None:
    """What the numbers say, and what may explain a claim that they refute."""
    answer = lab.answer
    claims = {claim.name: claim for claim in answer.claims}
    verdicts = {name: claim.verdict for name, claim in claims.items()}
    faster = 10 ** claims["vectorising_pays"].effect
    lines = [
        f"**Means.** The overall mean is the class means weighted by class size, equal here but for "
        f"{claims['identity_of_means'].effect:.1g} of the samples' size, which is rounding. With unequal classes it is "
        "not the plain average of the class means. Without a loop over samples the answers are the loop's, about "
        f"{faster:.0f} times as fast at n = {params.timed_samples[-1]}.",
        f"**The farthest sample is an extreme.** It moves outwards by {claims['farthest_moves_outwards'].effect:.2g} "
        f"typical distances between {sizes[0]} and {sizes[-1]} samples ({verdicts['farthest_moves_outwards']}), while "
        f"the error of the mean falls with exponent {answer.metrics['error_exponent']:.3f}. So being farthest does not "
        "make a sample an outlier: some sample always is, and a distance must be judged against what the farthest of "
        "$n_c$ samples would have anyway. Mean and covariance themselves are drawn towards extremes; a robust centre "
        "(median) is not.",
    ]
    if "mahalanobis_ignores_units" in claims:
        lines.append(
            "**Which metric?** The question is only well posed once the metric is chosen. The Euclidean distance adds "
            f"up the features' units: stretching one direction by {params.stretches[-1]:g} changes the farthest sample "
            f"of {claims['euclidean_depends_on_units'].effect:.0%} of the classes "
            f"({verdicts['euclidean_depends_on_units']}). The Mahalanobis distance measures in standard deviations of "
            f"the class and changes in {claims['mahalanobis_ignores_units'].effect:.0%} "
            f"({verdicts['mahalanobis_ignores_units']}). On round classes the two name different samples in "
            f"{measured['metrics differ'][:, 0].mean():.0%} of the classes, since the estimated covariance is not "
            "exactly round and a class need not be as round as all classes pooled."
        )
    if "cosine" in params.other_metrics:
        lines.append(
            "The cosine distance ignores length and depends on where the origin is: its farthest sample is the one "
            "seen in the most different direction from the origin, often one near the origin, and shifting all data "
            "changes it. It suits data whose origin means something, such as word counts."
        )
    remarks = {
        "euclidean_depends_on_units": "That stretching changes the Euclidean answer is not shown here: where one "
        "sample lies far beyond all others in every direction, as an outlier does, every metric finds it.",
        "farthest_moves_outwards": "That the farthest sample moves outwards is not shown at this margin: a class of "
        "bounded extent (uniform, or a few repeated values) has no farther samples to offer.",
        "error_has_its_closed_form": "The error on paper is exact, so a distance from it is chance of the draws of "
        "subsets; more `params.subsets` narrow it.",
        "same_farthest_samples": "Loop and vectorised code name other samples where two distances are equal up to "
        "rounding: the vectorised code takes the lowest row, the loop whichever rounding favours.",
        "vectorising_pays": "With many features a step of the loop is itself vectorised over features, and the loop's "
        "overhead counts for less.",
    }
    lines += [text for name, text in remarks.items() if name in verdicts and verdicts[name] != "supported"]
    source = (
        "The repetitions draw fresh data from the generator, so they speak of all such data"
        if is_generated(lab)
        else "The repetitions resample the same samples, so they speak of this data set; repeated rows occur in them"
    )
    lines.append(f"**Limits.** {source}. The claims are not corrected for one another.")
    answer.section("Discussion", "\n\n".join(lines))
