r"""1.5 Linear regression with more features than samples, without gradient descent.

Question. (X^T X)^-1 X^T y needs X^T X to be regular; it has rank at most n, so with m > n features it is not.

Idea. Show that it is not (rank, condition number, what naive inversion returns), then every closed-form cure: the
pseudo-inverse (of all interpolating solutions the one of least norm), ridge in primal and dual form with lambda from
closed-form leave-one-out, principal components (PCR), partial least squares (PLS), and a selection of n - 1 features.
Sweep m/n from 0.1 to 10, and check the identities that make them one family.

Expected. Rounding hides the singularity: the naive inverse exists and is garbage. Minimum norm interpolates; its error
peaks at m = n, where the smallest singular value is near 0, and falls again beyond (double descent); its expected error
has a closed form on Gaussian data. Ridge has no peak. n - 1 features make X^T X regular right beside that peak, so this
cure is legal and bad. Which of ridge, PCR, PLS and few features is best depends on the structure of the data. The
dual form costs O(n^2 m) instead of O(m^3).
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dlexp.claims import claim_above, claim_below, claim_within
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.plots import COLOURS, LINES, curves, figure, legend, points
from dlexp.stats import Interval, mean_interval
from dlexp.tabular import closed_form as fit
from dlexp.tabular.families import family_level, least_favourable
from dlexp.tabular.geometric import geometric_interval
from dlexp.tabular.leave_one_out import press
from dlexp.tabular.linear_problems import STRUCTURES, draw_problem, expected_error
from dlexp.tabular.ridge_cost import dual_operations, primal_operations, thread_seconds
from dlexp.tabular.small_sample_cures import CURES, all_cures
from dlexp.tabular.small_sample_trials import ridge_identities, singularity

# Practical margins, stated before looking. Errors are compared as log10 of their ratio: near m = n they span decades.
TENFOLD, TWOFOLD = 1.0, 0.3  # log10 of 10 and of 2
NO_PEAK = 0.05  # log10: 12 percent more error at m = n than on either side would be a peak
NEAR_BEST = 0.05  # log10: 12 percent above the best lambda, known only afterwards
THEORY = 0.10  # relative distance from the expected error
IDENTITY = 1e-8  # relative difference of two solutions that are equal on paper
FASTER = 0.5  # log10 of the ratio of seconds: three times
STEEPER = 0.5  # difference of two exponents

PENALTIES = np.logspace(-4, 4, 65)  # lambdas to choose from
CHECKED = np.array([1e-2, 1.0, 1e2])  # lambdas at which the identities are checked
VANISHING = np.logspace(2, -10, 13)  # lambda -> 0
FOLDS = 5  # for the number of components and of features
SIDES = (0.5, 2.0)  # m/n on either side of the peak
MOST_FEATURES = 20_000  # X^T X of so many takes 3.2 GB

Array = NDArray[np.float64]
Measured = Mapping[str, Array]


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    n: Annotated[int, Field(ge=10, le=2000)]  # training rows
    ratios: Annotated[list[Annotated[float, Field(gt=0, le=100)]], Field(min_length=4)]  # m/n; 0.5, 1 and 2 among them
    noise: Annotated[float, Field(gt=0, le=100)]  # standard deviation; that of the signal is 1
    draws: Annotated[int, Field(ge=1, le=10_000)]  # data sets for each seed
    cure_ratio: Annotated[float, Field(gt=1, le=100)]  # m/n at which the cures are compared
    components: Annotated[int, Field(ge=1, le=1000)]  # most components (PCR, PLS) and most features of "few features"
    cost_rows: Annotated[int, Field(ge=10, le=20_000)]  # n where the cost is measured
    cost_features: Annotated[list[Annotated[int, Field(ge=10, le=20_000)]], Field(min_length=2)]  # m there, increasing
    cost_repeats: Annotated[int, Field(ge=1, le=100)]  # timed calls; the fastest counts


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything runs, settings that do not fit each other."""
    for name in ("ratios", "cost_features"):
        values = getattr(params, name)
        if sorted(set(values)) != values:
            raise InputError(f"params.{name}={values}: must increase from one to the next")
    missing = [ratio for ratio in (*SIDES, 1.0) if ratio not in params.ratios]
    if missing or params.ratios[-1] <= 2:
        raise InputError(f"params.ratios={params.ratios}: must hold 0.5, 1 and 2, and one above 2")
    if round(params.ratios[0] * params.n) < 1:
        raise InputError(f"params.ratios={params.ratios}: {params.ratios[0]:g} of {params.n} rows is no feature at all")
    for lower, upper in itertools.pairwise(params.ratios):
        if features(params, lower) == features(params, upper):
            same = f"{lower:g} and {upper:g} of {params.n} rows are as many features"
            raise InputError(f"params.ratios={params.ratios}: {same}; leave one out")
    for name, ratio in (("ratios", params.ratios[-1]), ("cure_ratio", params.cure_ratio)):
        if (m := features(params, ratio)) > MOST_FEATURES:
            raise InputError(f"params.{name}={getattr(params, name)}: {m} features; at most {MOST_FEATURES}")
    if features(params, params.cure_ratio) <= params.n:
        raise InputError(f"params.cure_ratio={params.cure_ratio:g}: must give more features than the {params.n} rows")
    most = params.n - -(-params.n // FOLDS) - 1
    if params.components > most:
        raise InputError(f"params.components={params.components}: at most {most} with params.n={params.n}")
    if len(lab.seeds) < 2:
        raise InputError("seeds=1: one repetition has no interval; use seeds of 2 or more")


def run(lab: Lab, params: Params) -> None:
    """Singular, cured, swept, chosen, checked, compared, timed."""
    from threadpoolctl import threadpool_limits

    draws = [(seed, k) for seed in lab.seeds for k in range(params.draws)]
    with threadpool_limits(1):  # the pieces run side by side, and no sum depends on the number of threads
        swept = stacked(lab.map(lambda at: sweep(at, params), draws, "sweeping m/n"))
        agreed = stacked(lab.map(lambda at: identities(at, params), draws, "identities"))
        cured = stacked(lab.map(lambda at: cures(at, params), draws, "cures"))
        spent = stacked([cost(seed, params) for seed in lab.seeds])  # alone: it measures time
    formal_statement(lab, params, len(draws))
    singular(lab, params, swept)
    double_descent(lab, params, swept)
    choice_of_penalty(lab, params, swept)
    one_family(lab, params, agreed)
    which_cure(lab, params, cured)
    price(lab, params, spent)
    discussion(lab, params, cured)


def stacked(each: list[Measured]) -> Measured:
    """The measurements of all repetitions, along a new first axis."""
    return {name: np.stack([one[name] for one in each]) for name in each[0]}


def sweep(at: tuple[int, int], params: Params) -> Measured:
    """For each m/n: how singular X^T X is, and the error of the naive inverse, of minimum norm and of ridge."""
    rows = []
    order = np.random.default_rng(at).permutation(params.n)
    for ratio in params.ratios:
        m = features(params, ratio)
        data = draw_problem([*at, m], "dense", params.n, m, params.noise)
        errors, left_out = data.test_error(fit.ridge_path(data.x, data.y, PENALTIES)), press(data.x, data.y, PENALTIES)
        error = {
            "naive inverse": data.test_error(fit.normal_equations(data.x, data.y)),
            "minimum norm": data.test_error(fit.minimum_norm(data.x, data.y)),
            "ridge": errors[left_out.argmin()],
            "best ridge": errors.min(),
            "path": errors,
            "left out": left_out,
        }
        rows.append(singularity(data.x, data.y, order) | error)
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def features(params: Params, ratio: float) -> int:
    """m of a ratio m/n."""
    return round(ratio * params.n)


def identities(at: tuple[int, int], params: Params) -> Measured:
    """Relative differences of what is equal on paper, at m = 2n."""
    data = draw_problem([*at, 0], "dense", params.n, 2 * params.n, params.noise)
    return ridge_identities(data.x, data.y, CHECKED, VANISHING)


def cures(at: tuple[int, int], params: Params) -> Measured:
    """Test and training error of every cure, on data of every structure; all choices on the training rows."""
    m = features(params, params.cure_ratio)
    test, training = [], []
    for index, structure in enumerate(STRUCTURES):
        data = draw_problem([*at, index, m], structure, params.n, m, params.noise)
        solutions = all_cures(data.x, data.y, PENALTIES, params.components, FOLDS, np.random.default_rng(at))
        test.append([data.test_error(solutions[name]) for name in CURES])
        training.append([np.mean((data.y - data.x @ solutions[name]) ** 2) for name in CURES])
    return {"test": np.array(test), "training": np.array(training)}


def cost(seed: int, params: Params) -> Measured:
    """CPU seconds of ridge in both forms, for growing m."""
    seconds, forms = [], (fit.ridge_primal, fit.ridge_dual)
    for m in params.cost_features:
        data = draw_problem([seed, m], "dense", params.cost_rows, m, params.noise, test_rows=1)
        seconds.append([thread_seconds(partial(form, data.x, data.y, 1.0), params.cost_repeats) for form in forms])
    return {"seconds": np.array(seconds)}  # (features, forms)


def formal_statement(lab: Lab, params: Params, draws: int) -> None:
    """Why the solution fails, and the cures in one line each."""
    lab.answer.section(
        "Formal statement",
        r"Let $X \in \mathbb{R}^{n \times m}$ and $y \in \mathbb{R}^n$, of mean 0. **The problem**: "
        r"$\operatorname{rank}(X^T X) = \operatorname{rank}(X) \le \min(n, m)$. If $m > n$ the $m \times m$ matrix "
        r"$X^T X$ is singular, $(X^T X)^{-1}$ does not exist, and $\min_w \|y - Xw\|^2$ has infinitely many solutions "
        r"$w_0 + \ker X$. **Cures without an optimiser**, with the singular value decomposition $X = U S V^T$:"
        "\n\n"
        r"- pseudo-inverse: $\hat w = X^+ y = V S^+ U^T y$, the solution of least $\|w\|$; for rank $n$, "
        r"$\hat w = X^T (X X^T)^{-1} y$." + "\n"
        r"- ridge: $\hat w_\lambda = (X^T X + \lambda I_m)^{-1} X^T y = X^T (X X^T + \lambda I_n)^{-1} y$, regular for "
        r"every $\lambda > 0$; the forms are equal because $(X^T X + \lambda I) X^T = X^T (X X^T + \lambda I)$. "
        r"$\hat w_\lambda \to X^+ y$ as $\lambda \to 0$." + "\n"
        r"- $\lambda$ by leave-one-out, in closed form: with $H = X X^T (X X^T + \lambda I)^{-1}$, "
        r"$\mathrm{PRESS}(\lambda) = \sum_i \left(\frac{y_i - \hat y_i}{1 - h_{ii}}\right)^2$." + "\n"
        r"- PCR: $\hat w = V_k S_k^{-1} U_k^T y$, the $k$ directions of largest variance. PLS: least squares within "
        r"$\operatorname{span}\{X^T y, \dots, (X^T X)^{k-1} X^T y\}$." + "\n"
        r"- selection: least squares on at most $n - 1$ features.",
    )
    lab.answer.section(
        "Method",
        f"Gaussian data: $y$ = signal + noise, with standard deviations 1 and {params.noise:g}; "
        f"$n = {params.n}$ training rows, 500 fresh test rows, {draws} independent data sets per setting. Methods are "
        "paired by data set. Test errors span decades near $m = n$ (there the expected error is infinite), so they are "
        "**averaged, compared and drawn on a logarithmic scale**: the effect of a claim is a mean of $\\log_{10}$ of a "
        "ratio of errors, and 0.3 is a factor of 2. Where a claim speaks of several settings, its least favourable "
        "member decides, at a level corrected for their number (Bonferroni). $\\lambda$ is chosen by PRESS from "
        f"{len(PENALTIES)} values between {PENALTIES[0]:g} and {PENALTIES[-1]:g}; the numbers of components and of few "
        f"features (at most {params.components}) by {FOLDS} folds of the training rows. With all means 0 there is no "
        "intercept; else centre $X$ and $y$ by the training means first. Arithmetic is float64.",
    )


def at_ratio(params: Params, swept: Measured, name: str, ratio: float) -> Array:
    """(draws,) one measurement of the sweep at one m/n."""
    return swept[name][:, params.ratios.index(ratio)]


def singular(lab: Lab, params: Params, swept: Measured) -> None:
    """Rank, condition number and what the naive inverse is worth."""
    mean = {name: values.mean(axis=0) for name, values in swept.items() if values.ndim == 2}
    rows = [
        {"m/n": ratio, "m": features(params, ratio), "rank": float(mean["rank"][i])}
        | {"log10 condition number": float(mean["log condition"][i])}
        | {"max |A^-1 A - I|": float(np.median(swept["not an inverse"][:, i]))}
        | {"log10 change by row order": float(mean["log order"][i])}
        | {"training error": float(np.median(swept["training"][:, i]))}
        | {"test error": float(np.median(swept["naive inverse"][:, i]))}
        | {"test error, minimum norm": float(np.median(swept["minimum norm"][:, i]))}
        for i, ratio in enumerate(params.ratios)
    ]
    lab.answer.section(
        "The naive inverse",
        "What $(X^T X)^{-1} X^T y$ gives when it is computed to the letter. Beyond $m = n$ nothing is raised: rounding "
        "turns the zero eigenvalues into tiny ones of about $10^{-16}$ of the largest, and the 'inverse' is rounding "
        "error divided by rounding error. It is no inverse, it does not even fit the training rows, and merely "
        "reordering the rows, which changes nothing on paper, gives entirely different weights.",
    )
    lab.answer.table(
        "singular", rows, "X^T X and its naive inverse (means of rank and logarithms, medians of the rest)"
    )
    worse = np.log10(at_ratio(params, swept, "naive inverse", 2.0) / at_ratio(params, swept, "minimum norm", 2.0))
    statement = "At m = 2n the naive inverse returns garbage: over ten times the test error of the pseudo-inverse."
    claim = claim_above("naive_inversion_is_garbage", statement, mean_interval(worse), TENFOLD, "log10 of the ratio")
    lab.answer.claim(claim)


def double_descent(lab: Lab, params: Params, swept: Measured) -> None:
    """Test error against m/n; the peak, what ridge does to it, and the closed form of the expected error."""
    answer, names = lab.answer, ("naive inverse", "minimum norm", "ridge")
    curve = {name: [geometric_interval(each) for each in swept[name].T] for name in names}
    expected = [expected_error(params.n, features(params, ratio), params.noise) for ratio in params.ratios]
    rows = [
        {"m/n": ratio, "method": name, "test error": x.mean, "low": x.low, "high": x.high}
        for name, each in curve.items()
        for ratio, x in zip(params.ratios, each, strict=True)
    ]
    answer.section("Double descent")
    answer.table("double_descent", rows, "Test error against m/n, geometric means with 95 % intervals")
    made, axes = figure(height=4.4)
    curves(axes, params.ratios, curve)
    known = [(ratio, value) for ratio, value in zip(params.ratios, expected, strict=True) if np.isfinite(value)]
    axes.plot(*zip(*known, strict=True), "x", color="black", label="minimum norm, expected value (arithmetic)")
    axes.axhline(params.noise**2, color="black", linestyle=":", linewidth=1, label="noise: the least error possible")
    axes.axvline(1, color="black", linewidth=0.6)
    top = max(x.high or x.mean for x in curve["minimum norm"])
    axes.set(xscale="log", yscale="log", xlabel="features per row, m/n", ylabel="test error (mean square)")
    axes.set(ylim=(params.noise**2 / 2, 30 * top))
    legend(axes, columns=2)
    answer.figure(
        "double_descent", made, "Test error against m/n, log-log; the naive inverse leaves the frame beyond 1"
    )

    logs_of = {name: {r: np.log10(at_ratio(params, swept, name, r)) for r in params.ratios} for name in names}
    norm, ridge, last = logs_of["minimum norm"], logs_of["ridge"], params.ratios[-1]
    sides = {name: np.maximum(*(logs_of[name][ratio] for ratio in SIDES)) for name in ("minimum norm", "ridge")}
    unit = "log10 of the ratio"
    peak = mean_interval(norm[1.0] - sides["minimum norm"])
    statement = "The error of minimum norm peaks at m = n: over twice the larger of those at m = n/2 and m = 2n."
    answer.claim(claim_above("error_peaks_at_m_equal_n", statement, peak, TWOFOLD, unit))
    statement = (
        f"With ever more features the error falls again: at m = {last:g}n it is less than half of that at m = n."
    )
    fall = mean_interval(norm[1.0] - norm[last])
    answer.claim(claim_above("error_falls_again_beyond", statement, fall, TWOFOLD, unit))
    tamed = mean_interval(norm[1.0] - ridge[1.0])
    answer.objective = tamed.mean
    statement = "At m = n ridge with the lambda of PRESS has less than half the error of minimum norm."
    answer.claim(claim_above("ridge_tames_the_peak", statement, tamed, TWOFOLD, unit))
    statement = "Ridge has no peak at m = n: its error there is no larger than at m = n/2 or m = 2n."
    left = mean_interval(ridge[1.0] - sides["ridge"])
    answer.claim(claim_below("ridge_has_no_peak", statement, left, NO_PEAK, unit))
    off = {}
    for ratio in SIDES:
        theory = expected[params.ratios.index(ratio)]
        error = at_ratio(params, swept, "minimum norm", ratio) / theory - 1
        off[f"m = {ratio:g}n"] = mean_interval(error, family_level(len(SIDES)))
    worst, gap = least_favourable(off, "within")
    statement = f"Away from the peak the mean error is the one expected on paper (farthest: {worst})."
    answer.claim(claim_within("error_matches_the_closed_form", statement, gap, THEORY, "relative difference"))


def choice_of_penalty(lab: Lab, params: Params, swept: Measured) -> None:
    """PRESS against the test error over lambda, and the price of not knowing the best lambda."""
    level = family_level(len(params.ratios))
    loss = {
        f"m/n = {ratio:g}": mean_interval(np.log10(swept["ridge"][:, i] / swept["best ridge"][:, i]), level)
        for i, ratio in enumerate(params.ratios)
    }
    lab.answer.section("Lambda by leave-one-out in closed form")
    chosen = swept["left out"].argmin(axis=2)  # (draws, ratios)
    rows = [
        {"setting": name, "log10 of the ratio": x.mean, "low": x.low, "high": x.high}
        | {
            "median lambda": float(np.median(PENALTIES[chosen[:, i]])),
            "smallest chosen": float((chosen[:, i] == 0).mean()),
        }
        for i, (name, x) in enumerate(loss.items())
    ]
    caption = (
        f"Test error with PRESS's lambda over that with the best lambda (corrected for {len(rows)} settings), the "
        "lambda chosen, and how often it was the smallest on offer"
    )
    lab.answer.table("penalty", rows, caption)
    made, axes = figure(width=9.0, columns=2, sharey=True)
    for panel, ratio in zip(axes, (1.0, 2.0), strict=True):
        i = params.ratios.index(ratio)
        series = {"leave-one-out error (PRESS / n)": "left out", "test error": "path"}
        for number, (label, name) in enumerate(series.items()):
            error = [geometric_interval(column) for column in swept[name][:, i].T]
            low, middle, high = ([getattr(x, end) for x in error] for end in ("low", "mean", "high"))
            panel.plot(PENALTIES, middle, color=COLOURS[number], linestyle=LINES[number], label=label)
            panel.fill_between(PENALTIES, low, high, color=COLOURS[number], alpha=0.18, linewidth=0)
        panel.set(xscale="log", yscale="log", xlabel=r"$\lambda$", title="m = n" if ratio == 1 else f"m = {ratio:g}n")
    axes[0].set(ylabel="mean squared error")
    made.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    caption = "What PRESS predicts without a test set, and the test error; geometric means, 95 % bands"
    lab.answer.figure("penalty", made, caption)
    worst, gap = least_favourable(loss, "below")
    statement = f"PRESS finds a lambda whose test error is near that of the best one, at every m/n (farthest: {worst})."
    lab.answer.claim(claim_below("press_finds_a_good_penalty", statement, gap, NEAR_BEST, "log10 of the ratio"))


def one_family(lab: Lab, params: Params, agreed: Measured) -> None:
    """The identities, each as the largest relative difference of a data set."""
    answer, unit = lab.answer, "relative difference"
    answer.section("One family: identities at m = 2n")
    rows = [
        {"lambda": penalty}
        | {f"{form} to pseudo-inverse": float(np.median(agreed[form][:, i])) for form in ("primal", "dual")}
        for i, penalty in enumerate(VANISHING)
    ]
    caption = "Relative distance of ridge from the minimum-norm solution as lambda vanishes (medians)"
    answer.table("identities", rows, caption)
    made, axes = figure()
    series = {
        f"{form} form": [Interval(float(np.median(c)), float(c.min()), float(c.max()), len(c)) for c in agreed[form].T]
        for form in ("primal", "dual")
    }
    curves(axes, VANISHING.tolist(), series)
    axes.set(xscale="log", yscale="log", xlabel=r"$\lambda$", ylabel="relative distance from $X^+ y$")
    legend(axes)
    caption = (
        "Ridge tends to the pseudo-inverse, median and range over data sets; the primal form then loses its digits"
    )
    answer.figure("identities", made, caption)
    low, high = CHECKED[0], CHECKED[-1]
    statement = f"Primal and dual ridge give the same weights (lambda from {low:g} to {high:g}, the worst of them)."
    answer.claim(claim_below("primal_equals_dual", statement, mean_interval(agreed["primal = dual"]), IDENTITY, unit))
    statement = "Closed-form leave-one-out residuals equal those of n refits, for every row and the same lambdas."
    gap = mean_interval(agreed["leave-one-out"])
    answer.claim(claim_below("press_is_leave_one_out", statement, gap, IDENTITY, unit))
    statement = f"Ridge tends to the pseudo-inverse: at lambda = {VANISHING[-1]:g} the dual form has reached it."
    gap = mean_interval(agreed["dual"][:, -1])
    answer.claim(claim_below("ridge_tends_to_the_pseudo_inverse", statement, gap, IDENTITY, unit))


def which_cure(lab: Lab, params: Params, cured: Measured) -> None:
    """All cures on data of all structures."""
    answer, logs = lab.answer, np.log10(cured["test"])  # (draws, structures, cures)
    answer.section(
        f"Which cure? All of them at m = {params.cure_ratio:g}n",
        "Three structures. *dense*: independent features, all with a weight; *factors*: five latent factors give "
        "target and features; *sparse*: independent features, five with a weight.",
    )
    summary = {s: [geometric_interval(each) for each in cured["test"][:, j].T] for j, s in enumerate(STRUCTURES)}
    rows = [
        {"data": structure, "cure": name, "test error": x.mean, "low": x.low, "high": x.high}
        | {"training error": float(np.median(cured["training"][:, j, i]))}
        for j, (structure, each) in enumerate(summary.items())
        for i, (name, x) in enumerate(zip(CURES, each, strict=True))
    ]
    caption = f"Test error (geometric mean, 95 %) and training error (median); noise alone: {params.noise**2:g}"
    answer.table("cures", rows, caption)
    made, axes = figure(width=9.0, height=4.6)
    points(axes, range(len(CURES) - 1), {structure: each[1:] for structure, each in summary.items()})
    axes.axhline(params.noise**2, color="black", linestyle=":", linewidth=1, label="noise")
    axes.axhline(1 + params.noise**2, color="black", linestyle="--", linewidth=1, label="predicting 0")
    axes.set(yscale="log", ylabel="test error (mean square)")
    axes.set_xticks(range(len(CURES) - 1), [name.replace(" features", "\nfeatures") for name in CURES[1:]])
    legend(axes, columns=5)
    answer.figure("cures", made, "Test error of each cure by structure of the data; the naive inverse is off the scale")

    ridge, level = CURES.index("ridge"), family_level(len(STRUCTURES))
    legal = CURES.index("n - 1 best features")
    gaps = {s: mean_interval(logs[:, j, legal] - logs[:, j, ridge], level) for j, s in enumerate(STRUCTURES)}
    worst, gap = least_favourable(gaps, "above")
    statement = f"Keeping n - 1 features makes X^T X regular and leaves over twice the error of ridge (least: {worst})."
    answer.claim(claim_above("n_minus_1_features_are_a_bad_cure", statement, gap, TWOFOLD, "log10 of the ratio"))


def price(lab: Lab, params: Params, spent: Measured) -> None:
    """Primal against dual: operations counted, seconds measured."""
    answer, n, ms = lab.answer, params.cost_rows, params.cost_features
    seconds = spent["seconds"]  # (seeds, features, forms)
    counted = np.array([[primal_operations(n, m), dual_operations(n, m)] for m in ms], dtype=float)
    rows = [
        {"m": m, "primal, operations": int(counted[i, 0]), "dual, operations": int(counted[i, 1])}
        | {"primal, seconds": float(seconds[:, i, 0].mean()), "dual, seconds": float(seconds[:, i, 1].mean())}
        for i, m in enumerate(ms)
    ]
    answer.section(
        "The price: primal O(n m^2 + m^3), dual O(n^2 m + n^3)",
        "Operations are multiplications with their additions, counted from the algorithms; seconds are CPU time of one "
        f"thread, the fastest of {params.cost_repeats} calls, averaged over {len(seconds)} data sets. Only the table "
        "and the two claims in seconds depend on the machine.",
    )
    answer.table("cost", rows, f"Ridge with n = {n} rows")
    made, axes = figure()
    for form, (label, marker) in enumerate((("primal form", "o"), ("dual form", "s"))):
        axes.plot(ms, counted[:, form], marker=marker, color=COLOURS[form], linestyle=LINES[form], label=label)
    axes.axvline(n, color="black", linestyle=":", linewidth=1, label="m = n")
    axes.set(xscale="log", yscale="log", xlabel="features m", ylabel="multiplications with additions")
    legend(axes)
    answer.figure("cost", made, f"Counted operations of ridge with n = {n} rows (exact, no interval)")
    ratio = float(np.log10(counted[-1, 0] / counted[-1, 1]))
    statement = (
        f"At m = {ms[-1]}, n = {n} the dual form does less than a tenth of the primal's operations (exact count)."
    )
    exact = Interval(ratio, ratio, ratio, 1)
    answer.claim(claim_above("dual_does_less_work", statement, exact, TENFOLD, "log10 of the ratio of operations"))
    saved = mean_interval(np.log10(seconds[:, -1, 0] / seconds[:, -1, 1]))
    statement = f"At m = {ms[-1]}, n = {n} the dual form takes less than a third of the primal's time."
    answer.claim(claim_above("dual_takes_less_time", statement, saved, FASTER, "log10 of the ratio of seconds"))
    slopes = np.array([np.polyfit(np.log10(ms), np.log10(one), 1)[0] for one in seconds])  # (seeds, forms)
    statement = "The primal form's time grows with a larger power of m than the dual form's."
    steeper = mean_interval(slopes[:, 0] - slopes[:, 1])
    answer.claim(claim_above("primal_time_grows_faster", statement, steeper, STEEPER, "exponent of seconds"))
    for form, name in enumerate(("primal", "dual")):
        answer.metric(f"{name}_exponent_of_seconds", float(slopes[:, form].mean()))


def discussion(lab: Lab, params: Params, cured: Measured) -> None:
    """Como resolver? What the numbers say, and how far they reach."""
    answer = lab.answer
    claims = {claim.name: claim for claim in answer.claims}

    def factor(name: str) -> str:
        each = claims[name]
        return f"a factor of {10**each.effect:.3g} ({each.verdict})"

    errors = np.log10(cured["test"]).mean(axis=0)  # (structures, cures)
    best = ", ".join(
        f"{structure}: {CURES[int(row.argmin())]} ({10 ** row.min():.3g})"
        for structure, row in zip(STRUCTURES, errors, strict=True)
    )
    lines = [
        "**How to solve it?** Do not invert a singular matrix: state which of the infinitely many solutions is wanted. "
        "The pseudo-inverse takes the shortest; ridge makes the matrix regular and trades bias for variance; PCR, PLS "
        "and selection restrict the weights to fewer dimensions than rows. All need one factorisation and no "
        "optimiser. The default choice is ridge in its dual form with $\\lambda$ from PRESS: one decomposition gives "
        "every $\\lambda$ and all leave-one-out errors.",
        "**Regular is not enough.** The naive inverse at $m = 2n$ is off by "
        f"{factor('naive_inversion_is_garbage')}, and raises nothing. Keeping $n - 1$ features is legal, but puts the "
        f"problem next to the peak at $m = n$: {factor('n_minus_1_features_are_a_bad_cure')} above ridge where it is "
        "least bad. The pseudo-inverse itself is there worse than beside it by "
        f"{factor('error_peaks_at_m_equal_n')}: with $n$ rows and $n$ features the smallest singular value is near 0, "
        "and the noise is divided by it. More features give more room and the norm falls; ridge divides by "
        r"$s^2 + \lambda$ instead of $s^2$ and gains "
        f"{factor('ridge_tames_the_peak')} at the peak.",
        f"**Which cure?** Least test error by structure: {best}. PCR and PLS suit data with few directions of large "
        "variance, few features suit a sparse truth, ridge needs neither; the truth's structure is what decides.",
        "**Is more features the cure, then?** No: in this sweep each $m$ is a problem of its own, in which all $m$ "
        "features carry signal. Beyond the peak minimum norm finds the share $n/m$ of it, so as $m$ grows its error "
        f"tends to that of predicting 0, $1 + \\sigma^2 = {1 + params.noise**2:g}$. The second descent is one from the "
        "peak only.",
        "**Numerics.** As $\\lambda$ vanishes the primal form's error grows as rounding over $\\lambda$, because the "
        "$m - n$ directions without data are divided by $\\lambda$ alone; the dual form has no such directions.",
    ]
    if claims["ridge_has_no_peak"].verdict != "supported":
        lines.append(
            "That ridge has no peak is not shown at this margin: PRESS chooses from one small sample, and where it "
            "chooses too small a $\\lambda$ a trace of the peak stays."
        )
    if claims["press_finds_a_good_penalty"].verdict != "supported":
        lines.append(
            "PRESS is not shown to be near the best $\\lambda$ at every m/n. The best one is known only with the test "
            "rows and adapts to them too; and close to m = n, where too small a $\\lambda$ costs most, the "
            "leave-one-out errors of few rows now and then prefer one (the table shows how often the smallest was "
            "chosen). What is left of a bump in ridge's curve there comes from this choice, not from ridge."
        )
    if claims["n_minus_1_features_are_a_bad_cure"].verdict != "supported":
        lines.append(
            "Selecting $n - 1$ features is not shown to be twice as bad as ridge on all structures: where the "
            "kept features hold all the signal or share it, part of the harm is made good."
        )
    if (
        claims["dual_takes_less_time"].verdict != "supported"
        or claims["primal_time_grows_faster"].verdict != "supported"
    ):
        lines.append(
            "Measured time does not follow the counted operations in full here: small matrices pay for calls and "
            "memory, and large products run at a higher rate than small ones."
        )
    lines.append(
        "Limits: Gaussian features, linear truth, one noise level; on real data the peak is milder where features are "
        "correlated. The claims are not corrected for one another."
    )
    answer.section("Discussion", "\n\n".join(lines))
