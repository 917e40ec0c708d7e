"""Class statistics against hand-made cases, scikit-learn and scipy, plain loops, and their invariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlexp.errors import InputError
from dlexp.feature_space import Table
from dlexp.tabular.class_statistics import (
    METRICS,
    class_covariances,
    class_statistics,
    cosine_distance,
    distances_to_class_mean,
    farthest_samples,
    mahalanobis,
    prediction_radius,
)
from dlexp.tabular.class_statistics_trials import by_loop, changes_when_stretched, farthest, laws_of_size

GRID = st.integers(-50, 50).map(float)  # many equal values, so that ties happen


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    k = draw(st.integers(1, 4))
    y = np.array([*range(k), *draw(st.lists(st.integers(0, k - 1), max_size=30))])
    return draw(arrays(np.float64, (len(y), draw(st.integers(1, 3))), elements=GRID)), y


def random_table(n: int = 300, m: int = 3, k: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    y = random.integers(0, k, n)
    y[:k] = range(k)
    return random.normal(size=(n, m)) * [1.0, 5.0, 0.1][:m] + random.normal(size=(k, m))[y], y


def test_a_case_computed_by_hand() -> None:
    x = np.array([[0.0, 0.0], [10.0, 0.0], [4.0, 0.0], [10.0, 6.0]])
    y = np.array([0, 1, 0, 1])
    found = class_statistics(x, y)
    assert found.counts.tolist() == [2, 2]
    assert found.mean.tolist() == [6.0, 1.5]
    assert found.class_means.tolist() == [[2.0, 0.0], [10.0, 3.0]]
    far = farthest_samples(distances_to_class_mean(x, y, found.class_means), y)
    assert far.index.tolist() == [0, 1]  # both samples of a class are equally far: the lowest row
    assert far.distance.tolist() == [2.0, 3.0]


@given(tables())
def test_the_overall_mean_is_the_weighted_mean_of_the_class_means(table: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = table
    found = class_statistics(x, y)
    np.testing.assert_allclose(found.mean, x.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found.pooled_mean, found.mean, rtol=1e-12, atol=1e-12)
    for c, mean in enumerate(found.class_means):
        np.testing.assert_allclose(mean, x[y == c].mean(axis=0), atol=1e-12)


@given(tables(), arrays(np.float64, 3, elements=GRID), st.sampled_from([0.5, 2.0, 1000.0]))
def test_shifting_and_scaling_leave_the_euclidean_farthest(
    table: tuple[np.ndarray, np.ndarray], shift: np.ndarray, scale: float
) -> None:
    x, y = table
    before = farthest(x, y, class_statistics(x, y).class_means, "euclidean")
    moved = x * scale + shift[: x.shape[1]]
    after = farthest(moved, y, class_statistics(moved, y).class_means, "euclidean")
    np.testing.assert_array_equal(before.index, after.index)  # also among ties, whatever rounding says
    np.testing.assert_allclose(after.distance, scale * before.distance, atol=1e-9)


@given(tables())
def test_no_sample_of_its_class_is_farther_and_no_earlier_one_as_far(table: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = table
    means = class_statistics(x, y).class_means
    distance = distances_to_class_mean(x, y, means)
    found = farthest_samples(distance, y)
    for c, index in enumerate(found.index):
        assert y[index] == c
        assert (distance[y == c] <= found.distance[c] * (1 + 1e-11)).all()
        assert (distance[:index][y[:index] == c] < found.distance[c]).all()


def test_a_large_offset_costs_no_precision() -> None:
    x, y = random_table(20_000)
    means = class_statistics(x, y).class_means
    far_away = class_statistics(x + 2.0**30, y)  # the shift itself rounds by 2^-23
    np.testing.assert_allclose(far_away.class_means - 2.0**30, means, atol=2.0**-23)
    assert np.abs(far_away.pooled_mean - far_away.mean).max() <= 2.0**-22


@pytest.mark.parametrize("metric", METRICS)
def test_the_loop_finds_the_same(metric: str) -> None:
    x, y = random_table()
    mean, means, index = by_loop(x, y, 4, metric)  # type: ignore[arg-type]
    found = class_statistics(x, y)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found.class_means, means, rtol=1e-12, atol=1e-14)
    assert farthest(x, y, found.class_means, metric).index.tolist() == index  # type: ignore[arg-type]


def test_distances_agree_with_scipy() -> None:
    from scipy.spatial import distance

    x, y = random_table()
    means = class_statistics(x, y).class_means
    covariances = class_covariances(x, y, means)
    for c in range(4):
        np.testing.assert_allclose(covariances[c], np.cov(x[y == c].T), rtol=1e-10)
    by_metric = {metric: distances_to_class_mean(x, y, means, metric) for metric in METRICS}
    for i, (row, c) in enumerate(zip(x, y, strict=True)):
        assert by_metric["euclidean"][i] == pytest.approx(distance.euclidean(row, means[c]))
        assert by_metric["cosine"][i] == pytest.approx(distance.cosine(row, means[c]), abs=1e-12)
        inverse = np.linalg.inv(covariances[c])
        assert by_metric["mahalanobis"][i] == pytest.approx(distance.mahalanobis(row, means[c], inverse))


def test_mahalanobis_does_not_change_under_invertible_maps_and_sums_to_what_it_must() -> None:
    x, y = random_table()
    a = np.array([[2.0, 1.0, 0.0], [0.0, 1e-4, 5.0], [1.0, 0.0, 3e4]])
    before = distances_to_class_mean(x, y, class_statistics(x, y).class_means, "mahalanobis")
    z = x @ a + 7
    after = distances_to_class_mean(z, y, class_statistics(z, y).class_means, "mahalanobis")
    np.testing.assert_allclose(after, before, rtol=1e-7)
    for c in range(4):  # trace of the hat matrix: the squares sum to m (n_c - 1)
        assert np.sum(before[y == c] ** 2) == pytest.approx(3 * ((y == c).sum() - 1))


def test_cosine_ignores_length_and_keeps_its_digits_at_small_angles() -> None:
    angle = 1e-6
    x = np.array([[5.0, 0.0], [np.cos(angle), np.sin(angle)], [0.0, 0.3], [-2.0, 0.0]])
    found = cosine_distance(x, np.tile([[0.7, 0.0]], (4, 1)))
    np.testing.assert_allclose(found, [0, angle**2 / 2, 1, 2], rtol=1e-9)


@pytest.mark.parametrize(("n", "m"), [(6, 2), (40, 2), (12, 5)])
def test_the_prediction_ellipse_covers_new_gaussian_samples_exactly(n: int, m: int) -> None:
    random, inside, trials = np.random.default_rng(0), 0, 3000
    for _ in range(trials):
        x = random.normal(size=(n, m))
        new = random.normal(size=(20, m))
        inside += (mahalanobis(new, x.mean(axis=0), np.cov(x.T)) <= prediction_radius(n, m, 0.9)).sum()
    assert inside / (20 * trials) == pytest.approx(0.9, abs=0.008)


def test_the_prediction_radius_tends_to_that_of_the_known_gaussian() -> None:
    assert prediction_radius(10**7, 2, 0.95) == pytest.approx(np.sqrt(-2 * np.log(0.05)), rel=1e-6)  # chi-square, 2 df


@pytest.mark.parametrize(
    ("x", "y", "k", "message"),
    [
        ([[0.0], [1.0]], [0, 0], 2, "class 1: has no samples, so it has no mean; remove the class or add samples"),
        ([[0.0], [1.0]], [0, 2], None, "k=3: there are more classes than the 2 samples; every class needs one"),
        ([[0.0], [1.0]], [0, 1], 3, "k=3: there are more classes than the 2 samples; every class needs one"),
        ([[0.0], [np.nan]], [0, 0], None, "x: sample 1 holds NaN or infinite numbers; remove or fill it"),
        ([[np.inf], [0.0]], [0, 0], None, "x: sample 0 holds NaN or infinite numbers; remove or fill it"),
        ([[0.0], [1.0]], [0, -1], None, "y: holds the label -1; labels are class indices from 0"),
        ([[0.0], [1.0]], [0, 5], 2, "y: holds the label 5; labels are class indices 0..1"),
        ([[0.0], [1.0]], [0], None, "y of shape (1,) and int64: must be one class index for each of 2 samples"),
        ([0.0, 1.0], [0, 0], None, "x of shape (2,): must be samples x features, at least one of each"),
    ],
)
def test_tables_without_an_answer_are_refused(x: list, y: list, k: int | None, message: str) -> None:
    with pytest.raises(InputError) as refusal:
        class_statistics(np.array(x), np.array(y), k)
    assert str(refusal.value) == message


SINGULAR = (
    " is singular: some of its 2 columns are constant or follow from the others, or there are too few samples;"
    " remove columns, or use another metric than mahalanobis"
)


@pytest.mark.parametrize(
    "x",
    [
        [[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [5.0, 10.0]],  # the second column follows from the first
        [[0.0, 3.0], [1.0, 3.0], [2.0, 3.0], [5.0, 3.0]],  # constant
        [[0.0, 0.0], [1.0, 2.0]],  # too few
        [[1.0, 1.0]],  # one sample
    ],
)
def test_a_singular_covariance_is_refused(x: list) -> None:
    table, y = np.array(x), np.zeros(len(x), int)
    with pytest.raises(InputError) as refusal:
        distances_to_class_mean(table, y, class_statistics(table, y).class_means, "mahalanobis")
    assert str(refusal.value) == "the covariance of class 0" + SINGULAR


def test_units_do_not_make_a_covariance_singular() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2)) * [1e-9, 1e9]
    assert np.isfinite(mahalanobis(x, x.mean(axis=0), np.cov(x.T))).all()


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            [[1.0, 0.0], [0.0, 0.0]],
            "sample 1 is the zero",
        ),
        (
            [[0.1, 0.2], [-0.3, -0.6], [0.2, 0.4]],
            "a class mean is the zero",
        ),
    ],
)
def test_cosine_refuses_vectors_without_direction(x: list, message: str) -> None:
    table, y = np.array(x), np.zeros(len(x), int)
    with pytest.raises(InputError) as refusal:
        distances_to_class_mean(table, y, class_statistics(table, y).class_means, "cosine")
    assert str(refusal.value) == f"{message} vector, which has no direction; use another metric than cosine"


def gaussian_classes(n: int, seed: int) -> Table:
    random = np.random.default_rng(seed)
    y = np.arange(2 * n) % 2
    return Table(random.normal(size=(2 * n, 2)) + 10 * y[:, None], y, ("a", "b"))


def test_the_farthest_of_n_gaussian_samples_lies_where_order_statistics_say() -> None:
    # Squared distances in the plane are exponential of mean 2, so their largest has mean 2 H_n (David and Nagaraja).
    n, random = 100, np.random.default_rng(0)
    x, y = random.normal(size=(4000, n, 2)), np.zeros(n, int)
    squares = [farthest_samples(np.linalg.norm(each, axis=1), y).distance[0] ** 2 for each in x]
    assert np.mean(squares) == pytest.approx(2 * np.sum(1 / np.arange(1, n + 1)), rel=0.02)


def test_the_laws_of_size_on_gaussian_classes() -> None:
    sizes = [4, 64, 256]
    found = laws_of_size(gaussian_classes(2000, 1), sizes, 400, np.random.default_rng(2))
    np.testing.assert_allclose(found["error"], np.array(sizes) ** -0.5, rtol=0.06)
    np.testing.assert_allclose(found["typical"], 1, rtol=0.04)
    harmonic = [np.sum(1 / np.arange(1, size + 1)) for size in sizes[1:]]
    np.testing.assert_allclose(found["farthest"][1:], np.sqrt(harmonic), rtol=0.06)


def test_a_class_without_extent_is_refused() -> None:
    table = Table(np.zeros((4, 2)), np.zeros(4, int), ("same",))
    with pytest.raises(InputError, match=r"^class same: all its samples are equal; there is no farthest one$"):
        laws_of_size(table, [2], 1, np.random.default_rng(0))


def test_stretching_moves_the_euclidean_farthest_only() -> None:
    found = [
        changes_when_stretched(gaussian_classes(100, seed), [1.0, 20.0], np.random.default_rng(seed))
        for seed in range(20)
    ]
    assert all((each["mahalanobis moved"] == 0).all() for each in found)
    assert all(each["euclidean moved"][0] == 0 for each in found)
    assert np.mean([each["euclidean moved"][1] for each in found]) > 0.3
