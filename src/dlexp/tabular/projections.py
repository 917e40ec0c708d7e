"""Maps of a table into the plane, all behind one call: PCA, LDA, kernel PCA, Isomap, MDS, t-SNE, random projection."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular.blockwise import rbf_gamma, squared_distances

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]
NEIGHBOURS = 10  # of Isomap's graph
PERPLEXITY = 30  # of t-SNE; a third of the samples where there are few


@dataclass(frozen=True, eq=False)
class Projected:
    """Where a map puts the samples, and where it would put others."""

    points: Matrix  # (n, 2)
    transform: Callable[[Matrix], Matrix] | None  # (p, m) -> (p, 2); None: the map knows only the samples it was given


@dataclass(frozen=True)
class Projection:
    """What is known of a map beforehand."""

    label: str
    affine: bool  # x -> W x + b: the image of a mean is the mean of the images
    maps_new: bool  # can place samples that it was not fitted on, such as a mean
    uses_labels: bool
    fit: Callable[[Matrix, Labels, int], Projected]  # samples (n, m), labels (n,), seed


def project(name: str, x: Matrix, y: Labels, seed: int) -> Projected:
    """The samples (n, m) in the plane by the map called `name` (a key of PROJECTIONS); the same seed, the same map.

    Raises:
        InputError: there is no such map, fewer than 3 samples or columns, a number is not finite, or nothing varies.
    """
    if name not in PROJECTIONS:
        raise InputError(f"{name}: there is no such map; choose from: {', '.join(PROJECTIONS)}")
    if x.ndim != 2 or min(x.shape) < 3 or not np.isfinite(x).all():
        raise InputError(f"x of shape {x.shape}: must be at least 3 samples x 3 features, all numbers finite")
    if (x == x[0]).all():
        raise InputError("x: all samples are equal; there is nothing to map")
    return PROJECTIONS[name].fit(x, y, seed)


def affine(x: Matrix, weight: Matrix, mean: Matrix) -> Projected:
    """(x - mean) W^T with W (2, m)."""

    def transform(new: Matrix) -> Matrix:
        return np.asarray((new - mean) @ weight.T)

    return Projected(transform(x), transform)


def pca(x: Matrix, y: Labels, seed: int) -> Projected:
    """The two directions of largest variance (Pearson 1901, Hotelling 1933)."""
    mean = x.mean(axis=0)
    return affine(x, principal_axes(x - mean, 2), mean)


def principal_axes(centred: Matrix, count: int) -> Matrix:
    """(count, m) orthonormal principal axes of centred samples, each with its largest entry positive."""
    from sklearn.decomposition import PCA

    axes = PCA(count, svd_solver="full").fit(centred).components_
    largest = np.abs(axes).argmax(axis=1)
    return np.asarray(axes * np.sign(axes[np.arange(count), largest])[:, None])


def lda(x: Matrix, y: Labels, seed: int) -> Projected:
    """Fisher's two discriminant directions (Fisher 1936, Rao 1948): class means far apart, classes narrow.

    Two classes have only one such direction; the second is then the first principal axis of what it leaves.

    Raises:
        InputError: there is one class only.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    k = len(np.unique(y))
    if k < 2:
        raise InputError("lda: there is one class only, and nothing to tell apart; use another map")
    fitted = LinearDiscriminantAnalysis(solver="svd").fit(x, y)
    mean = x.mean(axis=0)
    weight = fitted.scalings_[:, :2].T
    missing = 2 - len(weight)
    if missing:
        directions = np.linalg.qr(weight.T)[0]
        rest = (x - mean) - (x - mean) @ directions @ directions.T
        weight = np.vstack([weight, principal_axes(rest, missing)])
    return affine(x, weight, mean)


def random_projection(x: Matrix, y: Labels, seed: int) -> Projected:
    """Two directions drawn from N(0, I / 2): the control (Johnson and Lindenstrauss 1984)."""
    from sklearn.random_projection import GaussianRandomProjection

    fitted = GaussianRandomProjection(2, random_state=seed).fit(x)
    return affine(x, fitted.components_, x.mean(axis=0))


def kernel_pca(x: Matrix, y: Labels, seed: int) -> Projected:
    """PCA in the feature space of the kernel exp(-gamma ||a - b||^2), gamma = 1 / (m var) (Schoelkopf et al. 1998)."""
    from sklearn.decomposition import KernelPCA

    fitted = KernelPCA(2, kernel="rbf", gamma=rbf_gamma(x), eigen_solver="auto", random_state=seed)
    return Projected(fitted.fit_transform(x), fitted.transform)


def isomap(x: Matrix, y: Labels, seed: int) -> Projected:
    """Classical scaling of distances along the graph of 10 nearest neighbours (Tenenbaum et al. 2000).

    Where the graph falls apart, its parts are joined at their nearest samples. scikit-learn warns then; the caller
    may want to silence "The number of connected components".
    """
    from sklearn.manifold import Isomap

    fitted = Isomap(n_neighbors=min(NEIGHBOURS, len(x) - 1), n_components=2, eigen_solver="dense", n_jobs=1)
    return Projected(fitted.fit_transform(x), fitted.transform)


def mds(x: Matrix, y: Labels, seed: int) -> Projected:
    """Metric scaling: least squares of all distances by SMACOF (De Leeuw 1977), started from the PCA.

    The start makes it deterministic and better than a random one; 300 steps at most.
    """
    from sklearn.manifold import smacof

    distances = np.sqrt(squared_distances(x, x))
    np.fill_diagonal(distances, 0)
    start = pca(x, y, seed).points
    options: dict[str, Any] = {"n_init": 1, "max_iter": 300, "eps": 1e-6, "normalized_stress": False}
    points, _ = smacof((distances + distances.T) / 2, n_components=2, init=start, random_state=seed, **options)
    return Projected(points, None)


def tsne(x: Matrix, y: Labels, seed: int) -> Projected:
    """t-SNE (Van der Maaten and Hinton 2008; Barnes-Hut 2014), started from the PCA (Kobak and Linderman 2021).

    Perplexity 30 (a third of the samples where these are fewer than 90), 1,000 steps.
    """
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(x) - 1) / 3)
    start = pca(x, y, seed).points
    start = start / start[:, 0].std() * 1e-4
    fitted = TSNE(2, perplexity=perplexity, init=start, learning_rate="auto", random_state=seed, n_jobs=1)
    return Projected(fitted.fit_transform(x).astype(np.float64), None)


PROJECTIONS: Mapping[str, Projection] = {
    "pca": Projection("PCA", affine=True, maps_new=True, uses_labels=False, fit=pca),
    "lda": Projection("LDA", affine=True, maps_new=True, uses_labels=True, fit=lda),
    "kernel_pca": Projection("kernel PCA", affine=False, maps_new=True, uses_labels=False, fit=kernel_pca),
    "isomap": Projection("Isomap", affine=False, maps_new=True, uses_labels=False, fit=isomap),
    "mds": Projection("MDS", affine=False, maps_new=False, uses_labels=False, fit=mds),
    "tsne": Projection("t-SNE", affine=False, maps_new=False, uses_labels=False, fit=tsne),
    "random": Projection("random projection", affine=True, maps_new=True, uses_labels=False, fit=random_projection),
}
CONTROL = "random"


def explained_variance(x: Matrix, points: Matrix) -> float:
    """Share of the variance of `x` (n, m) that an affine function of the map's `points` (n, 2) reproduces.

    The R^2 of regressing x on the points. For PCA it is the explained variance ratio, and no map into the plane has
    more (Eckart and Young 1936): the fitted values have rank 2.
    """
    centred, moved = x - x.mean(axis=0), points - points.mean(axis=0)
    basis, size, _ = np.linalg.svd(moved, full_matrices=False)
    basis = basis[:, size > 1e-12 * max(size[0], np.finfo(float).tiny)]
    return float(np.sum((basis.T @ centred) ** 2) / np.sum(centred**2))


def distance_correlation(x: Matrix, points: Matrix) -> float:
    """Spearman's rank correlation of all pairwise distances before and after the map: is far still far?"""
    from dlexp.stats import spearman

    pairs = np.triu_indices(len(x), 1)
    return spearman(squared_distances(x, x)[pairs], squared_distances(points, points)[pairs])
