"""Reordering the blocks of a chain where their shapes allow it (Veit et al. 2016, section 4.3)."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dlexp.models.chain import Chain


def equal_shape_runs(chain: "Chain") -> list[list[int]]:
    """Runs of at least two neighbouring identity blocks: within a run any order of the blocks fits together."""
    runs: list[list[int]] = [[]]
    for index, (_, block) in enumerate(chain.blocks):
        if block.identity:
            runs[-1].append(index)
        else:
            runs.append([])
    return [run for run in runs if len(run) > 1]


def random_reordering(runs: list[list[int]], n_blocks: int, swaps: int, rng: np.random.Generator) -> list[int]:
    """The order 0..n_blocks-1 after `swaps` exchanges of two random blocks of one random run."""
    order = list(range(n_blocks))
    for _ in range(swaps):
        first, second = rng.choice(runs[rng.integers(len(runs))], size=2, replace=False)
        order[first], order[second] = order[second], order[first]
    return order


def kendall_distance(order: list[int]) -> float:
    """Share of all pairs of blocks that stand in the wrong order: 0 for the original, 1 for its reverse."""
    position = np.argsort(order)
    later = position[None, :] < position[:, None]  # [i, j]: j comes before i
    pairs = len(order) * (len(order) - 1) / 2
    return float(np.triu(later, 1).sum() / pairs) if pairs else 0.0
