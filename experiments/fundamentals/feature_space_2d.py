r"""1.3 The feature space in the plane: all samples, the overall mean, the mean of each class.

Question. Show the 2-D feature space of random data, highlighting the overall mean and the class means.

Idea. One scatter in which every class has a marker, a colour, a line style and its name, so that it reads in
greyscale and to colour-blind readers (both are shown). Beside the means: the farthest samples of 1.2 and an ellipse per
class from its covariance. A picture makes claims without saying so: that the ellipses hold 95 % of a class, that the
means tell the classes apart, that the overall mean stands for the data. Each is tested on samples that the means and
ellipses were not computed from.

Expected. For Gaussian classes (dataset=blobs) the ellipses cover what they state and, the classes being round, add
nothing to the means as classifiers; for curved classes (dataset=moons) neither need hold. The overall mean lies where
no class is: it is a point between the classes. Variances add up: total = within + between classes.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dlexp.claims import claim_above, claim_below, claim_within
from dlexp.errors import InputError
from dlexp.feature_space import Table, all_samples, fresh_draw, is_generated
from dlexp.lab import Lab
from dlexp.plots import curves, figure, legend
from dlexp.stats import Interval, mean_interval
from dlexp.tabular import drawing
from dlexp.tabular.class_statistics import (
    ClassStatistics,
    class_covariances,
    class_statistics,
    distances_to_class_mean,
    farthest_samples,
    mahalanobis,
    prediction_radius,
)
from dlexp.tabular.leakage import corrected_interval

# Practical margins, stated before looking.
IDENTITY = 1e-12  # relative difference of two numbers that are equal on paper: some thousand roundings
COVERAGE = 0.02  # distance from the stated share that would mislead a reader
TELLS = 0.2  # accuracy beyond always naming the largest class that makes means worth drawing
ADDS = 0.02  # accuracy: two points more would be a reason to use the ellipses
OUTSIDE = 0.0  # log10 of distance over radius: the border of an ellipse

STATED = np.array([0.5, 0.7, 0.8, 0.9, 0.95, 0.99])  # shares at which the coverage is measured
CLASSIFIERS = ("largest class", "nearest class mean", "Gaussian with each class's covariance")
Array = NDArray[np.float64]
Measured = dict[str, Array]


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    coverage: Annotated[float, Field(gt=0, lt=1)]  # share of a Gaussian class that its ellipse is to cover
    draws: Annotated[int, Field(ge=1, le=10_000)]  # repetitions for each seed: fresh data or a fresh split, or both
    held_out: Annotated[float, Field(gt=0, lt=1)]  # share of every class on which coverage and accuracy are measured


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything runs, data that a plane cannot show or an ellipse cannot describe."""
    m = int(np.prod(lab.dataset.input_shape))
    if m != 2:
        raise InputError(
            f"dataset: has {m} columns, and a plane shows 2; use exercise=feature_space_projection for more"
        )
    if len(lab.seeds) < 2:
        raise InputError("seeds=1: one repetition has no interval; use seeds of 2 or more")
    table = all_samples(lab.dataset)
    kept, _ = table.split(params.held_out, np.random.default_rng(0))
    ellipses_of(kept, params.coverage)


def ellipses_of(table: Table, coverage: float) -> tuple[ClassStatistics, Array, list[float]]:
    """Class means, covariances (k, 2, 2), and the radius at which an ellipse covers a share of its class."""
    statistics = class_statistics(table.x, table.y, len(table.classes))
    covariances = class_covariances(table.x, table.y, statistics.class_means)
    for c, name in enumerate(table.classes):
        if statistics.counts[c] < 3:
            raise InputError(f"class {name}: {statistics.counts[c]} samples make no ellipse; give it 3 or more")
        mahalanobis(table.x[:1], statistics.class_means[c], covariances[c], f"the covariance of class {name}")
    radii = [prediction_radius(int(n), 2, coverage) for n in statistics.counts]
    return statistics, covariances, radii


def run(lab: Lab, params: Params) -> None:
    """The picture, then what it says tested on held-out samples."""
    from threadpoolctl import threadpool_limits

    draws = [(seed, k) for seed in lab.seeds for k in range(params.draws)]
    with threadpool_limits(1):  # no sum depends on the number of threads
        each = lab.map(lambda at: measure(lab, params, at), draws, "repetitions")
    measured = {name: np.array([one[name] for one in each]) for name in each[0]}
    table = all_samples(lab.dataset)
    formal_statement(lab, params, len(draws))
    the_picture(lab, params, table)
    what_the_ellipses_cover(lab, params, table, measured)
    what_the_means_tell(lab, params, table, measured)
    discussion(lab, params)


def measure(lab: Lab, params: Params, at: tuple[int, int]) -> Measured:
    """Means and ellipses of the kept samples, judged on the held-out ones."""
    kept, held = fresh_draw(lab, at).split(params.held_out, np.random.default_rng([*at, 1]))
    statistics, covariances, radii = ellipses_of(kept, params.coverage)
    distance = np.array([
        mahalanobis(held.x, mean, covariance)
        for mean, covariance in zip(statistics.class_means, covariances, strict=True)
    ])  # fmt: skip
    own = distance[held.y, np.arange(len(held))]
    limits = np.array([[prediction_radius(int(n), 2, share) for n in statistics.counts] for share in STATED])
    to_means = np.linalg.norm(held.x[:, None] - statistics.class_means, axis=2)
    offsets = np.log(statistics.counts) - np.linalg.slogdet(covariances)[1] / 2
    gaussian = (offsets[:, None] - distance**2 / 2).argmax(axis=0)  # the largest class density times class share
    guesses = (np.full(len(held), statistics.counts.argmax()), to_means.argmin(axis=1), gaussian)
    nearest = from_overall_mean(statistics, covariances, radii).min()
    total, within, between = scatters(kept, statistics)
    return {
        "covered": (own <= np.array(radii)[held.y]).mean(),
        "covered at": (own <= limits[:, held.y]).mean(axis=1),
        "accuracy": np.array([(guess == held.y).mean() for guess in guesses]),
        "overall": np.log10(max(nearest, 1e-12)),
        "identity": np.linalg.norm(total - within - between) / np.linalg.norm(total),
        "between": np.trace(between) / np.trace(total),
    }


def from_overall_mean(statistics: ClassStatistics, covariances: Array, radii: list[float]) -> Array:
    """(k,) distance from the overall mean to each class, in radii of its ellipse: above 1 is outside."""
    return np.array([
        mahalanobis(statistics.mean[None], mean, covariance)[0] / radius
        for mean, covariance, radius in zip(statistics.class_means, covariances, radii, strict=True)
    ])  # fmt: skip


def scatters(table: Table, statistics: ClassStatistics) -> tuple[Array, Array, Array]:
    """Total, within-class and between-class scatter (2, 2)."""
    about_all, about_own = table.x - statistics.mean, table.x - statistics.class_means[table.y]
    of_means = statistics.class_means - statistics.mean
    return about_all.T @ about_all, about_own.T @ about_own, (of_means.T * statistics.counts) @ of_means


def interval(lab: Lab, params: Params, values: Array) -> Interval:
    """Over fresh data: independent repetitions. Over splits of the same samples: they share rows, so wider."""
    if is_generated(lab):
        return mean_interval(values)
    n = len(all_samples(lab.dataset))
    held = round(n * params.held_out)
    return corrected_interval(values, n - held, held)


def formal_statement(lab: Lab, params: Params, draws: int) -> None:
    """What is drawn, as formulas, and how it is tested."""
    lab.answer.section(
        "Formal statement",
        r"Samples $x_i \in \mathbb{R}^2$ with classes $y_i \in \{1, \dots, k\}$, $I_c = \{i : y_i = c\}$, $n_c = "
        r"|I_c|$. Drawn are all $x_i$, the overall mean $\mu = \frac{1}{n} \sum_i x_i$, the class means "
        r"$\mu_c = \frac{1}{n_c} \sum_{i \in I_c} x_i$, the farthest samples "
        r"$i^*_c = \arg\max_{i \in I_c} \|x_i - \mu_c\|$, and per class the ellipse"
        "\n\n"
        r"$$\{x : (x - \mu_c)^T \Sigma_c^{-1} (x - \mu_c) \le r_c^2\}, \quad "
        r"\Sigma_c = \frac{1}{n_c - 1} \sum_{i \in I_c} (x_i - \mu_c)(x_i - \mu_c)^T, \quad "
        r"r_c^2 = \frac{2 (n_c^2 - 1)}{n_c (n_c - 2)} F_{2, n_c - 2}(p).$$"
        "\n\n"
        r"If class $c$ is Gaussian, a *new* sample of it falls into its ellipse with probability $p$ exactly, although "
        r"$\mu_c$ and $\Sigma_c$ are estimates (Chew 1966); $r_c^2 \to \chi^2_2(p)$ as $n_c \to \infty$. "
        f"Here $p = {params.coverage:g}$. "
        r"Scatter adds up: $\sum_i (x_i - \mu)(x_i - \mu)^T = \sum_c \sum_{i \in I_c} (x_i - \mu_c)(x_i - \mu_c)^T + "
        r"\sum_c n_c (\mu_c - \mu)(\mu_c - \mu)^T$ (total = within + between).",
    )
    how = "fresh data from the generator, each split once" if is_generated(lab) else "random splits of the same samples"
    wider = (
        "" if is_generated(lab) else " The splits share rows; the intervals are widened for it (Nadeau, Bengio 2003)."
    )
    lab.answer.section(
        "Method",
        "The picture shows all samples (training, validation and test together): it describes and predicts nothing. "
        f"The claims are about samples not seen: in each of {draws} repetitions ({how}) means and ellipses come from "
        f"{1 - params.held_out:.0%} of every class and are judged on the other {params.held_out:.0%}. Intervals are "
        f"95 % over the repetitions.{wider}",
    )


def the_picture(lab: Lab, params: Params, table: Table) -> None:
    """The feature space, and how two other readers see it."""
    answer = lab.answer
    statistics, covariances, radii = ellipses_of(table, params.coverage)
    farthest = farthest_samples(distances_to_class_mean(table.x, table.y, statistics.class_means), table.y)
    answer.section("The feature space")
    rows = (
        [{"point": "overall mean", "samples": len(table), "x1": statistics.mean[0], "x2": statistics.mean[1]}]
        + [
            {"point": f"mean of class {name}", "samples": int(n), "x1": mean[0], "x2": mean[1]}
            for name, n, mean in zip(table.classes, statistics.counts, statistics.class_means, strict=True)
        ]
        + [
            {
                "point": f"farthest of class {name} (row {row})",
                "samples": 1,
                "x1": table.x[row, 0],
                "x2": table.x[row, 1],
            }
            for name, row in zip(table.classes, farthest.index, strict=True)
        ]
    )
    made, axes = figure(width=8.0, height=5.6)
    drawing.samples(axes, table.x, table.y, table.classes)
    drawing.ellipses(axes, statistics.class_means, covariances, radii, f"{params.coverage:.0%} ellipse\nof the class")
    drawing.tethers(axes, table.x[farthest.index], statistics.class_means)
    drawing.rings(axes, table.x[farthest.index], "farthest from\nits class mean")
    drawing.class_means(axes, statistics.class_means, table.classes)
    drawing.overall_mean(axes, statistics.mean)
    axes.set(xlabel="x1", ylabel="x2", aspect="equal")
    drawing.legend_beside(axes)
    shown = "all samples" if len(table) <= drawing.DRAWN else f"{drawing.DRAWN} of {len(table)} samples"
    caption = (
        f"The feature space ({shown}): overall mean (star), class means (large white marks), the sample of each class "
        f"that is farthest from its mean, and ellipses that cover {params.coverage:.0%} of a Gaussian class"
    )
    answer.figure("feature_space", made, caption)
    answer.table("points", rows, "The highlighted points")
    reach = from_overall_mean(statistics, covariances, radii)
    answer.metric("ellipses_around_the_overall_mean", int((reach <= 1).sum()))
    seen, panels = figure(width=10.0, height=3.6, columns=2)
    for panel, vision, title in zip(
        panels, (drawing.GREY, drawing.DEUTERANOPIA), ("in greyscale", "with deuteranopia"), strict=True
    ):
        panel.imshow(drawing.as_seen(made, vision), interpolation="antialiased")
        panel.set_title(f"the same figure {title}", fontsize=10)
        panel.set_axis_off()
    answer.figure(
        "as_seen", seen, "The same figure in greyscale and to a reader with deuteranopia (Machado et al. 2009)"
    )


def what_the_ellipses_cover(lab: Lab, params: Params, table: Table, measured: Measured) -> None:
    """Coverage of held-out samples against the stated share."""
    answer = lab.answer
    answer.section("Do the ellipses cover what they state?")
    covered = [interval(lab, params, each) for each in measured["covered at"].T]
    rows = [
        {"stated share": float(share), "covered share": each.mean, "low": each.low, "high": each.high}
        for share, each in zip(STATED, covered, strict=True)
    ]
    answer.table("coverage", rows, "Share of held-out samples inside the ellipse of their class, with 95 % intervals")
    made, axes = figure(width=5.5, height=4.2)
    curves(axes, STATED.tolist(), {"measured on held-out samples": covered})
    axes.plot([0.45, 1], [0.45, 1], color="black", linestyle=":", linewidth=1, label="as stated")
    axes.set(xlabel="stated share p", ylabel="covered share of held-out samples")
    legend(axes, columns=2)
    answer.figure("coverage", made, "Coverage of the class ellipses against the share they state; 95 % band")
    off = interval(lab, params, measured["covered"] - params.coverage)
    statement = (
        f"The ellipses cover the {params.coverage:.0%} of their class that they state (covered minus stated share)."
    )
    answer.claim(claim_within("ellipses_cover_what_they_state", statement, off, COVERAGE, "share of samples"))
    answer.metric("covered_share", float(measured["covered"].mean()))


def what_the_means_tell(lab: Lab, params: Params, table: Table, measured: Measured) -> None:
    """The means and the ellipses as classifiers, the place of the overall mean, and how variance splits."""
    answer, accuracy = lab.answer, measured["accuracy"]
    answer.section(
        "What do the means tell?",
        "If the marked means describe the classes, the nearest one should name the class of a new sample. If the shape "
        "of the ellipses matters, Gaussians with these covariances should do better.",
    )
    rows = [
        {"classifier": name, "held-out accuracy": each.mean, "low": each.low, "high": each.high}
        for name, each in zip(CLASSIFIERS, (interval(lab, params, a) for a in accuracy.T), strict=True)
    ]
    answer.table("classifiers", rows, "Accuracy on held-out samples, with 95 % intervals")
    answer.objective = float(accuracy[:, 1].mean())
    answer.metric("accuracy_nearest_mean", float(accuracy[:, 1].mean()))
    answer.metric("share_of_variance_between_classes", float(measured["between"].mean()))
    gain = interval(lab, params, accuracy[:, 1] - accuracy[:, 0])
    statement = "The class means tell the classes apart: the nearest one beats always naming the largest class."
    answer.claim(claim_above("means_tell_classes_apart", statement, gain, TELLS, "accuracy"))
    more = interval(lab, params, accuracy[:, 2] - accuracy[:, 1])
    statement = "The shape of the ellipses adds nothing material to the means as classifiers."
    answer.claim(claim_within("ellipses_add_nothing", statement, more, ADDS, "accuracy"))
    outside = interval(lab, params, measured["overall"])
    statement = (
        f"The overall mean is typical of no class: on average over repetitions it lies outside the nearest "
        f"{params.coverage:.0%} ellipse."
    )
    answer.metric("overall_mean_outside_share", float((measured["overall"] > 0).mean()))
    answer.claim(
        claim_above("overall_mean_is_in_no_class", statement, outside, OUTSIDE, "log10 of distance over radius")
    )
    apart = mean_interval(measured["identity"])
    statement = "Scatter adds up: total = within classes + between class means."
    answer.claim(claim_below("scatter_adds_up", statement, apart, IDENTITY, "relative difference"))


def discussion(lab: Lab, params: Params) -> None:
    """What the picture shows, and what may explain a claim that the numbers refute."""
    answer, metrics = lab.answer, lab.answer.metrics
    claims = {claim.name: claim for claim in answer.claims}
    verdicts = {name: claim.verdict for name, claim in claims.items()}
    outside = 10 ** claims["overall_mean_is_in_no_class"].effect
    lines = [
        "**Reading the picture.** Each class has a marker, a colour and a line style of its own, and its name stands "
        "at its mean; the second figure shows that nothing is lost without colour. Both axes have the same scale, so "
        "that distances and the shape of the ellipses are true.",
        f"**The means.** The nearest class mean names the class of {metrics['accuracy_nearest_mean']:.1%} of the "
        f"held-out samples ({verdicts['means_tell_classes_apart']}: better than the largest class), and "
        f"{metrics['share_of_variance_between_classes']:.0%} of the variance lies between classes. The overall mean is "
        f"(geometric mean over repetitions) {outside:.2g} times as far from the nearest class as its ellipse reaches "
        f"in that direction ({verdicts['overall_mean_is_in_no_class']}), and outside all ellipses in "
        f"{metrics['overall_mean_outside_share']:.0%} of the repetitions; in the picture it lies in "
        f"{metrics['ellipses_around_the_overall_mean']:.0f} of them. It is a balance point of all samples and need "
        "not look like any of them.",
        f"**The ellipses** cover {metrics['covered_share']:.1%} of new samples where they state {params.coverage:.0%} "
        f"({verdicts['ellipses_cover_what_they_state']}). They describe a class by two moments only.",
    ]
    remarks = {
        "ellipses_cover_what_they_state": "The stated share is exact for Gaussian classes. A difference means that "
        "these classes are not Gaussian (curved, several clusters, bounded or heavy tails): the ellipse then surrounds "
        "places where the class is not, and the scatter itself must be read.",
        "means_tell_classes_apart": "Where the nearest mean does not name the class, the classes overlap, or are "
        "arranged (rings, spirals) so that their means say little about them: a mean may lie where its class has no "
        "samples.",
        "ellipses_add_nothing": "The covariances change the accuracy by "
        f"{claims['ellipses_add_nothing'].effect:+.3f}: the classes differ in spread or direction, which means alone "
        "do not show and the ellipses do.",
        "overall_mean_is_in_no_class": "Where classes overlap or one lies in the middle of the others, the overall "
        "mean falls into an ellipse. The centres of random data sometimes fall so.",
    }
    lines += [text for name, text in remarks.items() if verdicts[name] != "supported"]
    scope = "all data of this generator" if is_generated(lab) else "these samples, split at random"
    lines.append(
        f"**Limits.** The intervals speak of {scope}. With more than two columns no single scatter shows everything: "
        "see `feature_space_projection`. The claims are not corrected for one another."
    )
    answer.section("Discussion", "\n\n".join(lines))
