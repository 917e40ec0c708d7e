r"""4.5 Which layers are critical, and which can go back to where they started?

Question. After training, one layer is put back to its initial value while all others keep what they have learnt.
Zhang et al. 2022 call a layer robust if the net does (almost) as well as before, and critical if it does not.

Idea. Keep the weights after epochs 0, 1, 2, 4, ... of the training. For every layer, put it alone back to each of
these values, to a fresh random draw from the same initialiser (re-randomisation), and, as a control, move it as far as
its initial value is, but in a random direction. Measure the drop in test accuracy each time and restore every bit. Do
so for an MLP, a plain convolutional net and a ResNet, over several trainings.

Expected. In the MLP the first layer is critical and the later ones are robust: they can go back to *their* initial
values, with which the others have been trained, but not to any other random values. So re-randomising hurts far more
than re-initialising. How far a layer has moved does not tell how critical it is. The paper trains for longer on harder
data: where random features will do, as for digits, even a first layer may be spared.

Batch normalisation. A layer that goes back has other outputs than the running statistics beside it were measured on;
initially they are 0 and 1, which were never measured at all. The drop would be that of a wrong scale. So the statistics
of the layer put back (of no other) are estimated anew from training inputs; the other rules are compared with this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from dlexp.claims import claim_above, claim_below
from dlexp.comparison.nets import named_nets
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.models.layers import layer_units
from dlexp.probes.criticality import (
    Criticality,
    Measured,
    by_layer,
    kinds_of_layers,
    measure_criticality,
    over_nets,
    over_seeds,
    verdict,
)
from dlexp.probes.criticality_drawings import drops_by_distance, drops_by_layer, heat_maps
from dlexp.probes.layer_statistics import STATISTICS, Statistics
from dlexp.probes.reinitialisation import fresh_draw
from dlexp.stats import mean_interval, spearman
from dlexp.training.replicas import Trained

# Stated before looking; all but EXPLAINS are drops in accuracy, or differences of two drops. Chosen after trial runs:
# batch size, epochs, the largest learning rate that trains all nets smoothly, and the rule for batch statistics.
THRESHOLD = 0.05  # a layer is robust below and critical above: five points are no longer a marginal loss
WORSE = 0.05  # what a fresh draw must cost beyond the initial value
SPREAD = 0.10  # by which a net's most critical layer must exceed its most robust one: twice the threshold
DIRECTION = 0.05  # what the direction must cost beyond the distance
EXPLAINS = 0.5  # rank correlation over the layers from which on distance would explain criticality


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    nets: Annotated[list[dict[str, Any]], Field(min_length=1)]  # `model`: option of that group; `label`; its own keys
    draws: Annotated[int, Field(ge=1, le=1000)]  # fresh draws, and random directions, for each layer and training
    batch_norm: Statistics  # running statistics of a layer put back: the snapshot's, kept as trained, or reestimated


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, what this exercise cannot work with."""
    if lab.dataset.val is None:
        raise InputError("dataset.val_fraction=0: the layers to compare are chosen on validation images; keep some")
    if lab.config["trainer"]["epochs"] < 1:
        raise InputError("trainer.epochs=0: nothing is learnt that could be put back; train for 1 epoch or more")
    if lab.config["trainer"]["if_diverged"] != "fail":
        raise InputError("trainer.if_diverged=stop: a net without weights has no layers to put back; use fail")
    for label, node in named_nets(lab, params.nets).items():
        if node.get("weights"):
            raise InputError(f"params.nets: {label} starts from given weights, which are no random initial value")
        if len(layer_units(lab.model(node))) < 2:
            raise InputError(f"params.nets: {label} has one layer only; to compare layers it needs at least two")


def run(lab: Lab, params: Params) -> None:
    """Train the nets, put every layer back in every way, and judge the claims."""
    nodes = named_nets(lab, params.nets)
    measured = put_everything_back(lab, params, nodes, train(lab, nodes))
    lab.answer.objective = float(np.mean([each.initial.mean() for those in measured.values() for each in those]))
    method(lab, params, measured)
    by_epoch(lab, measured)
    robust_or_critical(lab, measured)
    first_and_later_layers(lab, params, measured)
    distance_moved(lab, measured)
    batch_statistics(lab, params, measured)
    discussion(lab, measured)


def train(lab: Lab, nodes: Mapping[str, dict[str, Any]]) -> dict[str, Trained]:
    """One training of each net per seed, with its weights after epochs 0, 1, 2, 4, ... before the last."""
    epochs = int(lab.config["trainer"]["epochs"])
    kept = [0, *(2**k for k in range(epochs.bit_length()) if 2**k < epochs)]
    recipes = {f"{label}/{seed}": lab.recipe(seed, model=node) for label, node in nodes.items() for seed in lab.seeds}
    return lab.train(
        {name: replace(each, trainer=replace(each.trainer, snapshot_epochs=kept)) for name, each in recipes.items()}
    )


def put_everything_back(
    lab: Lab, params: Params, nodes: Mapping[str, dict[str, Any]], trained: Mapping[str, Trained]
) -> Measured:
    """Every layer of every net to every value; the fresh draws come from the net's own initialiser."""
    pieces = []
    for name, each in trained.items():
        label, _, seed = name.rpartition("/")
        seeds = np.random.default_rng([int(seed), 1]).integers(2**31, size=params.draws)
        pieces.append((each, int(seed), [fresh_draw(partial(lab.model, nodes[label]), int(s)) for s in seeds]))

    def probe(piece: tuple[Trained, int, list[dict[str, torch.Tensor]]]) -> Criticality:
        each, seed, draws = piece
        data, generator = lab.dataset, torch.Generator().manual_seed(seed)
        assert data.val is not None
        splits, size = (data.train, data.val, data.test), int(lab.config["trainer"]["eval_batch_size"])
        return measure_criticality(each.net, each.snapshots, draws, *splits, params.batch_norm, generator, size)

    done = lab.map(probe, pieces, "putting layers back")
    n = len(lab.seeds)
    return {label: done[index * n : (index + 1) * n] for index, label in enumerate(nodes)}


def method(lab: Lab, params: Params, measured: Measured) -> None:
    """The formal statement and the method, in a few lines."""
    rule = {"snapshot": "those of the value put back to", "kept": "the trained net's", "reestimated": "estimated anew"}
    lab.answer.section(
        "Formal statement",
        r"Let $\theta^t = (\theta^t_1, \dots, \theta^t_L)$ be the layers of a net $f$ after epoch $t = 0, \dots, T$, "
        r"and $A(\theta)$ the accuracy of $f_\theta$ on test samples. Putting layer $l$ back to epoch $t$ costs "
        r"$\delta_l(t) = A(\theta^T) - A(\theta^T_1, \dots, \theta^T_{l-1}, \theta^t_l, \theta^T_{l+1}, \dots, "
        r"\theta^T_L)$. Re-initialisation is $t = 0$; re-randomisation puts $\tilde\theta_l$ there, drawn from the "
        r"distribution that $\theta^0_l$ was drawn from. With the threshold "
        rf"$\epsilon = {THRESHOLD:g}$, fixed before looking, layer $l$ is **robust** if $\delta_l(0) < \epsilon$ and "
        r"**critical** if $\delta_l(0) > \epsilon$, each for the whole interval; else it is undecided. The control is "
        r"$\theta^T_l + s \odot (\theta^0_l - \theta^T_l)$ with random signs $s \in \{-1, 1\}^{|\theta_l|}$: every "
        r"weight as far away as its initial value, the direction orthogonal to the way back on average.",
    )
    epochs = ", ".join(str(epoch) for epoch in next(iter(measured.values()))[0].epochs)
    lab.answer.section(
        "Method",
        f"{len(lab.seeds)} trainings of each net; values kept after epochs {epochs}; {params.draws} fresh draw(s) and "
        "as many random directions for each layer and training, averaged. A layer is a linear map or a convolution "
        "with its normalisation, or a residual block. Each layer is computed from its own input on, with the "
        "activations before it kept where the net can be cut there. After every probe the old bits are back, checked "
        "by SHA-256 over all weights and buffers. "
        f"Running statistics of batch normalisation: {rule[params.batch_norm]} (`params.batch_norm`); the other rules "
        "are compared below. This rule, batch size, epochs and rate were chosen after trial runs. There is no weight "
        "decay in the shipped scales, as it would move every layer. Intervals are 95 % over trainings, paired by seed; "
        "the verdicts on layers are corrected for the number of layers of the net (Bonferroni), the claims are not "
        "corrected for one another.",
    )


def by_epoch(lab: Lab, measured: Measured) -> None:
    """The heat map layer x epoch, and the claim that late values will do."""
    lab.answer.section("Layer by epoch")
    maps = {
        label: (those[0].layers, those[0].epochs, np.array([each.back for each in those]))
        for label, those in measured.items()
    }
    caption = "Drop in test accuracy with one layer put back to an epoch (0: initial); mean and half its 95 % interval"
    lab.answer.figure("layer_by_epoch", heat_maps(maps), caption)
    rows = [
        {"net": label, "layer": layer, "epoch": epoch, "drop": tidy(cell.mean), "low": cell.low, "high": cell.high}
        for label, (layers, epochs, drops) in maps.items()
        for i, layer in enumerate(layers)
        for j, epoch in enumerate(epochs)
        for cell in [mean_interval(drops[:, i, j])]
    ]
    lab.answer.table("layer_by_epoch", rows, "Drop in test accuracy by layer and epoch, with 95 % intervals")
    epochs = next(iter(measured.values()))[0].epochs
    half = max(at for at, epoch in enumerate(epochs) if 2 * epoch <= lab.config["trainer"]["epochs"])
    if half > 0:
        drop = over_nets(measured, lambda each: float(each.back[:, half].mean()))
        statement = f"The value after epoch {epochs[half]} costs next to nothing, averaged over layers and nets."
        lab.answer.claim(claim_below("half_trained_values_will_do", statement, drop, THRESHOLD, "accuracy"))


def tidy(value: float) -> float:
    """`value` without the rounding errors of a mean that is 0."""
    return round(value, 9) + 0.0


def robust_or_critical(lab: Lab, measured: Measured) -> None:
    """The table of layers with their verdicts; fresh draws against initial values; whether layers differ."""
    answer = lab.answer
    answer.section("Robust and critical layers")
    rows, panels = [], {}
    for label, those in measured.items():
        layers = those[0].layers
        corrected = by_layer(those, lambda each: each.initial, level=1 - 0.05 / len(layers))
        others = {
            "fresh draw": by_layer(those, lambda each: each.fresh),
            "random direction": by_layer(those, lambda each: each.random),
            "distance moved": by_layer(those, lambda each: each.moved),
            "distance of fresh draw": by_layer(those, lambda each: each.redrawn),
        }
        rows += [
            {"net": label, "layer": layer, "initial value": tidy(drop.mean), "low": drop.low, "high": drop.high}
            | {"verdict": verdict(drop, THRESHOLD)}
            | {name: tidy(each[i].mean) for name, each in others.items()}
            for i, (layer, drop) in enumerate(zip(layers, corrected, strict=True))
        ]
        initial = {"initial value": by_layer(those, lambda each: each.initial)}
        panels[label] = (layers, initial | {name: others[name] for name in ("random direction", "fresh draw")})
        answer.metric(f"accuracy_{label}", over_seeds(those, lambda each: each.accuracy).mean)
        for kind, names in kinds_of_layers(those, THRESHOLD).items():
            answer.metric(f"{kind}_layers_{label}", len(names))
    caption = f"Drop in test accuracy by what a layer is put back to; verdicts at {THRESHOLD:g}, interval corrected"
    answer.table("layers", rows, caption)
    answer.figure("drops_by_layer", drops_by_layer(panels, THRESHOLD), "Drop by layer, with 95 % intervals")
    for label, those in measured.items():
        extra = over_seeds(those, lambda each: float((each.fresh - each.initial).mean()))
        statement = f"Re-randomising a layer of {label} hurts more than re-initialising it, averaged over its layers."
        answer.claim(claim_above(f"rerandomising_hurts_more_{label}", statement, extra, WORSE, "accuracy"))
        spread = over_seeds(
            those, lambda each: float(each.initial[each.validation.argmax()] - each.initial[each.validation.argmin()])
        )
        statement = f"Layers of {label} differ: the most critical and the most robust one, chosen on validation images."
        answer.claim(claim_above(f"layers_differ_{label}", statement, spread, SPREAD, "accuracy"))


def first_and_later_layers(lab: Lab, params: Params, measured: Measured) -> None:
    """What the paper found for fully connected nets."""
    for label, entry in zip(measured, params.nets, strict=True):
        if entry["model"] != "mlp":
            continue
        first = over_seeds(measured[label], lambda each: float(each.initial[0]))
        statement = f"The first layer of {label} is critical."
        lab.answer.claim(claim_above(f"first_layer_is_critical_{label}", statement, first, THRESHOLD, "accuracy"))
        later = over_seeds(measured[label], lambda each: float(each.initial[1:].mean()))
        statement = f"The later layers of {label} are robust, averaged over them."
        lab.answer.claim(claim_below(f"later_layers_are_robust_{label}", statement, later, THRESHOLD, "accuracy"))


def distance_moved(lab: Lab, measured: Measured) -> None:
    """Does the size of the change explain criticality? Rank correlation, and the control of the same size."""
    answer = lab.answer
    answer.section("Distance moved")
    shown = {
        label: (
            [each.mean for each in by_layer(those, lambda each: each.moved)],
            by_layer(those, lambda each: each.initial),
            by_layer(those, lambda each: each.random),
        )
        for label, those in measured.items()
    }
    caption = "Drop in test accuracy by relative distance from the initial value; one mark per layer, 95 % intervals"
    answer.figure("drops_by_distance", drops_by_distance(shown), caption)
    order = over_nets(measured, lambda each: spearman(each.moved, each.initial))
    statement = "The distance that a layer has moved does not order the layers of a net by their criticality."
    answer.claim(claim_below("distance_does_not_explain", statement, order, EXPLAINS, "Spearman's rho"))

    def beyond_distance(each: Criticality) -> float:
        critical = int(each.validation.argmax())
        return float(each.initial[critical] - each.random[critical])

    direction = over_nets(measured, beyond_distance)
    statement = "Putting the most critical layer back costs more than moving it as far in a random direction."
    answer.claim(claim_above("direction_matters", statement, direction, DIRECTION, "accuracy"))


def batch_statistics(lab: Lab, params: Params, measured: Measured) -> None:
    """The drop at the initial value under each rule for running statistics."""
    with_norm = {label: those for label, those in measured.items() if those[0].statistics}
    if not with_norm:
        return
    rows = [
        {"net": label, "layer": layer}
        | {rule: tidy(float(np.mean([each.statistics[rule][i] for each in those]))) for rule in STATISTICS}
        for label, those in with_norm.items()
        for i, layer in enumerate(those[0].layers)
    ]
    lab.answer.section(
        "Batch normalisation",
        "Three rules for the running statistics of a layer that goes back to its initial value: those of the "
        "*snapshot* (mean 0, variance 1 at first); *kept* as trained; *reestimated* from training inputs that "
        "pass through the layer put back. Later layers always keep theirs. "
        f"All other results here use *{params.batch_norm}*.",
    )
    lab.answer.table("batch_normalisation", rows, "Drop at the initial value by rule for running statistics")


READINGS = {  # of claims that a run does not support
    "first_layer_is_critical": "the data are easy enough for random features of the first layer, in some trainings.",
    "later_layers_are_robust": "each of the later layers has learnt something that the others do not do for it.",
    "rerandomising_hurts_more": "where the initial value already costs nearly all accuracy, a fresh draw cannot cost "
    "much more; and past a shortcut the signal goes on whatever the block adds.",
    "layers_differ": "the two drops are too close, or vary too much between trainings. A block of a residual net only "
    "adds to what passes by it, so that all its layers can be robust.",
    "distance_does_not_explain": "layers that learn more may move more; order over few layers is coarse, and does not "
    "make the distance the cause (see the control).",
    "direction_matters": "a random change of that size breaks the layer as much, or none of the layers is critical.",
    "half_trained_values_will_do": "the layers still change together in the second half of the training.",
}


def discussion(lab: Lab, measured: Measured) -> None:
    """What the numbers say, and what may explain a claim that they do not support."""
    answer = lab.answer
    found = [
        f"{label} (accuracy {answer.metrics[f'accuracy_{label}']:.3f}): "
        + "; ".join(f"{kind} {', '.join(names) or 'none'}" for kind, names in kinds_of_layers(those, THRESHOLD).items())
        for label, those in measured.items()
    ]
    initial = over_nets(measured, lambda each: float(each.initial.mean()))
    fresh = over_nets(measured, lambda each: float(each.fresh.mean()))
    random = over_nets(measured, lambda each: float(each.random.mean()))
    lines = [
        f"**Which ones?** {'. '.join(found)} (with {len(lab.seeds)} trainings).",
        f"**Why the initial value and not any value?** Averaged over layers and nets a layer costs {initial} at its "
        f"initial value and {fresh} at a fresh draw from the same distribution. Neither holds anything learnt by this "
        "layer, but the other layers have been trained around one of them. As far as the first is smaller, a layer "
        "need not be trained; it has to be the random map that the others know. A fresh draw is also farther away "
        "(last column of the table), and part of its drop may be that.",
        f"**Is it the distance?** A change of the same size for every weight, on random sides, costs {random}. Where "
        "that differs from going back, it is what was undone that counts, not how far the layer is moved.",
    ]
    if norm := {label: those for label, those in measured.items() if those[0].statistics}:
        stale = over_nets(norm, lambda each: float(each.statistics["snapshot"].mean()))
        anew = over_nets(norm, lambda each: float(each.statistics["reestimated"].mean()))
        lines.append(
            f"**What is it that breaks?** In nets with batch normalisation a layer costs {stale} with the statistics "
            f"of its snapshot and {anew} with its own estimated anew: the rest is a wrong scale, nothing forgotten."
        )
    for claim in answer.claims:
        reading = next((text for name, text in READINGS.items() if claim.name.startswith(name)), None)
        if reading and claim.verdict != "supported":
            lines.append(f"*`{claim.name}`* is {claim.verdict}: {reading}")
    lines.append(
        "**Limits.** One layer at a time: layers that are robust one by one need not be so together. Verdicts hold for "
        "this threshold, data set, width and recipe: try `optimizer.lr=0.02`, with which layers move less."
    )
    answer.section("Discussion", "\n\n".join(lines))
