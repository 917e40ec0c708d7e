r"""4.3 Is a simple classifier better off with several layers of a net than with the last one?

Question. Combine the internal representations of different layers, X = union of X_l, and give them to a simple
classifier.

Idea. Read every hidden layer of a trained net, average maps over positions, standardise every feature by the training
samples, put the layers side by side, and classify by logistic regression, PLS-DA and a linear SVM, each tuned on
validation samples. Rivals: the last layer alone, each layer alone, the best of them, and the input, which needs no net.
More layers are also more features, so three controls hold that apart: the fused features rotated to principal axes and
cut to as many as the rival has; the last layer widened by random features of its own to as many as the fused ones; the
fused layers of the same net before training. All of it is done twice: on the classes that the net was trained on, and
on *new* classes, for a net that has seen only the others: what does a layer keep that its task did not ask for?

Expected. On its own classes the last layer has all that a linear classifier needs, and the others add nothing. On new
classes deep layers have thrown away what told them apart (the tunnel, Masarczyk et al. 2023; exercise 4.4), early ones
have not, and together they are better than any alone, also with as few features.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from pydantic import Field

from dlexp.claims import claim_above, claim_within, readings
from dlexp.data import Dataset
from dlexp.data.class_subset import class_halves
from dlexp.errors import InputError, nearest
from dlexp.lab import Lab
from dlexp.probes.activations import representation_names
from dlexp.probes.fusion_trials import (
    BEST,
    FUSED,
    FUSED_EQUAL,
    LAST,
    RAW,
    UNTRAINED,
    WIDENED,
    PerSeed,
    Trial,
    accuracies,
    at_equal_dimension,
    gains,
    intervals,
    per_seed,
    try_fusion,
)
from dlexp.probes.layer_measures import Splits, raw_input, read_layers
from dlexp.probes.representations import untrained
from dlexp.probes.separability_drawings import draw_by_layer, draw_rivals
from dlexp.probes.simple_classifiers import CLASSIFIERS
from dlexp.tabular.families import least_favourable
from dlexp.training.replicas import Trained

# Practical margins, stated before looking.
GAIN = 0.01  # accuracy worth reading a second layer for: one point
SAME = 0.02  # difference in accuracy that nobody would read all layers for: two points

OWN, NEW = "own classes", "new classes"
Pairs = list[tuple[Dataset, Dataset]]  # (what a net is trained on, what its layers are asked about)

READINGS = {  # of claims that this run refutes
    "fusion_changes_little_on_own_classes": (
        "the last layer is not all that the net knows about its own classes (it may be small, or trained too shortly), "
        "or the classifier overfits the others."
    ),
    "fusion_helps": "the last layer keeps enough for this task.",
    "more_features_are_not_the_reason": (
        "cut to the size of the last layer, the principal axes of all layers miss what matters: they follow variance, "
        "not classes."
    ),
    "random_features_are_not_the_reason": "a wider view of the last layer alone does as well.",
    "fusion_beats_the_best_layer_alone": "one layer, chosen on validation samples, is about as good as all.",
    "fusion_beats_every_layer_at_equal_dimension": (
        "for the layer that decides (the lowest interval of the table) as many principal axes of all layers, which "
        "follow variance and not classes, have no room for what it has."
    ),
    "training_matters": "random layers at several depths, fused, keep what these classes need from the input.",
    "fusion_beats_the_input": (
        "a linear classifier needs no net for these classes: layers averaged over positions have lost some of what is "
        "in the input, and fusing repairs only what the net has given up. That says nothing about data whose inputs "
        "are harder to separate."
    ),
}


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    layers: list[str] | None  # which are fused, by name; null: all hidden layers
    new_classes: bool  # also for half of the classes and a net that was trained on the others
    classifiers: Annotated[list[str], Field(min_length=1)]  # logistic, pls, svm; the first one also measures subsets
    samples: Annotated[int, Field(ge=20, le=100_000)]  # of each split, at most: a stratified draw
    features: Annotated[int, Field(ge=1)]  # per layer, at most: maps are averaged over cells; 1: over all positions


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, settings that leave nothing to compare."""
    data, hidden = lab.dataset, representation_names(lab.model())[:-1]
    if data.val is None:
        raise InputError("dataset.val_fraction=0: classifiers are tuned on validation samples; keep some, e.g. 0.2")
    if lab.config["model"].get("weights") is not None:
        raise InputError("model.weights: one control is the net before training, which must be random; set it to null")
    if len(lab.seeds) < 2:
        raise InputError("seeds=1: one repetition has no interval; use seeds of 2 or more")
    for name in params.layers or []:
        if name not in hidden:
            raise InputError(f"params.layers: there is no hidden layer {name}; {nearest(name, hidden)}")
    if len(set(layers_of(hidden, params))) < 2:
        raise InputError("params.layers: there is nothing to fuse; take a net and a list of two hidden layers or more")
    for name in params.classifiers:
        if name not in CLASSIFIERS:
            raise InputError(f"params.classifiers: there is no classifier {name}; {nearest(name, CLASSIFIERS)}")
    if params.samples < data.n_classes:
        raise InputError(f"params.samples={params.samples}: cannot hold one of each of {data.n_classes} classes")
    if params.new_classes and data.n_classes < 4:
        raise InputError(
            f"params.new_classes=true: {data.n_classes} classes cannot be parted into two and two; set it to false"
        )


def layers_of(hidden: Sequence[str], params: Params) -> list[str]:
    """The layers that are fused, in the order of the net."""
    return [name for name in hidden if params.layers is None or name in params.layers]


def run(lab: Lab, params: Params) -> None:
    """Train, fuse, classify, and judge the claims."""
    from threadpoolctl import threadpool_limits

    tasks = {OWN: [[(lab.dataset, lab.dataset)] for _ in lab.seeds]}
    if params.new_classes:
        parted = [class_halves(lab.dataset, seed) for seed in lab.seeds]
        tasks[NEW] = [[(one, other), (other, one)] for one, other in parted]
    trained = train(lab, tasks)
    hidden = representation_names(lab.model())[:-1]
    layers, last = layers_of(hidden, params), hidden[-1]

    def measure(at: tuple[str, int, int]) -> Trial:
        (seen, asked), one = tasks[at[0]][at[1]][at[2]], trained[at]
        splits = Splits.of(asked, params.samples)
        before = read_layers(untrained(one.net, one.snapshots[0], seen.train), splits, params.features)
        known = read_layers(one.net, splits, params.features)
        with threadpool_limits(1, user_api="openmp"):  # OpenMP counts threads per thread
            return try_fusion(known, before, raw_input(splits), layers, last, params.classifiers, lab.seeds[at[1]])

    with threadpool_limits(1), warnings.catch_warnings():  # no sum depends on the number of threads
        for message in ("lbfgs failed to converge", "Liblinear failed to converge", "y residual"):
            warnings.filterwarnings("ignore", message=message)  # all classifiers get as many steps
        found = dict(zip(trained, lab.map(measure, list(trained), "classifying"), strict=True))
    trials = {
        task: [[found[task, i, j] for j in range(len(pairs))] for i, pairs in enumerate(seeds)]
        for task, seeds in tasks.items()
    }
    method(lab, params, layers, trials, tasks)
    against_rivals(lab, params, trials)
    layer_by_layer(lab, params, layers, trials)
    claims(lab, params, layers, trials)
    discussion(lab, params, layers, trials)


def train(lab: Lab, tasks: dict[str, list[Pairs]]) -> dict[tuple[str, int, int], Trained]:
    """One net for each task, seed and pair, with the weights that it started from."""
    recipes, data = {}, {}
    for task, seeds in tasks.items():
        for i, seed in enumerate(lab.seeds):
            recipe = lab.recipe(seed)
            for j, (seen, _) in enumerate(seeds[i]):
                recipes[task, i, j] = replace(recipe, trainer=recipe.trainer.keeping_start())
                data[task, i, j] = seen
    names = {at: f"{at[0]} {at[2]}/{lab.seeds[at[1]]}" for at in recipes}
    trained = lab.train({names[at]: recipes[at] for at in names}, data={names[at]: data[at] for at in names})
    return {at: trained[name] for at, name in names.items()}


def method(
    lab: Lab, params: Params, layers: list[str], trials: dict[str, PerSeed], tasks: dict[str, list[Pairs]]
) -> None:
    """The formal statement and the method, in a few lines."""
    widths = trials[OWN][0][0].features
    lab.answer.section(
        "Formal statement",
        r"Layer $l$ gives sample $i$ the features $z^l_i \in \mathbb{R}^{d_l}$, maps averaged over their positions. "
        r"With $\mu^l, \sigma^l$ the means and standard deviations over the *training* samples, the fused "
        r"representation is $X_i = [\,(z^1_i - \mu^1)/\sigma^1, \dots, (z^L_i - \mu^L)/\sigma^L\,] \in \mathbb{R}^D$, "
        r"$D = \sum_l d_l$. Its control of dimension $d$ is $X_i V_d$, with $V_d$ the first $d$ principal axes of the "
        r"training samples' $X$; a classifier that is better on $X V_{d_l}$ than on $z^l$ is so with no more features. "
        r"The control of width is $[z^L, \mathrm{relu}(z^L R + b)]$ with random $R, b$, also of dimension $D$: more "
        r"features, and no other layer. With $A(\cdot)$ the test accuracy of a classifier, fusing layers pays if "
        rf"$A(X) - A(z^L) > {GAIN:g}$. Here $L = {len(layers)}$ ({', '.join(f'`{name}`' for name in layers)}), "
        f"$D = {widths[FUSED]}$, and the last hidden layer has {widths[LAST]} features.",
    )
    task = ""
    if NEW in tasks:
        seen, asked = tasks[NEW][0][0]
        task = (
            f"**New classes**: nets of the same kind are trained on a random half of the classes ({seen.n_classes} of "
            f"{lab.dataset.n_classes}), their layers are asked about the other {asked.n_classes}, and the other way "
            "round; each seed draws other halves, and its value is the mean of both ways. "
        )
    kinds = ", ".join(CLASSIFIERS[name].label for name in params.classifiers)
    lab.answer.section(
        "Method",
        f"{len(lab.seeds)} seeds. {task}Classifiers ({kinds}) take the features as they are, have one dial each with "
        "three settings, and the setting is chosen on validation samples; so is the best layer alone. Means, "
        "deviations, principal axes and classifiers are fitted on training samples (at most "
        f"{params.samples}), accuracies are on test samples. Intervals are 95 % over seeds, paired; a claim about all "
        "classifiers, or all layers, is decided by its least favourable member at a level corrected for their number "
        "(Bonferroni).",
    )


def against_rivals(lab: Lab, params: Params, trials: dict[str, PerSeed]) -> None:
    """Every representation through every classifier."""
    answer, shown = lab.answer, (FUSED, FUSED_EQUAL, LAST, WIDENED, BEST, UNTRAINED, RAW)
    answer.section("The fused representation and its rivals")
    rows, panels = [], {}
    for task, those in trials.items():
        by_name = [intervals(accuracies(those, name, params.classifiers)) for name in shown]
        values = {CLASSIFIERS[one].label: [each[at] for each in by_name] for at, one in enumerate(params.classifiers)}
        panels[task] = values
        for at, name in enumerate(shown):
            row = {"task": task, "representation": name, "features": those[0][0].features.get(name)}
            rows.append(row | {k: v for label, each in values.items() for k, v in each[at].columns(label).items()})
    answer.table("rivals", rows, "Test accuracy by representation and classifier; the best layer has its own width")
    made = draw_rivals(shown, panels, "test accuracy")
    answer.figure("rivals", made, "Test accuracy by representation and classifier, 95 % intervals over seeds")
    rows = [
        {"task": task, "fused against": rival, "classifier": CLASSIFIERS[one].label} | interval.columns("gain")
        for task, those in trials.items()
        for rival in shown[2:]
        for one, interval in gains(those, FUSED, rival, params.classifiers).items()
    ]
    answer.table("gains", rows, "What the fused representation gains in test accuracy, paired; corrected intervals")


def layer_by_layer(lab: Lab, params: Params, layers: list[str], trials: dict[str, PerSeed]) -> None:
    """Each layer against as many fused features, and the last 1, 2, ... layers."""
    answer, first = lab.answer, params.classifiers[0]
    answer.section("Layer by layer, at equal dimension")
    rows, panels, grown = [], {}, {}
    for task, those in trials.items():
        alone = intervals(per_seed(those, lambda one: [one.alone[name][first] for name in layers]))
        equal = intervals(per_seed(those, lambda one: [one.equal[name] for name in layers]))
        panels[task] = {"layer alone": alone, "as many fused features (PCA)": equal}
        grown[task] = intervals(per_seed(those, lambda one: one.last_of))
        rows += [
            {"task": task, "layer": name, "features": those[0][0].features[name]}
            | {"alone": alone[at].mean, "fused, as many features": equal[at].mean}
            | at_equal_dimension(those, layers, first)[name].columns("difference")
            for at, name in enumerate(layers)
        ]
    label = CLASSIFIERS[first].label
    answer.table(
        "layers", rows, f"Test accuracy ({label}) of a layer and of as many fused features; corrected intervals"
    )
    made = draw_by_layer(layers, panels)
    for axes, task in zip(made.axes, panels, strict=False):
        axes.set(title=task, ylabel="test accuracy")
    caption = f"Each layer alone against the principal axes of all layers, with as many features ({label})"
    answer.figure("layers", made, caption)
    rows = [
        {"layers": count + 1, "down to": layers[-count - 1], "task": task} | each[count].columns("test accuracy")
        for task, each in grown.items()
        for count in range(len(layers))
    ]
    answer.table("last_layers", rows, f"The last layers fused, from one to all ({label})")
    made = draw_by_layer([str(count + 1) for count in range(len(layers))], {"test accuracy": grown})
    made.axes[0].set_xlabel("last layers fused")
    answer.figure("last_layers", made, f"Test accuracy with the last 1, 2, ... layers fused ({label}); 95 % intervals")


def claims(lab: Lab, params: Params, layers: list[str], trials: dict[str, PerSeed]) -> None:
    """Does fusing help, and is it the layers that help, not the number of features?"""
    answer, unit, first = lab.answer, "test accuracy", params.classifiers[0]
    _, change = least_favourable(gains(trials[OWN], FUSED, LAST, params.classifiers), "within")
    statement = "On the classes that the net was trained on, the other layers change little, whatever the classifier."
    answer.claim(claim_within("fusion_changes_little_on_own_classes", statement, change, SAME, unit))

    task = NEW if NEW in trials else OWN
    where, those, fused = f"On {task} and with every classifier", trials[task], "all layers fused"
    cut = "fused features, as few as the last layer has,"
    for name, one, rival, better, worse in (
        ("fusion_helps", FUSED, LAST, fused, "the last one"),
        ("more_features_are_not_the_reason", FUSED_EQUAL, LAST, cut, "the last layer"),
        ("random_features_are_not_the_reason", FUSED, WIDENED, fused, "the last one widened by random features"),
        ("fusion_beats_the_best_layer_alone", FUSED, BEST, fused, "the best layer alone"),
        ("training_matters", FUSED, UNTRAINED, fused, "those of the same net before training"),
        ("fusion_beats_the_input", FUSED, RAW, fused, "the input itself, all of its pixels or columns"),
    ):
        _, gain = least_favourable(gains(those, one, rival, params.classifiers), "above")
        answer.claim(claim_above(name, f"{where}, {better} are better than {worse}.", gain, GAIN, unit))
    _, gain = least_favourable(at_equal_dimension(those, layers, first), "above")
    statement = f"On {task}, as many fused features as a layer has are better than that layer, for each of the layers."
    answer.claim(claim_above("fusion_beats_every_layer_at_equal_dimension", statement, gain, GAIN, unit))
    answer.objective = float(np.mean(accuracies(those, FUSED, [first])))
    for name, short in ((FUSED, "fused"), (LAST, "last_layer"), (FUSED_EQUAL, "fused_equal_dimension")):
        answer.metric(f"accuracy_{short}", float(np.mean(accuracies(those, name, [first]))))


def discussion(lab: Lab, params: Params, layers: list[str], trials: dict[str, PerSeed]) -> None:
    """What the numbers say, and what may explain a claim that they do not support."""
    first, lines = params.classifiers[0], []

    def mean(task: str, name: str) -> str:
        return f"{np.mean(accuracies(trials[task], name, [first])):.3f}"

    for task in trials:
        alone = per_seed(trials[task], lambda one: [one.alone[name][first] for name in layers]).mean(axis=0)
        best = layers[int(alone.argmax())]
        lines.append(
            f"**{task.capitalize()}** ({CLASSIFIERS[first].label}): the last layer gives {mean(task, LAST)}, all "
            f"{len(layers)} layers {mean(task, FUSED)}, and {mean(task, FUSED_EQUAL)} when cut to as few features as "
            f"the last layer has. The last layer widened by random features gives {mean(task, WIDENED)}, the best "
            f"layer alone {mean(task, BEST)} (on average over the seeds it is `{best}`), all layers of the net before "
            f"training {mean(task, UNTRAINED)}, and the input itself {mean(task, RAW)}."
        )
    if NEW in trials and next(each for each in lab.answer.claims if each.name == "fusion_helps").verdict == "supported":
        lines.append(
            "**What the two tasks say together.** Training asks the last layer for one thing: its own classes linearly "
            "separable. What else was in the input has no reason to reach it, and the gap between the tasks is what is "
            "lost on the way. For *other* questions a representation is better taken from several depths."
        )
    lines += readings(lab.answer.claims, READINGS)
    lines.append(
        "Concatenation weighs a layer by its number of features: every feature has variance 1, so wide layers decide "
        "the principal axes. Features are averages over positions unless `params.features` allows more; a layer that "
        "is poor alone may be so because of this average. The intervals cover the training and, for new classes, "
        "which are new; not the choice of samples, which all seeds share."
    )
    lab.answer.section("Discussion", "\n\n".join(lines))
