r"""1.6 Learning from k << n chosen samples: what to choose instead of drawing at random?

Question. We may learn a model from k of n samples only, k = 1 to 5 % of n. Which k?

Idea. Say formally what a good subset is, and optimise that: every sample near a chosen one (k-center, k-medoids,
facility location), the mean of the chosen equal to the mean of all (herding), the directions of the data (leverage
scores), or chosen samples that differ from each other (diversity), freely or under quotas per class (Mahabadi and
Trajanovski 2023). Two situations are kept apart. Label-free: nothing is labelled yet and k labels can be paid;
selectors see the features only, and random choice is the baseline. Label-aware: all labels are known and only the
training is limited; selectors see the classes, and the baseline is random with equal quotas per class.

Expected. Representative samples help most where k is smallest; random choice catches up as k grows. Diversity alone
takes the rim of the cloud, which represents little. Where some classes are rare, knowing the labels matters more than
any geometry.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from dlexp.claims import claim_above
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.progress import progress
from dlexp.schema import locate
from dlexp.stats import mean_interval, paired_interval
from dlexp.tabular.facility_location import CLIENTS, EXACT_ROWS
from dlexp.tabular.fair_diverse import LARGEST
from dlexp.tabular.herding import FEATURES
from dlexp.tabular.selection import BASELINES, SELECTORS, Entrants, take_part
from dlexp.tabular.selection_cost import Cost, Task, cost_rows, measure_costs
from dlexp.tabular.selection_figures import draw_accuracy, draw_chosen, draw_gains, draw_seconds
from dlexp.tabular.selection_study import (
    Study,
    all_rows,
    equivalent_text,
    measure_rows,
    percent,
    rows_by_fraction,
    summary_rows,
)
from dlexp.tabular.selection_trials import (
    CLASSIFIERS,
    Classifier,
    Draw,
    Pool,
    prepared,
    resplit,
    subset_sizes,
    thin_out,
    try_selectors,
)

# Practical margins, stated before looking.
GAIN = 0.01  # accuracy, averaged over k and classifiers, that makes a selector worth its code
LABELS_GAIN = 0.05  # accuracy that knowing the labels must bring where classes are rare: labels cost more than code
QUOTA_GAIN = 0.02  # accuracy that quotas must add to diversity
FADING = 0.02  # accuracy that a choice must gain more at the smallest k than at the largest to be called fading
RARE_FOUND = 0.10  # share of the rare classes that covering must find beyond random choice
TIGHTER = 0.05  # share by which an optimised measure must beat random's to count as optimised
PREDICTS = 0.30  # difference of two rank correlations that would change which measure one optimises
MEMORY_MB = 2000  # what a selection from a million rows may take

GIVEN, RARE = "as given", "rare classes"
SWAPPING = ("diverse", "fair_diverse", "fair_spread")  # hold the distances of a core-set to the chosen
SHOWN = ("random", "k_center", "facility_location", "diverse", "fair_diverse", "class_facility_location")
TWO_AIMS = ("facility_location", "k_center")  # on average, and at worst
READINGS = {  # of claims that ask more than "is it better than random?"
    ("labels_matter_where_classes_are_rare", "supported"): (
        "Where classes are rare the first thing to get right is not geometry but that every class is there at all: "
        "equal quotas alone are worth {effect:.3f} of accuracy."
    ),
    ("covering_finds_rare_classes", "supported"): (
        "Without labels, covering is a partial remedy: a rare class that lies apart is an uncovered region, and "
        "k-center goes there."
    ),
    ("covering_finds_rare_classes", "refuted"): (
        "Covering does not find the rare classes here: odd samples of frequent classes are far from everything too, and"
        " k-center spends its budget on them."
    ),
    ("quotas_help_diversity", "supported"): "Quotas improve diversity where classes are rare ({effect:+.3f}).",
    ("quotas_help_diversity", "refuted"): "Quotas add little to diversity even where classes are rare.",
    ("fair_diverse_beats_class_random", "refuted"): (
        "Maximal diversity, fair or not, is not what a learner needs here: the samples that differ most from one "
        "another lie far from the middle (`from middle` in the table on coverage) and represent few others."
    ),
    ("k_center_beats_random", "inconclusive"): (
        "k-center guards against the worst case, so its first samples go to outliers; its gain depends on k (table)."
    ),
    ("leverage_beats_random", "refuted"): (
        "Leverage favours samples that are extreme in some direction. It is made for least squares, with weights that "
        "undo this bias; classifiers that learn from the k samples as they are have no such weights."
    ),
    ("coverage_predicts_accuracy", "supported"): (
        "Which stand-in to optimise? Across selectors, being near to all samples on average goes with accuracy, being "
        "far from one another does not. Diversity suits a summary that shows the extremes, as in the recommended "
        "paper; for learning, its constraint (a quota for each group) is the part to keep."
    ),
    ("coverage_predicts_accuracy", "refuted"): (
        "Across selectors, a large diversity goes with accuracy at least as well as a small mean gap does in these "
        "data."
    ),
    ("the_gain_fades_with_k", "supported"): (
        "The smaller the budget, the more the choice matters: with enough draws random choice covers the dense regions"
        " by itself."
    ),
    ("the_gain_fades_with_k", "refuted"): "The gain does not fade within this range of k.",
}


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    fractions: Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=2)]  # k as shares of n, ascending
    draws_per_seed: Annotated[int, Field(ge=1, le=1000)]  # splits and choices per seed; 5 seeds x 4 are 20 draws
    label_free: list[str]  # selectors that see the features only, compared with random
    label_aware: list[str]  # selectors that see the classes too, compared with class_random
    own: list[str]  # your own: experiments.FILE.NAME, a function (x, k, rng) or (x, y, k, rng) -> k row indices
    classifiers: Annotated[
        list[Classifier], Field(min_length=1)
    ]  # what learns: nearest_neighbour, logistic_regression, svm
    rare_classes: Annotated[int, Field(ge=0)]  # classes made rare in a second condition; 0 leaves that out
    rare_share: Annotated[float, Field(gt=0, lt=1)]  # share of their samples that they keep
    standardize: bool  # each feature to mean 0 and deviation 1; wanted where features have different units
    components: Annotated[int, Field(ge=1)] | None  # principal components to work in; null: the features themselves
    sizes: Annotated[list[Annotated[int, Field(ge=10, le=10_000_000)]], Field(min_length=1)]  # rows to be timed on
    time_k: Annotated[int, Field(ge=10, le=1000)]  # samples to choose from them
    facility_location_up_to: Annotated[int, Field(ge=0)]  # rows; facility location is timed up to here only


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything runs, selectors that do not exist and a k that does not fit."""
    entrants(params)
    data, features = lab.dataset, int(np.prod(lab.dataset.input_shape))
    if sorted(params.fractions) != params.fractions:
        raise InputError(f"params.fractions={params.fractions}: must ascend; sort them")
    if params.rare_classes >= data.n_classes:
        raise InputError(f"params.rare_classes={params.rare_classes}: there are {data.n_classes} classes; lower it")
    if params.components is not None and params.components > features:
        raise InputError(f"params.components={params.components}: there are {features} features; lower it")
    if params.time_k > min(params.sizes):
        raise InputError(f"params.time_k={params.time_k}: is more than {min(params.sizes)} of params.sizes; lower it")
    for condition, pool in pools(lab, params, lab.seeds[0], 0).items():
        smallest, *_, largest = subset_sizes(params.fractions, len(pool.y))
        if smallest < data.n_classes:
            raise InputError(
                f"params.fractions={params.fractions}: {percent(params.fractions[0])} of {len(pool.y)} samples"
                f" ({condition}) are {smallest}, fewer than the {data.n_classes} classes; raise the first"
            )
        swapping = [name for name in SWAPPING if name in params.label_free + params.label_aware]
        if swapping and largest * min(len(pool.y), largest**2) > LARGEST:
            raise InputError(
                f"params.fractions={params.fractions}: for k = {largest} of {len(pool.y)} samples {swapping[0]} would"
                f" hold more than {LARGEST} distances; lower the last, or leave out {', '.join(swapping)}"
            )


def entrants(params: Params) -> Entrants:
    """Who takes part."""
    own = {target.rpartition(".")[2]: locate(target, "params.own") for target in params.own}
    try:
        return take_part(params.label_free, params.label_aware, own)
    except InputError as error:
        raise InputError(f"params.{error}") from error


def run(lab: Lab, params: Params) -> None:
    """Choose, learn, compare; then time and memory on many rows."""
    selectors = entrants(params)
    draws = [(seed, draw) for seed in lab.seeds for draw in range(params.draws_per_seed)]
    done = lab.map(lambda draw: one_draw(lab, params, selectors, *draw), draws, "draws")
    by_condition = {condition: [draw[condition] for draw in done] for condition in done[0]}
    study = Study(selectors, [CLASSIFIERS[name] for name in params.classifiers], params.fractions, by_condition)

    method(lab, params, study)
    chosen_samples(lab, params, study)
    for aware in (False, True):
        if study.rivals(aware):
            compare(lab, study, aware)
    if params.rare_classes:
        rare_classes(lab, study)
    coverage_and_diversity(lab, study)
    time_and_memory(lab, params, study)
    lab.answer.section("Every k and classifier")
    lab.answer.table("every_number", all_rows(study), "Accuracy, and gain over the mode's baseline (95 %, uncorrected)")
    discussion(lab, params, study)


def pools(lab: Lab, params: Params, seed: int, draw: int) -> dict[str, Pool]:
    """One draw's pool in each condition."""
    rng = np.random.default_rng([seed, draw])
    found = {GIVEN: resplit(lab.dataset, rng)}
    if params.rare_classes:
        found[RARE] = thin_out(found[GIVEN], params.rare_classes, params.rare_share, rng)
    return {name: prepared(pool, params.standardize, params.components) for name, pool in found.items()}


def one_draw(lab: Lab, params: Params, selectors: Entrants, seed: int, draw: int) -> dict[str, Draw]:
    """Every selector at every k on one split, in each condition."""
    return {
        name: try_selectors(pool, selectors, params.fractions, params.classifiers, [seed, draw, number])
        for number, (name, pool) in enumerate(pools(lab, params, seed, draw).items())
    }


def method(lab: Lab, params: Params, study: Study) -> None:
    """The formal statement, who takes part, and how they are compared."""
    lab.answer.section(
        "Formal statement",
        r"Given $x_1, \dots, x_n$ (and, label-aware, their classes $y_i$), choose $S \subset \{1, \dots, n\}$, $|S| = "
        r"k \ll n$, such that a model learned from $\{(x_i, y_i) : i \in S\}$ is right on new samples. Accuracy cannot "
        r"be optimised before learning, so each selector optimises a stand-in. With $d$ the Euclidean distance, "
        r"$d(x, S) = \min_{j \in S} d(x, x_j)$ and $\kappa(a, b) = e^{-\gamma d(a, b)^2} = \langle \phi(a), \phi(b) "
        r"\rangle$:" + "\n\n"
        r"- k-center: $\min_S \max_i d(x_i, S)$; k-medoids: $\min_S \sum_i d(x_i, S)^2$;" + "\n"
        r"- facility location: $\max_S \sum_i \max_{j \in S} \kappa(x_i, x_j)$;" + "\n"
        r"- herding: $\min_S \| \frac1n \sum_i \phi(x_i) - \frac1k \sum_{j \in S} \phi(x_j) \|$;" + "\n"
        r"- leverage: draw $j$ with probability $\propto x_j^\top (X^\top X)^+ x_j$, $X$ centred;" + "\n"
        r"- diversity: $\max_S \sum_{\{i, j\} \subset S} d(x_i, x_j)$ (sum-of-pairwise) or $\max_S \sum_{i \in S} "
        r"d(x_i, S \setminus \{i\})$ (sum-of-nearest-neighbour). **Fair**: subject to $|S \cap G_g| = k_g$ for groups "
        r"$G_g$ and quotas with $\sum_g k_g = k$, a partition constraint; here groups are classes, the quotas equal.",
    )
    rows = [
        {"selector": name, "mode": "label-aware" if each.aware else "label-free", "idea": each.idea}
        | {"what is known": each.known}
        for name, each in study.selectors.items()
    ]
    lab.answer.section("Method")
    lab.answer.table("selectors", rows, "Who takes part")
    n = len(study.draws[GIVEN])
    lab.answer.text(
        f"{n} draws ({len(lab.seeds)} seeds). In each, all samples are split anew into a pool and a test set, every "
        "selector chooses from the pool, and classifiers learn from the k chosen samples alone (settings fixed before "
        "and alike for all: so few samples leave none to tune on). Gains are paired by draw with the baseline of the "
        "same mode. Intervals are 95 %; where all selectors of a mode are compared with its baseline they are "
        "corrected for that number (Bonferroni), while the other claims are not corrected for one another. Test sets "
        "of different draws overlap, so the intervals speak of new splits of these data and not of new data."
    )
    lab.answer.text(
        "Fair selection: in each class a farthest-first traversal takes k anchors and each keeps up to $k_g$ samples "
        "of its cluster (a core-set of at most $k^2$ samples); then samples are swapped within classes until no swap "
        "helps. For sum-of-pairwise a local optimum is at least 1/2 of the core-set's best, and that at least "
        r"$\beta / (2 + \beta)$ of the best of all, $\beta = \frac{k - 1}{4k}$ (shown in "
        r"`dlexp.tabular.fair_diverse`). For "
        "sum-of-nearest-neighbour the same steps are a heuristic without a factor."
    )
    if params.rare_classes:
        lab.answer.text(
            f"*{GIVEN}* is the pool as it is. In *{RARE}*, {params.rare_classes} random classes per draw keep "
            f"{percent(params.rare_share)} of their pool samples; the test set stays as it is."
        )


def chosen_samples(lab: Lab, params: Params, study: Study) -> None:
    """What selectors choose, in a plane."""
    pool, first = pools(lab, params, lab.seeds[0], 0)[GIVEN], study.draws[GIVEN][0]
    shown = {name: first.trials[name][0].chosen for name in SHOWN if name in study.selectors}
    lab.answer.section("What is chosen")
    caption = (
        f"The {first.sizes[0]} samples (triangles) chosen from a pool of {first.n} (grey), first draw; selectors see "
        f"all "
        "dimensions, of which this plane shows the two of largest variance"
    )
    lab.answer.figure("chosen", draw_chosen(pool.x, shown), caption)


def compare(lab: Lab, study: Study, aware: bool) -> None:
    """One mode: accuracy by k, gains over its baseline, and a claim for each selector."""
    answer, names, baseline = lab.answer, study.rivals(aware), BASELINES[aware]
    mode, level = "label-aware" if aware else "label-free", 1 - 0.05 / len(names)
    key = mode.replace("-", "_")
    gains = {each: {name: study.mean_gain(each, name, level) for name in names} for each in study.draws}
    answer.section(f"{mode.capitalize()} selection")
    caption = (
        f"Test accuracy by k, mean over draws and classifiers; gain over {baseline}, mean over k too (interval "
        f"corrected for {len(names)} selectors; margin {GAIN:g}); share of n at which random choice is as accurate as "
        f"the selector at {percent(study.fractions[0])}"
    )
    answer.table(f"{key}_summary", summary_rows(study, aware, level, GAIN), caption)
    caption = f"Test accuracy against k, {mode}: means with 95 % intervals; thick line: {baseline}"
    answer.figure(f"{key}_accuracy", draw_accuracy(study, baseline, names), caption)
    caption = f"Gain in test accuracy over {baseline}, mean over k and classifiers, corrected 95 % intervals"
    answer.figure(f"{key}_gains", draw_gains(gains, baseline, GAIN), caption)
    for name, gain in gains[GIVEN].items():
        statement = f"Averaged over k and classifiers, choosing by {name} gives more accuracy than {baseline}."
        answer.claim(claim_above(f"{name}_beats_{baseline}", statement, gain, GAIN, "accuracy"))
        answer.metric(f"gain_{name}", gain.mean)
    if not aware:
        answer.objective = float(np.mean([gain.mean for gain in gains[GIVEN].values()]))


def rare_classes(lab: Lab, study: Study) -> None:
    """What the labels, and covering, add where some classes are rare."""
    answer, found = lab.answer, {name: study.values(RARE, name, lambda t: t.rare_found) for name in study.selectors}
    answer.section("Rare classes")
    caption = "Share of the rare classes with at least one chosen sample, by k"
    answer.table("rare_classes_found", rows_by_fraction(study, found), caption)
    effect = mean_interval(study.gain(RARE, "class_random", over="random").mean(axis=1))
    statement = "Where classes are rare, equal quotas per class give random choice much more accuracy."
    answer.claim(claim_above("labels_matter_where_classes_are_rare", statement, effect, LABELS_GAIN, "accuracy"))
    if "k_center" in found:
        effect = paired_interval(found["k_center"].mean(axis=1), found["random"].mean(axis=1))
        statement = "Without labels, k-center finds more of the rare classes than random choice."
        unit = "share of the rare classes"
        answer.claim(claim_above("covering_finds_rare_classes", statement, effect, RARE_FOUND, unit))
    if {"fair_diverse", "diverse"} <= set(found):
        effect = mean_interval(study.gain(RARE, "fair_diverse", over="diverse").mean(axis=1))
        statement = "Where classes are rare, quotas per class give diversity more accuracy."
        answer.claim(claim_above("quotas_help_diversity", statement, effect, QUOTA_GAIN, "accuracy"))


def coverage_and_diversity(lab: Lab, study: Study) -> None:
    """Whether selectors reach what they optimise, and which stand-in goes with accuracy."""
    answer, middle = lab.answer, len(study.fractions) // 2
    measured = study.measured(GIVEN)
    answer.section("Coverage and diversity")
    caption = (
        f"Euclidean measures at k = {percent(study.fractions[middle])} of n, mean over draws. Radius and mean gap: "
        f"largest "
        "and mean distance of all samples to the nearest chosen. Mean pairwise, mean nearest, min pairwise: distances "
        "among the chosen. From middle: their mean distance from the mean of all samples"
    )
    answer.table("coverage_and_diversity", measure_rows(study, GIVEN, middle), caption)
    if "k_center" in study.selectors:
        radius = {name: each.mean(axis=1) for name, each in measured["radius"].items()}
        effect = mean_interval(1 - radius["k_center"] / radius["random"])
        statement = "k-center's coverage radius is clearly smaller than that of random choice."
        answer.claim(claim_above("k_center_covers", statement, effect, TIGHTER, "share of random's radius"))
    if "fair_diverse" in study.selectors:
        pairwise = {name: each.mean(axis=1) for name, each in measured["mean_pairwise"].items()}
        effect = mean_interval(pairwise["fair_diverse"] / pairwise["class_random"] - 1)
        statement = "fair_diverse's sum of pairwise distances is clearly larger than at random with the same quotas."
        answer.claim(claim_above("fair_diverse_is_diverse", statement, effect, TIGHTER, "share of class_random's sum"))
    near = study.rank_correlation(GIVEN, lambda trial: -trial.measures.mean_gap)
    apart = study.rank_correlation(GIVEN, lambda trial: trial.measures.mean_pairwise)
    statement = "Across selectors, a small mean gap goes with accuracy better than a large mean pairwise distance does."
    effect = paired_interval(near, apart)
    answer.claim(claim_above("coverage_predicts_accuracy", statement, effect, PREDICTS, "difference of Spearman's rho"))
    answer.metric("rank_correlation_of_small_gap", float(near.mean()))
    answer.metric("rank_correlation_of_pairwise_distance", float(apart.mean()))
    if "facility_location" in study.selectors:
        gain = study.gain(GIVEN, "facility_location")
        statement = "facility_location gains more over random choice at the smallest k than at the largest."
        fading = mean_interval(gain[:, 0] - gain[:, -1])
        answer.claim(claim_above("the_gain_fades_with_k", statement, fading, FADING, "accuracy"))


def time_and_memory(lab: Lab, params: Params, study: Study) -> None:
    """Seconds and peak memory against the number of rows, each selector in a process of its own, one after another."""
    names = [name for name in study.selectors if name in SELECTORS and not name.startswith("class_")]
    limit = {"facility_location": params.facility_location_up_to}
    costs: dict[Task, Cost] = {}
    with progress("timing", len(names)) as shown:
        for name in names:
            sizes = [n for n in sorted(params.sizes) if n <= limit.get(name, n)]
            tasks = [Task(name, n, params.time_k, seed=lab.seeds[0]) for n in sizes]
            costs |= zip(tasks, measure_costs(tasks), strict=True)
            shown.advance()
    answer, largest = lab.answer, max(params.sizes)
    most = max(cost.peak_mb for cost in costs.values())
    answer.section("Time and memory")
    answer.text(
        f"{params.time_k} of n synthetic float32 rows with {Task.m} features, each selector in a fresh process: "
        f"seconds of the "
        "selection alone, peak memory of the whole process (Python, NumPy and the rows included). No selector ever "
        "holds an n x n matrix: distances are computed a block at a time and forgotten. What would be quadratic in "
        "time is "
        f"bounded: beyond {EXACT_ROWS} rows facility location estimates its objective on {CLIENTS} rows drawn "
        f"uniformly and "
        "looks at n/k ln 10 random candidates per step (stochastic greedy, Mirzasoleiman et al. 2015); herding "
        "replaces "
        f"the kernel's mean over all pairs by {FEATURES} random Fourier features; k-medoids, for squared distances, "
        f"moves "
        "each medoid to the sample nearest to its cluster's mean; fair selection swaps within its core-set. Facility "
        f"location is timed up to {params.facility_location_up_to} rows. At {largest} rows the largest peak was "
        f"{most:.0f} MB, {'within' if most < MEMORY_MB else 'beyond'} the {MEMORY_MB} MB that we allow. The exponent "
        f"is the "
        "slope of log seconds against log n since the row above: 1 is linear, less means that costs which do not grow "
        "still count; times under 0.01 s give none."
    )
    answer.table("time_and_memory", cost_rows(costs), "Seconds and peak memory by number of rows, one run each")
    timed = dict.fromkeys(task.selector for task in costs)  # in order
    seconds = {name: {task.n: cost.seconds for task, cost in costs.items() if task.selector == name} for name in timed}
    answer.figure("time", draw_seconds(seconds), f"Seconds to choose {params.time_k} of n rows")
    for task, cost in costs.items():
        if task.n == largest:
            answer.metric(f"{task.selector}_seconds", cost.seconds)


def discussion(lab: Lab, params: Params, study: Study) -> None:
    """The answer to the exercise, from the numbers of this run."""
    answer, random = lab.answer, study.mean_accuracy(GIVEN, "random")
    claims = {claim.name: claim for claim in answer.claims}
    ceiling = float(np.mean([draw.ceiling for draw in study.draws[GIVEN]]))
    first, last = percent(study.fractions[0]), percent(study.fractions[-1])
    lines = [
        f"**How to deal with a budget of k samples.** Learning from the whole pool gives {ceiling:.3f}; random choice "
        f"gives {random[0]:.3f} at {first} and {random[-1]:.3f} at {last} of n. What to do instead of drawing at "
        f"random depends "
        "on what is known when one chooses."
    ]
    for aware, known in ((False, "If nothing is labelled yet"), (True, "If all labels are known")):
        names, baseline = study.rivals(aware), BASELINES[aware]
        if not names:
            continue
        verdicts = {name: claims[f"{name}_beats_{baseline}"].verdict for name in names}
        listed = {
            verdict: ", ".join(name for name in names if verdicts[name] == verdict) or "none"
            for verdict in ("supported", "refuted", "inconclusive")
        }
        best = max(names, key=lambda name: study.gain(GIVEN, name).mean())
        behind = [name for name in names if study.gain(GIVEN, name)[:, 0].mean() < 0]
        lines.append(
            f"**{known}**: worth more than {GAIN:g} over {baseline}, averaged over k: {listed['supported']}; not worth "
            f"it: {listed['refuted']}; undecided: {listed['inconclusive']}. The largest gain is that of {best}, "
            f"{study.gain(GIVEN, best).mean():+.3f}; at {first} it is right on "
            f"{study.mean_accuracy(GIVEN, best)[0]:.3f}, for which random choice needs "
            f"{equivalent_text(study, GIVEN, best)} of n. (Naming the largest of several favours it a little; the "
            f"claims do not.) Chance is not easily beaten: at {first} the mean accuracy of "
            f"{', '.join(behind) or 'none of them'} is below that of {baseline}."
        )
    if params.rare_classes and {"k_center", "facility_location"} <= set(study.selectors):
        found = {name: study.values(RARE, name, lambda t: t.rare_found)[:, 0].mean() for name in ("random", *TWO_AIMS)}
        gained = {name: study.gain(RARE, name).mean() for name in TWO_AIMS}
        lines.append(
            f"**Average or worst case.** At {first} and where classes are rare, facility_location, which counts how "
            f"well samples are covered on average, finds {found['facility_location']:.2f} of the rare classes, "
            f"k-center, which counts the worst covered one, {found['k_center']:.2f}, and random choice "
            f"{found['random']:.2f}. Over all k they gain {gained['facility_location']:+.3f} and "
            f"{gained['k_center']:+.3f} of accuracy there. What is rare weighs little in an average: whoever cares for "
            "rare cases should say so in what is optimised, by a radius or by quotas."
        )
    for name, claim in claims.items():
        if (name, claim.verdict) in READINGS:
            lines.append(READINGS[name, claim.verdict].format(effect=claim.effect))
    lines.append(
        "**Limits.** All selectors trust the Euclidean distance of these features. Where that says little about the "
        "classes (pixels of photographs, columns in different units), choose in a learned or standardised "
        "representation. Outliers and wrong labels attract k-center, leverage and diversity, and these data hold few. "
        "The intervals cover the split and a selector's chance, not the choice of data set."
    )
    answer.section("Discussion", "\n\n".join(lines))
