r"""Centred kernel alignment (Kornblith et al. 2019), biased and unbiased.

With Gram matrices $K$, $L$ of the same $n$ samples, $CKA = HSIC(K, L) / \sqrt{HSIC(K, K) HSIC(L, L)}$. Two estimators
of HSIC, each an inner product of matrices that are centred in its own way:

- biased (Gretton et al. 2005): $\langle HKH, HLH \rangle / (n - 1)^2$ with $H = I - 11^T/n$;
- unbiased (Song et al. 2012, equation 5): $\langle \tilde K, \tilde L \rangle / (n (n - 3))$ with U-centred matrices
  (Szekely and Rizzo 2014, definition 2): diagonal 0, and row sums 0.

Invariant to orthogonal maps, isotropic scaling and shifts of either representation; not to other invertible maps.
"""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from dlexp.probes.similarity.features import ROUNDING, centred, check_same_samples

RESIDUE = 1e-12  # share of a Gram matrix that may be left after centring, and be rounding
LEAST = 4  # samples that the unbiased estimator needs
FRACTION = 0.8  # of the median distance: the RBF's bandwidth, one of those of Kornblith et al. 2019


def linear_gram(x: Tensor) -> Tensor:
    """(N, F) -> (N, N) float64: inner products of the samples around their mean; 0 if they vary by rounding only."""
    features = x.double()
    around_mean = features - features.mean(dim=0)
    if around_mean.norm() <= ROUNDING * features.norm():
        around_mean.zero_()
    return around_mean @ around_mean.T


def rbf_gram(x: Tensor, bandwidth: float) -> Tensor:
    """(N, F) -> (N, N) float64: exp(-d^2 / (2 bandwidth^2)) for samples at distance d; bandwidth > 0."""
    gram = linear_gram(x)
    squares = gram.diagonal()
    distances = (squares[:, None] + squares[None] - 2 * gram).clamp(min=0).fill_diagonal_(0)
    return (distances / (-2 * bandwidth**2)).exp()


def median_distance(x: Tensor) -> float:
    """Median distance of two samples of (N, F); of those that differ if most do not; 1 if none does."""
    distances = torch.pdist(x.double())
    median = float(distances.median())
    if median == 0 and (distances > 0).any():
        median = float(distances[distances > 0].median())
    return median or 1.0


def centred_gram(gram: Tensor, unbiased: bool = True) -> Tensor:
    """(N, N) -> (N, N): U-centred for the unbiased estimator (N >= 4), else with rows and columns of mean 0.

    Exactly 0 where only rounding is left, as of the Gram matrix of equal samples.

    Raises:
        ValueError: too few samples.
    """
    n = len(gram)
    if not unbiased:
        rows = gram.mean(dim=1, keepdim=True)
        made = gram - rows - rows.T + rows.mean()
    elif n >= LEAST:
        hollow = gram.clone().fill_diagonal_(0)
        rows = hollow.sum(dim=1, keepdim=True) / (n - 2)
        made = (hollow - rows - rows.T + rows.sum() / (n - 1)).fill_diagonal_(0)
    else:
        raise ValueError(f"the unbiased estimator needs {LEAST} samples, not {n}")
    return made if made.norm() > RESIDUE * gram.norm() else torch.zeros_like(made)


def hsic_factor(n: int, unbiased: bool = True) -> float:
    """What turns the inner product of two centred Gram matrices of n samples into HSIC."""
    return 1 / (n * (n - 3)) if unbiased else 1 / (n - 1) ** 2


def hsic(first: Tensor, second: Tensor, unbiased: bool = True) -> float:
    """Hilbert-Schmidt independence criterion of two Gram matrices (N, N); the unbiased one may be negative."""
    pair = [centred_gram(gram, unbiased) for gram in (first, second)]
    return float((pair[0] * pair[1]).sum()) * hsic_factor(len(first), unbiased)


def alignment(first: Tensor, second: Tensor) -> float:
    """Cosine, in [-1, 1], of two centred Gram matrices of norm 1 (`aligned_gram`); 0 if one of them is 0."""
    return min(1.0, max(-1.0, float((first * second).sum())))


def aligned_gram(x: ArrayLike, unbiased: bool = True, rbf: float | None = None) -> Tensor:
    """(N, F) -> (N, N): the centred Gram matrix of norm 1, or zeros where the features do not vary.

    `rbf` is the bandwidth of a Gaussian kernel as a fraction of the median distance; None: the linear kernel.
    """
    features = torch.from_numpy(centred(x))
    gram = linear_gram(features) if rbf is None else rbf_gram(features, rbf * median_distance(features))
    around = centred_gram(gram, unbiased)
    norm = around.norm()
    return around / norm if norm > 0 else around


def linear_cka(x: ArrayLike, y: ArrayLike, unbiased: bool = True) -> float:
    """CKA of (N, F1) and (N, F2) with the linear kernel.

    Returns:
        1 for equal representations up to rotation and scale. Unbiased: in [-1, 1], 0 on average where the two are
        independent (the ratio of unbiased estimates; N >= 4). Biased: in [0, 1]; of independent Gaussian features
        about F / (F + N) for F = F1 = F2. 0 where one does not vary.

    Raises:
        ValueError: not matrices of the same, enough samples, or not finite.
    """
    return _cka(x, y, unbiased, None)


def rbf_cka(x: ArrayLike, y: ArrayLike, unbiased: bool = True, fraction: float = FRACTION) -> float:
    """CKA with Gaussian kernels whose bandwidths are `fraction` of each median distance; otherwise `linear_cka`."""
    if not 0 < fraction < np.inf:
        raise ValueError(f"fraction={fraction}: must be above 0")
    return _cka(x, y, unbiased, fraction)


def _cka(x: ArrayLike, y: ArrayLike, unbiased: bool, rbf: float | None) -> float:
    check_same_samples(x, y)
    value = alignment(aligned_gram(x, unbiased, rbf), aligned_gram(y, unbiased, rbf))
    return value if unbiased else max(0.0, value)
