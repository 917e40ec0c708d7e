"""Data that are made up, from a seed: what is true of them is known."""

import math
from typing import Annotated

import numpy as np
from pydantic import Field

from dlexp.data.source import Source, checked, float_table
from dlexp.errors import InputError

Samples = Annotated[int, Field(ge=10, le=10_000_000)]
Classes = Annotated[int, Field(ge=2, le=1000)]
Spread = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def blobs(
    *, n_samples: Samples, n_features: Annotated[int, Field(ge=1)], n_classes: Classes, spread: Spread, seed: Seed
) -> Source:
    """One isotropic Gaussian per class, centres uniform in [-10, 10]^M, standard deviation `spread`; (N, M)."""
    from sklearn.datasets import make_blobs

    x, y = make_blobs(n_samples, n_features, centers=n_classes, cluster_std=spread, random_state=seed)
    return checked("blobs", "dataset=blobs", (float_table(x), y))


def moons(*, n_samples: Samples, noise: Spread, seed: Seed) -> Source:
    """Two interleaved half circles of radius 1 with Gaussian noise; (N, 2), 2 classes."""
    from sklearn.datasets import make_moons

    x, y = make_moons(n_samples, noise=noise, random_state=seed)
    return checked("moons", "dataset=moons", (float_table(x), y))


def spirals(
    *,
    n_samples: Samples,
    n_classes: Classes,
    turns: Annotated[float, Field(gt=0)],
    noise: Spread,
    seed: Seed,
) -> Source:
    """Arms of an Archimedean spiral, one per class: radius t in (0, 1], angle 2 pi (turns t + class / K).

    Gaussian noise of standard deviation `noise` is added; (N, 2). After the two spirals of Lang and Witbrock
    (1988), "Learning to tell two spirals apart".
    """
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % n_classes
    radius = np.sqrt(rng.uniform(0.01, 1, n_samples))  # even over the area, not crowded at the centre
    angle = 2 * math.pi * (turns * radius + y / n_classes)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return checked("spirals", "dataset=spirals", (float_table(x + rng.normal(0, noise, x.shape)), y))


def classification(
    *,
    n_samples: Samples,
    n_features: Annotated[int, Field(ge=1)],
    n_informative: Annotated[int, Field(ge=1)],
    n_redundant: Annotated[int, Field(ge=0)],
    n_classes: Classes,
    class_sep: Annotated[float, Field(ge=0)],
    flip_y: Annotated[float, Field(ge=0, le=1)],
    seed: Seed,
) -> Source:
    """scikit-learn's `make_classification`: clusters at the corners of a hypercube (Guyon 2003); (N, M).

    One cluster per class; the features that are neither informative nor redundant are noise.

    Raises:
        InputError: more informative and redundant features than features, or too few for the classes.
    """
    from sklearn.datasets import make_classification

    if n_informative + n_redundant > n_features:
        raise InputError(
            f"dataset.n_features={n_features}: is less than n_informative + n_redundant ="
            f" {n_informative + n_redundant}; raise it"
        )
    if n_classes > 2**n_informative:
        raise InputError(
            f"dataset.n_classes={n_classes}: {n_informative} informative features have only"
            f" {2**n_informative} corners; raise n_informative"
        )
    x, y = make_classification(
        n_samples=n_samples,
        n_features=n_features,
        n_informative=n_informative,
        n_redundant=n_redundant,
        n_classes=n_classes,
        n_clusters_per_class=1,
        class_sep=class_sep,
        flip_y=flip_y,
        random_state=seed,
    )
    return checked("classification", "dataset=classification", (float_table(x), y))


def cylinder_bell_funnel(
    *, n_samples: Samples, length: Annotated[int, Field(ge=16)], noise: Spread, seed: Seed
) -> Source:
    """Time series of three shapes, (N, length): a plateau, a ramp up, a ramp down, between random times a and b.

    Saito (1994), "Local feature extraction and its applications using a library of bases": height 6 + eta, with
    eta ~ N(0, 1), on a <= t <= b, times 1, (t - a) / (b - a) or (b - t) / (b - a), plus N(0, noise^2); at
    length 128, a is uniform on 16..32 and b - a on 32..96 (other lengths in proportion).
    """
    rng = np.random.default_rng(seed)
    y = np.arange(n_samples) % 3
    t = np.arange(1, length + 1)
    a = rng.integers(length // 8, length // 4 + 1, (n_samples, 1))
    b = a + rng.integers(length // 4, 3 * length // 4 + 1, (n_samples, 1))
    height = 6 + rng.normal(size=(n_samples, 1))
    shapes = np.stack([np.ones((n_samples, length)), (t - a) / (b - a), (b - t) / (b - a)])
    x = height * ((a <= t) & (t <= b)) * shapes[y, np.arange(n_samples)]
    x = x + rng.normal(0, noise, x.shape)
    names = ("cylinder", "bell", "funnel")
    return checked("cylinder_bell_funnel", "dataset=cylinder_bell_funnel", (float_table(x), y), names=names)
