r"""4.4 How well does each layer of a net separate the classes?

Question. Take any net; show the separability that the internal representation of each of its layers provides.

Idea. Freeze the net, read the representation of every layer, and measure it in four ways that see different things: a
linear probe (do half-spaces suffice? Alain and Bengio 2017), k-NN (are neighbours of the same class?), the Fisher
ratio (means against spread) and the silhouette (each sample against the nearest other class); and look at it in the
plane. The control is the same net before training: what remains is what training did, not what depth or width do. Then
the tunnel (Masarczyk et al. 2023): the layer from which probe accuracy stops rising, with the rule and its margin
stated, and what goes on behind it.

Expected. Trained: the probe rises over the first layers and then stays; Fisher ratio and silhouette go on rising to the
last layer, and the numerical rank falls (the representation is compressed, in the limit to one point per class: neural
collapse, Papyan et al. 2020). Random weights: the first layers keep what is in the input (a random expansion may even
help a probe a little), deep ones lose it.
"""

import warnings
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from dlexp.claims import claim_above, claim_below, readings
from dlexp.errors import InputError, nearest
from dlexp.lab import Lab
from dlexp.probes.activations import representation_names
from dlexp.probes.layer_measures import (
    CHOICE,
    FEATURES,
    FISHER,
    KNN,
    PROBE,
    RANK,
    SILHOUETTE,
    Measured,
    Splits,
    measure_layers,
    over_nets,
)
from dlexp.probes.representations import INPUT, untrained
from dlexp.probes.separability import PENALTIES
from dlexp.probes.separability_drawings import Views, draw_by_layer, draw_views, views_of_layers
from dlexp.probes.tunnel import Tunnel, find_tunnel, gain_to_come
from dlexp.stats import Interval, mean_interval, paired_interval, spearman
from dlexp.tabular.projections import PROJECTIONS
from dlexp.training.recipe import Recipe

# Practical margins, stated before looking.
TRAINED_GAP = 0.05  # accuracy that training must add to a layer: one in twenty samples
SILHOUETTE_GAP = 0.1  # a twentieth of the scale from -1 to 1: seen in a plot
NO_GAIN = 0.01  # accuracy that depth alone may add and still count as nothing: one point
GROWS = 0.5  # rank correlation that counts as "grows with"
LONG = 1 / 3  # share of the hidden layers: what one could hope to leave out
COMPRESSED = 0.5  # share of the rank at the tunnel's start

MEASURES = {  # name -> (file, unit)
    PROBE: ("linear_probe", "test accuracy"),
    KNN: ("nearest_neighbours", "test accuracy"),
    FISHER: ("fisher_ratio", "tr S_B / tr S_W"),
    SILHOUETTE: ("silhouette", "-1 to 1"),
    RANK: ("numerical_rank", "dimensions"),
}
TRAINED, RANDOM = "trained", "random weights"

READINGS = {  # of claims that this run refutes
    "training_makes_classes_linearly_separable": "the random layers keep enough of the input for so easy a task.",
    "training_draws_classes_together": "the net may not have been trained to the end, or the classes overlap.",
    "class_scatter_grows_with_depth": "the ratio rises in some of the layers only (see its curve).",
    "depth_alone_adds_nothing": (
        "random features of a non-linear expansion can be easier for a linear probe than the input they were made of."
    ),
    "the_extractor_separates": "to a linear probe the input was nearly as good as any layer: there was little to gain.",
    "the_tunnel_is_long": "the net is not deep enough for the task to leave layers without work, or was not trained.",
    "nothing_is_gained_in_the_tunnel": (
        "the start was chosen on validation samples, and on test samples the probe rises a little further; a smaller "
        "`params.margin` or more validation samples place it later."
    ),
    "classes_draw_together_in_the_tunnel": "the tunnel is short here, or the training ended before the collapse.",
    "the_tunnel_compresses": (
        "the rank falls slowly with few epochs and little weight decay; it is bounded by the width and by the samples."
    ),
}


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    margin: Annotated[float, Field(gt=0, lt=1)]  # rise of probe accuracy that counts, for the tunnel: 0.01 is one point
    neighbours: Annotated[int, Field(ge=1, le=1000)]  # k of k-NN
    samples: Annotated[int, Field(ge=20, le=100_000)]  # of each split, at most: a stratified draw
    features: Annotated[int, Field(ge=1)]  # per layer, at most: larger maps are averaged over a grid of cells
    view: str  # map into the plane: pca, lda, kernel_pca, isomap, mds, tsne, random


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, settings under which the measures would not mean what they say."""
    data = lab.dataset
    if data.val is None:
        raise InputError("dataset.val_fraction=0: the probe's penalty and the tunnel are chosen on validation samples")
    if lab.config["model"].get("weights") is not None:
        raise InputError("model.weights: the control is the net before training, which must be random; set it to null")
    if params.view not in PROJECTIONS:
        raise InputError(f"params.view={params.view}: there is no such map; {nearest(params.view, PROJECTIONS)}")
    if params.samples < data.n_classes:
        raise InputError(f"params.samples={params.samples}: cannot hold one of each of {data.n_classes} classes")
    if params.neighbours > (n := min(params.samples, len(data.train))):
        raise InputError(f"params.neighbours={params.neighbours}: there are {n} training samples; lower it")
    if len(representation_names(lab.model())) < 3:
        raise InputError("model: it has fewer than two hidden layers, and nothing to compare; make it deeper")


def run(lab: Lab, params: Params) -> None:
    """Train, measure every layer of each net and of the same net before training, and judge the claims."""
    from threadpoolctl import threadpool_limits

    nets, splits = train(lab), Splits.of(lab.dataset, params.samples)

    def measure(net: nn.Module) -> dict[str, list[float]]:
        with threadpool_limits(1, user_api="openmp"):  # OpenMP counts threads per thread
            return measure_layers(net, splits, params.neighbours, params.features)

    with threadpool_limits(1), warnings.catch_warnings():  # no sum depends on the number of threads
        warnings.filterwarnings("ignore", message="lbfgs failed to converge")  # all probes get as many steps
        measured = {kind: over_nets(lab.map(measure, those, f"measuring, {kind}")) for kind, those in nets.items()}
        shown = (splits, params.view, lab.seeds[0], params.features)
        views = {kind: views_of_layers(those[0], *shown) for kind, those in nets.items()}
    layers = [INPUT, *representation_names(nets[TRAINED][0])]
    tunnels = [find_tunnel(row[:-1].tolist(), params.margin) for row in measured[TRAINED][CHOICE]]
    method(lab, params, splits, layers)
    by_layer(lab, layers, measured, tunnels, params.margin)
    in_the_plane(lab, params, views, splits)
    trained_against_random(lab, layers, measured)
    the_tunnel(lab, params, layers, measured[TRAINED], tunnels)
    discussion(lab, layers, measured, tunnels)


def train(lab: Lab) -> dict[str, list[nn.Module]]:
    """One net per seed, and the same nets before training."""

    def with_start(seed: int) -> Recipe:
        recipe = lab.recipe(seed)
        return replace(recipe, trainer=recipe.trainer.keeping_start())

    trained = lab.train({f"net/{seed}": with_start(seed) for seed in lab.seeds})
    before = [untrained(each.net, each.snapshots[0], lab.dataset.train) for each in trained.values()]
    return {TRAINED: [each.net for each in trained.values()], RANDOM: before}


def method(lab: Lab, params: Params, splits: Splits, layers: list[str]) -> None:
    """The formal statement and the method, in a few lines."""
    lab.answer.section(
        "Formal statement",
        r"A net is a chain $f = f_{L+1} \circ \dots \circ f_1$; the representation of layer $l$ is $z^l = f_l(\dots "
        r"f_1(x))$, with $z^0 = x$ the input and $z^{L+1}$ the logits of $K$ classes. On samples $(z_i, y_i)$, $i = 1, "
        r"\dots, N$, of one layer: the **linear probe** is the test accuracy of $\arg\max_c (W z + b)_c$, with $W, b$ "
        r"minimising $\frac1n \sum_i -\log \mathrm{softmax}_{y_i}(W z_i + b) + \frac\lambda2 \|W\|^2$ on training "
        rf"samples; **k-NN** the test accuracy of the majority of the $k = {params.neighbours}$ nearest training "
        r"samples; the **Fisher ratio** $\mathrm{tr}\, S_B / \mathrm{tr}\, S_W$, $S_B = \frac1N \sum_c n_c (\mu_c - "
        r"\mu)(\mu_c - \mu)^\top$, $S_W = \frac1N \sum_i (z_i - \mu_{y_i})(z_i - \mu_{y_i})^\top$; the **silhouette** "
        r"$\frac1N \sum_i (b_i - a_i) / \max(a_i, b_i)$ with $a_i$ the mean distance to the own class and $b_i$ to the "
        r"nearest other one; the **numerical rank** the number of eigenvalues of the covariance above $10^{-3}$ of "
        r"the largest. **Tunnel**: with $A_l$ the probe's accuracy, it starts at "
        rf"$s = \min\{{l \le L : \max_{{j > l}} A_j - A_l < m\}}$, margin $m = {params.margin:g}$: the first position "
        r"that no later hidden layer beats by $m$ or more. Its share is $(L - s) / L$.",
    )
    lab.answer.section(
        "Method",
        f"{len(lab.seeds)} nets of {len(layers) - 2} hidden layers, one per seed. Probes and neighbours come from "
        f"{len(splits.train)} training samples; a probe's penalty, one of {', '.join(f'{p:g}' for p in PENALTIES)}, "
        f"and the tunnel's start were chosen on {len(splits.val)} validation samples; everything reported is measured "
        f"on {len(splits.test)} test samples, which neither net nor probe has seen. The probe standardises features by "
        "its training samples; the other measures take the layer's outputs as they are. Maps are flattened, or "
        f"averaged over a grid of cells where that makes more than {params.features} features. The control is the same "
        "net with the weights it started from (batch normalisation with statistics of its own), so that pairs differ "
        "in training alone. Intervals are 95 % over seeds, paired; those of differences are corrected for the number "
        "of layers (Bonferroni). They cover the training, not the choice of samples.",
    )


def over_seeds(values: NDArray[np.float64]) -> list[Interval]:
    """One interval over seeds for each position of (seeds, positions)."""
    return [mean_interval(column) for column in values.T]


def by_layer(lab: Lab, layers: list[str], measured: dict[str, Measured], tunnels: list[Tunnel], margin: float) -> None:
    """A table per measure, and all of them against depth."""
    answer, level = lab.answer, 1 - 0.05 / (len(layers) - 1)  # the input is no layer
    answer.section("Layer by layer")
    panels: dict[str, dict[str, list[Interval]]] = {}
    for name, (file, unit) in MEASURES.items():
        series = {kind: over_seeds(those[name]) for kind, those in measured.items()}
        pairs = zip(measured[TRAINED][name].T, measured[RANDOM][name].T, strict=True)
        gaps = [paired_interval(*pair, level=level) for pair in pairs]
        rows = [
            {"layer": layer, "features": int(measured[TRAINED][FEATURES][0, at])}
            | {key: value for kind in series for key, value in series[kind][at].columns(kind).items()}
            | gaps[at].columns("difference")
            for at, layer in enumerate(layers)
        ]
        answer.table(file, rows, f"{name[0].upper()}{name[1:]} by layer ({unit}); differences corrected")
        panels[f"{name} ({unit})"] = series
    coming = np.array([gain_to_come(row[:-1])[:-1] for row in measured[TRAINED][CHOICE]])  # the last has none to come
    panels["gain to come (val. accuracy)"] = {TRAINED: over_seeds(coming)}
    start = float(np.mean([each.start for each in tunnels]))
    made = draw_by_layer(layers, panels, start, "tunnel's start (mean)", log=[f"{FISHER} ({MEASURES[FISHER][1]})"])
    made.axes[len(MEASURES)].axhline(margin, color="black", linewidth=0.8, linestyle="--")
    caption = (
        "Five measures by layer, trained and with random weights; bands are 95 % intervals over seeds. Last panel: the "
        f"rule of the tunnel, which starts where the curve falls below the dashed margin {margin:g}"
    )
    answer.figure("by_layer", made, caption)


def in_the_plane(lab: Lab, params: Params, views: dict[str, Views], splits: Splits) -> None:
    """The first net's test samples at some layers."""
    projection = PROJECTIONS[params.view]
    how = "fitted on the training samples" if projection.maps_new else "fitted on these samples"
    made = draw_views(views, splits.test.y.cpu().numpy(), lab.dataset.classes)
    caption = (
        f"Test samples in the plane of each layer by {projection.label} ({how}); one net, before and after training"
    )
    lab.answer.figure("views", made, caption)


def trained_against_random(lab: Lab, layers: list[str], measured: dict[str, Measured]) -> None:
    """What training adds to depth: four claims at the last hidden layer, and whether the measures agree."""
    trained, random, answer, last = measured[TRAINED], measured[RANDOM], lab.answer, len(layers) - 2
    answer.objective = float(trained[PROBE][:, last].mean())
    for name in (PROBE, KNN, FISHER, SILHOUETTE):
        answer.metric(f"{MEASURES[name][0]}_last_hidden", float(trained[name][:, last].mean()))
    gap = paired_interval(trained[PROBE][:, last], random[PROBE][:, last])
    statement = "Training makes the classes more linearly separable in the last hidden layer than random weights do."
    answer.claim(claim_above("training_makes_classes_linearly_separable", statement, gap, TRAINED_GAP, "test accuracy"))
    gap = paired_interval(trained[SILHOUETTE][:, last], random[SILHOUETTE][:, last])
    statement = "Training draws the samples of a class together in the last hidden layer."
    answer.claim(claim_above("training_draws_classes_together", statement, gap, SILHOUETTE_GAP, "silhouette"))
    depth = np.arange(last + 1)
    order = mean_interval([spearman(depth, row[: last + 1]) for row in trained[FISHER]])
    statement = "In a trained net the Fisher ratio grows with depth, from the input to the last hidden layer."
    answer.claim(claim_above("class_scatter_grows_with_depth", statement, order, GROWS, "Spearman's rho"))
    gain = mean_interval(random[PROBE][:, last] - random[PROBE][:, 0])
    statement = "Depth alone adds nothing: the last hidden layer of a random net is no better than its input."
    answer.claim(claim_below("depth_alone_adds_nothing", statement, gain, NO_GAIN, "test accuracy"))

    answer.section("Do the measures agree?")
    names, seeds = (PROBE, KNN, FISHER, SILHOUETTE), range(len(lab.seeds))
    rows = [
        {"measure": one}
        | {other: float(np.mean([spearman(trained[one][s], trained[other][s]) for s in seeds])) for other in names}
        for one in names
    ]
    answer.table("agreement", rows, "Spearman's rho of two measures over the layers of a trained net, mean over seeds")


def the_tunnel(lab: Lab, params: Params, layers: list[str], trained: Measured, tunnels: list[Tunnel]) -> None:
    """Where probe accuracy stops rising, and what goes on behind."""
    answer, last, seeds = lab.answer, len(layers) - 2, np.arange(len(tunnels))
    starts = np.array([each.start for each in tunnels])
    answer.section("The tunnel")
    rows = [
        {"seed": seed, "starts at": layers[each.start], "share of the hidden layers": each.share}
        | {f"probe at {word}": trained[PROBE][row, at] for word, at in ends(each, last).items()}
        | {f"silhouette at {word}": trained[SILHOUETTE][row, at] for word, at in ends(each, last).items()}
        | {f"rank at {word}": int(trained[RANK][row, at]) for word, at in ends(each, last).items()}
        for row, (seed, each) in enumerate(zip(lab.seeds, tunnels, strict=True))
    ]
    answer.table("tunnel", rows, f"The tunnel of each net: chosen on validation samples (margin {params.margin:g}), "
                                 "measured on test samples")  # fmt: skip
    share = mean_interval([each.share for each in tunnels])
    answer.metric("tunnel_share", share.mean)
    gain = mean_interval(trained[PROBE][seeds, starts] - trained[PROBE][:, 0])
    statement = "The layers before the tunnel's start make the classes more linearly separable than the input."
    answer.claim(claim_above("the_extractor_separates", statement, gain, params.margin, "test accuracy"))
    statement = "The tunnel is long: probe accuracy has stopped rising before the last third of the hidden layers."
    answer.claim(claim_above("the_tunnel_is_long", statement, share, LONG, "share of the hidden layers"))
    if (starts == last).any():
        answer.text("Some of the nets have no tunnel: what goes on inside it cannot be asked of them all.")
        return
    gain = mean_interval(trained[PROBE][:, last] - trained[PROBE][seeds, starts])
    statement = "On samples that did not choose it, probe accuracy rises by less than the margin in the tunnel."
    answer.claim(claim_below("nothing_is_gained_in_the_tunnel", statement, gain, params.margin, "test accuracy"))
    gain = mean_interval(trained[SILHOUETTE][:, last] - trained[SILHOUETTE][seeds, starts])
    statement = "In the tunnel the classes go on drawing together."
    answer.claim(claim_above("classes_draw_together_in_the_tunnel", statement, gain, SILHOUETTE_GAP, "silhouette"))
    left = mean_interval(trained[RANK][:, last] / np.maximum(trained[RANK][seeds, starts], 1))
    statement = "The tunnel compresses: the numerical rank falls to less than half of what it is at the start."
    answer.claim(claim_below("the_tunnel_compresses", statement, left, COMPRESSED, "of the rank at the start"))


def ends(tunnel: Tunnel, last: int) -> dict[str, int]:
    """The positions between which a tunnel is looked at."""
    return {"the start": tunnel.start, "the last hidden layer": last}


def kept_rank(measured: Measured, tunnels: list[Tunnel], last: int) -> float:
    """Rank at the last hidden layer over that at the tunnel's start, mean over seeds."""
    at_start = measured[RANK][np.arange(len(tunnels)), [each.start for each in tunnels]]
    return float(np.mean(measured[RANK][:, last] / np.maximum(at_start, 1)))


def discussion(lab: Lab, layers: list[str], measured: dict[str, Measured], tunnels: list[Tunnel]) -> None:
    """What the numbers say, and what may explain a claim that they do not support."""
    trained, random, last = measured[TRAINED], measured[RANDOM], len(layers) - 2

    def at(kind: Measured, name: str, position: int) -> str:
        return f"{kind[name][:, position].mean():.3f}"

    best = int(trained[PROBE].mean(axis=0)[: last + 1].argmax())
    starts = [layers[each.start] for each in tunnels]
    kept = [float(np.mean(random[name][:, last] - random[name][:, 0])) for name in (PROBE, KNN)]
    lines = [
        f"**Which layer separates?** To a linear probe the input gives {at(trained, PROBE, 0)}, the best hidden layer "
        f"on average (`{layers[best]}`) {at(trained, PROBE, best)} and the last one {at(trained, PROBE, last)}. The "
        f"Fisher ratio goes from {at(trained, FISHER, 0)} in the input to {at(trained, FISHER, last)} in the last "
        f"hidden layer, the silhouette from {at(trained, SILHOUETTE, 0)} to {at(trained, SILHOUETTE, last)}. The two "
        "kinds of measure answer different questions: a probe asks whether a boundary exists, and is at its ceiling as "
        "soon as one does; the others ask how far apart the classes are for their spread, and can go on rising.",
        f"**Is it training, or depth?** With random weights the last hidden layer gives a probe "
        f"{at(random, PROBE, last)}, k-NN {at(random, KNN, last)} (input: {at(random, KNN, 0)}) and a silhouette of "
        f"{at(random, SILHOUETTE, last)}; "
        + ("random layers lose what tells" if min(kept) < -NO_GAIN else "random layers keep what tells")
        + " the classes apart in the input. What the trained net has beyond this, it has learnt.",
        f"**Where does it stop?** The tunnel starts, by seed, at {', '.join(f'`{each}`' for each in starts)}; it holds "
        f"{np.mean([each.share for each in tunnels]):.0%} of the hidden layers on average. From its start to the last "
        f"hidden layer the numerical rank goes to {kept_rank(trained, tunnels, last):.0%} of what it was; with random "
        f"weights, over the same layers, to {kept_rank(random, tunnels, last):.0%}. Another depth (`model.depth`, or "
        "`model.widths` of an mlp) or task (`dataset`) moves the start.",
    ]
    lines += readings(lab.answer.claims, READINGS)
    lines.append(
        "A measure of separability is one of net *and* data: on data whose classes are apart in the input (compare its "
        "row) layers have little to add. Test samples are few on small data sets: one of "
        f"{len(lab.dataset.test)} is {1 / len(lab.dataset.test):.2%}, and all nets are measured on the same ones."
    )
    lab.answer.section("Discussion", "\n\n".join(lines))
