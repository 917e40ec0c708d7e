"""Choosing k of n samples to learn from: one signature for all selectors, label-free and label-aware apart.

A label-free selector sees the features only (the samples are yet to be labelled); a label-aware one also sees the
classes (all are labelled, and the learner may only be given k).
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import InputError, nearest
from dlexp.tabular.blockwise import Indices, Rows, check_budget
from dlexp.tabular.facility_location import facility_location
from dlexp.tabular.fair_diverse import Measure, fair_diverse, sum_nearest, sum_pairwise
from dlexp.tabular.herding import kernel_herding
from dlexp.tabular.k_center import k_center_greedy
from dlexp.tabular.k_medoids import k_medoids
from dlexp.tabular.leverage import leverage_sampling

Labels = NDArray[np.integer[Any]]  # (n,) classes 0..C-1
Entrants = dict[str, "Selector"]
LabelFree = Callable[[Rows, int, np.random.Generator], Indices]
LabelAware = Callable[[Rows, Labels, int, np.random.Generator], Indices]


@dataclass(frozen=True)
class Selector:
    """A way to choose, and what is known about it."""

    choose: LabelAware  # label-free ones leave the labels alone
    aware: bool  # whether it looks at the labels
    idea: str
    known: str  # its guarantee, or what it is


def random_subset(x: Rows, k: int, rng: np.random.Generator) -> Indices:
    """(k,) distinct rows, each subset equally likely."""
    return rng.choice(len(x), k, replace=False).astype(np.int64)


def equal_quotas(groups: Labels, k: int) -> Indices:
    """(G,) how many of k to choose from each group: equal as far as the groups' sizes allow, at least 1 each.

    What does not divide evenly goes to the lowest groups; a group that runs out leaves its part to the others.

    Raises:
        InputError: k is less than the number of groups, or more than the samples; a group below the largest is empty.
    """
    sizes = np.bincount(groups)
    if not sizes.all():
        raise InputError(f"group {int(sizes.argmin())} has no samples; number the groups 0..G-1")
    if k < len(sizes):
        raise InputError(f"k={k}: is less than the {len(sizes)} groups, and each needs a sample; raise k")
    if k > len(groups):
        raise InputError(f"k={k}: there are {len(groups)} samples to choose from; lower k")
    quotas = np.zeros(len(sizes), np.int64)
    while (left := k - int(quotas.sum())) > 0:
        open_groups = np.flatnonzero(quotas < sizes)
        share = max(1, left // len(open_groups))
        for group in open_groups[:left]:
            quotas[group] += min(share, sizes[group] - quotas[group])
    return quotas


def per_class(choose: LabelFree) -> LabelAware:
    """`choose` in each class on its own, with equal quotas."""

    def choose_per_class(x: Rows, y: Labels, k: int, rng: np.random.Generator) -> Indices:
        chosen = []
        for label, quota in enumerate(equal_quotas(y, k).tolist()):
            members = np.flatnonzero(y == label)
            chosen.append(members[choose(x[members], quota, rng)])
        return np.concatenate(chosen)

    return choose_per_class


def _fair(measure: Measure) -> LabelAware:
    return lambda x, y, k, rng: fair_diverse(x, y, equal_quotas(y, k), measure)


def _diverse(x: Rows, k: int, rng: np.random.Generator) -> Indices:
    return fair_diverse(x, np.zeros(len(x), np.int64), np.array([k]), sum_pairwise)


def _deterministic_k_center(x: Rows, k: int, rng: np.random.Generator) -> Indices:
    return k_center_greedy(x, k)


def _free(choose: LabelFree, idea: str, known: str) -> Selector:
    return Selector(lambda x, y, k, rng: choose(x, k, rng), False, idea, known)


def _aware(choose: LabelAware, idea: str, known: str) -> Selector:
    return Selector(choose, True, idea, known)


def _per_class(choose: LabelFree, name: str) -> Selector:
    return _aware(per_class(choose), f"{name} within each class, equal quotas", "that of the label-free one, per class")


SELECTORS: Mapping[str, Selector] = MappingProxyType(
    {
        "random": _free(random_subset, "each subset equally likely", "baseline of the label-free mode"),
        "k_center": _free(
            _deterministic_k_center, "no sample far from a chosen one", "radius at most 2 x the optimum (Gonzalez 1985)"
        ),
        "facility_location": _free(
            facility_location,
            "a similar chosen sample for every sample",
            "at least 1 - 1/e of the optimum (Nemhauser et al. 1978; lazy: Minoux 1978)",
        ),
        "herding": _free(
            kernel_herding,
            "the mean of the chosen is the mean of all, in kernel features",
            "mean embedding; no bound here",
        ),
        "k_medoids": _free(
            k_medoids, "small summed squared distance to the nearest chosen", "local optimum (Park and Jun 2009)"
        ),
        "leverage": _free(leverage_sampling, "drawn by leverage score", "made for least squares, no bound here"),
        "diverse": _free(
            _diverse,
            "large sum of pairwise distances, no quotas",
            "as fair_diverse, with one group: the control for fairness",
        ),
        "class_random": _aware(per_class(random_subset), "random, equal per class", "baseline of the label-aware mode"),
        "class_k_center": _per_class(_deterministic_k_center, "k_center"),
        "class_facility_location": _per_class(facility_location, "facility_location"),
        "class_herding": _per_class(kernel_herding, "herding"),
        "class_k_medoids": _per_class(k_medoids, "k_medoids"),
        "fair_diverse": _aware(
            _fair(sum_pairwise),
            "large sum of pairwise distances under class quotas",
            "constant factor: core-set, then swaps (after Mahabadi and Trajanovski 2023)",
        ),
        "fair_spread": _aware(
            _fair(sum_nearest),
            "large sum of nearest-neighbour distances under class quotas",
            "heuristic: the same two steps",
        ),
    }
)
"""Every selector by name, the baseline of each mode first."""

BASELINES = {False: "random", True: "class_random"}  # by `Selector.aware`


def find_selector(name: str) -> Selector:
    """The selector called `name`.

    Raises:
        InputError: there is none; names the nearest.
    """
    if name not in SELECTORS:
        raise InputError(f"selector '{name}': there is none of that name; {nearest(name, SELECTORS)}")
    return SELECTORS[name]


def take_part(
    label_free: Sequence[str], label_aware: Sequence[str], own: Mapping[str, Callable[..., Indices]]
) -> Entrants:
    """The baselines and the selectors that were asked for, by name; `own` are functions of one's own.

    Raises:
        InputError: an unknown name, one in the wrong list, or a function that takes other arguments.
    """
    found = {name: SELECTORS[name] for name in BASELINES.values()}
    for names, aware, where in ((label_free, False, "label_free"), (label_aware, True, "label_aware")):
        for name in names:
            try:
                selector = find_selector(name)
            except InputError as error:
                raise InputError(f"{where}: {error}") from error
            if selector.aware != aware:
                raise InputError(
                    f"{where}: selector '{name}' {'needs' if selector.aware else 'does not see'} the labels; move it"
                )
            found[name] = selector
    for name, choose in own.items():
        if name in SELECTORS:
            raise InputError(f"own: there is a selector '{name}' already; call yours something else")
        found[name] = own_selector(choose)
    return found


def own_selector(choose: Callable[..., Indices]) -> Selector:
    """A selector from one's own function: of (x, k, rng) it is label-free, of (x, y, k, rng) label-aware.

    Raises:
        InputError: it takes other arguments.
    """
    takes, name = list(inspect.signature(choose).parameters), getattr(choose, "__name__", "it")
    if takes == ["x", "k", "rng"]:
        return _free(choose, f"your own {name}", "")
    if takes == ["x", "y", "k", "rng"]:
        return _aware(choose, f"your own {name}", "")
    raise InputError(f"{name}({', '.join(takes)}): a selector takes (x, k, rng), or (x, y, k, rng) to see the classes")


def select(selector: str | Selector, x: Rows, k: int, rng: np.random.Generator, y: Labels | None = None) -> Indices:
    """(k,) distinct indices of the rows of `x` (n, m) that a selector chooses to learn from.

    Args:
        selector: a key of `SELECTORS`, or a selector.
        x: finite features; distances are Euclidean, so put them on a common scale first.
        k: 1..n; for label-aware selectors at least the number of classes.
        rng: the only source of chance.
        y: (n,) classes 0..C-1, each with a sample; needed by label-aware selectors, not seen by others.

    Raises:
        InputError: an unknown name, a k that does not fit, labels that are missing or of another length, or a selector
            of one's own that returns anything but k distinct rows.
    """
    label = f"selector '{selector}'" if isinstance(selector, str) else selector.idea
    selector = find_selector(selector) if isinstance(selector, str) else selector
    check_budget(x, k)
    if y is None and selector.aware:
        raise InputError(f"{label}: it chooses by class; give it the labels")
    if y is not None and len(y) != len(x):
        raise InputError(f"y has {len(y)} labels for {len(x)} samples; give one per sample")
    chosen = np.asarray(selector.choose(x, y if y is not None else np.empty(0, np.int64), k, rng))
    distinct = np.unique(chosen)
    within = chosen.dtype.kind in "iu" and chosen.ndim == 1 and distinct[0] >= 0 and distinct[-1] < len(x)
    if len(chosen) != k or not within or len(distinct) != k:
        raise InputError(f"{label}: must return {k} distinct rows as indices in 0..{len(x) - 1}")
    return chosen.astype(np.int64)
