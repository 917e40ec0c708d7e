"""What a measure does not see: how far it moves when one of two representations is changed (Kornblith et al. 2019)."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from dlexp.probes.similarity.features import Matrix, centred

CONDITION = 100.0  # ratio of the largest to the smallest stretch of the invertible map


def changed(x: ArrayLike, rng: np.random.Generator) -> dict[str, Matrix]:
    """(N, F) features put through maps that lose nothing, by the name of the map.

    A random rotation (reflections included); one scale for all features; a shift; a stretch of each direction of a
    random basis by another factor, from 1 to 100: invertible, and not orthogonal.
    """
    features = np.asarray(x, dtype=np.float64)
    size = features.shape[1]
    rotation, basis = (np.linalg.qr(rng.standard_normal((size, size)))[0] for _ in range(2))
    shift = rng.standard_normal(size) * centred(features).std()
    return {
        "orthogonal map": features @ rotation,
        "isotropic scale": 7 * features,
        "shift": features + shift,
        "invertible map": (features @ basis) * np.geomspace(1, CONDITION, size),
    }


def movements(
    measures: Mapping[str, Callable[[ArrayLike, ArrayLike], float]], x: ArrayLike, y: ArrayLike, seed: int
) -> dict[str, dict[str, float]]:
    """measure -> map -> |s(x', y) - s(x, y)| for the x' of `changed`, to 9 decimals: 0 where it is invariant."""
    versions = changed(x, np.random.default_rng(seed))
    made = {}
    for name, measure in measures.items():
        before = measure(x, y)
        made[name] = {change: round(abs(measure(version, y) - before), 9) for change, version in versions.items()}
    return made
