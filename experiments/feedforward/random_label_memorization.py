r"""2.3 Can an overparameterised net learn random labels, and is that a good or a bad property?

Question. A net with p parameters much larger than the number n of training samples is said to classify even samples
whose labels are random. Show it, and say what it means.

Idea (Zhang et al. 2017). The randomization test: train the same net by the same recipe on labels of which a growing
fraction is redrawn at random, then on true labels with inputs whose structure is destroyed (one permutation of the
pixels for all; one for each sample; Gaussian noise). If it fits all of them, neither the family of functions nor the
fit on the training data can explain why it generalises when the labels are true. Explicit regularisation is tried at
its usual strength and beyond, and nets with fewer parameters than samples are the control that cannot. Then (Maini et
al. 2023) one layer at a time is rewound to an earlier epoch: the mislabelled samples that are forgotten tell where the
net keeps them.

Expected. Train accuracy 100 % everywhere; test accuracy falls with the fraction down to chance; fitting takes longer
with more random labels; usual regularisation slows it and does not prevent it; memorisation sits in no one layer, and
in particular not only in the last ones. An MLP does not know which pixels are neighbours, so that one permutation for
all samples costs it nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from statistics import median
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from dlexp.claims import claim_above, claim_below, claim_within
from dlexp.comparison.memorization_figures import chance_line, fraction_figure, loss_figure, rewinding_figure
from dlexp.comparison.repeated import Condition, Outcome, train_conditions
from dlexp.comparison.time_to_fit import (
    bounded_interval,
    epochs_to_fit,
    loss_of_errors,
    rank_correlation,
    share_of_epochs,
)
from dlexp.data import Dataset
from dlexp.data.randomization import gaussian_pixels, random_labels, random_pixels, shuffled_pixels
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.models.layers import layer_names
from dlexp.models.widening import parameter_count
from dlexp.plots import bars, figure, legend, points
from dlexp.probes.rewinding import Rewinding, measure_rewinding
from dlexp.stats import mean_interval, paired_interval
from dlexp.training.recipe import Recipe

# Practical margins, stated before looking. The memorised share is (train accuracy - 1/K) / (1 - 1/K): 0 at chance.
FITTED = 0.99  # train accuracy that counts as having learnt the whole training set
CHANCE = 0.05  # test accuracy this close to 1/K is of no use to anyone
SAME_TEST = 0.02  # difference in test accuracy that would matter
GROWS = 0.5  # rank correlation of fraction and epochs to fit that counts as "grows with"
QUICKER = 2 / 3  # share of the epochs: half as long again is what one notices (Zhang et al. saw factors of 1.5 to 3.5)
MEMORISED = 0.9  # memorised share from which on a regulariser has not prevented memorisation
PREVENTED = 0.5  # memorised share below which it has; between the two it hinders
SPARED = 0.05  # loss of test accuracy with true labels that one may pay for not memorising
SELECTIVE = 0.1  # share of the samples by which what is forgotten must differ between two groups
FIT_LOSS = loss_of_errors(0.01)  # mean cross-entropy of a net that has fitted, nats: at most 1 % are wrong

PIXELS = {"shuffled pixels": shuffled_pixels, "random pixels": random_pixels, "Gaussian pixels": gaussian_pixels}
RANDOM, TRUE = "random labels", "true labels"  # what regularised and small nets are trained on, each
SAID = {  # the exercise's own statement
    "supported": "This net classifies training samples with random labels: the statement holds.",
    "refuted": "This net does not fit random labels within its budget: the statement does not hold here.",
    "inconclusive": "Whether this net fits random labels, this run does not decide.",
}
CONFINED = {  # how to read the claim about the last layers
    "supported": "Memorisation is confined to the last layers in this net, unlike in those of Maini et al. 2023.",
    "refuted": "It is not confined to the last layers, as Maini et al. 2023 found: the layers before them are needed.",
    "inconclusive": "Whether it is confined to the last layers, this run does not decide.",
}
HINDERED = (
    "within the budget it hinders memorisation too much for the claim; a larger `params.patience` tells a net that "
    "cannot from one that takes longer."
)
READINGS = {  # of claims that this run does not support
    "random_labels_teach_nothing": "one draw of labels may hit or miss by luck; `params.draws` and `seeds` narrow it.",
    "epochs_to_fit_grow_with_the_fraction": (
        "fitting ends with the last exceptions, and every fraction above 0 has some. Where the table shows a jump "
        "between true labels and the smallest fraction and little after it, those above 0 are ranked by chance. "
        "Zhang et al. 2017 (figure 1 b) saw growth over the whole range, for convolutional nets on 50,000 images."
    ),
    "true_labels_are_fitted_sooner": "the fits differ too little, or too few nets fitted in time.",
    "fixed_permutation_is_immaterial": (
        "an MLP cannot tell the two kinds of data apart before training; a convolutional net can, since it looks at "
        "neighbouring pixels, and is expected to lose."
    ),
    "weight_decay_does_not_prevent_it": HINDERED,
    "dropout_does_not_prevent_it": HINDERED,
    "shift_augmentation_does_not_prevent_it": HINDERED,
    "strong_weight_decay_prevents_it": "the strongest value tried leaves memorisation possible; try stronger ones.",
    "strong_weight_decay_spares_learning": "what keeps a net from memorising may keep it from learning, too.",
    "too_small_nets_cannot": "few parameters still fit a good part of so few samples; try a smaller net.",
    "mislabelled_are_forgotten_first": "both groups may depend on the layers alike, or the nets had not memorised.",
    "going_back_is_more_than_a_change": "mislabelled samples lie close to the boundary: any change may lose them.",
}


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    fractions: list[Annotated[float, Field(ge=0, le=1)]]  # shares of random labels; 0, 1, rewound_fraction are added
    draws: Annotated[int, Field(ge=1, le=100)]  # draws of wholly random labels per seed: one alone may hit by luck
    weight_decay: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]  # L2 factors: usual first
    dropout: list[Annotated[float, Field(gt=0, lt=1)]]  # probabilities, likewise; for models with the key `dropout`
    shift: list[Annotated[int, Field(ge=1)]]  # largest shifts of images in pixels, likewise; tables have none
    flip: Annotated[float, Field(ge=0, le=1)]  # probability of mirroring a shifted image; 0 for digits and letters
    patience: Annotated[int, Field(ge=1)]  # regularised and small nets get this many times trainer.epochs
    small_model: str  # the model of the control: an option of the group `model`
    small: Annotated[list[dict[str, Any]], Field(min_length=1)]  # its keys for each size; the first with p < n
    rewound_fraction: Annotated[float, Field(gt=0, lt=1)]  # share of random labels of the nets that are rewound


@dataclass(frozen=True)
class Regulariser:
    """One explicit regulariser at one strength."""

    kind: str
    strength: float
    usual: bool
    changes: dict[str, Any]  # of the recipe

    @property
    def name(self) -> str:
        return f"{self.kind} {self.strength:g}"


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, settings under which the comparison would not mean what it says."""
    optimizer, model, loss = (lab.config[group] for group in ("optimizer", "model", "loss"))
    if optimizer.get("weight_decay") is None:
        raise InputError(f"optimizer={lab.choices['optimizer']}: it has no weight_decay to try; use sgd, adam or adamw")
    if optimizer["weight_decay"] or model.get("dropout") or lab.config.get("augmentation"):
        raise InputError(
            "optimizer.weight_decay, model.dropout, augmentation: the net without regularisation must have none; set "
            "the strengths to try by params.weight_decay, params.dropout and params.shift"
        )
    if loss["_target_"] != "torch.nn.CrossEntropyLoss" or loss.get("label_smoothing"):
        raise InputError("loss: epochs to fit are read off the cross-entropy; use loss=cross_entropy without smoothing")
    n = len(lab.dataset.train)
    if (p := n_parameters(lab, lab.config["model"])) <= n:
        raise InputError(f"model: {p} parameters for {n} samples; the exercise is about more parameters than samples")
    if (p := n_parameters(lab, small_model(lab, params, 0))) >= n:
        raise InputError(
            f"params.small={params.small}: the first has {p} parameters for {n} samples; make it smaller, "
            "or give more samples (dataset.train_size)"
        )
    if params.rewound_fraction * n < 10:
        raise InputError(f"params.rewound_fraction={params.rewound_fraction:g}: fewer than 10 of {n} labels; raise it")
    if len(layer_names(lab.model())) < 2:
        raise InputError("model: it has one layer only; to see where memorisation lives it needs at least two")


def run(lab: Lab, params: Params) -> None:
    """Train all nets, compare them by kind, rewind some, and judge the claims."""
    done = train(lab, params)
    method(lab, params)
    growing_fraction(lab, params, done)
    destroyed_inputs(lab, done)
    explicit_regularisation(lab, params, done)
    too_small_nets(lab, params, done)
    where = where_memorisation_lives(lab, params, done[labels(params.rewound_fraction)])
    discussion(lab, params, done, where)


def labels(fraction: float, draw: int = 0) -> str:
    """What the condition with this fraction of random labels is called; further draws have their number."""
    return f"random labels {fraction:g}" + (f" draw {draw}" if draw else "")


def all_fractions(params: Params) -> list[float]:
    """The fractions of random labels, ascending."""
    return sorted({0.0, 1.0, params.rewound_fraction, *params.fractions})


def small_model(lab: Lab, params: Params, index: int) -> dict[str, Any]:
    """The config node of a small net.

    Raises:
        InputError: the model has no such key.
    """
    node, keys = lab.option("model", params.small_model), params.small[index]
    if unknown := [key for key in keys if key not in node]:
        raise InputError(f"params.small={params.small}: model={params.small_model} has no key {unknown[0]}")
    return {**node, **keys}


def n_parameters(lab: Lab, node: dict[str, Any]) -> int:
    """p: how many numbers the model of `node` learns."""
    return parameter_count(node, lab.dataset.input_shape, lab.dataset.n_classes)


def regularisers(lab: Lab, params: Params) -> list[Regulariser]:
    """Every regulariser that this model and these data can have, at every strength."""
    optimizer, model = lab.config["optimizer"], lab.config["model"]
    changes: dict[str, list[tuple[float, dict[str, Any]]]] = {
        "weight decay": [(x, {"optimizer": {**optimizer, "weight_decay": x}}) for x in params.weight_decay]
    }
    if "dropout" in model:
        changes["dropout"] = [(x, {"model": {**model, "dropout": x}}) for x in params.dropout]
    if len(lab.dataset.input_shape) == 3:
        node = {**lab.option("augmentation", "flip_crop"), "flip": params.flip}
        changes["shift augmentation"] = [(x, {"augmentation": {**node, "padding": x}}) for x in params.shift]
    return [
        Regulariser(kind, strength, usual=index == 0, changes=change)
        for kind, strengths in changes.items()
        for index, (strength, change) in enumerate(strengths)
    ]


def train(lab: Lab, params: Params) -> dict[str, Outcome]:
    """All trainings: the plain recipe on every kind of data; regularised and small nets on random and true labels."""
    epochs = lab.recipe(0).trainer.epochs
    snapshots = [0, *(2**k for k in range(epochs.bit_length()) if 2**k < epochs), epochs]

    @cache
    def random(fraction: float, seed: int, draw: int = 0) -> Dataset:
        return random_labels(lab.dataset, fraction, 1000 * seed + draw)

    def with_snapshots(seed: int) -> Recipe:
        recipe = lab.recipe(seed)
        return replace(recipe, trainer=replace(recipe.trainer, snapshot_epochs=snapshots))

    def annealed(times: int, changes: Mapping[str, Any], seed: int) -> Recipe:
        recipe = lab.recipe(seed, scheduler=lab.option("scheduler", "cosine"), **changes)
        return replace(recipe, trainer=replace(recipe.trainer, epochs=times * epochs))

    plain = [
        Condition(
            labels(each), with_snapshots if each == params.rewound_fraction else lab.recipe, partial(random, each)
        )
        for each in all_fractions(params)
    ]
    plain += [
        Condition(labels(1, draw), lab.recipe, partial(random, 1.0, draw=draw)) for draw in range(1, params.draws)
    ]
    plain += [Condition(name, lab.recipe, partial(change, lab.dataset)) for name, change in PIXELS.items()]
    changes = {each.name: each.changes for each in regularisers(lab, params)}
    changes |= {f"small net {i}": {"model": small_model(lab, params, i)} for i in range(len(params.small))}
    others = []
    for name, change in changes.items():
        others.append(Condition(f"{name}, {RANDOM}", partial(annealed, params.patience, change), partial(random, 1.0)))
        others.append(Condition(f"{name}, {TRUE}", partial(annealed, 1, change), partial(random, 0.0)))
    done = train_conditions(lab, plain, "training")
    return done | train_conditions(lab, others, "training regularised and small nets", curves=False)


def method(lab: Lab, params: Params) -> None:
    """The formal statement and the method, in a few lines."""
    data, p = lab.dataset, n_parameters(lab, lab.config["model"])
    n, epochs = len(data.train), lab.recipe(0).trainer.epochs
    lab.answer.section(
        "Formal statement",
        r"Let $\mathcal{F} = \{f_\theta : \theta \in \mathbb{R}^p\}$ be what a net can compute, and $(x_i, y_i)$, "
        r"$i = 1, \dots, n$, training samples of $K$ classes. For a fraction $q$ draw $S \subseteq \{1, \dots, n\}$ "
        r"with $|S| = qn$; let $\tilde y_i \sim \mathrm{Uniform}\{1, \dots, K\}$ for $i \in S$ and $\tilde y_i = y_i$ "
        r"otherwise. The net **memorises** if training on $(x_i, \tilde y_i)$ reaches the train accuracy "
        r"$\hat A = \frac1n \sum_i [\arg\max f_\theta(x_i) = \tilde y_i] = 1$. For $q = 1$ the labels are independent "
        r"of the inputs: the expected test accuracy is $1/K$, whatever is learnt. If $\hat A = 1$ for nearly every "
        r"labelling, the empirical Rademacher complexity of $\mathcal{F}$ is near its maximum, and bounds built on "
        r"$\mathcal{F}$ alone say nothing about the test error (Zhang et al. 2017, section 2.2). "
        f"Here $p = {p:,}$, $n = {n:,}$, $p/n = {p / n:.3g}$, $K = {data.n_classes}$.",
    )
    lab.answer.section(
        "Method",
        f"One recipe ({epochs} epochs, no explicit regularisation) is trained on true labels, on growing fractions of "
        "random ones, and on true labels with inputs destroyed in three ways. The inputs of the test split are "
        f"destroyed likewise; its labels stay true. Wholly random labels are drawn {params.draws} times per seed. A "
        rf"net **has fitted** in the first epoch whose mean cross-entropy is below $0.01 \ln 2 = {FIT_LOSS:.2g}$ nats: "
        r"a wrong sample costs at least $\ln 2$, so that at most 1 % were wrong. Nets that do not in time are "
        "right-censored: intervals are widened to hold whatever their epoch would have been. The learning rate of "
        f"these nets follows the schedule `{lab.choices['scheduler']}` (a falling rate would itself decide when a net "
        f"fits). Regularised and small nets get {params.patience} times as many epochs on random labels, and a rate "
        "that falls to 0 (half a cosine): the question is whether they can, not how soon. The memorised share is "
        r"$(\hat A - 1/K) / (1 - 1/K)$. "
        f"Intervals are 95 % over {len(lab.seeds)} seeds (initialisation, order, random draws), paired by seed; the "
        "claims about the usual regularisers are corrected for their number (Bonferroni).",
    )


def growing_fraction(lab: Lab, params: Params, done: dict[str, Outcome]) -> None:
    """Accuracy and epochs to fit against the fraction of random labels."""
    answer, fractions, budget = lab.answer, all_fractions(params), lab.recipe(0).trainer.epochs
    chance = 1 / lab.dataset.n_classes
    draws = {each: [done[labels(each)]] for each in fractions}
    draws[1.0] = [done[labels(1, draw)] for draw in range(params.draws)]
    train = {each: np.mean([one.train for one in those], axis=0) for each, those in draws.items()}
    test = {each: np.mean([one.test for one in those], axis=0) for each, those in draws.items()}
    epochs = {each: [epochs_to_fit(one, FIT_LOSS) for one in done[labels(each)].trained] for each in fractions}
    rows = []
    for each in fractions:
        wrong = [(data.train.y != lab.dataset.train.y).float().mean().item() for data in done[labels(each)].data]
        middle = median([2 * budget if value is None else value for value in epochs[each]])
        rows.append(
            {"random labels": each, "wrong labels": float(np.mean(wrong)), "train accuracy": train[each].mean()}
            | mean_interval(test[each]).columns("test accuracy")
            | {"nets that fitted": f"{len(epochs[each]) - epochs[each].count(None)} of {len(epochs[each])}"}
            | {"median epochs to fit": middle if middle <= budget else f"over {budget}"}
        )
    answer.section("A growing fraction of random labels")
    answer.table("random_labels", rows, "By fraction of random training labels; test labels are true")
    caption = "Accuracy (bands: 95 % intervals over seeds) and epochs to fit, by fraction of random labels"
    answer.figure("random_labels", fraction_figure(train, test, epochs, budget, chance), caption)
    kinds = {"true labels": done[labels(0)], "random labels": done[labels(1)]} | {name: done[name] for name in PIXELS}
    answer.figure("training_loss", loss_figure(kinds), "Training loss by epoch for each kind of data, mean over seeds")

    answer.text(
        f"Median epochs to fit: {rows[0]['median epochs to fit']} with true labels, {rows[1]['median epochs to fit']} "
        f"with the smallest fraction of random ones, {rows[-1]['median epochs to fit']} with random labels alone."
    )
    fit = mean_interval(train[1.0])
    answer.objective = fit.mean
    for name, value in (("train_accuracy_random", train[1.0]), ("test_accuracy_random", test[1.0])):
        answer.metric(f"{name}_labels", float(value.mean()))
    answer.metric("test_accuracy_true_labels", float(test[0.0].mean()))
    statement = "The net fits a training set whose labels are all random."
    answer.claim(claim_above("random_labels_are_fitted", statement, fit, FITTED, "train accuracy"))
    statement = "Trained on random labels alone, it is no better than chance on test samples."
    unit = "test accuracy beyond chance"
    answer.claim(
        claim_within("random_labels_teach_nothing", statement, mean_interval(test[1.0] - chance), CHANCE, unit)
    )
    order = bounded_interval([rank_correlation(fractions, each) for each in zip(*epochs.values(), strict=True)])
    statement = "The larger the fraction of random labels, the more epochs fitting takes."
    answer.claim(claim_above("epochs_to_fit_grow_with_the_fraction", statement, order, GROWS, "Spearman's rho"))
    pairs = list(zip(epochs[0.0], epochs[1.0], strict=True))
    if any(true is None for true, _ in pairs):
        answer.text("Some nets had not even fitted the true labels: how much longer random ones take is unknown.")
        return
    share = bounded_interval([share_of_epochs(true, random, budget) for true, random in pairs if true is not None])
    statement = "True labels are fitted in less than two thirds of the epochs that random ones take."
    answer.claim(claim_below("true_labels_are_fitted_sooner", statement, share, QUICKER, "of the epochs"))


def destroyed_inputs(lab: Lab, done: dict[str, Outcome]) -> None:
    """True labels, inputs whose structure is destroyed."""
    answer, shown = lab.answer, {"true data": done[labels(0)]} | {name: done[name] for name in PIXELS}
    train = [mean_interval(each.train) for each in shown.values()]
    test = [mean_interval(each.test) for each in shown.values()]
    answer.section("Inputs whose structure is destroyed")
    rows = [
        {"inputs": name, "train accuracy": train[at].mean} | test[at].columns("test accuracy")
        for at, name in enumerate(shown)
    ]
    answer.table("destroyed_inputs", rows, "True labels; the inputs of all splits are destroyed in the same way")
    made, axes = figure(height=3.8)
    bars(axes, {"train": train, "test": test})
    chance_line(axes, 1 / lab.dataset.n_classes)
    axes.set(ylabel="accuracy", ylim=(0, 1.04))
    axes.set_xticks(range(len(shown)), list(shown))
    legend(axes)
    answer.figure("destroyed_inputs", made, "Train and test accuracy by kind of input, 95 % intervals over seeds")
    worst = mean_interval(np.min([done[name].train for name in PIXELS], axis=0))
    statement = "The net fits the training set whatever is done to its inputs: shuffled, random, Gaussian pixels."
    answer.claim(claim_above("destroyed_inputs_are_fitted", statement, worst, FITTED, "lowest train accuracy"))
    change = paired_interval(done["shuffled pixels"].test, done[labels(0)].test)
    statement = "One permutation of the pixels, the same for all samples, does not change the test accuracy."
    answer.claim(claim_within("fixed_permutation_is_immaterial", statement, change, SAME_TEST, "test accuracy"))


def explicit_regularisation(lab: Lab, params: Params, done: dict[str, Outcome]) -> None:
    """What weight decay, dropout and augmentation leave of memorisation, and of learning."""
    known, answer = regularisers(lab, params), lab.answer
    random = {"none": done[labels(1)]} | {each.name: done[f"{each.name}, {RANDOM}"] for each in known}
    true = {"none": done[labels(0)]} | {each.name: done[f"{each.name}, {TRUE}"] for each in known}
    strengths = ["", *("usual" if each.usual else "stronger" for each in known)]
    memorised = [mean_interval(each.memorised) for each in random.values()]
    learnt = [mean_interval(each.test) for each in true.values()]
    answer.section("Explicit regularisation")
    rows = [
        {"regulariser": name, "strength": strengths[at], "random labels: train accuracy": random[name].train.mean()}
        | memorised[at].columns("memorised share")
        | {"true labels: train accuracy": true[name].train.mean(), "true labels: test accuracy": learnt[at].mean}
        for at, name in enumerate(random)
    ]
    answer.table("regularisation", rows, "What each regulariser leaves of memorisation, and of learning")
    made, axes = figure(width=8.0)
    series = {"random labels: memorised share": memorised, "true labels: test accuracy": learnt}
    points(axes, range(len(random)), series, hollow=[each == "stronger" for each in strengths])
    axes.plot([], [], "o", color="black", mfc="white", label="hollow: stronger than usual")
    for margin, line, word in ((MEMORISED, ":", "not prevented above"), (PREVENTED, "--", "prevented below")):
        axes.axhline(margin, color="black", linestyle=line, linewidth=1, label=f"{word} {margin:g}")
    axes.set(ylabel="share", ylim=(-0.05, 1.05))
    axes.set_xticks(range(len(random)), [name.replace(" ", "\n") for name in random])
    legend(axes, columns=2)
    answer.figure("regularisation", made, "Memorisation and learning by regulariser, 95 % intervals over seeds")

    usual = [each for each in known if each.usual]
    for each in usual:
        share = mean_interval(random[each.name].memorised, level=1 - 0.05 / len(usual))
        statement = f"The usual {each.kind} ({each.strength:g}) does not prevent the net from memorising random labels."
        name = f"{each.kind.replace(' ', '_')}_does_not_prevent_it"
        answer.claim(claim_above(name, statement, share, MEMORISED, "memorised share"))
    decays = [each.name for each in known if each.kind == "weight decay"]
    if len(decays) > 1:
        first, strong = decays[0], decays[-1]
        share, lost = mean_interval(random[strong].memorised), paired_interval(true[first].test, true[strong].test)
        statement = f"A much stronger {strong} does prevent it."
        answer.claim(claim_below("strong_weight_decay_prevents_it", statement, share, PREVENTED, "memorised share"))
        statement = f"With true labels, {strong} costs little test accuracy against {first}."
        answer.claim(claim_below("strong_weight_decay_spares_learning", statement, lost, SPARED, "test accuracy lost"))


def too_small_nets(lab: Lab, params: Params, done: dict[str, Outcome]) -> None:
    """The control: nets with fewer parameters than samples, or not many more."""
    n, rows = len(lab.dataset.train), []
    nodes = [small_model(lab, params, i) for i in range(len(params.small))] + [lab.config["model"]]
    random = [done[f"small net {i}, {RANDOM}"] for i in range(len(params.small))] + [done[labels(1)]]
    true = [done[f"small net {i}, {TRUE}"] for i in range(len(params.small))] + [done[labels(0)]]
    for at, node in enumerate(nodes):
        p, name = n_parameters(lab, node), str(params.small[at]) if at < len(params.small) else "the net of this run"
        rows.append(
            {"net": name, "parameters p": p, "p / n": p / n, "random labels: train accuracy": random[at].train.mean()}
            | mean_interval(random[at].memorised).columns("memorised share")
            | {"true labels: test accuracy": true[at].test.mean()}
        )
    lab.answer.section("The control: nets that are too small")
    lab.answer.table("small_nets", rows, f"Memorisation by number of parameters, n = {n:,} training samples")
    statement = "A net with fewer parameters than samples cannot memorise random labels."
    share = mean_interval(random[0].memorised)
    lab.answer.claim(claim_below("too_small_nets_cannot", statement, share, PREVENTED, "memorised share"))


def where_memorisation_lives(lab: Lab, params: Params, outcome: Outcome) -> str:
    """Rewind one layer at a time to before memorisation, and see who is forgotten; returns what was found, in words."""

    def rewind(index: int) -> Rewinding:
        one, data = outcome.trained[index], outcome.data[index]
        wrong = data.train.y != lab.dataset.train.y
        signs = torch.Generator().manual_seed(lab.seeds[index])
        size = one.recipe.trainer.eval_batch_size
        return measure_rewinding(one.net, one.snapshots, data.train, wrong, data.test, signs, size)

    found = lab.map(rewind, range(len(lab.seeds)), "rewinding")
    references = ", ".join(str(each.epochs[each.reference]) for each in found)
    layers, epochs, answer = found[0].layers, found[0].epochs, lab.answer
    lost, control = np.array([each.lost for each in found]), np.array([each.control for each in found])
    early, n_last = len(layers) - len(layers) // 2, len(layers) // 2
    answer.section(
        "Where memorisation lives",
        f"The nets trained with {params.rewound_fraction:g} random labels; one layer at a time goes back to an earlier "
        "snapshot, the others stay as they were at the end. The reference epoch is the snapshot at which the clean "
        f"samples are furthest ahead of the mislabelled ones ({references} by "
        "seed): before memorisation, as far as one can see. Shares are of the samples that the net had fitted at "
        "the end. The control moves every weight of the layer by as much, with a random sign. Weights are put back "
        f"after each probe, which their SHA-256 confirms. The last layers are the last {n_last} of {len(layers)}.",
    )
    rows = [
        {"layer": layer, "one of the last": at >= early}
        | {f"{group} forgotten": lost[:, g, at].mean() for g, group in enumerate(("mislabelled", "clean"))}
        | {f"{group}, random signs": control[:, g, at].mean() for g, group in enumerate(("mislabelled", "clean"))}
        | {"test accuracy": test_accuracy_at(found, at)}
        for at, layer in enumerate(layers)
    ]
    whole = float(outcome.test.mean())
    caption = f"Forgotten when one layer goes back to the reference epoch (test accuracy of the whole net {whole:.3f})"
    answer.table("rewinding", rows, caption)
    mean = np.mean([each.forgotten for each in found], axis=0)
    rows = [
        {"layer": layer, "epoch": epoch, "mislabelled forgotten": mean[0, at, t], "clean forgotten": mean[1, at, t]}
        for at, layer in enumerate(layers)
        for t, epoch in enumerate(epochs)
    ]
    answer.table("rewinding_by_epoch", rows, "The same for every snapshot; epoch 0 is the initialisation")
    caption = (
        "Left: clean samples are fitted before mislabelled ones. Middle: forgotten when one layer goes back to the "
        "reference epoch. Right: mislabelled samples forgotten, by epoch. 95 % intervals over seeds"
    )
    answer.figure("rewinding", rewinding_figure(found), caption)

    unit = "share of the samples"
    excess = lost[:, 0] - lost[:, 1]  # (seeds, layers)
    statement = "A layer that goes back makes the net forget more of the mislabelled samples than of the clean ones."
    first = mean_interval(excess.mean(axis=1))
    answer.claim(claim_above("mislabelled_are_forgotten_first", statement, first, SELECTIVE, unit))
    statement = "Going back forgets more mislabelled samples than a change of the same size with random signs."
    beyond = mean_interval((lost[:, 0] - control[:, 0]).mean(axis=1))
    answer.claim(claim_above("going_back_is_more_than_a_change", statement, beyond, SELECTIVE, unit))
    statement = "Memorisation is confined to the last layers: the others going back forgets no more than clean samples."
    confined = mean_interval(excess[:, :early].mean(axis=1))
    answer.claim(claim_below("memorisation_is_confined_to_the_last_layers", statement, confined, SELECTIVE, unit))
    learnt = np.mean([each.learnt[:, each.reference] for each in found], axis=0)
    most = int(excess.mean(axis=0).argmax())
    share, by_change = lost[:, :, most].mean(axis=0), control[:, :, most].mean(axis=0)
    return (
        f"At the reference epoch the nets fitted {learnt[1]:.0%} of the clean samples and {learnt[0]:.0%} of the "
        f"mislabelled ones. `{layers[most]}` going back there makes the net forget {share[0]:.0%} of the mislabelled "
        f"and {share[1]:.0%} of the clean samples (random signs: {by_change[0]:.0%} and {by_change[1]:.0%}), and "
        f"takes the test accuracy from {whole:.3f} to {test_accuracy_at(found, most):.3f}."
    )


def test_accuracy_at(found: list[Rewinding], at: int) -> float:
    """Mean test accuracy of the nets with layer number `at` at the reference epoch."""
    return float(np.mean([each.test_accuracy[at] for each in found]))


def discussion(lab: Lab, params: Params, done: dict[str, Outcome], where: str) -> None:
    """The answer to the question, with the numbers of this run and the verdicts they led to."""
    verdicts = {claim.name: claim.verdict for claim in lab.answer.claims}
    true, noisy = done[labels(0)], done[labels(params.rewound_fraction)]
    per_sample = n_parameters(lab, lab.config["model"]) / len(lab.dataset.train)
    confined = CONFINED[verdicts["memorisation_is_confined_to_the_last_layers"]]
    measured, noise = lab.answer.metrics, done["Gaussian pixels"]
    small, usual, decay = "small net 0", *(f"weight decay {params.weight_decay[at]:g}" for at in (0, -1))

    def random(name: str) -> Outcome:
        return done[f"{name}, {RANDOM}"]

    def learnt(name: str) -> float:
        return float(done[f"{name}, {TRUE}"].test.mean())

    lines = [
        f"**The statement.** {SAID[verdicts['random_labels_are_fitted']]} Train accuracy is "
        f"{measured['train_accuracy_random_labels']:.3f} with random labels and {true.train.mean():.3f} with true "
        f"ones, test accuracy {measured['test_accuracy_random_labels']:.3f} and {true.test.mean():.3f}, for the same "
        "architecture, number of parameters, recipe and inputs. What both trainings have in common cannot be what "
        "tells a net that generalises from one that does not. With Gaussian noise for inputs train accuracy is "
        f"{noise.train.mean():.3f} (test {noise.test.mean():.3f}): the inputs need no structure either.",
        "**What keeps a net from it.** With fewer parameters than samples the memorised share is "
        f"{random(small).memorised.mean():.2f} (test accuracy with true labels {learnt(small):.3f}). With {decay}, the "
        f"strongest tried, it is {random(decay).memorised.mean():.2f} (test accuracy {learnt(decay):.3f}), with the "
        f"usual {usual} {random(usual).memorised.mean():.2f} ({learnt(usual):.3f}); the table has the others. What a "
        "usual regulariser does for the test accuracy, it does without deciding what can be memorised, as far as the "
        "claims about it are supported.",
        f"**Where it lives.** {where} {confined} Going back measures what a layer is needed for: several layers can be "
        "needed for the same sample, and a change of an early one reaches all later ones.",
        "**Good or bad?** It is capacity, and good or bad only together with the labels. *Good*: training succeeds on "
        "whatever it is given, rare but true exceptions included, which a net that cannot memorise has to miss; and "
        f"capacity alone does not ruin generalisation: with {per_sample:.3g} parameters per sample, test accuracy with "
        f"true labels is {true.test.mean():.3f}. *Bad*: errors are fitted like truths. With "
        f"{params.rewound_fraction:.0%} random labels train accuracy is {noisy.train.mean():.3f}, and test accuracy "
        f"falls by {true.test.mean() - noisy.test.mean():.3f}: train accuracy says nothing about the use of a net, and "
        "bounds from capacity say nothing either. Memorised samples are also a risk where they are private (not "
        "measured here). In practice: judge by held-out samples with clean labels; where labels are noisy, use that "
        "clean samples are fitted first (stop early, or go back), or regularise; check on true labels what that costs.",
    ]
    lines += [
        f"*`{name}`* is {verdicts[name]}: {text}"
        for name, text in READINGS.items()
        if verdicts.get(name, "supported") != "supported"
    ]
    lines.append(
        "**Limits.** The intervals cover the seeds, not the choice of data set, net, rate and batch size. Epochs to "
        "fit are those of this schedule. A net that has memorised shows that it can; one that has not within its "
        "budget does not show that it never would."
    )
    lab.answer.section("Discussion", "\n\n".join(lines))
