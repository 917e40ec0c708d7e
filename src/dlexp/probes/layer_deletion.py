"""Every way of deleting blocks from one net, measured together: singly, in random sets, greedily, and reordered.

Veit, Wilber, Belongie (NeurIPS 2016), sections 4.1 to 4.3. Works on any net that `as_chain` takes apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dlexp.data import Split
from dlexp.models import as_chain
from dlexp.probes.paths import Path, deletion, permutation, predict_paths
from dlexp.probes.reordering import equal_shape_runs, kendall_distance, random_reordering

Correct = NDArray[np.bool_]  # (paths, samples): was the prediction right?


@dataclass(frozen=True)
class Plan:
    """The paths that every net of a study is measured on; equal for all of them, so that they can be paired."""

    names: list[str]  # of the blocks
    identity: NDArray[np.bool_]  # (blocks,): the block keeps the shape
    draws: int  # random sets of each size
    single: list[Path]
    random: list[Path]  # `draws` sets of size 1, then of size 2, ... up to all blocks
    permuted: list[Path]
    distances: list[float]  # Kendall distance of each permuted path from the original order

    @property
    def n_blocks(self) -> int:
        """Number of blocks of the nets."""
        return len(self.names)


def draw_plan(net: nn.Module, seed: int, draws: int, permutations: int) -> Plan:
    """Draw `draws` random sets of each size and `permutations` reorderings by 1 to 2N exchanges.

    A net without two neighbouring blocks of equal shape gets no reorderings.
    """
    chain = as_chain(net)
    n = len(chain.blocks)
    rng = np.random.default_rng(seed)
    sets = [rng.choice(n, size=size, replace=False).tolist() for size in range(1, n + 1) for _ in range(draws)]
    runs = equal_shape_runs(chain)
    swaps = rng.integers(1, 2 * n + 1, size=permutations).tolist() if runs else []
    orders = [random_reordering(runs, n, count, rng) for count in swaps]
    return Plan(
        names=[name for name, _ in chain.blocks],
        identity=np.array([block.identity for _, block in chain.blocks]),
        draws=draws,
        single=[deletion(n, [block]) for block in range(n)],
        random=[deletion(n, deleted) for deleted in sets],
        permuted=[permutation(order) for order in orders],
        distances=[kendall_distance(order) for order in orders],
    )


@dataclass(frozen=True)
class Measured:
    """Right and wrong predictions of one net on one set of images."""

    full: Correct  # (1, samples)
    single: Correct  # (blocks, samples)
    random: Correct  # (blocks * draws, samples)
    permuted: Correct  # (permutations, samples)
    greedy: Correct  # (blocks, samples): after 1, 2, ... deletions
    greedy_order: list[int]  # blocks in the order of their greedy deletion


def measure(net: nn.Module, plan: Plan, choose_on: Split, test: Split, batch_size: int = 512) -> Measured:
    """Predict `test` along all paths of `plan` at once; the greedy order is chosen on `choose_on` only."""
    order = greedy_order(net, choose_on, plan.n_blocks, batch_size)
    greedy = [deletion(plan.n_blocks, order[:size]) for size in range(1, plan.n_blocks + 1)]
    parts = [[deletion(plan.n_blocks)], plan.single, plan.random, plan.permuted, greedy]
    predicted = predict_paths(net, test, [path for part in parts for path in part], batch_size)
    correct = (predicted == test.y.cpu()).numpy()
    ends = np.cumsum([len(part) for part in parts])[:-1]
    full, single, random, permuted, grown = np.split(correct, ends)
    return Measured(full, single, random, permuted, grown, order)


def greedy_order(net: nn.Module, split: Split, n_blocks: int, batch_size: int = 512) -> list[int]:
    """Delete the block whose absence hurts the accuracy on `split` least, again and again; ties go to the first."""
    labels = split.y.cpu()
    order: list[int] = []
    while len(order) < n_blocks:
        left = [block for block in range(n_blocks) if block not in order]
        paths = [deletion(n_blocks, [*order, block]) for block in left]
        accuracy = (predict_paths(net, split, paths, batch_size) == labels).float().mean(dim=1)
        order.append(left[int(accuracy.argmax())])
    return order
