r"""3.5 A proposed loss, with its reason, against the usual ones where labels are wrong.

Question. What should a net pay for a label that it does not believe?

Idea. Cross-entropy is the likelihood of labels that are always right, so a wrong label costs without bound and is
learned in the end. The proposal is the likelihood of labels of which a share is wrong: with p the probability that the
net gives to the label, -log(p + tau) instead of -log p, tau from the assumed share
(`dlexp.training.losses.ContaminatedCrossEntropy`). Its gradient is that of cross-entropy times p / (p + tau), the
posterior probability that the label was not drawn blindly: labels that the net finds impossible stop to count.

Data. Symmetric noise: a share of the training labels is wrong, each by an equal chance any other class. The labels of
the validation split carry the same noise, as they would in practice; those of the test split are right. Accuracy on
noisy labels ranks nets as accuracy on right ones does, only less surely, so learning rates are tuned by it, for each
loss at each level.

Controls. Cross-entropy, the standard. A loss has no identity or constant to be compared with; the blind version of this
one is cross-entropy in which each sample has the weight that belongs to its neighbour in the batch: as much is taken
from the gradient, but from any sample. And the proposal told the true share, for what the assumption costs.

Expected. Without noise no price. Under noise a better log-likelihood and calibration than cross-entropy, smoothing and
focal loss, which end less sure than they are right; little gain in accuracy, since a tuned rate stops training
before wrong labels are learned. Best where the assumed share is the true one; with more noise than assumed the proposal
stays too unsure, and GCE, which sharpens without assuming a share, should then do better.

Any other loss can take the place of the proposal: `loss=NAME`, the user's own included.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field

from dlexp.claims import claim_above, claim_below, claim_within
from dlexp.comparison.drawings import draw_beside_proposal
from dlexp.comparison.own_words import listed, own_words
from dlexp.comparison.standings import corrected_level, differences
from dlexp.comparison.tuned import Contender, best_rate, validation_split
from dlexp.comparison.under_label_noise import TunedAtLevel, compare_under_noise, logits_of
from dlexp.data.label_noise import noisy_training_labels
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.probes.calibration import BINS, Bin, reliability
from dlexp.probes.loss_gradient import EXTREME, check_loss, draw_gradients, refuse_unless_loss
from dlexp.probes.reliability_diagram import draw_reliability
from dlexp.schema import instantiate
from dlexp.stats import mean_interval, paired_interval
from dlexp.training.single import Trained

STANDARD = "cross_entropy"
CONTROL = "misassigned"  # the proposal's weights, on the wrong samples
ORACLE = "true_share"  # the proposal, told the share of wrong labels
OURS = "contaminated"

# Practical margins, stated before this comparison was run; trial runs had been seen when net and epochs were chosen.
MARGIN = 0.01  # test accuracy: for less than a point nobody would change the loss
NLL_MARGIN = 0.05  # nats: 5 % of the probability that the average label gets
ECE_MARGIN = 0.02  # two points between what a net says and what it keeps
FOUND = 0.9  # area under the ROC curve from which wrong labels count as found
CALIBRATED = 0.05  # calibration error below which one would use the probabilities as they are


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    noise_levels: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2)]  # wrong labels: 0 first, up
    rates: Annotated[
        list[Annotated[float, Field(gt=0)]], Field(min_length=2)
    ]  # learning rates that all try, increasing
    tuning_repetitions: Annotated[int, Field(ge=1, le=1000)]  # trainings at each rate; at most `seeds` are made
    rivals: Annotated[list[str], Field(min_length=1)]  # options of the group loss; cross_entropy must be among them


@dataclass(frozen=True)
class Found:
    """All results; the proposal's name is the first of `names`."""

    names: list[str]
    rivals: list[str]  # the blind control included, the proposal told the share not
    levels: list[float]
    at: dict[tuple[str, float], TunedAtLevel]  # by loss and noise level

    @property
    def proposal(self) -> str:
        return self.names[0]

    @property
    def noisy_levels(self) -> list[float]:
        return self.levels[1:]

    def values(self, measure: str, name: str, level: float) -> list[float]:
        """One value per seed."""
        return [float(getattr(each, measure)) for each in self.at[name, level].tests]

    def under_noise(self, measure: str, name: str) -> list[float]:
        """Averaged over the levels above 0, one value per seed."""
        return np.mean([self.values(measure, name, level) for level in self.noisy_levels], axis=0).tolist()


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, what cannot be compared."""
    validation_split(lab)
    if lab.recipe(0).trainer.epochs == 0:
        raise InputError("trainer.epochs=0: there is nothing to compare; train for one epoch or more")
    for name in ("rates", "noise_levels"):
        values = getattr(params, name)
        if sorted(set(values)) != values:
            raise InputError(f"params.{name}={values}: must increase from one to the next")
    if params.noise_levels[0] != 0:
        raise InputError(f"params.noise_levels={params.noise_levels}: must start with 0, labels without noise")
    n_classes = lab.dataset.n_classes
    if params.noise_levels[-1] >= 1 - 1 / n_classes:
        limit = f"{n_classes} classes must stay below {1 - 1 / n_classes:g}, where labels say nothing"
        raise InputError(f"params.noise_levels={params.noise_levels}: with {limit}")
    if lab.choices["loss"] != STANDARD and STANDARD not in params.rivals:
        raise InputError(f"params.rivals={params.rivals}: {STANDARD}, the standard, must be among them")
    twice = [name for name, times in Counter(params.rivals).items() if times > 1]
    if twice:
        raise InputError(f"params.rivals={params.rivals}: {twice[0]} stands there twice; name each rival once")
    for name, node in losses(lab, params, level=0.0).items():
        refuse_unless_loss(name, instantiate(node, where="loss"), n_classes)


def losses(lab: Lab, params: Params, level: float) -> dict[str, dict[str, Any]]:
    """Everyone at a noise level: the proposal, the rivals, the blind control, and the proposal told the level."""
    proposal, node = lab.choices["loss"], lab.recipe(0).loss
    nodes = {proposal: dict(node)} | {name: lab.option("loss", name) for name in params.rivals if name != proposal}
    assumed = {"noise": node["noise"]} if proposal == OURS else {}
    nodes[CONTROL] = {"_target_": "dlexp.training.losses.MisassignedWeights", **assumed}
    if proposal == OURS:
        nodes[ORACLE] = {**node, "noise": level}
    return nodes


def run(lab: Lab, params: Params) -> None:
    """The function itself, then all at equal budget at every noise level; tables, figures, claims."""
    formal_statement(lab)
    functions(lab, params)
    found = compare(lab, params)
    method(lab, params, found)
    results(lab, found)
    claims_against_rivals(lab, found)
    claims_on_robustness(lab, found)
    calibration(lab, found)
    if found.proposal == OURS:
        claims_on_the_reason(lab, found)
    tuning_on_noisy_labels(lab, found)
    discussion(lab, found)


def formal_statement(lab: Lab) -> None:
    """What is proposed in this run, and why."""
    proposal, node, n_classes = lab.choices["loss"], lab.recipe(0).loss, lab.dataset.n_classes
    if proposal != OURS:
        lab.answer.section("Formal statement", own_words(proposal, str(node["_target_"]), "loss"))
        lab.answer.text(NOISE)
        return
    loss = instantiate(node, where="loss")
    lab.answer.section("Formal statement", PROPOSAL)
    lab.answer.text(
        rf"With $\hat\eta = {loss.noise:g}$ and $K = {n_classes}$: $\tau = {loss.tau(n_classes):.4g}$; at $p = 1/K$, "
        rf"where training starts, the weight is {float(loss.weight(torch.tensor(1 / n_classes), n_classes)):.3g}."
    )
    lab.answer.text(REASON)
    lab.answer.text(NOISE)


def functions(lab: Lab, params: Params) -> None:
    """Gradients with respect to the logits: drawn, checked, and finite where logits are extreme."""
    n_classes = lab.dataset.n_classes
    made = {
        name: instantiate(node, where="loss")
        for name, node in losses(lab, params, level=0.0).items()
        if name not in (CONTROL, ORACLE)
    }
    lab.answer.section(
        "The gradient with respect to the logits",
        r"For a loss $\ell(p)$ of the probability $p = \mathrm{softmax}(z)_y$ of the label $\nabla_z \ell = w(p)\, "
        r"(\mathrm{softmax}(z) - e_y)$ with $w(p) = -p\,\ell'(p)$: the gradient of cross-entropy times a weight. "
        "gradcheck compares the derivative that training uses with finite differences in float64. Extreme are logits "
        f"of {EXTREME:g} and {-EXTREME:g} in float32, for and against the label.",
    )
    rows = []
    for name, loss in made.items():
        found = asdict(check_loss(loss, n_classes))
        error = found["closed_form_error"]
        found["closed_form_error"] = None if error is None else f"{error:.0e}"
        rows.append({"loss": name} | {key.replace("_", " "): value for key, value in found.items()})
    lab.answer.table(
        "functions", rows, "What was checked of each loss; the last columns are its values at extreme logits"
    )
    caption = "Left: the gradient with respect to the label's logit, the other logits equal. Right: its weight w(p)"
    lab.answer.figure("gradients", draw_gradients(made, n_classes), caption)


def compare(lab: Lab, params: Params) -> Found:
    """Tune each loss at each level on labels as noisy, then train anew on seeds of their own."""
    contenders = {
        level: [Contender(name, {"loss": node}) for name, node in losses(lab, params, level).items()]
        for level in params.noise_levels
    }
    at = compare_under_noise(lab, contenders, params.rates, params.tuning_repetitions)
    names = list(losses(lab, params, 0.0))
    rivals = [name for name in names[1:] if name != ORACLE]
    return Found(names, rivals, params.noise_levels, at)


def method(lab: Lab, params: Params, found: Found) -> None:
    """Budget, tuning and statistics in a few lines."""
    trainer = lab.recipe(0).trainer
    levels = ", ".join(f"{level:.0%}" for level in found.levels)
    lab.answer.section(
        "Method",
        f"Symmetric noise in exactly {levels} of the {len(lab.dataset.train)} training labels, drawn anew for each "
        f"seed. All losses train the same nets from the same initial weights on the same batches for {trainer.epochs} "
        f"epochs. For each loss and level the learning rate is that of {', '.join(map(str, params.rates))} "
        f"with the highest mean validation accuracy over {min(params.tuning_repetitions, len(lab.seeds))} trainings, "
        "whose seeds are used for nothing else. The validation labels carry noise of the same level: whoever has wrong "
        "labels has them everywhere, and right ones would be a help that no loss gets in practice. Symmetric noise "
        r"changes the accuracy $A$ to $(1 - \eta) A + \eta (1 - A) / (K - 1)$, which keeps the order of nets; it does "
        "not keep that of their log-likelihoods, so these only break ties. Then each loss is "
        f"trained anew on {len(lab.seeds)} seeds and measured on the {len(lab.dataset.test)} right test labels: "
        f"accuracy, negative log-likelihood (NLL), and the expected calibration error (ECE, {BINS} bins of equal "
        "width). Claims are on the average over the levels above 0; differences are paired by seed and, for each "
        f"measure, corrected for the {len(found.rivals)} rivals (Bonferroni, level "
        f"{corrected_level(len(found.rivals)):.4g}). `{CONTROL}` is the blind control"
        + (f"; `{ORACLE}` is the proposal told the true share, and no rival." if ORACLE in found.names else "."),
    )


def results(lab: Lab, found: Found) -> None:
    """Everything, in one table and a figure per measure."""
    lab.answer.section("Accuracy, log-likelihood and calibration")
    rows = []
    for level in found.levels:
        for name in sorted(found.names, key=lambda one: -fmean(found.values("accuracy", one, level))):
            row: dict[str, Any] = {"noise": level, "loss": name, "learning rate": found.at[name, level].rate}
            for measure in ("accuracy", "nll", "ece"):
                interval = mean_interval(found.values(measure, name, level))
                row |= interval.columns(measure, " ")
            rows.append(row | {"brier": fmean(found.values("brier", name, level))})
    lab.answer.table("results", rows, "On right test labels, with 95 % intervals over the seeds")
    for measure, label in (("accuracy", "test accuracy"), ("nll", "test NLL in nats"), ("ece", "test ECE")):
        series = {
            name: [mean_interval(found.values(measure, name, level)) for level in found.levels] for name in found.names
        }
        drawn = draw_beside_proposal(found.proposal, found.levels, series, "share of wrong training labels", label)
        lab.answer.figure(
            measure, drawn, f"{label[0].upper()}{label[1:]} against label noise; bands are 95 % intervals"
        )
        for name in found.names:
            lab.answer.metric(f"{measure}_under_noise_{name}", fmean(found.under_noise(measure, name)))
    chosen = [found.at[found.proposal, level] for level in found.levels]
    lab.answer.objective = fmean(
        each.noisy[each.rate].accuracy for each in chosen
    )  # a sweep must not choose by test data


MEASURES = (  # name, what a claim says, sign of better, margin, unit
    ("accuracy", "a higher test accuracy", 1, MARGIN, "accuracy"),
    ("nll", "a lower test NLL", -1, NLL_MARGIN, "nats"),
    ("ece", "a lower calibration error", -1, ECE_MARGIN, "ECE"),
)


def claims_against_rivals(lab: Lab, found: Found) -> None:
    """The proposal against each rival in each measure, averaged over the noisy levels."""
    for measure, better, sign, margin, unit in MEASURES:
        values = {
            name: [sign * value for value in found.under_noise(measure, name)]
            for name in [found.proposal, *found.rivals]
        }
        for rival, lead in differences(values, found.proposal).items():
            statement = f"Under noise {found.proposal} has {better} than {rival} by more than the margin."
            lab.answer.claim(claim_above(f"{measure}_beats_{rival}", statement, lead, margin, unit))


def claims_on_robustness(lab: Lab, found: Found) -> None:
    """What noise takes, and what the loss costs where there is none."""
    if found.proposal == STANDARD:
        return
    last = found.levels[-1]

    def drop(name: str) -> list[float]:
        pairs = zip(found.values("accuracy", name, 0), found.values("accuracy", name, last), strict=True)
        return [before - after for before, after in pairs]

    less = paired_interval(drop(STANDARD), drop(found.proposal))
    statement = f"From 0 to {last:.0%} of wrong labels {found.proposal} loses less accuracy than {STANDARD}."
    lab.answer.claim(claim_above("loses_less_accuracy", statement, less, MARGIN, "accuracy"))
    gap = paired_interval(found.values("accuracy", found.proposal, 0), found.values("accuracy", STANDARD, 0))
    statement = f"Without noise {found.proposal} and {STANDARD} reach the same test accuracy."
    lab.answer.claim(claim_within("no_price_without_noise", statement, gap, MARGIN, "accuracy"))


def calibration(lab: Lab, found: Found) -> None:
    """Confidence against accuracy where the labels are worst."""
    level = found.levels[-1]
    shown = [found.proposal, *(name for name in (STANDARD, *found.rivals, ORACLE) if name in found.names)]
    shown = list(dict.fromkeys(name for name in shown if name != CONTROL))
    tables = {name: pooled_reliability(lab, found.at[name, level].trained) for name in shown}
    lab.answer.section(
        "Calibration",
        f"At {level:.0%} of wrong labels, over the predictions of the nets of all {len(lab.seeds)} seeds (of the same "
        "samples, so the intervals, which take them for independent, are somewhat narrow). A net whose points lie "
        "above the diagonal is right more often than it says.",
    )
    rows = [
        {
            "loss": name,
            "confidence from": each.low,
            "to": each.high,
            "samples": each.samples,
            "mean confidence": each.confidence,
            "accuracy": each.accuracy,
        }
        for name, bins in tables.items()
        for each in bins
        if each.samples
    ]
    lab.answer.table("reliability", rows, "Bins of equal width that hold samples")
    caption = f"Right predictions against confidence at {level:.0%} of wrong labels; bars: 95 % Wilson intervals"
    titled = {f"{name} (proposed)" if name == found.proposal else name: bins for name, bins in tables.items()}
    lab.answer.figure("reliability", draw_reliability(titled), caption)


def pooled_reliability(lab: Lab, nets: Sequence[Trained]) -> list[Bin]:
    """The bins of all nets' predictions together."""
    test = lab.dataset.test
    probabilities = torch.cat([logits_of(lab, one, test).double().softmax(1) for one in nets])
    return reliability(probabilities, test.y.repeat(len(nets)).to(probabilities.device))


def claims_on_the_reason(lab: Lab, found: Found) -> None:
    """Do the weights find the wrong labels, and what is the true share worth?"""
    areas = np.mean([wrong_labels_found(lab, found, level) for level in found.noisy_levels], axis=0)
    statement = "After training, the weights of wrong labels are smaller than those of right ones (area under the ROC)."
    lab.answer.claim(
        claim_above("weights_find_wrong_labels", statement, mean_interval(areas), FOUND, "area under the ROC curve")
    )
    told = mean_interval(found.under_noise("ece", ORACLE))
    statement = "Told the true share, the proposal is calibrated under noise."
    lab.answer.claim(claim_below("calibrated_when_told_the_share", statement, told, CALIBRATED, "ECE"))
    gain = paired_interval(found.under_noise("nll", found.proposal), found.under_noise("nll", ORACLE))
    statement = "Being told the true share lowers the test NLL under noise: assuming one share for all levels costs."
    lab.answer.claim(claim_above("the_true_share_is_worth_knowing", statement, gain, NLL_MARGIN, "nats"))


def wrong_labels_found(lab: Lab, found: Found, level: float) -> list[float]:
    """Per seed the probability that a right label weighs more than a wrong one; the weight grows with p."""
    from sklearn.metrics import roc_auc_score

    areas = []
    for seed, one in zip(lab.seeds, found.at[found.proposal, level].trained, strict=True):
        noisy = noisy_training_labels(lab.dataset, level, seed).train
        p = logits_of(lab, one, noisy).double().softmax(1).gather(1, noisy.y[:, None])[:, 0]
        areas.append(float(roc_auc_score((noisy.y == lab.dataset.train.y).cpu(), p.cpu())))
    return areas


def tuning_on_noisy_labels(lab: Lab, found: Found) -> None:
    """The rates that were chosen, and those that right labels would have chosen."""
    rows = []
    for level in found.levels:
        for name in found.names:
            tuning = found.at[name, level]
            ideal = best_rate(tuning.clean)
            rows.append(
                {
                    "noise": level,
                    "loss": name,
                    "chosen rate": tuning.rate,
                    "noisy accuracy": tuning.noisy[tuning.rate].accuracy,
                    "accuracy": tuning.clean[tuning.rate].accuracy,
                    "rate by right labels": ideal,
                    "accuracy there": tuning.clean[ideal].accuracy,
                    "at the grid's edge": tuning.at_edge,
                }
            )
    lab.answer.section("Tuning on noisy labels")
    lab.answer.table(
        "tuning", rows, "Chosen by accuracy on noisy validation labels; the other accuracies are on the right ones"
    )
    regret = fmean(row["accuracy there"] - row["accuracy"] for row in rows if row["noise"] > 0)
    lab.answer.metric("regret_of_noisy_tuning", regret)
    agree = fmean(row["chosen rate"] == row["rate by right labels"] for row in rows if row["noise"] > 0)
    lab.answer.metric("same_rate_by_right_labels", agree)


def discussion(lab: Lab, found: Found) -> None:
    """What the numbers say about the proposal, and what may explain what they do not support."""
    answer, proposal = lab.answer, found.proposal
    claims = {claim.name: claim for claim in answer.claims}

    def mean(measure: str, name: str) -> float:
        return fmean(found.under_noise(measure, name))

    lines = [f"The proposed loss is `{proposal}`. Averaged over the levels with noise:"]
    for measure, _, _, margin, unit in MEASURES:
        verdicts = {name: claims[f"{measure}_beats_{name}"].verdict for name in found.rivals}
        won, lost, open_ = (
            listed([name for name in found.rivals if verdicts[name] == verdict])
            for verdict in ("supported", "refuted", "inconclusive")
        )
        lines.append(
            f"- {measure} {mean(measure, proposal):.3f} against {mean(measure, STANDARD):.3f} of `{STANDARD}`: better "
            f"by more than {margin:g} {unit} than {won}; refuted against {lost}; undecided against {open_}."
        )
    text = ["\n".join([lines[0], "", *lines[1:]])]
    if "loses_less_accuracy" in claims:
        less, price = claims["loses_less_accuracy"], claims["no_price_without_noise"]
        text.append(
            f"Robustness: from 0 to {found.levels[-1]:.0%} of wrong labels it loses {less.effect:.3f} less accuracy "
            f"than `{STANDARD}` (more than {MARGIN:g}: {less.verdict}); without noise the two differ by "
            f"{price.effect:+.3f} (immaterial: {price.verdict})."
        )
        if less.verdict != "supported":
            text.append(
                "Why not more: wrong labels harm accuracy once they are learned by heart, and every loss had its rate "
                "tuned on labels that are as noisy. With much noise that chooses a low rate, which stops the training "
                "before the wrong labels are learned (early stopping by another name), and so protects "
                f"`{STANDARD}` too. What the rate cannot mend is the confidence: `{STANDARD}` predicts the labels that "
                "it saw, wrong ones included."
            )
    blind = claims[f"nll_beats_{CONTROL}"]
    text.append(
        f"The blind control, whose weights fall on the wrong samples, has an NLL of {mean('nll', CONTROL):.3f} "
        f"(`{STANDARD}` {mean('nll', STANDARD):.3f}, the proposal {mean('nll', proposal):.3f}; better than blind: "
        f"{blind.verdict}): "
        + (
            "it is not the smaller gradient that helps, but which labels are doubted."
            if blind.verdict == "supported" and proposal == OURS
            else "it says what a smaller gradient alone does."
        )
    )
    if proposal == OURS:
        text += reason_lines(lab, found, claims)
    text.append(
        "Noisy validation labels chose the rate that right ones would have chosen in "
        f"{answer.metrics['same_rate_by_right_labels']:.0%} of the cases with noise, and cost "
        f"{answer.metrics['regret_of_noisy_tuning']:.4f} of validation accuracy on average."
    )
    edges = sorted({name for (name, _), each in found.at.items() if each.at_edge})
    if edges:
        text.append(
            f"At some level the tuned rate of {listed(edges)} ends the grid; with a wider one they may do better."
        )
    text.append(
        "Limits: the noise is symmetric, which is what the proposal assumes and what absolute error is robust to; real "
        "annotators confuse classes that look alike. One parameter per loss, as its paper has it, and only the "
        "learning rate tuned. The intervals cover initial weights, batches and the draw of the noise, not the choice "
        "of data, split, net and budget; and the ECE of few samples is biased upwards."
    )
    answer.section("Discussion", "\n\n".join(text))


def reason_lines(lab: Lab, found: Found, claims: Mapping[str, Any]) -> list[str]:
    """The mechanism, and what the assumed share explains."""
    weights, told, worth = (
        claims[name]
        for name in ("weights_find_wrong_labels", "calibrated_when_told_the_share", "the_true_share_is_worth_knowing")
    )
    assumed, k = float(lab.recipe(0).loss["noise"]), lab.dataset.n_classes
    expected = {level: confidence(level, assumed, k) for level in found.noisy_levels}
    lines = [
        f"Mechanism: after training a right label weighs more than a wrong one with probability {weights.effect:.3f} "
        f"(above {FOUND:g}: {weights.verdict}). Told the true share, the ECE under noise is {told.effect:.3f} (below "
        f"{CALIBRATED:g}: {told.verdict}) and the NLL lower by {worth.effect:.3f} (worth knowing: {worth.verdict}).",
        f"What the assumption of {assumed:.0%} costs can be computed: for an input whose class is certain, the best "
        "fit to noisy labels has the confidence "
        + ", ".join(f"{value:.2f} at {level:.0%}" for level, value in expected.items())
        + "; with cross-entropy "
        + ", ".join(f"{confidence(level, 0.0, k):.2f}" for level in expected)
        + ". Where there is more noise than assumed, the proposal is right more often than it says, by that much less.",
    ]
    if any(claims.get(f"{m}_beats_gce") and claims[f"{m}_beats_gce"].verdict != "supported" for m in ("nll", "ece")):
        lines.append(
            "GCE assumes no share: the best fit under it is the distribution of the noisy labels to the power "
            "1 / (1 - q), made sharp again. With q = 0.7 even 40 % right labels end as a confidence near 1, which is "
            "right wherever the classes of the inputs are nearly certain, as in these data; where they are not, GCE "
            "would say too much, and the proposal with the right share would not."
        )
    if told.verdict != "supported":
        lines.append(
            "That knowing the share does not suffice for calibration has two likely reasons: with a low rate the net "
            "has not come to the best fit yet, and with a higher one it has begun to learn wrong labels by heart."
        )
    return lines


def confidence(noise: float, assumed: float, n_classes: int) -> float:
    """The probability of a certain class in the best fit to symmetric noise, when `assumed` is taken for it."""
    right = 1 - noise
    return min(1.0, (right - assumed / (n_classes - 1)) / (1 - assumed * n_classes / (n_classes - 1)))


# The proposal in words; what stands here is derived, not measured.

PROPOSAL = r"""Let $z \in \mathbb{R}^K$ be the logits of a sample, $y$ its label and $p = \mathrm{softmax}(z)_y$. The
proposal is

$$\ell(p) = -\log \frac{p + \tau}{1 + \tau}, \qquad \tau = \frac{\hat\eta}{K - 1 - \hat\eta K}, \qquad
\nabla_z \ell = \underbrace{\frac{p}{p + \tau}}_{w(p)}\; (\mathrm{softmax}(z) - e_y),$$

with $\hat\eta < (K-1)/K$ the share of labels that is taken to be wrong."""

REASON = r"""**Why.** If the given label is the true class with probability $1 - \hat\eta$, else any of the others with
equal chance, then the given label has the probability
$(1 - \hat\eta) p + \frac{\hat\eta}{K-1} (1 - p) = \frac{\hat\eta}{K - 1} \frac{p + \tau}{\tau}$. Its negative logarithm
is $\ell$ up to a constant: a maximum-likelihood estimate under a model in which labels may be wrong. The same label is
a draw from the net's own prediction with probability $1 - \hat\eta K / (K-1)$, else one drawn blindly from all classes;
the posterior of the first is $w(p)$. So every label is weighed by how far the net believes that it means something.

**What follows.** $\ell \le \log(1 + 1/\tau)$: one label can cost only so much, and a label with $p \ll \tau$ hardly
pulls. Where training starts, at $p = 1/K$, the weight is $1 - \hat\eta K/(K-1)$ whatever $K$; that of absolute error is
$2/K$ and that of GCE $K^{-q}$, which is why these learn slowly with many classes. $\hat\eta = 0$ is cross-entropy,
$\hat\eta \to (K-1)/K$ absolute error up to a factor. At the true share the best fit is the true distribution of the
classes, so probabilities keep their meaning.

**What is not new.** This is the forward correction of Patrini et al. (2017) for symmetric noise (for binary labels
already in Mnih and Hinton 2012). Written out as a function of $p$ it needs no matrix, and shows its weight, its bound
and its place between cross-entropy and absolute error. AM-LFS and AutoLoss-Zero search for such functions of $p$; here
one is derived. $\hat\eta = 0.3$, the middle of the range that the exercise asks for, was fixed before any run, and is
the same at all levels: the proposal is not told how much noise there is. (In trial runs larger values gave a lower NLL
at 60 %; the value was left as it was.)"""

NOISE = r"""**The noise.** A share $\eta$ of the training labels is replaced by another class, each of the $K - 1$
others with equal chance. The robustness of a loss is how little its results on right test labels fall as $\eta$
grows."""
