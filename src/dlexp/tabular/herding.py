r"""Herding: choose samples whose mean is the mean of all, in the features themselves or in those of a kernel."""

import numpy as np
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular.blockwise import Indices, Rows, check_budget, rbf_gamma, spans

FEATURES = 128  # random Fourier features that stand for the RBF kernel


def herding(features: Rows, k: int, repeat: bool = False) -> Indices:
    """Take k times the sample that corrects the mean of the taken ones most; ties: the lowest index.

    Welling (2009), "Herding dynamical weights to learn", equations 5 and 6: x_t = argmax <w_{t-1}, f(x)>,
    w_t = w_{t-1} + mu - f(x_t), w_0 = mu. As long as w stays bounded, the mean of the taken samples is within O(1/k) of
    mu, where random samples are within O(1/sqrt k). Bounded is what they are with repetition and mu inside the convex
    hull of the samples (finite dimension; Chen, Welling and Smola 2010, section 3); without repetition, the default
    here as a core-set must hold k different samples, it is what one sees while k << n, and no theorem.

    Args:
        features: (n, m) finite rows f(x).
        k: how many, 1..n (any positive number with `repeat`).
        repeat: whether a sample may be taken again.

    Raises:
        InputError: k does not fit the rows.
    """
    check_budget(features, 1 if repeat and k > 0 else k)
    mean = features.mean(axis=0, dtype=np.float64).astype(features.dtype)
    towards_mean = (features @ mean).astype(np.float64)
    scores = towards_mean.copy()  # <w, f(x)> for all x
    chosen = np.empty(k, np.int64)
    for number in range(k):
        chosen[number] = scores.argmax()
        scores += towards_mean - features @ features[chosen[number]]
        if not repeat:
            scores[chosen[number]] = -np.inf
    return chosen


def random_fourier_features(x: Rows, n_features: int, gamma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(n, n_features) float32 z(x) with E <z(a), z(b)> = exp(-gamma ||a - b||^2).

    Rahimi and Recht (2007), "Random features for large-scale kernel machines", algorithm 1:
    z(x) = sqrt(2/D) cos(W x + b), rows of W from N(0, 2 gamma I), b uniform in [0, 2 pi].

    Raises:
        InputError: fewer than one feature.
    """
    if n_features < 1:
        raise InputError(f"n_features={n_features}: must be at least 1")
    weights = rng.normal(0, np.sqrt(2 * gamma), (x.shape[1], n_features)).astype(x.dtype)
    phases = rng.uniform(0, 2 * np.pi, n_features).astype(x.dtype)
    made = np.empty((len(x), n_features), np.float32)
    for span in spans(len(x), n_features):
        made[span] = np.sqrt(2 / n_features) * np.cos(x[span] @ weights + phases)
    return made


def kernel_herding(x: Rows, k: int, rng: np.random.Generator, n_features: int = FEATURES) -> Indices:
    """(k,) distinct rows whose mean in the feature space of an RBF kernel is near that of all rows (n, m).

    Chen, Welling and Smola (2010), "Super-samples from kernel herding", with random Fourier features in place of the
    kernel, whose mean over all pairs of rows would cost O(n^2). gamma = 1 / (m var(x)). Time and memory O(n D).

    Raises:
        InputError: k does not fit the rows.
    """
    check_budget(x, k)
    return herding(random_fourier_features(x, n_features, rbf_gamma(x), rng), k)
