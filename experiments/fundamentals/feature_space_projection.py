r"""1.4 The feature space when m > 4, up to thousands of columns.

Question. Show the feature space, with the overall mean and the class means, when m is arbitrarily large.

Idea. Without projection: a scatter matrix for a handful of columns, parallel coordinates for some tens. For any m: a
map into the plane. All of the usual ones (PCA, LDA, kernel PCA, Isomap, MDS, t-SNE) on the same samples, with a random
projection as the control, ranked by what they keep: trustworthiness (no false neighbours), continuity (none torn
apart), nearest neighbours kept, explained variance, order of distances, and time. Then what large m itself does:
classes that lie in a plane of R^m under growing noise, and classes that do not exist.

Expected. t-SNE keeps neighbours best, at the price of distances, where MDS is better; no map explains more variance
than PCA (Eckart and Young). Affine maps take means to means; others do not, and MDS and t-SNE cannot place a mean at
all. As m grows distances concentrate, neighbours lose their meaning and a random plane shows nothing; PCA still finds
strong directions. LDA, which uses the labels, shows separated classes in pure noise when m reaches n.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dlexp.claims import claim_above, claim_below, claim_within
from dlexp.errors import InputError
from dlexp.feature_space import Table, all_samples, fresh_draw, is_generated
from dlexp.lab import Lab
from dlexp.plots import LINES, figure, legend, points
from dlexp.stats import Interval, mean_interval, paired_interval
from dlexp.tabular import drawing
from dlexp.tabular.families import family_level, least_favourable
from dlexp.tabular.neighbourhoods import neighbour_ranks, same_class_share
from dlexp.tabular.projection_trials import (
    MapTrial,
    contrast,
    hidden_classes,
    noise,
    overall_and_class_means,
    seen_and_new,
    standardised,
    try_maps,
    variance_ratios,
)
from dlexp.tabular.projections import CONTROL, NEIGHBOURS, PERPLEXITY, PROJECTIONS, project

# Practical margins, stated before looking.
NEIGHBOUR = 0.05  # share of nearest neighbours kept: of ten neighbours, half a one more
NO_MORE = 1e-9  # share of variance: rounding
COMMUTES = 1e-9  # distance in radii of the map: rounding
ELSEWHERE = 0.02  # distance in radii of the map: two hundredths of the picture are seen with the eye
DISTANCES = 0.05  # rank correlation of distances
SHOWN = 0.2  # share of neighbours on the map that are of the own class
ILLUSION = 0.3  # accuracy on samples seen beyond that on new ones
EXPONENT = 0.05  # distance from -1/2 that would mean another law

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # numbers of neighbours at which preservation is drawn
NAMES = tuple(PROJECTIONS)
RIVALS = tuple(name for name in NAMES if name != CONTROL)
LABELS = {name: each.label for name, each in PROJECTIONS.items()}
NO_MAP = "no map: all columns"
Array = NDArray[np.float64]
Measured = dict[str, Array]  # (widths, repetitions)
Trials = list[dict[str, MapTrial]]  # per repetition, per map


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    samples: Annotated[
        int, Field(ge=20, le=10_000)
    ]  # mapped in each repetition, at most: a draw that keeps class shares
    draws: Annotated[int, Field(ge=1, le=1000)]  # repetitions for each seed
    neighbours: Annotated[int, Field(ge=1, le=5000)]  # k of all neighbourhood measures; less than half of the samples
    standardise: bool | None  # columns to standard deviation 1; null: tables yes, images no (pixels share their unit)
    view_columns: Annotated[int, Field(ge=2, le=8)]  # columns of the scatter matrix
    parallel_columns: Annotated[int, Field(ge=2, le=200)]  # columns of the parallel coordinates
    widths: Annotated[list[Annotated[int, Field(ge=3, le=100_000)]], Field(min_length=2)]  # m, increasing
    width_samples: Annotated[int, Field(ge=30, le=10_000)]  # samples where m grows


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything runs, data that need no projection and settings that do not fit each other."""
    m = int(np.prod(lab.dataset.input_shape))
    if m < 3:
        raise InputError(f"dataset: has {m} columns, which a plane shows as they are; use exercise=feature_space_2d")
    if len(lab.seeds) < 2:
        raise InputError("seeds=1: one repetition has no interval; use seeds of 2 or more")
    if sorted(set(params.widths)) != params.widths:
        raise InputError(f"params.widths={params.widths}: must increase from one to the next")
    smallest = min(sample_count(lab, params), params.width_samples)
    if params.neighbours > (smallest - 1) // 2:
        most = (smallest - 1) // 2
        raise InputError(f"params.neighbours={params.neighbours}: at most {most}, less than half of {smallest} samples")
    if params.samples < lab.dataset.n_classes:
        raise InputError(f"params.samples={params.samples}: cannot hold one of each of {lab.dataset.n_classes} classes")


def sample_count(lab: Lab, params: Params) -> int:
    """Samples mapped in each repetition."""
    data = lab.dataset
    return min(params.samples, sum(len(split) for split in (data.train, data.val, data.test) if split is not None))


def run(lab: Lab, params: Params) -> None:
    """Views without projection, all maps on the data, and what growing m does."""
    from threadpoolctl import threadpool_limits

    draws = [(seed, k) for seed in lab.seeds for k in range(params.draws)]
    sizes = [size for size in SIZES if size <= (sample_count(lab, params) - 1) // 2]
    with threadpool_limits(1), warnings.catch_warnings():  # no sum depends on the number of threads
        warnings.filterwarnings("ignore", message="The number of connected components")  # Isomap joins its parts,
        warnings.filterwarnings("ignore", message="Changing the sparsity structure")  # and scipy says how slow that is
        warm_up()
        trials = lab.map(lambda at: measure(lab, params, sizes, at), draws, "mapping")
        firsts = [(seed, 0) for seed in lab.seeds]
        pairs = [(m, at) for m in params.widths for at in firsts]
        wide = lab.map(lambda each: at_width(*each, params), pairs, "growing m")
        pairs = [(m, at) for m in noise_widths(params) for at in draws]
        noisy = lab.map(lambda each: in_noise(*each, params), pairs, "noise")
    invented = {name: np.reshape([one[name] for one in noisy], (-1, len(draws))) for name in noisy[0]}
    grown = {NO_MAP: np.reshape([share for share, _ in wide], (-1, len(firsts)))}
    grown |= {name: np.reshape([each[name].same_class for _, each in wide], (-1, len(firsts))) for name in NAMES}
    formal_statement(lab, params, len(draws))
    without_projection(lab, params)
    views(lab, prepared(lab, params, draws[0]), trials[0])
    ranking(lab, params, trials, sizes)
    what_maps_keep(lab, trials)
    hidden(lab, params, grown, [each for _, each in wide[:: len(firsts)]])
    nothing_there(lab, params, invented)
    discussion(lab, params, trials, grown, invented)


def noise_widths(params: Params) -> list[int]:
    """The widths, and the one at which there are as many columns as samples to fit on."""
    return sorted({*params.widths, params.width_samples // 2})


def warm_up() -> None:
    """Every map once on a few samples: imports are not the cost of a map."""
    table = noise(40, 5, np.random.default_rng(0))
    for name in NAMES:
        project(name, table.x, table.y, 0)


def prepared(lab: Lab, params: Params, at: tuple[int, int]) -> Table:
    """The samples of one repetition, standardised where that is asked for."""
    return scaled(fresh_draw(lab, at, params.samples), params)


def scaled(table: Table, params: Params) -> Table:
    """Tables have columns of any unit, images do not."""
    wanted = not table.images if params.standardise is None else params.standardise
    return Table(standardised(table.x), table.y, table.classes, table.images) if wanted else table


def measure(lab: Lab, params: Params, sizes: list[int], at: tuple[int, int]) -> dict[str, MapTrial]:
    """All maps on one repetition."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="openmp"):  # OpenMP counts threads per thread
        return try_maps(prepared(lab, params, at), params.neighbours, sizes, map_seed(at))


def map_seed(at: tuple[int, int]) -> int:
    """Another seed of the maps for each repetition."""
    return int(np.random.SeedSequence(at).generate_state(1)[0])


def at_width(m: int, at: tuple[int, int], params: Params) -> tuple[float, dict[str, MapTrial]]:
    """Classes in a plane of R^m: own-class neighbours in all columns, and every map."""
    from threadpoolctl import threadpool_limits

    table = hidden_classes(params.width_samples, m, np.random.default_rng([*at, m]))
    with threadpool_limits(1, user_api="openmp"):
        trials = try_maps(table, params.neighbours, [], map_seed(at))
    return same_class_share(neighbour_ranks(table.x), table.y, params.neighbours), trials


def in_noise(m: int, at: tuple[int, int], params: Params) -> dict[str, float]:
    """Invented classes of noise in R^m: what LDA and PCA make of them, and the contrast of distances."""
    table = noise(params.width_samples, m, np.random.default_rng([*at, m, 1]))
    found = {"contrast": contrast(table.x)}
    for name in ("lda", "pca"):
        found[f"{name} seen"], found[f"{name} new"] = seen_and_new(name, table, map_seed(at))
    return found


def formal_statement(lab: Lab, params: Params, draws: int) -> None:
    """What is asked, the measures, and how they were taken."""
    k = params.neighbours
    lab.answer.section(
        "Formal statement",
        r"Samples $x_i \in \mathbb{R}^m$, $i = 1, \dots, n$, with classes $y_i$; the overall mean $\mu$ and class "
        r"means $\mu_c$ as in 1.2. A view is a map $f$ that gives every sample a point $z_i = f(x_i) \in "
        r"\mathbb{R}^2$. **Means in a view**: for an affine map $f(x) = W x + b$, $f(\mu_c) = \frac{1}{n_c} \sum_{i "
        r"\in I_c} f(x_i)$; for others the *image of the mean* (left) and the *mean of the images* (right) differ, and "
        r"MDS and t-SNE, which only place the samples given, have no left side. With $r(i, j)$ the rank of $j$ among "
        r"the neighbours of $i$ in $\mathbb{R}^m$ and $\hat r(i, j)$ that in the view, the measures are (Venna and "
        "Kaski 2001, 2006)\n\n"
        r"- trustworthiness $T = 1 - \frac{2}{nk(2n - 3k - 1)} \sum_i \sum_{j: \hat r(i,j) \le k < r(i,j)} (r(i,j) - "
        "k)$: no false neighbours;\n"
        r"- continuity $C$: the same with $r$ and $\hat r$ exchanged: no neighbours torn apart;" + "\n"
        r"- neighbours kept $P = \frac{1}{nk} |\{(i, j): r(i,j) \le k, \hat r(i,j) \le k\}|$; by chance $k / (n - "
        r"1)$;" + "\n- explained variance: $R^2$ of the best affine reconstruction of $x_i$ from $z_i$;" + "\n"
        r"- order of distances: Spearman's $\rho$ of $\|x_i - x_j\|$ and $\|z_i - z_j\|$ over all pairs."
        "\n\n"
        f"Here $k = {k}$.",
    )
    count = sample_count(lab, params)
    source = "fresh draws from the generator" if is_generated(lab) else f"random subsets of {count} of the samples"
    scaling = (
        "standardised" if params.standardise or (params.standardise is None and not is_image(lab)) else "as they are"
    )
    lab.answer.section(
        "Method",
        f"{draws} repetitions, {source}; n = {count}, m = {int(np.prod(lab.dataset.input_shape))}, columns {scaling}"
        f"{' (images flattened to pixels)' if is_image(lab) else ''}. Training, validation and test samples count "
        "alike: a view describes and predicts nothing. Every map is fitted on the same samples (a subset, because MDS "
        f"and Isomap take $O(n^2)$ memory or more); LDA alone is given the classes. Isomap has {NEIGHBOURS} "
        f"neighbours, t-SNE perplexity {PERPLEXITY}, kernel PCA an RBF kernel; MDS and t-SNE start from the PCA; all "
        "seeds are fixed. Nothing was tuned to the measures. Maps are paired by repetition; intervals are 95 % over "
        "repetitions.",
    )


def is_image(lab: Lab) -> bool:
    """Whether the samples are flattened images."""
    return len(lab.dataset.input_shape) > 1


def without_projection(lab: Lab, params: Params) -> None:
    """Scatter matrix and parallel coordinates of the most telling columns, on all samples, standardised."""
    table = all_samples(lab.dataset, 10_000, np.random.default_rng(0))
    x, m = standardised(table.x), table.x.shape[1]
    ratios = variance_ratios(x, table.y)
    telling = np.argsort(-ratios, kind="stable")
    few, some = telling[: params.view_columns], np.sort(telling[: params.parallel_columns])
    means = overall_and_class_means(x, table)[1:]
    lab.answer.section(
        "Views without projection",
        "Columns in standard deviations. Where there are more columns than a view holds, it shows those whose class "
        "means differ most (variance between classes over variance within): the labels chose them. Means in these "
        "views are the true means, as each column is a coordinate.",
    )
    rows = [{"column": table.names[i], "variance between over within classes": float(ratios[i])} for i in few]
    lab.answer.table("columns", rows, f"The {len(few)} most telling of {m} columns")
    made = drawing.scatter_matrix(x[:, few], table.y, table.classes, means[:, few], [table.names[i] for i in few])
    which = "all columns" if len(few) == m else f"{len(few)} of {m} columns"
    caption = (
        f"Scatter matrix of {which}: {len(few) * (len(few) - 1) // 2} pairs; on the diagonal each class's histogram"
    )
    lab.answer.figure("scatter_matrix", made, caption)
    named = [table.names[i] for i in some]
    made = drawing.parallel_coordinates(x[:, some], table.y, table.classes, means[:, some], named)
    which = f"all {m} columns" if len(some) == m else f"{len(some)} of {m} columns"
    shown = len(table.classes) if len(table.classes) <= drawing.NAMED else drawing.NAMED
    more = "" if shown == len(table.classes) else f" (the first {shown} of {len(table.classes)} classes)"
    caption = f"Parallel coordinates of {which}{more}: a line per sample, with class mean and overall mean"
    lab.answer.figure("parallel_coordinates", made, caption)


def views(lab: Lab, table: Table, trials: dict[str, MapTrial]) -> None:
    """All maps of the first repetition, with the means."""
    made, axes = figure(12.0, 6.2, columns=4, rows=2)
    for each, (name, trial) in zip(axes.flat, trials.items(), strict=False):
        drawing.samples(each, trial.points, table.y, table.classes, size=9)
        drawing.class_means(each, trial.means[1:], table.classes)
        drawing.overall_mean(each, trial.means[0])
        each.set_title(f"{LABELS[name]}\n({kind_of_mean(name)})", fontsize=9)
        each.set(xticks=[], yticks=[])
    key = axes.flat[len(trials)]
    shown = key.legend(*axes.flat[0].get_legend_handles_labels(), loc="center", ncols=2, frameon=False, fontsize=9)
    for handle in shown.legend_handles:
        handle.set_alpha(1)
    key.set_axis_off()
    lab.answer.section(
        "Views by projection",
        "Image of the mean: the map applied to the mean. Mean of the images: the mean of the class's points, for maps "
        "that cannot place anything but the samples they were given. Axes have no unit: only distances within a panel "
        "mean something, and for t-SNE and Isomap only small ones.",
    )
    caption = (
        f"The same {len(table)} samples by every map. Large white marks: class means; star: overall mean; the title of "
        "each panel says whether a mean is the image of the mean or the mean of the images"
    )
    lab.answer.figure("views", made, caption)


def kind_of_mean(name: str) -> str:
    """What is drawn as a mean."""
    return "image of the mean" if PROJECTIONS[name].maps_new else "mean of the images"


MEASURES: dict[str, Callable[[MapTrial], float]] = {
    "trustworthiness": lambda trial: trial.kept.trustworthiness,
    "continuity": lambda trial: trial.kept.continuity,
    "neighbours kept": lambda trial: trial.kept.preservation,
    "explained variance": lambda trial: trial.explained_variance,
    "order of distances": lambda trial: trial.distance_correlation,
    "own-class neighbours": lambda trial: trial.same_class,
    "seconds": lambda trial: trial.seconds,
}
RANKED = ("trustworthiness", "continuity", "neighbours kept", "explained variance", "order of distances", "seconds")


def values(trials: Trials, name: str, measure: str) -> Array:
    """(repetitions,) one measure of one map."""
    return np.array([MEASURES[measure](each[name]) for each in trials])


def ranking(lab: Lab, params: Params, trials: Trials, sizes: list[int]) -> None:
    """All measures of all maps, their ranks, and neighbours kept against the number of neighbours."""
    answer = lab.answer
    found = {name: {measure: mean_interval(values(trials, name, measure)) for measure in MEASURES} for name in NAMES}
    answer.section(
        "What the maps keep",
        "Seconds are CPU time of one thread for the map alone (for PCA a full SVD); only they depend on the machine. "
        "Own-class neighbours are no quality of LDA, which was told the classes.",
    )
    rows = []
    for name in NAMES:
        row: dict[str, object] = {"map": LABELS[name]}
        for measure, each in found[name].items():
            row[measure] = each.mean
            if measure in RANKED[:3]:
                row |= {f"{measure}, low": each.low, f"{measure}, high": each.high}
        rows.append(row)
    answer.table(
        "measures", rows, f"Means over {len(trials)} repetitions, with 95 % intervals of the neighbour measures"
    )
    means = np.array([[found[name][measure].mean for measure in RANKED] for name in NAMES])
    means[:, -1] *= -1  # fewer seconds are better
    places = (means[:, None] < means[None]).sum(axis=1) + 1
    rows = [{"map": LABELS[name]} | dict(zip(RANKED, map(int, places[i]), strict=True)) for i, name in enumerate(NAMES)]
    answer.table(
        "ranking", rows, "Places of the maps by each measure, 1 is best (of the means above; ties share a place)"
    )
    made, panels = figure(11.0, 4.4, columns=2)
    for axes, shown in zip(
        panels, (RANKED[:3], ("explained variance", "order of distances", "own-class neighbours")), strict=True
    ):
        points(axes, range(len(NAMES)), {measure: [found[name][measure] for name in NAMES] for measure in shown})
        axes.set_xticks(range(len(NAMES)), list(LABELS.values()), rotation=30, ha="right")
        legend(axes, columns=2)
        axes.set(ylim=(min(0, *axes.get_ylim()), 1.02))
    chance = params.neighbours / (sample_count(lab, params) - 1)
    panels[0].axhline(chance, color="black", linestyle=":", linewidth=1)
    panels[0].annotate(
        "neighbours kept by chance", (-0.4, chance), xytext=(0, 3), textcoords="offset points", fontsize=8
    )
    panels[0].set_ylabel(f"measure at k = {params.neighbours}")
    panels[1].set_ylabel("share, or rank correlation")
    answer.figure("ranking", made, "What each map keeps; 95 % intervals over repetitions")
    made, axes = figure(7.0, 4.4)
    kept = {
        name: [mean_interval([each[name].kept_by_size[i] for each in trials]) for i in range(len(sizes))]
        for name in NAMES
    }
    map_curves(axes, sizes, {LABELS[name]: each for name, each in kept.items()})
    n = sample_count(lab, params)
    axes.plot(sizes, [size / (n - 1) for size in sizes], color="black", linestyle=":", linewidth=1, label="chance")
    axes.set(xscale="log", xlabel="nearest neighbours k", ylabel="share of them kept", ylim=(0, 1))
    axes.set_xticks(sizes, list(map(str, sizes)))
    axes.minorticks_off()
    legend(axes)
    answer.figure("kept_by_size", made, "Neighbours kept against how many are counted as near; 95 % bands")


APART: dict[str, dict[str, Any]] = {  # drawn unlike the maps that compete
    LABELS[CONTROL]: {"color": "0.45", "marker": "x", "linestyle": "-"},
    NO_MAP: {"color": "0.75", "marker": "", "linestyle": "-", "linewidth": 5, "zorder": 1},
}


def map_curves(axes: Any, x: Sequence[float], series: Mapping[str, Sequence[Interval]]) -> None:
    """One line per map with its band, each with a colour, marker and line style of its own."""
    for i, (label, each) in enumerate(series.items()):
        look = {"linewidth": 1.2, "markersize": 4, "linestyle": LINES[i % 6]} | drawing.look(i) | APART.get(label, {})
        axes.plot(x, [one.mean for one in each], label=label, **look)
        low, high = zip(*((one.low, one.high) for one in each), strict=True)
        axes.fill_between(x, low, high, color=look["color"], alpha=0.15, linewidth=0)


def what_maps_keep(lab: Lab, trials: Trials) -> None:
    """The claims about neighbours, variance, distances and means."""
    answer = lab.answer
    kept = {name: values(trials, name, "neighbours kept") for name in NAMES}
    level = family_level(len(RIVALS))
    for name in RIVALS:
        gain = paired_interval(kept[name], kept[CONTROL], level)
        statement = (
            f"{LABELS[name]} keeps more neighbours than a random projection (paired; one of {len(RIVALS)}, Bonferroni)."
        )
        answer.claim(claim_above(f"{name}_beats_random", statement, gain, NEIGHBOUR, "share of neighbours"))
    ahead = {LABELS[name]: paired_interval(kept["tsne"], kept[name], level) for name in NAMES if name != "tsne"}
    rival, lead = least_favourable(ahead, "above")
    statement = f"t-SNE keeps neighbours best: more than each other map (least ahead of {rival}; Bonferroni)."
    answer.claim(claim_above("tsne_keeps_neighbours_best", statement, lead, NEIGHBOUR, "share of neighbours"))
    for name in NAMES:
        answer.metric(f"neighbours_kept_{name}", float(kept[name].mean()))
        answer.metric(f"{name}_seconds", float(values(trials, name, "seconds").mean()))
    answer.objective = max(float(each.mean()) for each in kept.values())
    others = [values(trials, name, "explained variance") for name in NAMES if name != "pca"]
    more = mean_interval(np.max(others, axis=0) - values(trials, "pca", "explained variance"))
    statement = "No map explains more variance than PCA (the best other one minus PCA)."
    answer.claim(claim_below("no_map_explains_more_than_pca", statement, more, NO_MORE, "share of variance"))
    apart = paired_interval(values(trials, "mds", "order of distances"), values(trials, "tsne", "order of distances"))
    statement = "MDS keeps the order of all distances better than t-SNE."
    answer.claim(claim_above("mds_keeps_distances_better", statement, apart, DISTANCES, "rank correlation"))
    affine = [name for name in NAMES if PROJECTIONS[name].affine]
    gaps = mean_interval([max(each[name].gap for name in affine) for each in trials])
    statement = "Affine maps (PCA, LDA, random projection) take means to means (the largest gap of the three)."
    answer.claim(claim_below("affine_maps_commute_with_means", statement, gaps, COMMUTES, "radii of the map"))
    bent = [name for name in NAMES if PROJECTIONS[name].maps_new and name not in affine]
    wide = {LABELS[name]: mean_interval([each[name].gap for each in trials], family_level(len(bent))) for name in bent}
    least, gap = least_favourable(wide, "above")
    statement = (
        f"Maps that are not affine put the image of a mean elsewhere than the mean of the images (least: {least})."
    )
    answer.claim(claim_above("other_maps_move_means", statement, gap, ELSEWHERE, "radii of the map"))


def hidden(lab: Lab, params: Params, grown: Measured, first: list[dict[str, MapTrial]]) -> None:
    """Classes in a plane of R^m, under noise in all of it; `first` are the maps of the first repetition at each m."""
    answer, widths = lab.answer, params.widths
    found = {name: [mean_interval(each) for each in values_at] for name, values_at in grown.items()}
    answer.section(
        "Large m: classes that are there",
        f"Random data of m columns, {params.width_samples} samples: three classes around the corners of a triangle in "
        "a random plane of $\\mathbb{R}^m$, 4 from its middle, plus $N(0, I_m)$. The signal stays, the noise grows "
        f"with $m$. {len(lab.seeds)} repetitions.",
    )
    draw_hidden(lab, params, first)
    rows = [
        {"m": m} | {LABELS.get(name, name): found[name][i].mean for name in (NO_MAP, *NAMES)}
        for i, m in enumerate(widths)
    ]
    caption = f"Share of the {params.neighbours} nearest neighbours that are of the own class (chance 1/3)"
    answer.table("hidden_classes", rows, caption)
    rows = [
        {"m": m} | {f"{LABELS[name]}, seconds": first[i][name].seconds for name in NAMES} for i, m in enumerate(widths)
    ]
    answer.table("seconds_by_m", rows, f"CPU seconds of the maps with {params.width_samples} samples, one repetition")
    made, axes = figure(8.0, 4.6)
    map_curves(axes, widths, {LABELS.get(name, name): found[name] for name in (*NAMES, NO_MAP)})
    against_m(axes, widths, "share of neighbours of the own class", columns=4)
    answer.figure("hidden_classes", made, "Own-class neighbours where three classes hide in m columns; 95 % bands")
    last = widths[-1]
    clearer = paired_interval(grown["pca"][-1], grown[CONTROL][-1])
    statement = f"With {last} columns PCA still shows hidden classes that a random plane does not."
    answer.claim(claim_above("pca_finds_hidden_classes", statement, clearer, SHOWN, "share of neighbours"))


def draw_hidden(lab: Lab, params: Params, first: list[dict[str, MapTrial]]) -> None:
    """Three maps of the random data at each m, with their means."""
    shown = ("pca", "tsne", CONTROL)
    y, classes = np.arange(params.width_samples) % 3, ("0", "1", "2")
    columns = len(params.widths)
    made, axes = figure(2.5 * columns + 0.4, 7.2, columns=columns, rows=len(shown), squeeze=False)
    for j, (m, trials) in enumerate(zip(params.widths, first, strict=True)):
        for each, name in zip(axes[:, j], shown, strict=True):
            drawing.samples(each, trials[name].points, y, classes, size=9)
            drawing.class_means(each, trials[name].means[1:], classes)
            drawing.overall_mean(each, trials[name].means[0])
            each.set(xticks=[], yticks=[])
        axes[0, j].set_title(f"m = {m}", fontsize=10)
    for each, name in zip(axes[:, 0], shown, strict=True):
        each.set_ylabel(f"{LABELS[name]}\n({kind_of_mean(name)})", fontsize=9)
    drawing.key(made, axes[0, 0])
    caption = "Random data with three classes in a plane of m columns, by three maps, with overall mean and class means"
    lab.answer.figure("hidden_views", made, caption)


def against_m(axes: Any, widths: list[int], label: str, columns: int) -> None:
    """Axes of a share against the number of columns, with the chance of three classes."""
    axes.axhline(1 / 3, color="black", linestyle=":", linewidth=1, label="chance")
    axes.set(xscale="log", xlabel="columns m", ylabel=label, ylim=(0, 1.03))
    axes.set_xticks(widths, [str(m) for m in widths])
    axes.minorticks_off()
    legend(axes, columns=columns)


def nothing_there(lab: Lab, params: Params, invented: Measured) -> None:
    """Classes that do not exist, and how distances concentrate."""
    answer, widths = lab.answer, noise_widths(params)
    found = {name: [mean_interval(each) for each in values_at] for name, values_at in invented.items()}
    fitted = params.width_samples // 2
    parts = {
        f"{LABELS[name]}, {part} samples": found[f"{name} {part}"]
        for name in ("lda", "pca")
        for part in ("seen", "new")
    }
    answer.section(
        "Large m: classes that are not there",
        f"$N(0, I_m)$ with random labels of three classes. LDA and PCA are fitted on {fitted} samples, and the nearest "
        "class mean in the view names the class of these (seen) and of as many others (new). *Contrast* is the "
        "standard deviation of all distances over their mean, on paper about $1 / \\sqrt{2m}$.",
    )
    rows = [
        {"m": m}
        | {label: each[i].mean for label, each in parts.items()}
        | {"contrast of distances": found["contrast"][i].mean, "on paper": (2 * m) ** -0.5}
        for i, m in enumerate(widths)
    ]
    answer.table("invented_classes", rows, "Accuracy on invented classes (chance 1/3), and contrast of distances")
    made, axes = figure(7.0, 4.4)
    map_curves(axes, widths, parts)
    axes.axvline(fitted, color="black", linewidth=0.6, label="as many columns as samples")
    against_m(axes, widths, "accuracy in the view", columns=2)
    answer.figure("invented_classes", made, "Accuracy in views of classes that do not exist; 95 % bands")
    at = widths.index(fitted)
    statement = (
        f"With as many columns as samples ({fitted}) LDA shows classes that are not there (seen minus new samples)."
    )
    false = paired_interval(invented["lda seen"][at], invented["lda new"][at])
    answer.claim(claim_above("lda_shows_invented_classes", statement, false, ILLUSION, "accuracy"))
    statement = f"LDA shows invented classes with {widths[-1]} columns as well (seen minus new samples)."
    false = paired_interval(invented["lda seen"][-1], invented["lda new"][-1])
    answer.claim(claim_above("lda_shows_them_with_most_columns", statement, false, ILLUSION, "accuracy"))
    slopes = np.polyfit(np.log(widths), np.log(invented["contrast"]), 1)[0]
    off = mean_interval(slopes + 0.5)
    statement = "Distances concentrate like 1/sqrt(m): the exponent of their contrast is -1/2 (its distance from it)."
    answer.claim(claim_within("distances_concentrate", statement, off, EXPONENT, "exponent"))


def discussion(lab: Lab, params: Params, trials: Trials, grown: Measured, invented: Measured) -> None:
    """Como mostrar? What the numbers say, and what may explain a claim that they refute."""
    answer = lab.answer
    claims = {claim.name: claim for claim in answer.claims}
    verdicts = {name: claim.verdict for name, claim in claims.items()}

    def mean(name: str, measure: str) -> float:
        return float(values(trials, name, measure).mean())

    best = {measure: max(NAMES, key=lambda name: mean(name, measure)) for measure in RANKED[:5]}
    beaten = [LABELS[name] for name in RIVALS if verdicts[f"{name}_beats_random"] == "supported"]
    last, at = params.widths[-1], noise_widths(params).index(params.width_samples // 2)
    lines = [
        "**How to show a feature space of any m?** Up to about eight columns a scatter matrix shows every pair as it "
        "is, and up to some tens parallel coordinates show every column; beyond, a map into the plane, which must lose "
        "something. So: state what the view keeps, and show more than one. PCA first (fast, affine, the same for "
        "everyone, distances never grow); then t-SNE for neighbourhoods; MDS where the sizes of distances matter; LDA "
        "only with held-out samples drawn into it.",
        "**Which map keeps neighbourhoods best?** "
        + "; ".join(
            f"{measure}: {LABELS[best[measure]]} ({mean(best[measure], measure):.3f})" for measure in RANKED[:3]
        )
        + f". t-SNE keeps {mean('tsne', 'neighbours kept'):.0%} of the {params.neighbours} nearest neighbours, a "
        f"random projection {mean(CONTROL, 'neighbours kept'):.0%}, chance is "
        f"{params.neighbours / (sample_count(lab, params) - 1):.1%}; that it is best is "
        f"{verdicts['tsne_keeps_neighbours_best']}. Better than random, each tested: {', '.join(beaten) or 'none'}.",
        f"**Neighbours are not all.** Explained variance is highest with {LABELS[best['explained variance']]} "
        f"({mean('pca', 'explained variance'):.0%} for PCA, which no map exceeds), and the order of all distances is "
        f"kept best by {LABELS[best['order of distances']]} "
        f"({mean(best['order of distances'], 'order of distances'):.2f}; t-SNE "
        f"{mean('tsne', 'order of distances'):.2f}). Gaps between clusters and their sizes in t-SNE are not distances.",
        "**Means.** In affine views the mean may be projected or taken afterwards, it is the same point. Kernel PCA "
        f"and Isomap put the image of a mean at least {claims['other_maps_move_means'].effect:.2g} radii of the view "
        f"away from the mean of the images ({verdicts['other_maps_move_means']}): the mean of a curved class lies off "
        "the class. For MDS and t-SNE a mean has no image at all, and the mean of the points is a summary of the "
        "picture, not of the data.",
        f"**Large m.** With {last} columns and the same signal, the neighbours in all columns are of the own class in "
        f"{grown[NO_MAP][-1].mean():.0%} (with {params.widths[0]} columns {grown[NO_MAP][0].mean():.0%}; chance 33%): "
        "what a view would have to keep is itself lost, so faithful neighbourhoods are then worth little. PCA, which "
        f"adds up all columns, shows {grown['pca'][-1].mean():.0%}, a random plane {grown[CONTROL][-1].mean():.0%}. "
        f"LDA with as many columns as samples names {invented['lda seen'][at].mean():.0%} of the samples it was fitted "
        f"on right although the classes are invented, and {invented['lda new'][at].mean():.0%} of new ones "
        f"({verdicts['lda_shows_invented_classes']}): a view that was given the labels proves nothing about them.",
    ]
    remarks = {
        "tsne_keeps_neighbours_best": "t-SNE is not shown to be best here. Where the data have two strong directions a "
        "linear map keeps what there is, and within round noise no map keeps neighbours.",
        "mds_keeps_distances_better": "MDS is not shown to keep the order of distances better: with a few clusters far "
        "apart, any map that places the clusters well gets most pairs right, and t-SNE here starts from the PCA.",
        "other_maps_move_means": "The bent maps are nearly affine on these data, at least where the means are.",
        "pca_finds_hidden_classes": "PCA does not find the plane: with too few samples for so many columns the "
        "signal's variance drowns below that of the noise's largest direction, about $(1 + \\sqrt{m/n})^2$.",
        "lda_shows_invented_classes": "LDA does not separate invented classes here, or the samples are too few to show "
        "it.",
        "lda_shows_them_with_most_columns": f"With {last} columns the illusion is not shown to be as large: beyond "
        "$m = n$ the solver used here (scikit-learn's `svd`) discards the directions in which the classes have no "
        "variance at all, and exactly these would separate any labelling perfectly. LDA by a pseudo-inverse or with a "
        "little shrinkage keeps them. The danger is largest where $m$ is near $n$.",
    }
    lines += [text for name, text in remarks.items() if verdicts[name] != "supported"]
    losers = [LABELS[name] for name in RIVALS if verdicts[f"{name}_beats_random"] != "supported"]
    if losers:
        lines.append(
            f"Not shown to keep more neighbours than a random projection by {NEIGHBOUR:g}: {', '.join(losers)}. A map "
            "that aims at something else (LDA at the classes, PCA at variance) need not keep neighbours."
        )
    scope = "fresh data of this generator" if is_generated(lab) else "subsets of these samples, which overlap"
    lines.append(
        f"**Limits.** The intervals speak of {scope}; one perplexity, one kernel width and one number of neighbours "
        "were used for each map. The family against the random projection and that of t-SNE are each corrected "
        "(Bonferroni), the other claims are not corrected for one another."
    )
    answer.section("Discussion", "\n\n".join(lines))
