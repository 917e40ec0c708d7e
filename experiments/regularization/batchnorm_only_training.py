r"""5.3 Can a net learn with the parameters of batch normalisation alone?

Question. All weights stay at their random initialisation; only gamma and beta of batch normalisation learn. Does such a
net predict better than trivially?

Idea (Frankle et al. 2021). The frozen convolutions are random features; gamma scales each of them, beta shifts it, and
the relu that follows cuts. What that can do is measured against nets of the same initial weights of which something
else learns: all parameters, the output layer, as many numbers drawn at random from all others (is it where they sit, or
how many they are?), batch normalisation and output layer, nothing. Equal epochs, data order and learning-rate grid for
all. That the frozen numbers stayed is shown bit by bit.

Expected. Far above chance, below the training of all parameters, above as many random parameters; more depth and more
width give more random features and help. Frankle et al. find about a third of the gammas near zero, after 160 epochs on
CIFAR-10: features that the net disables. A short training need not get there.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field

from dlexp.claims import claim_above, claim_below, claim_within, readings
from dlexp.comparison.own_words import listed
from dlexp.comparison.parameter_subsets import OTHER_START, Study, names_along, shapes, train_subsets
from dlexp.comparison.standings import corrected_level, standings
from dlexp.comparison.tuned import validation_split
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.models.widening import parameter_count
from dlexp.plots import figure, name_ticks, points
from dlexp.probes.affine import accuracy_without, near_zero, never_positive, same_number_elsewhere, scales, share
from dlexp.probes.affine_drawings import draw_by_layer, draw_by_shape, draw_scales
from dlexp.probes.frozen import movement_rows
from dlexp.stats import Interval, mean_interval, paired_interval
from dlexp.training.subsets import Subset, learning_masks

# Practical margins, stated before looking.
NOT_TRIVIAL = 0.20  # accuracy beyond always saying the most frequent class: more than luck or a shortcut gives
AT_CHANCE = 0.10  # accuracy within which a net of which nothing learns counts as guessing
MATTERS = 0.02  # accuracy that a subset must gain to be worth choosing
SHAPE_GAIN = 0.01  # accuracy that more depth or width must bring to be worth its cost
SAME_START = 0.02  # accuracy within which the two starts of gamma count as equal
SWITCHED_OFF = 0.05  # share of the units that must be near zero beyond those of a net that learns as a whole
FEW = 0.05  # share of the units below which leaving them out proves little
HARMLESS = 0.01  # accuracy within which setting the small gammas to 0 changes nothing that matters

STARTS = {"uniform": "uniform in [0, 1], as in the paper", "ones": "1, as torch has it"}
BN, OUTPUT, BOTH, RANDOM, ALL, NONE = "batchnorm", "output", "batchnorm+output", "random", "all", "none"

READINGS = {  # of claims that this run refutes
    "batchnorm_alone_is_not_trivial": "too few random features, too few epochs, or rates that are too low.",
    "control_is_at_chance": "a random net has classes that it prefers, and few seeds average that badly.",
    "batchnorm_beats_output_layer": "on easy data a linear reading of random features goes far, and in a shallow net "
    "there are few gammas and betas; the advantage should grow with depth.",
    "batchnorm_beats_random_parameters": "in a net this small the random numbers are a fair share of the weights.",
    "all_parameters_beat_batchnorm": "data as easy as these may need no features better than random ones.",
    "start_of_gamma_is_immaterial": "uniform scales make the random features unequal from the start, and some of them "
    "nearly off; in a short training the start still shows.",
    "frozen_weights_did_not_move": "the freezing is broken: see the table of what changed.",
    "depth_helps": "deeper nets may need more epochs than all are given, and each has its own rate, chosen on few "
    "images: a rate one step off costs as much as a few more layers bring.",
    "width_helps": "wider nets may need more epochs than all are given; the choice of the rate is noisy as well.",
    "batchnorm_only_switches_units_off": "Frankle et al. see about a third of the gammas near zero, after 160 epochs "
    "on CIFAR-10. That takes time: weight decay takes a share $\\eta \\lambda$ of a useless gamma in each step, and "
    "at a large rate gammas spread wide first. `scale=paper` could decide it.",
    "units_near_zero_can_go": "a small gamma can still carry a signal that the layers behind amplify.",
}


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    rates: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]  # peak learning rates that all try
    tuning_repetitions: Annotated[int, Field(ge=1, le=1000)]  # trainings at each rate; at most `seeds` are made
    gamma_start: Literal["uniform", "ones"]  # how gamma starts in all nets; BatchNorm alone is trained from both
    depths: list[Annotated[int, Field(ge=1)]]  # model.depth beside the base, all else equal; [] for models without
    widths: list[Annotated[int, Field(ge=1)]]  # model.width beside the base, all else equal; [] for models without
    swept: list[Subset]  # the subsets trained at each depth and width; "batchnorm" among them
    threshold: Annotated[float, Field(gt=0)]  # |gamma| below which a unit counts as near zero; the paper's is 0.01

    @property
    def sweeps(self) -> dict[str, list[int]]:
        """Key of the model -> its values."""
        return {key: values for key, values in (("depth", self.depths), ("width", self.widths)) if values}


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, nets without batch normalisation and settings that compare nothing."""
    model, data = lab.config["model"], lab.dataset
    validation_split(lab)
    if model.get("weights") is not None:
        raise InputError(f"model.weights={model['weights']}: the frozen weights are to be random; leave it null")
    if lab.config["trainer"]["epochs"] < 1:
        raise InputError("trainer.epochs=0: there is nothing to compare; train for one epoch or more")
    if len(set(params.rates)) < len(params.rates):
        raise InputError(f"params.rates={params.rates}: one stands there twice; name each once")
    if len(set(params.swept)) < len(params.swept):
        raise InputError(f"params.swept={params.swept}: one stands there twice; name each once")
    if BN not in params.swept:
        raise InputError(f"params.swept={params.swept}: batchnorm must be among them")
    for key, values in params.sweeps.items():
        if key not in model:
            raise InputError(f"params.{key}s={values}: model={lab.choices['model']} has no {key}; say params.{key}s=[]")
    for shape in shapes(model, params.sweeps):
        parameter_count({**model, **shape}, data.input_shape, data.n_classes)
    learning_masks(lab.model(), "random", lab.seeds[0])


def run(lab: Lab, params: Params) -> None:
    """Train every subset at every shape, prove what was frozen, look at gamma, and judge the claims."""
    study = train_subsets(lab, params.gamma_start, params.sweeps, params.swept, params.rates, params.tuning_repetitions)
    method(lab, params, study)
    compare_subsets(lab, study)
    prove_frozen(lab, study)
    if params.sweeps:
        against_shape(lab, params, study)
    distribution_of_gamma(lab, params, study)
    units_off(lab, params, study)
    discussion(lab, study)


def method(lab: Lab, params: Params, study: Study) -> None:
    """The formal statement and the method, in a few lines."""
    lab.answer.section(
        "Formal statement",
        r"Let $\theta = (W, \gamma, \beta)$, with $W$ all weights and biases outside of batch normalisation, which "
        r"gives for channel $c$ of its input $z$ $$\mathrm{BN}(z)_c = \gamma_c \, \frac{z_c - \mu_c}{\sqrt{\sigma_c^2 "
        r"+ \epsilon}} + \beta_c .$$ For a set $S$ of coordinates of $\theta$ the training solves $$\min_{\theta_S} "
        r"\frac{1}{n} \sum_{i=1}^{n} \ell\big(f(x_i; \theta_S, \theta^0_{\bar S}), y_i\big), \qquad "
        r"\theta_{\bar S} = \theta^0_{\bar S} ,$$ with $\theta^0$ the random initialisation. **Training BatchNorm "
        r"only** is $S = \{\gamma, \beta\}$. With $A(S)$ the test accuracy, the ability is **not trivial** if "
        rf"$A(\{{\gamma, \beta\}})$ exceeds the share of the most frequent class ({majority(lab):.3g}; chance is "
        rf"{1 / lab.dataset.n_classes:.3g}) by more than {NOT_TRIVIAL:g}. The margins were fixed before looking.",
    )
    numbers = ", ".join(f"`{name}` ({study.learning(name):,})" for name in study.base if name != OTHER_START)
    rates = ", ".join(f"{rate:g}" for rate in params.rates)
    repetitions, epochs = min(params.tuning_repetitions, len(lab.seeds)), lab.config["trainer"]["epochs"]
    lab.answer.section(
        "Method",
        f"Sets $S$, with the numbers that learn: {numbers}. The random ones are drawn anew for each seed, with equal "
        "probability, from all numbers but gamma and beta. Frozen numbers get no gradient and are held against "
        f"momentum and weight decay. Gamma starts {STARTS[params.gamma_start]}, beta at 0; `{OTHER_START}` trains "
        "batch normalisation alone from the other of the two starts. The means and variances that batch normalisation "
        "keeps for prediction are not learned and follow the batches in all nets, also where nothing learns. Nets of "
        f"one seed and shape share the initial weights and the order of the samples. All train {epochs} epochs, each "
        f"at the best of the peak rates {rates} for it, chosen on validation images with {repetitions} training(s) per "
        f"rate of other seeds. Intervals are 95 % over {len(lab.seeds)} seeds, paired; the three comparisons of "
        "BatchNorm with all, output and random hold together at 95 % (Bonferroni), the other claims are not corrected "
        "for one another.",
    )


def majority(lab: Lab) -> float:
    """The test accuracy of always saying the most frequent class."""
    test = lab.dataset.test
    return float(torch.bincount(test.y.cpu()).max()) / len(test)


def compare_subsets(lab: Lab, study: Study) -> None:
    """Accuracy at the base shape, and the claims between subsets."""
    answer, values = lab.answer, {name: study.accuracy[name] for name in study.base}
    rows = standings([study.tuned[name] for name in study.base], {"test accuracy": values}, "test accuracy")
    for row in rows:
        row["numbers that learn"] = study.learning(row["contender"])
        answer.metric(f"accuracy_{re.sub(r'[^a-z]+', '_', row['contender'])}", row["test accuracy"])
    answer.section("What learns, and what it reaches")
    answer.table("subsets", rows, "Test accuracy by what learns, best first, with 95 % intervals")
    order = [row["contender"] for row in rows]
    made, axes = figure(width=7.5)
    points(axes, range(len(order)), {"mean and interval over seeds": [mean_interval(values[name]) for name in order]})
    axes.axhline(majority(lab), color="black", linestyle=":", linewidth=1, label="most frequent class")
    name_ticks(axes, order)
    axes.set(xlabel="what learns", ylabel="test accuracy", ylim=(0, 1.02))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False)
    answer.figure("subsets", made, "Test accuracy by what learns; all else stays at its random initialisation")

    answer.objective = mean_interval(values[BN]).mean
    beyond = mean_interval([each - majority(lab) for each in values[BN]])
    statement = "With gamma and beta alone the net is right far more often than by naming the most frequent class."
    answer.claim(claim_above("batchnorm_alone_is_not_trivial", statement, beyond, NOT_TRIVIAL, "accuracy"))
    guess = mean_interval([each - 1 / lab.dataset.n_classes for each in values[NONE]])
    statement = "The control, of which nothing learns, is at chance, though its running statistics follow the data."
    answer.claim(claim_within("control_is_at_chance", statement, guess, AT_CHANCE, "accuracy"))
    level = corrected_level(3)
    for name, better, worse, words in (
        ("batchnorm_beats_output_layer", BN, OUTPUT, "Learning gamma and beta beats learning the output layer."),
        ("batchnorm_beats_random_parameters", BN, RANDOM, "Gamma and beta beat as many random other parameters."),
        ("all_parameters_beat_batchnorm", ALL, BN, "Learning all parameters beats learning gamma and beta alone."),
    ):
        answer.claim(claim_above(name, words, study.gain(better, worse, level), MATTERS, "accuracy"))
    statement = "Whether gamma starts uniform in [0, 1] or at 1 is immaterial when batch normalisation alone learns."
    answer.claim(
        claim_within("start_of_gamma_is_immaterial", statement, study.gain(BN, OTHER_START), SAME_START, "accuracy")
    )


def prove_frozen(lab: Lab, study: Study) -> None:
    """What changed since the initialisation, counted bit by bit, with hashes."""
    lab.answer.section("Frozen weights")
    caption = "Numbers with other bits at the end than at the start; hashes (first 16 of 64 digits) of the first seed"
    lab.answer.table("frozen", movement_rows(study.moved), caption)
    total = float(sum(each.frozen_changed for those in study.moved.values() for each in those))
    statement = "Not one frozen number of any net has another bit after the training than before it."
    exact = Interval(total, total, total, 1)
    lab.answer.claim(claim_below("frozen_weights_did_not_move", statement, exact, 1, "frozen numbers changed"))


def against_shape(lab: Lab, params: Params, study: Study) -> None:
    """Accuracy against depth and width, and what more of either brings to BatchNorm alone."""
    model, answer, rows, claims = lab.config["model"], lab.answer, [], []
    panels: dict[str, tuple[list[int], dict[str, list[Interval]]]] = {}
    for key, given in params.sweeps.items():
        names = {str(subset): names_along(model, key, given, subset) for subset in params.swept}
        values = list(names[BN])
        reached = {
            subset: [mean_interval(study.accuracy[each]) for each in those.values()] for subset, those in names.items()
        }
        panels[key] = (values, reached)
        rows += [
            {"varied": key, "value": value, "what learns": subset}
            | {"numbers that learn": study.learning(name), "learning rate": study.tuned[name].rate}
            | each.columns("test accuracy")
            for subset, those in names.items()
            for (value, name), each in zip(those.items(), reached[subset], strict=True)
        ]
        if len(values) > 1:
            gain = study.gain(names[BN][values[-1]], names[BN][values[0]])
            statement = f"A net of {key} {values[-1]} with BatchNorm alone learning beats one of {key} {values[0]}."
            claims.append(claim_above(f"{key}_helps", statement, gain, SHAPE_GAIN, "accuracy"))
    answer.section("Depth and width")
    answer.table("shapes", rows, "Test accuracy against depth and width, all else as in the base net")
    caption = "Test accuracy against depth and width by what learns; bands are 95 % intervals"
    answer.figure("shapes", draw_by_shape(panels), caption)
    for claim in claims:
        answer.claim(claim)


def distribution_of_gamma(lab: Lab, params: Params, study: Study) -> None:
    """How gamma is spread at the start and at the end, and how much of it is near zero."""
    answer, nets = lab.answer, {name: study.tuned[name].trained for name in (BN, BOTH, ALL, OTHER_START)}
    gammas = {"at the start": [scales(each.net, each.snapshots[0]) for each in nets[BN]]}
    gammas |= {name: [scales(each.net) for each in those] for name, those in nets.items()}
    flat = {name: [torch.cat(list(each.values())) for each in those] for name, those in gammas.items()}
    small = {name: [near_zero(each, params.threshold) for each in those] for name, those in gammas.items()}
    shares = {name: [share(each) for each in those] for name, those in small.items()}
    rows = [
        {"contender": name, **near.columns("share near zero")}
        | {"share negative": mean_interval([float((each < 0).double().mean()) for each in flat[name]]).mean}
        | {"median |gamma|": mean_interval([float(each.abs().median()) for each in flat[name]]).mean}
        for name, near in ((name, mean_interval(values)) for name, values in shares.items())
    ]
    answer.section("The distribution of gamma")
    answer.table("gamma", rows, f"Gamma by what learns; near zero is |gamma| < {params.threshold:g}")
    drawn = {name: flat[name] for name in ("at the start", BN, ALL)}
    answer.figure("gamma", draw_scales(drawn), "Gamma over all units by what learns, with 95 % intervals over nets")
    answer.metric("share_near_zero_batchnorm", mean_interval(shares[BN]).mean)
    statement = "With BatchNorm alone learning, more units end near zero than where everything learns."
    extra = paired_interval(shares[BN], shares[ALL])
    answer.claim(claim_above("batchnorm_only_switches_units_off", statement, extra, SWITCHED_OFF, "share of the units"))


def units_off(lab: Lab, params: Params, study: Study) -> None:
    """Which units BatchNorm alone leaves off, by gamma or by the relu, and whether the net does without the former."""
    answer, test = lab.answer, lab.dataset.test
    nets = {name: [each.net for each in study.tuned[name].trained] for name in (BN, ALL, NONE)}
    small = [near_zero(scales(net), params.threshold) for net in nets[BN]]
    silent = {
        name: lab.map(lambda net: never_positive(net, test), those, f"units that are never positive, {name}")
        for name, those in nets.items()
    }
    layers = list(small[0])
    never = {
        name: [mean_interval([share({layer: each[layer]}) for each in units]) for layer in layers]
        for name, units in silent.items()
    }
    near = [mean_interval([share({layer: each[layer]}) for each in small]) for layer in layers]
    rows = [
        {"layer": layer, "units": len(small[0][layer]), **near[at].columns("near zero")}
        | {f"never positive, {name}": each[at].mean for name, each in never.items()}
        for at, layer in enumerate(layers)
    ]
    answer.section("Units that are off")
    caption = "Share of units near zero, BatchNorm alone, and, by what learns, of units > 0 for no test image anywhere"
    answer.table("units_off", rows, caption)
    caption = "Units whose scaled and shifted value is > 0 for no test image anywhere: a relu right behind them gives 0"
    answer.figure("units_off", draw_by_layer(never, layers, "share of units that are never positive"), caption)
    drawn = [torch.Generator().manual_seed(seed) for seed in lab.seeds]
    elsewhere = [same_number_elsewhere(units, each) for units, each in zip(small, drawn, strict=True)]
    change, control = (
        paired_interval(
            [accuracy_without(*each, test) for each in zip(nets[BN], units, strict=True)], study.accuracy[BN]
        )
        for units in (small, elsewhere)
    )
    statement = "Setting the gammas near zero to 0 leaves the accuracy as it is: those units are off."
    answer.claim(claim_within("units_near_zero_can_go", statement, change, HARMLESS, "accuracy"))
    total, off = sum(len(mask) for mask in small[0].values()), mean_interval([share(units) for units in small]).mean
    shares = {name: [share(each) for each in units] for name, units in silent.items()}
    answer.text(
        f"Per net {off * total:.3g} of {total} units are near zero on average. With their gammas set to 0 the accuracy "
        f"changes by {change}; with those of as many units drawn from the same layers, by {control}."
        + (" They are so few that this says little." if off < FEW else "")
        + " A relu switches units off as well, where beta and gamma keep its input negative: with BatchNorm alone "
        f"learning, {mean_interval(shares[BN])} of all units are never positive, with everything learning "
        f"{mean_interval(shares[ALL])}, with nothing {mean_interval(shares[NONE])}; BatchNorm minus all: "
        f"{paired_interval(shares[BN], shares[ALL])}. (At the end of a residual branch such a unit is not off: the "
        "shortcut is added before the relu. This measure has no claim, as it was added after a first look.)"
    )


def discussion(lab: Lab, study: Study) -> None:
    """The answer to the exercise, and what may explain a claim that the numbers do not support."""
    verdicts: dict[str, str] = {claim.name: claim.verdict for claim in lab.answer.claims}
    mean = {name: mean_interval(values) for name, values in study.accuracy.items()}
    learning, every, sit = study.learning(BN), study.learning(ALL), study.gain(BN, RANDOM, corrected_level(3))
    word = {"supported": "Yes", "refuted": "No", "inconclusive": "Undecided with these repetitions"}
    lines = [
        f"**Is the ability not trivial? {word[verdicts['batchnorm_alone_is_not_trivial']]}.** With gamma and beta "
        f"learning, {learning:,} of {every:,} numbers ({learning / every:.2%}), the accuracy is {mean[BN]}. "
        f"Nothing learning: {mean[NONE]}; as many random others: {mean[RANDOM]}; the output layer: "
        f"{mean[OUTPUT]}; BatchNorm and output layer: {mean[BOTH]}; everything: {mean[ALL]}.",
        f"**Is it where the numbers sit, or how many?** BatchNorm minus random: {sit}. A gamma or beta acts on "
        "a whole feature map, a single weight of a convolution on one of the many terms of one map. The output layer "
        "reads the random features of the last stage only, while gamma and beta choose among features in every layer.",
        *readings(lab.answer.claims, READINGS),
    ]
    edge = [name for name, each in study.tuned.items() if each.at_edge and study.learning(name)]
    if edge:
        lines.append(
            f"The chosen rate ends the grid for {listed(edge)}: a rate beyond might serve these better; the grid "
            "was the same for all."
        )
    lines.append(
        "The intervals cover initialisation and order of the samples, not the choice of data, architecture and number "
        "of epochs. The rates were chosen on few validation images."
    )
    lab.answer.section("Discussion", "\n\n".join(lines))
