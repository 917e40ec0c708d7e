r"""4.2 How similar are the internal representations of two layers, of one net or of two?

Question. Layer i maps N samples to a matrix of features. How similar are two such matrices, of two layers of a net or
of different nets with other numbers of features?

Idea. A measure should not see a rotation or the scale of the features, and should see the rest. We test measures where
the answer is known: independent features, maps that lose nothing, and Kornblith's sanity check (of two nets that differ
in their seed, layer l should be most like layer l). Unbiased CKA, streamed over batches, then compares layers within a
net, across seeds, widths and architectures. Nets before training are the control.

Expected. Biased CKA, and measures that fit a map, read similarity out of independent features; unbiased CKA reads 0.
CKA identifies layers (99.3 % in ten-layer nets on CIFAR-10, Kornblith et al. 2019), CCA measures do not. Trained nets
agree with one another more than with untrained ones, wide ones more than narrow ones; architectures keep the order.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from torch import nn

from dlexp.claims import claim_above, claim_below, claim_within, readings
from dlexp.data import Split
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.models.widening import widened
from dlexp.probes.activations import activations, representation_names
from dlexp.probes.representations import at_most, untrained
from dlexp.probes.similarity.all_measures import MEANS, NOISY, Noise, all_measures
from dlexp.probes.similarity.drawings import draw_against_size, draw_by_place, draw_identification, draw_maps
from dlexp.probes.similarity.features import Matrix
from dlexp.probes.similarity.identification import gaps, identification, identified_by_layer, over_pairs, same_place
from dlexp.probes.similarity.invariances import movements
from dlexp.probes.similarity.measures import MEASURES
from dlexp.probes.similarity.null import reading_of_nothing
from dlexp.probes.similarity.rows import by_size
from dlexp.probes.similarity.streaming import against_one_batch, compare_nets
from dlexp.stats import Interval, mean_interval, spearman

# Practical margins, stated before looking. CKA is read off maps to about two digits.
READ = 0.02  # a difference in CKA that one would not notice in a map
BIASED = 0.1  # CKA of nothing with nothing that one would take for a finding
IDENTIFIED = 0.9  # share of the layers that a measure must find to be used: one error in ten
BETTER = 0.1  # share of the layers by which one measure must beat another
AGREE = 0.1  # CKA that training must add to be called learnt
FALLS = -0.5  # rank correlation that counts as "falls with"
ORDERED = 0.7  # rank correlation that counts as "in the same order"

TWIN = 1_000_000_000  # between the seeds of what one repetition draws several times: beyond any seed of a sweep
ORDERS = 4  # of the samples, per repetition, in the test of batches
BASE, WIDE, OTHER, BEFORE = "base", "wide", "other", "before training"
SEEDS, WIDE_SEEDS, WIDTHS = "across seeds", "across seeds, wide", "narrow and wide"
ARCHITECTURES, UNTRAINED, NEITHER = "two architectures", "trained and before", "before and before"
RELATIONS = {  # of nets with different seeds: the kind along the rows, the kind along the columns
    SEEDS: (BASE, BASE), WIDE_SEEDS: (WIDE, WIDE), WIDTHS: (BASE, WIDE), ARCHITECTURES: (BASE, OTHER),
    UNTRAINED: (BASE, BEFORE), NEITHER: (BEFORE, BEFORE),
}  # fmt: skip
CKA, BIASED_CKA = "linear CKA", "linear CKA, biased"
SHOWN = (CKA, BIASED_CKA, "SVCCA", "PWCCA", "Procrustes", "RSA")  # in the figure of the null test

READINGS = {  # of claims that this run refutes
    "unbiased_cka_of_nothing_is_zero": "too few draws for so small a margin (`params.null_draws`).",
    "biased_cka_of_nothing_is_large": "with many more samples than features the bias is small.",
    "batches_estimate_the_whole": "the ratio of two noisy means, of few small batches, is not quite the true ratio.",
    "biased_batches_mislead": "the layers have few effective dimensions for the size of the batches.",
    "cka_identifies_layers": "where neighbouring layers are alike, hundredths decide (see the table by layer, and how "
    "far the right one is ahead). The published figure is of ten layers on CIFAR-10, which may need more of them.",
    "cka_identifies_better_than_svcca": "SVCCA's flaw, small directions that count like large ones, matters less here.",
    "training_makes_layers_identifiable": "random layers differ too, and alike in every net: the check asks whether a "
    "measure tells places apart, not whether anything was learnt there.",
    "trained_nets_agree_beyond_their_start": "early layers, random or not, keep the input's geometry; see deep ones.",
    "wide_nets_agree_more": "narrow nets agree already on an easy task; the paper's widths span a far larger factor.",
    "distant_layers_are_less_alike": "deep layers that are all alike (block structure) have no order among them.",
    "architectures_keep_the_order": "several layers of the other net match as well (shortcuts carry features on).",
}


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    nets_per_seed: Annotated[int, Field(ge=1, le=20)]  # nets of each kind per repetition; three in all are needed
    width_factor: Annotated[float, Field(gt=1, le=64)]  # how much wider the wide nets are
    other_model: str  # the other architecture: an option of the group `model`, with the depth of the first
    samples: Annotated[int, Field(ge=16, le=5000)]  # test samples, at most, of measures that need all at once
    batches: Annotated[list[Annotated[int, Field(ge=4)]], Field(min_length=1)]  # samples per batch; the last: the maps
    null_samples: Annotated[list[Annotated[int, Field(ge=4)]], Field(min_length=1)]  # sizes of the null test, ascending
    null_features: Annotated[int, Field(ge=2)]  # independent features in the null test
    null_draws: Annotated[int, Field(ge=2)]  # draws of the null test per seed
    noise: Annotated[float, Field(gt=0)]  # of the inputs of the stochastic nets, in standard deviations of the data
    stimuli: Annotated[int, Field(ge=4)]  # test samples that the stochastic nets answer to
    repeats: Annotated[int, Field(ge=2)]  # answers to each of them
    dimensions: Annotated[int, Field(ge=1)]  # principal directions of the answers that are compared


def other_model(lab: Lab, params: Params) -> dict[str, Any]:
    """The other architecture, as deep as the first where both have a depth."""
    node, first = lab.option("model", params.other_model), lab.config["model"]
    return {**node, **({"depth": first["depth"]} if "depth" in node and "depth" in first else {})}


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, settings that leave nothing to compare."""
    if (n := len(lab.seeds) * params.nets_per_seed) < 3:
        raise InputError(f"params.nets_per_seed={params.nets_per_seed}: intervals over pairs need 3 nets, not {n}")
    if lab.config["model"].get("weights") is not None:
        raise InputError("model.weights: the nets must differ in their random start; set it to null")
    if len(representation_names(lab.model())) < 3:
        raise InputError("model: it has fewer than two hidden layers, and nothing to identify; make it deeper")
    for name in ("samples", "stimuli"):
        if (most := getattr(params, name)) < lab.dataset.n_classes:
            raise InputError(f"params.{name}={most}: cannot hold one of each of {lab.dataset.n_classes} classes")
    lab.model(widened(lab.config["model"], params.width_factor))
    lab.model(other_model(lab, params))


def run(lab: Lab, params: Params) -> None:
    """Test the measures where the answer is known, then compare nets with the one that passes."""
    from threadpoolctl import threadpool_limits

    method(lab, params)
    with threadpool_limits(1):  # no sum depends on the number of threads
        null_test(lab, params)
        nets, few = train(lab, params), at_most(lab.dataset.test, params.samples)
        invariances(lab, nets[BASE], few)
        in_batches(lab, params, nets[BASE][:2], few)
        sanity_check(lab, params, nets, few)
        compare(lab, params, nets)
    discussion(lab, params)


def method(lab: Lab, params: Params) -> None:
    """The formal statement and the method, in a few lines."""
    lab.answer.section(
        "Formal statement",
        r"The representation of layer $i$ on $N$ samples is a matrix $X \in \mathbb{R}^{N \times F_i}$ (maps are "
        "flattened; `dlexp.probes.activations.activations(net, split, layers)` reads it). A measure takes two of them, "
        r"of the same samples, to a number, with $s(XQ, Y) = s(cX, Y) = s(X, Y)$ for orthogonal $Q$ and $c > 0$, but "
        r"not for every invertible map: with $F \ge N$ these take almost any representation to any other. **CKA** "
        r"compares Gram matrices $K = XX^T$, $L = YY^T$: $CKA = HSIC(K, L) / \sqrt{HSIC(K, K)\, HSIC(L, L)}$ with the "
        r"unbiased estimate (diagonals of $\tilde K, \tilde L$ set to 0) $HSIC_1 = \frac{1}{n(n-3)} "
        r"[\mathrm{tr}(\tilde K \tilde L) + \frac{1^T \tilde K 1 \; 1^T \tilde L 1}{(n-1)(n-2)} - \frac{2}{n-2} 1^T "
        r"\tilde K \tilde L 1]$, averaged over batches before the ratio. **SVCCA** and **PWCCA** average canonical "
        r"correlations of the directions with 99 % of the variance; **Procrustes** is $\|X^T Y\|_*$ for centred $X, Y$ "
        "of norm 1; **RSA** correlates ranks of pairwise distances. The **stochastic shape** metric takes answers to "
        r"noisy inputs, of means $\mu_i, \nu_i$ and covariances $\Sigma_i, \Lambda_i$: $d^2 = \min_Q \frac1N \sum_i "
        r"\|\mu_i - Q\nu_i\|^2 + B^2(\Sigma_i, Q \Lambda_i Q^T)$ with the Bures distance $B$, shown as $1 - d^2/2$.",
    )
    lab.answer.section(
        "Method",
        f"{len(seeds(lab, params))} nets of each kind, equal but for their seed: the configured one, one "
        f"{params.width_factor:g} times as wide, another architecture (`{params.other_model}`), and the first as it "
        "was before training (batch normalisation with statistics of its own). All is measured on test samples. Pairs "
        "share nets: intervals are 95 %, from the jackknife over nets and not over pairs; comparisons are paired, and "
        "not corrected for their number. Where all nets agree exactly, an interval has no width.",
    )


def seeds(lab: Lab, params: Params) -> list[int]:
    """One seed per net of a kind."""
    return [seed + TWIN * twin for twin in range(params.nets_per_seed) for seed in lab.seeds]


def null_test(lab: Lab, params: Params) -> None:
    """What each measure reads out of independent Gaussian features: the right answer is nothing."""
    sizes, draws = params.null_samples, [(seed, k) for seed in lab.seeds for k in range(params.null_draws)]

    def read(name: str) -> list[Interval]:
        return [reading_of_nothing(MEASURES[name], n, params.null_features, draws) for n in sizes]

    found = dict(zip(MEASURES, lab.map(read, list(MEASURES), "null test"), strict=True))
    for name in MEASURES:
        lab.answer.metric(key("null", name), found[name][0].mean)
    lab.answer.section("Nothing compared with nothing")
    caption = f"Similarity of {params.null_features} with {params.null_features} independent Gaussian features"
    rows = by_size(found, "measure", sizes, "samples", "mean")
    lab.answer.table("null_test", rows, f"{caption}, mean of {len(draws)} draws")
    made = draw_against_size(sizes, {name: found[name] for name in SHOWN}, "samples", "similarity read (truth: none)")
    lab.answer.figure("null_test", made, f"{caption}; bands are 95 % intervals over draws")
    statement = f"At {sizes[0]} samples the unbiased linear CKA of independent features is 0 on average."
    lab.answer.claim(claim_within("unbiased_cka_of_nothing_is_zero", statement, found[CKA][0], READ, "CKA"))
    statement = f"At {sizes[0]} samples the biased linear CKA of independent features looks like a finding."
    lab.answer.claim(claim_above("biased_cka_of_nothing_is_large", statement, found[BIASED_CKA][0], BIASED, "CKA"))


def train(lab: Lab, params: Params) -> dict[str, list[nn.Module]]:
    """All nets by kind; the n-th of each kind has the n-th seed."""
    model = lab.config["model"]
    kinds = {BASE: model, WIDE: widened(model, params.width_factor), OTHER: other_model(lab, params)}
    trainer = replace(lab.recipe(seed=0).trainer, snapshot_epochs=[0])
    recipes = {
        f"{kind}/{seed}": lab.recipe(seed, model=node, trainer=trainer)
        for kind, node in kinds.items()
        for seed in seeds(lab, params)
    }
    trained = lab.train(recipes)
    by_kind = {kind: [each for name, each in trained.items() if name.startswith(f"{kind}/")] for kind in kinds}
    before = [untrained(each.net, each.snapshots[0], lab.dataset.train) for each in by_kind[BASE]]
    return {kind: [each.net for each in those] for kind, those in by_kind.items()} | {BEFORE: before}


def invariances(lab: Lab, nets: list[nn.Module], split: Split) -> None:
    """What each measure does not see, on the last hidden layers of the first two nets."""
    layer = representation_names(nets[0])[-2]
    x, y = (activations(net, split, [layer])[layer].numpy() for net in nets[:2])
    moved = movements(MEASURES, x, y, lab.seeds[0]).items()
    rows = [{"measure": name, "similarity": MEASURES[name](x, y)} | each for name, each in moved]
    lab.answer.section("What a measure does not see")
    caption = f"How far the similarity of `{layer}` in two nets moves when one of them goes through a map (0: not seen)"
    lab.answer.table("invariances", rows, caption)


def in_batches(lab: Lab, params: Params, pair: list[nn.Module], split: Split) -> None:
    """CKA of two nets streamed over batches of several sizes, against all samples in one batch."""
    first, second = (list(activations(net, split, representation_names(net)).values()) for net in pair)
    orders = [seed + TWIN * k for seed in lab.seeds for k in range(ORDERS)]
    found = {}
    for word in ("unbiased", "biased"):
        apart = against_one_batch(first, second, params.batches, word == "unbiased", orders)
        found[word] = [mean_interval(each) for each in apart]
    lab.answer.section("In batches")
    caption = f"CKA of two nets streamed over batches minus that of all {len(split)} samples, mean over pairs of layers"
    lab.answer.table("in_batches", by_size(found, "estimator", params.batches, "batch", "difference"), caption)
    made = draw_against_size(params.batches, found, "samples per batch", "difference from all at once (CKA)")
    lab.answer.figure("in_batches", made, f"{caption}; bands are 95 % intervals over orders of the samples")
    statement = f"Unbiased CKA from batches of {params.batches[0]} estimates that of all samples at once."
    lab.answer.claim(claim_within("batches_estimate_the_whole", statement, found["unbiased"][0], READ, "CKA"))
    statement = f"Biased CKA from batches of {params.batches[0]} overstates the similarity."
    lab.answer.claim(claim_above("biased_batches_mislead", statement, found["biased"][0], READ, "CKA"))


def sanity_check(lab: Lab, params: Params, nets: dict[str, list[nn.Module]], split: Split) -> None:
    """Which measures find, for a layer, the layer at the same place of a net with another seed?"""
    answer, layers, n = lab.answer, representation_names(nets[BASE][0]), len(nets[BASE])
    stimuli = at_most(lab.dataset.test, params.stimuli)
    noise = Noise(stimuli, params.noise * lab.dataset.std, params.repeats, params.dimensions)
    found = {kind: all_measures(nets[kind], split, noise, lab.map) for kind in (BASE, BEFORE)}
    right = {kind: {name: identification(each) for name, each in those.items()} for kind, those in found.items()}
    trained, before = ({name: over_pairs(each) for name, each in right[kind].items()} for kind in (BASE, BEFORE))
    answer.section("The sanity check")
    rows = [
        {"measure": name} | share.columns("trained") | before[name].columns(BEFORE)
        | {"ahead of the best other": over_pairs(gaps(found[BASE][name])).mean}
        for name, share in trained.items()
    ]  # fmt: skip
    caption = f"Share of the {len(layers)} layers identified, over {n * (n - 1)} ordered pairs of nets"
    answer.table("identification", rows, caption)
    for name, share in trained.items():
        answer.metric(key("identified", name), share.mean)
    answer.metric(key("before", CKA), before[CKA].mean)
    answer.metric(key("gap", CKA), over_pairs(gaps(found[BASE][CKA])).mean)
    by_layer = {name: identified_by_layer(each) for name, each in found[BASE].items()}
    rows = [{"layer": layer} | {name: each[at] for name, each in by_layer.items()} for at, layer in enumerate(layers)]
    answer.table("identification_by_layer", rows, "The same of the trained nets, by layer")
    made = draw_identification({"trained": trained, BEFORE: before}, 1 / len(layers), "share of the layers identified")
    answer.figure("identification", made, f"{caption}; bars with 95 % intervals over nets")

    cka, unit = right[BASE][CKA], "share of the layers"
    answer.objective = trained[CKA].mean
    statement = "For nearly every layer, the layer of another net that is most similar by CKA is the one at its place."
    answer.claim(claim_above("cka_identifies_layers", statement, trained[CKA], IDENTIFIED, unit))
    more, learnt = (over_pairs(cka - other) for other in (right[BASE]["SVCCA"], right[BEFORE][CKA]))
    statement = "CKA identifies many more layers than SVCCA."
    answer.claim(claim_above("cka_identifies_better_than_svcca", statement, more, BETTER, unit))
    statement = "CKA identifies many more layers in trained nets than in the same nets before training."
    answer.claim(claim_above("training_makes_layers_identifiable", statement, learnt, BETTER, unit))


def compare(lab: Lab, params: Params, nets: dict[str, list[nn.Module]]) -> None:
    """Every layer of every net with every other, in one pass over the test samples."""
    n, flat = len(nets[BASE]), [net for those in nets.values() for net in those]
    layers = {kind: representation_names(those[0]) for kind, those in nets.items()}
    made = compare_nets(flat, lab.dataset.test, batch_size=params.batches[-1])
    ranges = {kind: range(n * at, n * (at + 1)) for at, kind in enumerate(nets)}
    maps = {title: made.blocks(ranges[rows], ranges[columns]) for title, (rows, columns) in RELATIONS.items()}
    within = maps[SEEDS][same := np.eye(n, dtype=bool)]
    panels = {"within a net": (within.mean(axis=0), layers[BASE], layers[BASE])}
    for title, (rows, columns) in list(RELATIONS.items())[:5]:
        panels[title] = (maps[title][~same].mean(axis=0), layers[rows], layers[columns])
    lab.answer.section("Within a net and across nets")
    caption = "Unbiased linear CKA of every two layers, mean over nets or pairs of nets with different seeds"
    lab.answer.figure("maps", draw_maps(panels, "CKA"), f"{caption}; the kind named first is along the rows")
    layers_in_the_same_place(lab, layers[BASE], maps)

    answer, above = lab.answer, np.triu_indices(len(layers[BASE]), 1)
    effect = mean_interval([spearman(above[1] - above[0], each[above]) for each in within])
    statement = "Within a net, layers are the less alike the further apart they are."
    answer.claim(claim_below("distant_layers_are_less_alike", statement, effect, FALLS, "Spearman's rho"))
    best = maps[ARCHITECTURES].argmax(axis=3)
    order = np.array([[spearman(range(best.shape[2]), pair) for pair in row] for row in best])
    statement = "Going through one architecture, the most similar layers of the other one come in the same order."
    answer.claim(claim_above("architectures_keep_the_order", statement, over_pairs(order), ORDERED, "Spearman's rho"))


def layers_in_the_same_place(lab: Lab, layers: list[str], maps: dict[str, Matrix]) -> None:
    """CKA of layer i with layer i, by depth, for every relation of two nets with as many layers."""
    alike = {title: same_place(each) for title, each in maps.items() if each.shape[2] == each.shape[3]}
    found = {title: [over_pairs(each) for each in np.moveaxis(values, 2, 0)] for title, values in alike.items()}
    rows = [
        {"layer": layer} | {key: value for title in found for key, value in found[title][at].columns(title).items()}
        for at, layer in enumerate(layers)
    ]
    caption = "CKA of the layers in the same place of two nets, with 95 % intervals over nets"
    lab.answer.table("same_place", rows, caption)
    lab.answer.figure("same_place", draw_by_place(layers, found, "CKA"), caption)

    hidden = {title: values[:, :, :-1].mean(axis=2) for title, values in alike.items()}  # labels make logits alike
    for title, values in hidden.items():
        lab.answer.metric(key("same_place", title), over_pairs(values).mean)
    learnt, wider = (over_pairs(hidden[a] - hidden[b]) for a, b in ((SEEDS, UNTRAINED), (WIDE_SEEDS, SEEDS)))
    statement = "The hidden layers of trained nets are more like those of other trained nets than of untrained ones."
    lab.answer.claim(claim_above("trained_nets_agree_beyond_their_start", statement, learnt, AGREE, "CKA"))
    statement = "The hidden layers of wide nets are more alike across seeds than those of narrow nets."
    lab.answer.claim(claim_above("wide_nets_agree_more", statement, wider, READ, "CKA"))


def key(kind: str, name: str) -> str:
    """The name of a metric."""
    return f"{kind}_{name}".replace(", ", "_").replace(" ", "_")


def discussion(lab: Lab, params: Params) -> None:
    """The answer to the exercise, and what may explain a claim that the numbers do not support."""

    def said(kind: str, name: str, form: str = ".2f") -> str:
        return format(lab.answer.metrics[key(kind, name)], form)

    share = {name: said("identified", name, ".0%") for name in (CKA, "SVCCA", "Procrustes", NOISY, MEANS)}
    lines = [
        "**Two layers, of one net or of two, are compared in the same way**: run the same samples through both, and "
        "compare how each arranges the samples (Gram matrices), which needs neither as many features nor a "
        f"correspondence between them. Use the unbiased CKA: of nothing with nothing, at {params.null_samples[0]} "
        f"samples, it reads {said('null', CKA, '.3f')}, the biased one {said('null', BIASED_CKA)}, and SVCCA "
        f"{said('null', 'SVCCA')} and Procrustes {said('null', 'Procrustes')}, which fit a map to the samples.",
        f"**Can the number be trusted?** CKA identifies {share[CKA]} of the layers of trained nets "
        f"({said('before', CKA, '.0%')} before training), SVCCA {share['SVCCA']}, Procrustes {share['Procrustes']}, "
        f"stochastic shape {share[NOISY]} ({share[MEANS]} without its covariances). All are given the same samples, at "
        f"most {params.samples}: few for SVCCA, which fits maps between more features than that. By CKA the layer in "
        f"its place is {said('gap', CKA, '.3f')} ahead of the best other one: to be similar is not to do the same.",
        f"**What is learnt alike?** Hidden layers in the same place have a CKA of {said('same_place', SEEDS)} across "
        f"seeds, {said('same_place', WIDE_SEEDS)} if wide, {said('same_place', WIDTHS)} across widths, "
        f"{said('same_place', UNTRAINED)} between trained and untrained nets and {said('same_place', NEITHER)} among "
        "untrained ones. Where these agree as well, it is the geometry of the input that is kept; see the curves.",
    ]
    lines += readings(lab.answer.claims, READINGS)
    lines.append("Similarity is one of net *and* samples: few classes, far apart, make all good representations alike.")
    lab.answer.section("Discussion", "\n\n".join(lines))
