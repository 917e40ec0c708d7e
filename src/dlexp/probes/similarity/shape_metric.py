r"""A metric for stochastic representations (Duong et al. 2023): means and covariances, up to one rotation for all.

To each sample $i$ a stochastic representation answers with a distribution, here summed up by its mean $\mu_i$ and
covariance $\Sigma_i$. Two of them are as far apart as the best rotation leaves them:

$$d_\alpha^2 = \min_Q \frac1N \sum_i \alpha \|\mu_i - Q\nu_i\|^2 + (2 - \alpha) B^2(\Sigma_i, Q \Lambda_i Q^T)$$

with the Bures distance $B^2(A, C) = \mathrm{tr}(A + C - 2 (A^{1/2} C A^{1/2})^{1/2})$
$= \min_U \|A^{1/2} - C^{1/2} U\|_F^2$. $\alpha = 1$ is the 2-Wasserstein distance of Gaussians, 2 sees the means only
(Procrustes), 0 the covariances only. Solved by alternating over $Q$ and the $U_i$, each step in closed form.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlexp.probes.similarity.features import ROUNDING, Matrix

Tensor3 = NDArray[np.float64]  # (N, F, F)
MOST_STEPS = 200
TOLERANCE = 1e-6  # gain in similarity (0..1) below which a start has converged


@dataclass(frozen=True)
class Responses:
    """The distributions of N answers, scaled so that alpha |mean|^2 + (2 - alpha) tr(covariance) is 1 on average."""

    means: Matrix  # (N, F), around their mean
    roots: Tensor3  # (N, F, F): symmetric square roots of the covariances
    alpha: float


def responses(draws: ArrayLike, alpha: float = 1.0, dimensions: int | None = None) -> Responses:
    """Sum up draws (N, R, F): R >= 2 answers to each of N samples.

    Args:
        alpha: weight of the means against the covariances, 0..2.
        dimensions: principal directions of all draws to keep, >= 1; None: all F.

    Raises:
        ValueError: `draws` is of another form, or not finite; `alpha` is out of range.
    """
    answers = np.asarray(draws, dtype=np.float64)
    if answers.ndim != 3 or answers.shape[1] < 2 or not np.isfinite(answers).all():
        raise ValueError(f"draws must be finite, (N, R, F) with R >= 2, not {answers.shape}")
    if not 0 <= alpha <= 2:
        raise ValueError(f"alpha={alpha}: must lie in 0..2")
    answers = answers - answers.mean(axis=(0, 1))
    if dimensions is not None and dimensions < answers.shape[2]:
        answers = answers @ _principal(answers.reshape(-1, answers.shape[2]), dimensions)
    means = answers.mean(axis=1)
    noise = answers - means[:, None]
    if np.linalg.norm(noise) <= ROUNDING * np.linalg.norm(answers):
        noise = np.zeros_like(noise)  # a net without noise: do not blow up its rounding
    covariances = np.einsum("nrf,nrg->nfg", noise, noise) / (answers.shape[1] - 1)
    variances, axes = np.linalg.eigh(covariances)
    roots = np.einsum("nfk,nk,ngk->nfg", axes, np.sqrt(variances.clip(min=0)), axes)
    size = alpha * (means**2).sum(axis=1).mean() + (2 - alpha) * (roots**2).sum(axis=(1, 2)).mean()
    scale = 1 / math.sqrt(size) if size > 0 else 0.0
    return Responses(scale * means, scale * roots, alpha)


def _principal(points: Matrix, dimensions: int) -> Matrix:
    """(P, F) around 0 -> (F, k): the leading principal directions, k = min(dimensions, P, F)."""
    tall = points.shape[0] > points.shape[1]
    _, vectors = np.linalg.eigh(points.T @ points if tall else points @ points.T)
    leading = vectors[:, ::-1][:, :dimensions]
    if tall:
        return leading
    directions: Matrix = np.linalg.qr(points.T @ leading)[0]
    return directions


def shape_similarity(first: Responses, second: Responses, starts: int = 2, seed: int = 0) -> float:
    """1 - d^2 / 2, in [0, 1], of two sums of equal alpha and N; the best of several `starts` of the alternation.

    The alternation finds a local optimum: the result is a lower bound of the similarity. The first start rotates the
    roots as they are, the second the means; the others are random, drawn from `seed`.
    """
    if first.alpha != second.alpha or len(first.means) != len(second.means):
        raise ValueError("the two must sum up the same number of samples with the same alpha")
    size = max(first.means.shape[1], second.means.shape[1])
    x, y = _padded(first, size), _padded(second, size)
    if x.alpha == 2:  # no covariances, no alternation
        return min(1.0, float(np.linalg.svd(_target(x, y, x.roots), compute_uv=False).sum()))
    made = max(_climb(x, y, start) for start in _starts(x, y, starts, np.random.default_rng(seed)))
    return min(1.0, max(0.0, made))


def _padded(of: Responses, size: int) -> Responses:
    """Zeros for the features that the other has more."""
    more = size - of.means.shape[1]
    return Responses(np.pad(of.means, ((0, 0), (0, more))), np.pad(of.roots, ((0, 0), (0, more), (0, more))), of.alpha)


def _starts(x: Responses, y: Responses, count: int, rng: np.random.Generator) -> Iterator[Matrix]:
    """Rotations (F, F) from which to climb."""
    aligned = x.roots @ y.roots
    candidates = [_target(x, y, aligned), x.means.T @ y.means]
    for number in range(count):
        yield polar(candidates[number] if number < 2 else rng.standard_normal(aligned.shape[1:]))


def _target(x: Responses, y: Responses, products: Tensor3) -> Matrix:
    """(F, F): what the best rotation is the orthogonal factor of, given A_i U_i^T B_i for all i."""
    made: Matrix = x.alpha * (x.means.T @ y.means) + (2 - x.alpha) * products.sum(axis=0)
    return made / len(x.means)


def _climb(x: Responses, y: Responses, rotation: Matrix) -> float:
    """Alternate from `rotation` until nothing is gained; the similarity that is reached."""
    reached = -math.inf
    for _ in range(MOST_STEPS):
        turned = polar(x.roots @ rotation @ y.roots)  # (N, F, F): U_i^T
        left, sizes, right = np.linalg.svd(_target(x, y, x.roots @ turned @ y.roots))
        gained, reached = float(sizes.sum()) - reached, float(sizes.sum())
        if gained < TOLERANCE:
            break
        rotation = left @ right
    return reached


def polar(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., F, F): the orthogonal factors, each the nearest orthogonal matrix, argmax of tr(Q^T M)."""
    left, _, right = np.linalg.svd(matrices)
    made: NDArray[np.float64] = left @ right
    return made


def stochastic_shape_distance(
    x: ArrayLike, y: ArrayLike, alpha: float = 1.0, dimensions: int | None = None, starts: int = 4, seed: int = 0
) -> float:
    """d_alpha of draws (N, R1, F1) and (N, R2, F2), in [0, sqrt(2)]; an upper bound, see `shape_similarity`.

    Invariant to rotations, shifts and scales of either. With `alpha=2` it is `procrustes_distance` of the means. Where
    there is nothing to compare (no variance, or with alpha=0 no noise), sqrt(2).

    Raises:
        ValueError: as `responses`, or the two are of different samples.
    """
    first, second = (responses(draws, alpha, dimensions) for draws in (x, y))
    return math.sqrt(2 - 2 * shape_similarity(first, second, starts, seed))
