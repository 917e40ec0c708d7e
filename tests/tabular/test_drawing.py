"""Figures of classes: distinct without colour, ellipses where they belong, every panel there."""

import numpy as np
import pytest

from dlexp.plots import figure
from dlexp.tabular import drawing
from dlexp.tabular.class_statistics import mahalanobis


def test_classes_differ_without_colour_and_36_with_it() -> None:
    assert len({drawing.look(c)["marker"] for c in range(6)}) == 6
    assert len({str(drawing.line(c)) for c in range(6)}) == 6
    assert len({tuple(drawing.look(c).items()) for c in range(36)}) == 36


def test_an_ellipse_is_where_the_mahalanobis_distance_is_its_radius() -> None:
    mean, covariance = np.array([3.0, -1.0]), np.array([[4.0, 1.5], [1.5, 1.0]])
    outline = drawing.ellipse_outline(mean, covariance, 2.5)
    np.testing.assert_allclose(mahalanobis(outline, mean, covariance), 2.5)
    np.testing.assert_allclose(outline[0], outline[-1], atol=1e-12)  # closed


def test_few_samples_are_all_drawn_and_many_evenly() -> None:
    assert drawing.drawn_rows(5).tolist() == [0, 1, 2, 3, 4]
    rows = drawing.drawn_rows(10 * drawing.DRAWN)
    assert len(rows) == drawing.DRAWN
    assert (rows[0], rows[-1]) == (0, 10 * drawing.DRAWN - 1)


@pytest.mark.parametrize("vision", [drawing.GREY, drawing.DEUTERANOPIA])
def test_white_and_black_stay_what_they_are(vision: np.ndarray) -> None:
    made, axes = figure(width=2, height=2)
    axes.fill_between([0, 1], 0, 1, color="#D55E00")
    seen = drawing.as_seen(made, vision)
    assert seen.shape[2] == 3
    np.testing.assert_allclose(seen[0, 0], 1, atol=1e-4)
    assert seen.min() < 0.1  # the axes
    if vision is drawing.GREY:
        np.testing.assert_allclose(seen[..., 0], seen[..., 1])
        np.testing.assert_allclose(seen[..., 0], seen[..., 2])


def table(k: int, m: int) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], np.ndarray]:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(10 * k, m)), np.arange(10 * k) % k
    return x, y, tuple(map(str, range(k))), np.stack([x[y == c].mean(axis=0) for c in range(k)])


def test_a_scatter_matrix_has_every_pair() -> None:
    x, y, classes, means = table(3, 4)
    made = drawing.scatter_matrix(x, y, classes, means, ["a", "b", "c", "d"])
    axes = np.reshape(made.axes, (4, 4))
    assert [each.get_ylabel() for each in axes[:, 0]] == ["a", "b", "c", "d"]
    assert [each.get_xlabel() for each in axes[-1]] == ["a", "b", "c", "d"]
    own = axes[2, 1].collections[0].get_offsets()
    np.testing.assert_allclose(own, x[y == 0][:, [1, 2]])  # column b across, column c up


def test_parallel_coordinates_have_a_panel_per_class_while_they_are_few() -> None:
    for k, panels in ((2, 2), (5, 5), (20, drawing.NAMED)):
        x, y, classes, means = table(k, 7)
        made = drawing.parallel_coordinates(x, y, classes, means, [f"x{i}" for i in range(7)])
        titles = [each.get_title() for each in made.axes if each.get_visible()]
        assert titles == [f"class {c}" for c in range(panels)]
        overall, mean = made.axes[1].lines[:2]
        np.testing.assert_allclose(overall.get_ydata(), x.mean(axis=0))
        np.testing.assert_allclose(mean.get_ydata(), means[1])
