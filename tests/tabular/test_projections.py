"""Maps into the plane: what is known of each of them, and the trials made with them."""

import numpy as np
import pytest

from dlexp.errors import InputError
from dlexp.feature_space import Table
from dlexp.stats import spearman
from dlexp.tabular.projection_trials import (
    contrast,
    hidden_classes,
    noise,
    overall_and_class_means,
    seen_and_new,
    standardised,
    try_maps,
    variance_ratios,
)
from dlexp.tabular.projections import (
    PROJECTIONS,
    distance_correlation,
    explained_variance,
    project,
)

NAMES = list(PROJECTIONS)


def three_classes(n: int = 90, m: int = 6, seed: int = 0) -> Table:
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    x = random.normal(size=(n, m)) * np.linspace(3, 0.5, m) + 3 * random.normal(size=(3, m))[y]
    return Table(x, y, ("a", "b", "c"))


def planar(n: int = 60, m: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Points of a plane, and the same plane somewhere in R^m."""
    random = np.random.default_rng(1)
    flat = random.normal(size=(n, 2)) * [3, 1]
    return flat, flat @ np.linalg.qr(random.normal(size=(m, 2)))[0].T + random.normal(size=m)


@pytest.mark.parametrize("name", NAMES)
def test_every_map_keeps_its_promises(name: str) -> None:
    table, known = three_classes(), PROJECTIONS[name]
    found, again = (project(name, table.x, table.y, seed=3) for _ in range(2))
    assert found.points.shape == (90, 2)
    assert np.isfinite(found.points).all()
    np.testing.assert_array_equal(found.points, again.points)
    assert (found.transform is not None) == known.maps_new
    if found.transform is not None and name != "isomap":  # Isomap places new samples by their neighbours only
        np.testing.assert_allclose(found.transform(table.x), found.points, atol=1e-8)
    if found.transform is not None:
        mean = table.x.mean(axis=0, keepdims=True)
        gap = np.abs(found.transform(mean) - found.points.mean(axis=0)).max()
        assert (gap < 1e-12) == known.affine
    if not known.uses_labels:
        np.testing.assert_array_equal(project(name, table.x, table.y[::-1], seed=3).points, found.points)


def test_only_the_random_projection_depends_on_the_seed_of_deterministic_maps() -> None:
    table = three_classes()
    for name in ("pca", "lda", "isomap", "mds"):
        np.testing.assert_array_equal(*(project(name, table.x, table.y, seed).points for seed in (0, 1)))
    first, second = (project("random", table.x, table.y, seed).points for seed in (0, 1))
    assert np.abs(first - second).max() > 0.1


def test_pca_is_the_singular_value_decomposition_and_explains_most() -> None:
    table = three_classes()
    centred = table.x - table.x.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    points = project("pca", table.x, table.y, 0).points
    np.testing.assert_allclose(np.abs(points), np.abs(left[:, :2] * size[:2]), atol=1e-9)
    most = explained_variance(table.x, points)
    assert most == pytest.approx((size[:2] ** 2).sum() / (size**2).sum())
    for name in NAMES:
        assert explained_variance(table.x, project(name, table.x, table.y, 0).points) <= most + 1e-12
    assert explained_variance(table.x, np.random.default_rng(0).normal(size=(90, 2))) < most


def test_explained_variance_of_degenerate_views() -> None:
    flat, x = planar()
    assert explained_variance(x, flat) == pytest.approx(1)
    assert explained_variance(x, flat @ np.array([[2.0, 1.0], [0.0, 1e-3]]) + 5) == pytest.approx(1)  # any affine image
    assert explained_variance(x, np.zeros_like(flat)) == 0
    on_a_line = np.outer(flat[:, 0], [1.0, 2.0])
    assert explained_variance(x, on_a_line) == pytest.approx(explained_variance(x, flat[:, :1]))


@pytest.mark.parametrize("name", ["pca", "mds"])
def test_a_plane_in_many_columns_is_found(name: str) -> None:
    flat, x = planar()
    points = project(name, x, np.zeros(len(x), int), 0).points
    before, after = (np.linalg.norm(each[:, None] - each, axis=2) for each in (flat, points))
    np.testing.assert_allclose(after, before, atol=2e-3)
    assert distance_correlation(x, points) == pytest.approx(1, abs=1e-4)


def test_isomap_unrolls_an_arc_that_pca_folds() -> None:
    angle = np.linspace(0, 1.8 * np.pi, 120)
    x = np.stack([np.cos(angle), np.sin(angle), 0.01 * angle], axis=1)
    y = np.zeros(120, int)
    along = {name: abs(spearman(project(name, x, y, 0).points[:, 0], angle)) for name in ("isomap", "pca")}
    assert along["isomap"] > 0.999
    assert along["pca"] < 0.9


def test_kernel_pca_is_the_eigenproblem_of_the_centred_kernel() -> None:
    table = three_classes(40)
    x = table.x
    gamma = 1 / np.sum(x.var(axis=0))
    kernel = np.exp(-gamma * np.sum((x[:, None] - x) ** 2, axis=2))
    centring = np.eye(40) - 1 / 40
    values, vectors = np.linalg.eigh(centring @ kernel @ centring)
    expected = vectors[:, [-1, -2]] * np.sqrt(values[[-1, -2]])
    np.testing.assert_allclose(np.abs(project("kernel_pca", x, table.y, 0).points), np.abs(expected), atol=1e-8)


def test_lda_spans_the_discriminant_directions() -> None:
    table = three_classes()
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    reference = LinearDiscriminantAnalysis().fit_transform(table.x, table.y)
    points = project("lda", table.x, table.y, 0).points
    for column in range(2):
        assert abs(np.corrcoef(points[:, column], reference[:, column])[0, 1]) == pytest.approx(1)


def test_lda_of_two_classes_takes_its_second_direction_from_what_is_left() -> None:
    table = three_classes()
    y = np.minimum(table.y, 1)
    points = project("lda", table.x, y, 0).points
    assert variance_ratios(points, y)[0] > 1
    centred = table.x - table.x.mean(axis=0)
    first = np.linalg.lstsq(centred, points[:, 0])[0]
    first /= np.linalg.norm(first)
    left, size, _ = np.linalg.svd(centred - np.outer(centred @ first, first), full_matrices=False)
    np.testing.assert_allclose(np.abs(points[:, 1]), np.abs(left[:, 0] * size[0]), atol=1e-8)


def test_random_projections_keep_squared_distances_on_average() -> None:
    # E ||W(a - b)||^2 = ||a - b||^2 (Johnson and Lindenstrauss): W has entries of variance 1/2.
    table = three_classes(20, 30)
    true = np.sum((table.x[0] - table.x[1:]) ** 2)
    drawn = [project("random", table.x, table.y, seed).points for seed in range(600)]
    assert np.mean([np.sum((each[0] - each[1:]) ** 2) for each in drawn]) == pytest.approx(true, rel=0.06)


@pytest.mark.parametrize(
    ("name", "x", "message"),
    [
        (
            "umap",
            np.eye(5),
            "umap: there is no such map; choose from: pca, lda, kernel_pca, isomap, mds, tsne, random",
        ),
        ("pca", np.eye(2), "x of shape (2, 2): must be at least 3 samples x 3 features, all numbers finite"),
        (
            "pca",
            np.full((4, 4), np.nan),
            "x of shape (4, 4): must be at least 3 samples x 3 features, all numbers finite",
        ),
        ("tsne", np.ones((4, 4)), "x: all samples are equal; there is nothing to map"),
        ("lda", np.eye(5), "lda: there is one class only, and nothing to tell apart; use another map"),
    ],
)
def test_bad_input_is_refused(name: str, x: np.ndarray, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        project(name, x, np.zeros(len(x), int), 0)
    assert str(refusal.value) == message


def test_a_trial_measures_every_map_on_the_same_samples() -> None:
    table = three_classes()
    found = try_maps(table, 5, [1, 5], seed=0)
    assert list(found) == NAMES
    for name, trial in found.items():
        assert trial.kept_by_size[1] == trial.kept.preservation
        np.testing.assert_allclose(trial.means_of_images, overall_and_class_means(trial.points, table))
        if PROJECTIONS[name].affine:
            assert trial.gap < 1e-12
        elif PROJECTIONS[name].maps_new:
            assert trial.gap > 1e-3
            np.testing.assert_array_equal(trial.means, trial.images_of_means)
        else:
            np.testing.assert_array_equal(trial.means, trial.means_of_images)
            with pytest.raises(ValueError, match="no images of means"):
                trial.gap  # noqa: B018


def test_standardised_columns() -> None:
    x = np.array([[1.0, 5.0, 2.0], [3.0, 5.0, 2e9], [5.0, 5.0, 3.0]])
    found = standardised(x)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(axis=0), [1, 0, 1])


def test_variance_ratios_name_the_telling_column() -> None:
    from sklearn.feature_selection import f_classif

    table = three_classes()
    x = np.column_stack([table.x, np.ones(90)])
    found = variance_ratios(x, table.y)
    expected = f_classif(table.x, table.y)[0] * (3 - 1) / (90 - 3)
    np.testing.assert_allclose(found[:-1], expected)
    assert found[-1] == 0


def test_hidden_classes_lie_where_they_should() -> None:
    table = hidden_classes(3000, 40, np.random.default_rng(0))
    means = overall_and_class_means(table.x, table)
    assert np.linalg.norm(means[0]) < 0.3
    apart = np.linalg.norm(means[1] - means[2])
    assert apart == pytest.approx(4 * np.sqrt(3), rel=0.05)  # the side of a triangle of radius 4
    assert np.mean((table.x - means[1:][table.y]) ** 2) == pytest.approx(1, rel=0.02)


def test_lda_separates_invented_classes_and_pca_does_not() -> None:
    table = noise(120, 60, np.random.default_rng(0))
    assert np.bincount(table.y).tolist() == [40, 40, 40]
    seen, new = seen_and_new("lda", table, 0)
    assert seen > 0.9
    assert new < 0.55
    assert seen_and_new("pca", table, 0)[0] < 0.6
    with pytest.raises(ValueError, match="tsne maps no new samples"):
        seen_and_new("tsne", table, 0)


def test_contrast_of_gaussian_noise() -> None:
    for m in (50, 800):
        assert contrast(np.random.default_rng(0).normal(size=(300, m))) == pytest.approx((2 * m) ** -0.5, rel=0.05)
