"""Trials on maps into the plane: all of them on one table, classes hidden in many columns, classes of pure noise."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlexp.feature_space import Table
from dlexp.tabular.blockwise import squared_distances
from dlexp.tabular.class_statistics import class_statistics
from dlexp.tabular.neighbourhoods import Kept, measure_map, neighbour_ranks, preservation, same_class_share
from dlexp.tabular.projections import PROJECTIONS, distance_correlation, explained_variance, project

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MapTrial:
    """One map on one table of n samples and k classes."""

    points: Matrix  # (n, 2)
    images_of_means: Matrix | None  # (k + 1, 2): of the overall mean and the class means; None: the map cannot
    means_of_images: Matrix  # (k + 1, 2)
    kept: Kept
    kept_by_size: Matrix  # (sizes,) preservation of the nearest 1, 2, ... neighbours
    explained_variance: float
    distance_correlation: float
    same_class: float  # share of the nearest neighbours on the map that are of the sample's own class
    seconds: float  # CPU seconds of this thread for the map alone

    @property
    def means(self) -> Matrix:
        """Where to draw the means: their images where the map has them, else the means of the images."""
        return self.means_of_images if self.images_of_means is None else self.images_of_means

    @property
    def gap(self) -> float:
        """Root mean square distance between images of means and means of images, in radii (RMS) of the whole map."""
        if self.images_of_means is None:
            raise ValueError("this map has no images of means")
        apart = np.sum((self.images_of_means - self.means_of_images) ** 2, axis=1)
        radius = np.sum((self.points - self.points.mean(axis=0)) ** 2, axis=1)
        return float(np.sqrt(apart.mean() / radius.mean()))


def standardised(x: Matrix) -> Matrix:
    """Columns of mean 0 and standard deviation 1; constant columns 0."""
    spread = x.std(axis=0)
    varies = x.max(axis=0) > x.min(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(varies, spread, 1.0))


def try_maps(table: Table, neighbours: int, sizes: Sequence[int], seed: int) -> dict[str, MapTrial]:
    """Every map of PROJECTIONS on the same samples, fitted on all of them.

    Limit threads to one (`threadpoolctl`) where results must not depend on their number.
    """
    before = neighbour_ranks(table.x)
    means = overall_and_class_means(table.x, table)
    found = {}
    for name in PROJECTIONS:
        started = time.thread_time()
        projected = project(name, table.x, table.y, seed)
        seconds = time.thread_time() - started
        points, after = projected.points, neighbour_ranks(projected.points)
        found[name] = MapTrial(
            points,
            None if projected.transform is None else projected.transform(means),
            overall_and_class_means(points, table),
            measure_map(before, after, neighbours),
            np.array([preservation(before, after, size) for size in sizes]),
            explained_variance(table.x, points),
            distance_correlation(table.x, points),
            same_class_share(after, table.y, neighbours),
            seconds,
        )
    return found


def overall_and_class_means(x: Matrix, table: Table) -> Matrix:
    """(k + 1, m): the mean of all rows of `x`, then those of the table's classes."""
    found = class_statistics(x, table.y, len(table.classes))
    return np.vstack([found.mean, found.class_means])


def variance_ratios(x: Matrix, y: NDArray[np.int64]) -> Matrix:
    """(m,) variance between the class means over variance within the classes, per column; 0 for constant columns."""
    found = class_statistics(x, y)
    within = np.sum((x - found.class_means[y]) ** 2, axis=0)
    between = found.counts @ (found.class_means - found.mean) ** 2
    return np.asarray(between / np.where(within > 0, within, np.inf))


def hidden_classes(n: int, m: int, random: np.random.Generator, radius: float = 4.0) -> Table:
    """Three classes around the corners of a triangle in a random plane of R^m, with noise N(0, I_m).

    The corners lie `radius` from the middle, whatever m: only the noise grows with m.
    """
    y = np.arange(n) % 3
    angle = 2 * np.pi * y / 3
    plane = np.linalg.qr(random.normal(size=(m, 2)))[0]
    x = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ plane.T + random.normal(size=(n, m))
    return Table(x, y, ("0", "1", "2"))


def noise(n: int, m: int, random: np.random.Generator) -> Table:
    """N(0, I_m), and three classes that have nothing to do with it."""
    return Table(random.normal(size=(n, m)), random.permutation(np.arange(n) % 3), ("0", "1", "2"))


def seen_and_new(name: str, table: Table, seed: int) -> tuple[float, float]:
    """Accuracy of the nearest class mean on a map fitted on every other sample: on these samples, and on the others."""
    seen, new = table.take(np.arange(0, len(table), 2)), table.take(np.arange(1, len(table), 2))
    transform = project(name, seen.x, seen.y, seed).transform
    if transform is None:
        raise ValueError(f"{name} maps no new samples")
    means = class_statistics(transform(seen.x), seen.y).class_means
    right = [squared_distances(transform(part.x), means).argmin(axis=1) == part.y for part in (seen, new)]
    return float(right[0].mean()), float(right[1].mean())


def contrast(x: Matrix) -> float:
    """Standard deviation over mean of all pairwise distances: how much farther far is than near.

    For N(0, I_m) about 1 / sqrt(2m): distances concentrate (Beyer et al. 1999).
    """
    distances = np.sqrt(squared_distances(x, x)[np.triu_indices(len(x), 1)])
    return float(distances.std() / distances.mean())
