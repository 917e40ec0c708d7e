r"""7.5 Which residual blocks can be deleted without harming the net's predictions?

Question. A residual block computes y_i = f_i(y_{i-1}; theta_i) + y_{i-1}. Deleting it sets theta_i to 0, so that
y_i = 0 + y_{i-1}. Which blocks can go?

Idea (Veit et al. 2016). Unrolled, N blocks are a sum over 2^N paths; deleting one block removes half of the paths, not
the net. A plain net has one path: deleting any layer breaks it. We measure, over several trainings, every single
deletion; random sets of k blocks; sets grown greedily (chosen on validation images, measured on test images); reordered
blocks; and for each image how many blocks it does without. The control is the same net without shortcuts.

Expected. Identity blocks cost little, blocks that change the shape cost more, the error grows gradually with the
number of deleted blocks and with reordering, and the plain net collapses at once. The paper's nets had 54 blocks; in a
shallow net each block carries more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from dlexp.claims import claim_above, claim_below
from dlexp.errors import DlexpError, InputError
from dlexp.lab import Lab
from dlexp.models import as_chain, state_hash
from dlexp.plots import bars, curves, figure, legend, name_ticks, points, scatter
from dlexp.probes.interventions import branch_parameters, zeroed
from dlexp.probes.layer_deletion import Measured, Plan, draw_plan, measure
from dlexp.probes.paths import deletion, predict_masked, predict_paths, skippable_blocks
from dlexp.stats import Interval, interval_of, mean_interval, spearman

# Practical margins, stated before looking.
PLAIN_GAP = 0.10  # accuracy the plain net must lose beyond the residual one to be called collapsed
SHAPE_GAP = 0.02  # extra drop of shape-changing blocks that would matter
GREEDY_GAP = 0.02  # accuracy that choosing the blocks must save over drawing them
ONE_STEP = 0.5  # largest share of the whole loss of accuracy that may fall in one step of a gradual loss
ORDERED = 0.5  # rank correlation between reordering and error that counts as "grows with"
SKIPPED = 1 / 3  # share of the blocks that the average image must do without
CHOSEN_GAP = 0.05  # share of images that random sets of the same sizes must lose

Vector = NDArray[np.float64]  # accuracies, one per path


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    margin: Annotated[float, Field(gt=0, lt=1)]  # drop in accuracy that matters in practice: 0.01 is one point
    random_sets: Annotated[int, Field(ge=1, le=10_000)]  # random sets drawn for each number of deleted blocks
    permutations: Annotated[int, Field(ge=2, le=10_000)]  # random reorderings of blocks of equal shape
    plain_control: bool  # train the net without shortcuts too, as the control


def first(accuracy: Vector) -> float:
    """The accuracy along the only path."""
    return float(accuracy[0])


@dataclass(frozen=True)
class Kind:
    """All nets of one kind (residual, plain), measured on the same paths and images."""

    label: str
    nets: list[nn.Module]
    measured: list[Measured]

    def __call__(self, part: str, rows: slice = slice(None)) -> list[NDArray[np.bool_]]:
        """The `rows` of a part of the plan: one array (paths, samples) of right predictions per net."""
        return [getattr(each, part)[rows] for each in self.measured]

    @property
    def accuracy(self) -> Interval:
        """Test accuracy with all blocks."""
        return interval_of(first, self("full"))


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is trained, data and nets that this exercise cannot work with."""
    if lab.dataset.val is None:
        raise InputError("dataset.val_fraction=0: greedy deletion chooses on validation images; keep some, e.g. 0.1")
    as_chain(lab.model())


def run(lab: Lab, params: Params) -> None:
    """Train the nets (or take the given checkpoint), delete blocks in every way, and judge the claims."""
    nets = train(lab, params)
    plan = draw_plan(nets["residual"][0], lab.seeds[0], params.random_sets, params.permutations)
    check_against_zeroing(lab, nets["residual"][0], plan)
    kinds = [Kind(label, those, delete_blocks(lab, label, those, plan)) for label, those in nets.items() if those]

    method(lab, plan, params, n_nets=len(nets["residual"]))
    single_deletions(lab, plan, params, kinds)
    several_deletions(lab, plan, kinds)
    if plan.permuted:
        reordered_blocks(lab, plan, kinds)
    skipping_per_image(lab, plan, kinds)
    discussion(lab, plan, kinds)


def train(lab: Lab, params: Params) -> dict[str, list[nn.Module]]:
    """Residual and plain nets, one of each per seed; a given checkpoint stands for all residual trainings."""
    model = lab.config["model"]
    given = model["weights"] is not None
    seeds = lab.seeds[:1] if given else lab.seeds
    recipes = {} if given else {f"residual/{seed}": lab.recipe(seed) for seed in seeds}
    if params.plain_control and model["_target_"].endswith(".cifar_resnet"):
        twin = {"_target_": "dlexp.models.cifar_resnet.cifar_plain", "depth": model["depth"], "width": model["width"]}
        recipes |= {f"plain/{seed}": lab.recipe(seed, model=twin) for seed in seeds}
    trained = lab.train(recipes)
    nets = {
        kind: [each.net for name, each in trained.items() if name.startswith(kind)] for kind in ("residual", "plain")
    }
    return nets | ({"residual": [lab.model()]} if given else {})


def check_against_zeroing(lab: Lab, net: nn.Module, plan: Plan) -> None:
    """What the exercise says to the letter, once: zero theta_i, predict, restore. The fast way must agree."""
    split, before, whole = lab.dataset.test, state_hash(net), deletion(plan.n_blocks)
    fast = predict_paths(net, split, plan.single, batch_size(lab))
    for index, (name, block) in enumerate(as_chain(net).blocks):
        with zeroed(branch_parameters(block)):
            literal = predict_paths(net, split, [whole], batch_size(lab))[0]
        if not literal.equal(fast[index]):
            raise DlexpError(f"block {name}: zeroing its weights and leaving out its branch disagree")
    if state_hash(net) != before:
        raise DlexpError("the weights were not restored after zeroing")


def delete_blocks(lab: Lab, label: str, nets: Sequence[nn.Module], plan: Plan) -> list[Measured]:
    """All deletions and reorderings of each net."""
    choose_on, test = lab.dataset.val, lab.dataset.test
    assert choose_on is not None
    return lab.map(lambda net: measure(net, plan, choose_on, test, batch_size(lab)), nets, f"deleting, {label}")


def batch_size(lab: Lab) -> int:
    """Images per forward pass."""
    return int(lab.config["trainer"]["eval_batch_size"])


def method(lab: Lab, plan: Plan, params: Params, n_nets: int) -> None:
    """The formal statement and the method, in a few lines."""
    lab.answer.section(
        "Formal statement",
        r"A residual net with $N$ blocks computes $y_i = f_i(y_{i-1}; \theta_i) + s_i(y_{i-1})$, $i = 1, \dots, N$, "
        r"where $s_i$ is the identity, or a map that repairs the shape where it changes (a relu follows the sum). "
        r"For a set $D$ of blocks let $F_D$ be the net with $\theta_i = 0$ for all $i \in D$, hence "
        r"$y_i = 0 + s_i(y_{i-1})$. With $A(\cdot)$ the accuracy on test images, block $i$ costs "
        r"$\delta_i = A(F_\emptyset) - A(F_{\{i\}})$. It is **dispensable** if $\delta_i < m$ and **needed** if "
        r"$\delta_i > m$, each beyond the uncertainty of the measurement. "
        f"The margin $m = {params.margin:g}$ was fixed before looking.",
    )
    unit = f"{n_nets} trainings, paired by seed" if n_nets > 1 else "test images, as there is one given net"
    lab.answer.section(
        "Method",
        f"{plan.n_blocks} blocks, {int(plan.identity.sum())} of them identity blocks. Each was deleted alone; "
        f"{plan.draws} random sets were drawn for each size; blocks were deleted cumulatively in a greedy order "
        f"chosen on validation images; {len(plan.permuted)} reorderings exchanged blocks of equal shape. Accuracies "
        "are on test images, on which nothing was chosen. Deleting leaves the branch out of the computation; in this "
        "run that was checked for every block against the literal procedure (zero $\\theta_i$, predict, restore): the "
        "same predictions, and afterwards the same SHA-256 of all weights and buffers. "
        f"Intervals are 95 % over {unit}. Block verdicts are corrected for the number of blocks (Bonferroni); the "
        "claims are not corrected for one another.",
    )


def single_deletions(lab: Lab, plan: Plan, params: Params, kinds: list[Kind]) -> None:
    """Every block alone: a verdict per block, and three claims."""
    residual, identity, answer = kinds[0], plan.identity, lab.answer
    level = 1 - 0.05 / plan.n_blocks
    drops = {
        kind.label: [
            interval_of(lambda full, one: full[0] - one[0], kind("full"), kind("single", slice(i, i + 1)), level=level)
            for i in range(plan.n_blocks)
        ]
        for kind in kinds
    }
    verdicts = [block_verdict(drop, params.margin) for drop in drops["residual"]]
    answer.section("Single deletions")
    rows = [
        {"block": plan.names[i], "identity": bool(identity[i])}
        | {f"{label} drop": each[i].mean for label, each in drops.items()}
        | {"low": drops["residual"][i].low, "high": drops["residual"][i].high, "verdict": verdicts[i]}
        for i in range(plan.n_blocks)
    ]
    caption = "Drop in test accuracy when one block is deleted (interval of the residual net, Bonferroni)"
    answer.table("single_deletions", rows, caption)
    draw_single_deletions(lab, plan, drops, params.margin)

    for kind in kinds:
        answer.metric(f"accuracy_{kind.label}", kind.accuracy.mean)
    answer.metric("blocks_dispensable", verdicts.count("dispensable"))
    answer.metric("blocks_needed", verdicts.count("needed"))

    mean_drop = interval_of(
        lambda full, single: full[0] - single[identity].mean(), residual("full"), residual("single")
    )
    answer.objective = mean_drop.mean
    statement = "Deleting one identity block costs the residual net, averaged over these blocks, less than the margin."
    answer.claim(claim_below("identity_blocks_are_dispensable", statement, mean_drop, params.margin, "accuracy"))
    if not identity.all():
        extra = interval_of(lambda single: single[identity].mean() - single[~identity].mean(), residual("single"))
        statement = "Deleting a block that changes the shape costs more than deleting an identity block."
        answer.claim(claim_above("shape_changing_blocks_matter_more", statement, extra, SHAPE_GAP, "accuracy"))
    if len(kinds) > 1:
        gap = interval_of(
            lambda full, single, plain, plain_single: plain[0] - plain_single.mean() - (full[0] - single.mean()),
            *(kind(part) for kind in kinds for part in ("full", "single")),
        )
        statement = "Deleting one block costs the plain net much more than the residual net of the same depth."
        answer.claim(claim_above("plain_net_collapses", statement, gap, PLAIN_GAP, "accuracy"))


def block_verdict(drop: Interval, margin: float) -> str:
    """Whether a block can go."""
    side = drop.side_of(margin)
    return {"below": "dispensable", "above": "needed"}.get(side, side)


def draw_single_deletions(lab: Lab, plan: Plan, drops: dict[str, list[Interval]], margin: float) -> None:
    """One mark per block and kind of net; hollow marks change the shape."""
    made, axes = figure(width=max(7.0, 0.22 * plan.n_blocks + 3))
    series = {f"{label} net": each for label, each in drops.items()}
    points(axes, range(plan.n_blocks), series, hollow=(~plan.identity).tolist())
    axes.plot([], [], "o", color="black", mfc="white", label="hollow: changes the shape")
    axes.axhline(margin, color="black", linestyle=":", linewidth=1, label=f"margin {margin:g}")
    name_ticks(axes, plan.names)
    axes.set(xlabel="deleted block", ylabel="drop in test accuracy")
    legend(axes)
    lab.answer.figure(
        "single_deletions", made, "Drop in test accuracy per deleted block, with corrected 95 % intervals"
    )


def several_deletions(lab: Lab, plan: Plan, kinds: list[Kind]) -> None:
    """Random and greedy sets of k blocks: the curves, and whether loss is gradual and choosing helps."""
    n, draws, answer = plan.n_blocks, plan.draws, lab.answer
    curves_by_name: dict[str, list[Interval]] = {}
    for kind in kinds:
        start = kind.accuracy
        random = [interval_of(np.mean, kind("random", slice(k * draws, (k + 1) * draws))) for k in range(n)]
        greedy = [interval_of(first, kind("greedy", slice(k, k + 1))) for k in range(n)]
        curves_by_name |= {f"{kind.label}, random": [start, *random], f"{kind.label}, greedy": [start, *greedy]}
    answer.section("Deleting several blocks")
    rows = [
        {"nets and choice": name, "deleted": k, "accuracy": each.mean, "low": each.low, "high": each.high}
        for name, curve in curves_by_name.items()
        for k, each in enumerate(curve)
    ]
    answer.table("several_deletions", rows, "Test accuracy after deleting k blocks, with 95 % intervals")
    made, axes = figure()
    curves(axes, range(n + 1), curves_by_name)
    axes.set(xlabel="number of deleted blocks", ylabel="test accuracy", ylim=(0, 1.02))
    legend(axes, columns=2)
    caption = "Test accuracy against the number of deleted blocks; bands are 95 % intervals"
    answer.figure("several_deletions", made, caption)

    def largest_step(full: Vector, random: Vector) -> float:
        curve = np.concatenate([full, random.reshape(n, draws).mean(axis=1)])
        step, loss = (curve[:-1] - curve[1:]).max(), curve[0] - curve[-1]
        return float(step / max(loss, step, 1e-9))  # a net that has nothing to lose loses it in one step

    residual = kinds[0]
    share = interval_of(largest_step, residual("full"), residual("random"))
    statement = "Accuracy falls gradually with the number of deleted blocks: no one step takes most of the loss."
    answer.claim(claim_below("loss_is_gradual", statement, share, ONE_STEP, "share of the loss"))
    half = max(1, n // 2)
    drawn = slice((half - 1) * draws, half * draws)
    saved = interval_of(
        lambda greedy, random: greedy[half - 1] - random[drawn].mean(), residual("greedy"), residual("random")
    )
    statement = f"Choosing the {half} blocks to delete on validation images keeps more test accuracy than drawing them."
    answer.claim(claim_above("choosing_blocks_helps", statement, saved, GREEDY_GAP, "accuracy"))


def reordered_blocks(lab: Lab, plan: Plan, kinds: list[Kind]) -> None:
    """Error against how far the order of the blocks is from the trained one."""
    lab.answer.section("Reordered blocks")
    made, axes = figure()
    errors = {
        f"{kind.label} net": [
            interval_of(lambda acc: 1 - acc[0], kind("permuted", slice(i, i + 1))) for i in range(len(plan.permuted))
        ]
        for kind in kinds
    }
    scatter(axes, plan.distances, errors)
    axes.set(xlabel="Kendall distance from the trained order (share of pairs)", ylabel="test error", ylim=(-0.02, 1.02))
    legend(axes)
    lab.answer.figure("reordered_blocks", made, "Test error after exchanging blocks of equal shape, 95 % intervals")
    order = interval_of(lambda acc: spearman(plan.distances, 1 - acc), kinds[0]("permuted"))
    statement = "The residual net's error grows with the distance of the blocks' order from the trained one."
    lab.answer.claim(claim_above("error_grows_with_reordering", statement, order, ORDERED, "Spearman's rho"))


def skipping_per_image(lab: Lab, plan: Plan, kinds: list[Kind]) -> None:
    """Per image, blocks that can all be deleted together without changing its class."""
    test, answer, size = lab.dataset.test, lab.answer, batch_size(lab)
    generator = torch.Generator().manual_seed(lab.seeds[0])
    skipped, kept_by_random = {}, []
    for kind in kinds:
        skipped[kind.label] = lab.map(
            lambda net: skippable_blocks(net, test, size), kind.nets, f"skipping, {kind.label} nets"
        )
    for net, chosen in zip(kinds[0].nets, skipped["residual"], strict=True):
        # The control: as many blocks for each image, but any.
        ranks = torch.rand(chosen.shape, generator=generator).argsort(dim=0).argsort(dim=0)
        same_size = ranks < chosen.sum(dim=0)
        full = predict_paths(net, test, [deletion(plan.n_blocks)], size)[0]
        kept_by_random.append((predict_masked(net, test, same_size, size) == full)[None].numpy())
    shares = {label: [each.float().mean(dim=0)[None].numpy() for each in sets] for label, sets in skipped.items()}

    answer.section("Blocks that an image does without")
    sizes = {label: [each.sum(dim=0) for each in sets] for label, sets in skipped.items()}
    counts = {
        label: [over_nets([(size == k).float().mean() for size in each]) for k in range(plan.n_blocks + 1)]
        for label, each in sizes.items()
    }
    by_block = {
        label: [over_nets([each[block].float().mean() for each in sets]) for block in range(plan.n_blocks)]
        for label, sets in skipped.items()
    }
    made, (left, right) = figure(width=9.0, columns=2)
    bars(left, counts)
    bars(right, by_block)
    left.set(xlabel="blocks deleted together, class unchanged", ylabel="share of test images")
    right.set(xlabel="block", ylabel="share of images that do without it")
    name_ticks(right, plan.names)
    legend(left)
    caption = "How many blocks an image does without, and which; bars with 95 % intervals over the nets"
    answer.figure("skipping_per_image", made, caption)

    some = np.mean([(each.sum(dim=0) > 0).float().mean().item() for each in skipped["residual"]])
    answer.metric("images_with_a_skippable_block", float(some))
    average = interval_of(first, shares["residual"])
    statement = "The average image keeps its class without a third of the blocks, deleted together and chosen for it."
    answer.claim(claim_above("images_do_without_blocks", statement, average, SKIPPED, "share of the blocks"))
    lost = interval_of(lambda same: 1 - same[0], kept_by_random)
    statement = "The choice matters: random sets of blocks of the same sizes change the class of many images."
    answer.claim(claim_above("the_choice_of_blocks_matters", statement, lost, CHOSEN_GAP, "share of the images"))


def over_nets(shares: list[torch.Tensor]) -> Interval:
    """Interval over the nets of one share each."""
    return mean_interval([float(share) for share in shares])


def discussion(lab: Lab, plan: Plan, kinds: list[Kind]) -> None:
    """What the numbers say, and what may explain a claim that they refute."""
    answer, n = lab.answer, plan.n_blocks
    verdicts = {claim.name: claim.verdict for claim in answer.claims}
    dispensable, needed = (int(answer.metrics[f"blocks_{word}"]) for word in ("dispensable", "needed"))
    first = [plan.names[each.greedy_order[0]] for each in kinds[0].measured]
    most_often = max(sorted(set(first)), key=first.count)
    lines = [
        f"Of {n} blocks, {dispensable} are dispensable and {needed} needed at this margin; the other "
        f"{n - dispensable - needed} are undecided with this many repetitions. The first block that greedy deletion "
        f"gives up is most often `{most_often}` ({first.count(most_often)} of {len(first)} nets).",
    ]
    if verdicts["identity_blocks_are_dispensable"] == "refuted":
        lines.append(
            f"The paper's finding, made with 54 blocks, does not carry over to this net in full: with {n} blocks there "
            f"are few paths ($2^{{{n}}}$), one deletion removes half of them, and each stage has few blocks that could "
            "stand in for one another. `-m model.depth=8,14,20,32` shows how the cost depends on the depth."
        )
    if verdicts.get("plain_net_collapses") == "supported":
        lines.append(
            "The control shows that it is the shortcut, not spare capacity, that makes deletion survivable: the same "
            "layers trained the same way without it lose far more from one deletion."
        )
    elif len(kinds) == 1:
        lines.append("There is no plain control in this run, so it cannot say that the shortcuts are the reason.")
    lines.append(
        "Deleting a block also changes the scale of what the next block receives, and batch normalisation here keeps "
        "the statistics of the whole net: part of every drop may be this mismatch and not lost information. The "
        "intervals cover the training (or the sampling of images), not the choice of data set, depth and recipe."
    )
    answer.section("Discussion", "\n\n".join(lines))
