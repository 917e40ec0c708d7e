"""The leaky and the clean protocol: against doing it by hand, with planted leaks, and what must not change."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlexp.stats import mean_interval
from dlexp.tabular.leak_trials import (
    TAILS,
    Shift,
    average_shift,
    classifiers,
    draw_features,
    selection_trial,
    split_rows,
    split_seed,
    standardisation_trial,
)
from dlexp.tabular.leakage import (
    Labels,
    Matrix,
    compare_protocols,
    corrected_interval,
    influence_of_test_rows,
    standardisation_shift,
)

TRAIN, TEST = np.arange(20), np.arange(20, 30)


def rows(seed: int = 0, m: int = 3) -> tuple[Matrix, Labels]:
    random = np.random.default_rng(seed)
    return random.random((30, m)), random.integers(0, 3, size=30)


def test_both_protocols_by_hand() -> None:
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.preprocessing import StandardScaler

    x, y = rows()
    x[25, 0] = 50.0  # a test row that sets the scale of the leaky protocol
    (pair,) = compare_protocols(StandardScaler(), {"nn": KNeighborsClassifier(1)}, x, y, TRAIN, TEST).values()

    def nearest(mean: Matrix, std: Matrix) -> Labels:
        z = (x - mean) / std
        distances = ((z[TEST, None] - z[TRAIN]) ** 2).sum(axis=2)
        return y[TRAIN][distances.argmin(axis=1)]

    leaky, clean = nearest(x.mean(0), x.std(0)), nearest(x[TRAIN].mean(0), x[TRAIN].std(0))
    assert pair.leaky == pytest.approx(np.mean(leaky == y[TEST]))
    assert pair.clean == pytest.approx(np.mean(clean == y[TEST]))
    assert pair.changed == pytest.approx(np.mean(leaky != clean))
    assert pair.changed > 0


def test_a_planted_leak_of_labels_is_found_and_pipelines_do_not_have_it() -> None:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.tree import DecisionTreeClassifier

    class Cheat(TransformerMixin, BaseEstimator):  # type: ignore[misc]
        """Remembers the label of every row it was fitted on; 9 for others."""

        def fit(self, x: Matrix, y: Labels) -> "Cheat":
            self.known_ = {row.tobytes(): label for row, label in zip(x, y, strict=True)}
            return self

        def transform(self, x: Matrix) -> Matrix:
            return np.array([[self.known_.get(row.tobytes(), 9)] for row in x], dtype=float)

    x, y = rows()
    pair = compare_protocols(Cheat(), {"tree": DecisionTreeClassifier()}, x, y, TRAIN, TEST)["tree"]
    assert pair.leaky == 1
    assert pair.clean == pytest.approx(np.mean(y[TEST] == 2))  # all test rows look alike: one class for all of them
    assert influence_of_test_rows(Cheat(), x, y, TRAIN, TEST, x[TEST] + 1, clean=True) == 0


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_least_squares_and_trees_do_not_notice_a_leaky_standardisation(seed: int) -> None:
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(seed)
    x, y = random.random((90, 2)), random.permutation(np.arange(90) % 4)
    models = classifiers(trees=5)
    del models["RBF-SVM"]
    train, test = split_rows(90, 0.33, seed)
    for pair in compare_protocols(StandardScaler(), models, x, y, train, test).values():
        assert pair.changed == 0


def test_least_squares_classifies_by_the_largest_of_its_one_hot_outputs() -> None:
    x, y = rows()
    design = np.column_stack([np.ones(20), x[TRAIN]])
    weights = np.linalg.lstsq(design, np.eye(3)[y[TRAIN]], rcond=None)[0]
    expected = (np.column_stack([np.ones(10), x[TEST]]) @ weights).argmax(axis=1)
    model = classifiers(trees=1)["OLS"].fit(x[TRAIN], y[TRAIN])
    np.testing.assert_array_equal(model.predict(x[TEST]), expected)


def test_models_and_transformer_given_stay_unfitted() -> None:
    from sklearn.preprocessing import StandardScaler

    x, y = rows()
    scaler, models = StandardScaler(), classifiers(trees=1)
    compare_protocols(scaler, models, x, y, TRAIN, TEST)
    assert not hasattr(scaler, "mean_")
    assert not hasattr(models["RBF-SVM"], "support_")


def test_the_influence_of_test_rows_by_hand() -> None:
    from sklearn.preprocessing import StandardScaler

    x, y = rows()
    other = np.random.default_rng(1).random((10, 3)) * 5
    replaced = np.vstack([x[TRAIN], other])
    before = (x[TRAIN] - x.mean(0)) / x.std(0)
    after = (x[TRAIN] - replaced.mean(0)) / replaced.std(0)
    leaky, clean = (
        influence_of_test_rows(StandardScaler(), x, y, TRAIN, TEST, other, clean) for clean in (False, True)
    )
    assert leaky == pytest.approx(np.abs(before - after).max())
    assert leaky > 0.1
    assert clean == 0


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-5, 5))
def test_the_shift_maps_leaky_features_onto_clean_ones(seed: int, scale: float, offset: float) -> None:
    x = rows(seed)[0] * scale + offset
    shift, log_scale = standardisation_shift(x, TRAIN)
    leaky = (x - x.mean(0)) / x.std(0)
    clean = (x - x[TRAIN].mean(0)) / x[TRAIN].std(0)
    np.testing.assert_allclose(np.exp(log_scale) * leaky + shift, clean, atol=1e-9)
    same = standardisation_shift(rows(seed)[0], TRAIN)  # units and origin do not matter
    np.testing.assert_allclose([shift, log_scale], same, atol=1e-9)


def test_without_test_rows_there_is_no_shift() -> None:
    np.testing.assert_array_equal(standardisation_shift(rows()[0], np.arange(30)), np.zeros((2, 3)))


def test_the_shift_of_the_mean_has_the_variance_of_the_formula() -> None:
    random = np.random.default_rng(0)
    shifts = [x.mean() - x[:20].mean() for x in random.standard_normal((20_000, 30))]
    assert np.var(shifts) == pytest.approx(1 / 20 - 1 / 30, rel=0.03)


def test_a_constant_feature_is_refused() -> None:
    x = rows()[0]
    x[TRAIN, 1] = 4
    with pytest.raises(ValueError, match=r"^feature 1 is constant on the training rows$"):
        standardisation_shift(x, TRAIN)


def test_sides_that_overlap_or_are_empty_are_refused() -> None:
    x, y = rows()
    with pytest.raises(ValueError, match=r"^row 19 is on both sides of the split$"):
        compare_protocols(None, {}, x, y, TRAIN, np.arange(19, 30))
    with pytest.raises(ValueError, match=r"^both sides of the split need rows$"):
        compare_protocols(None, {}, x, y, TRAIN, np.arange(0))
    with pytest.raises(ValueError, match=r"^other: shape \(3, 3\), but the test rows have \(10, 3\)$"):
        influence_of_test_rows(None, x, y, TRAIN, TEST, x[:3], clean=True)


def test_the_corrected_interval_by_hand_and_wider_than_the_plain_one() -> None:
    values = [0.0, 0.02, -0.01, 0.03]
    interval = corrected_interval(values, n_train=670, n_test=330)
    error = math.sqrt((1 / 4 + 330 / 670) * np.var(values, ddof=1))
    assert interval.mean == pytest.approx(0.01)
    assert interval.high == pytest.approx(0.01 + 3.182446 * error)
    assert interval.low == pytest.approx(0.01 - 3.182446 * error)
    plain = mean_interval(values)
    assert interval.high is not None
    assert plain.high is not None
    ratio = (interval.high - 0.01) / (plain.high - 0.01)
    assert ratio == pytest.approx(math.sqrt(1 + 4 * 330 / 670))
    with pytest.raises(ValueError, match=r"^the corrected interval needs at least 2 splits with rows on both sides$"):
        corrected_interval([0.1], 670, 330)


def test_selection_with_a_look_at_the_labels_leaks_and_without_does_not() -> None:
    models = {"OLS": classifiers(trees=1)["OLS"]}
    gaps: dict[tuple[str, int], list[float]] = {}
    for seed in range(30):
        for key, pairs in selection_trial([seed, 0], 60, [10, 400], 10, models, 0.33).items():
            gaps.setdefault(key, []).append(pairs["OLS"].leaky - pairs["OLS"].clean)
    assert np.mean(gaps["F-score", 400]) > 0.2
    assert abs(np.mean(gaps["variance", 400])) < 0.1
    assert set(gaps["F-score", 10] + gaps["variance", 10]) == {0}  # all features kept: nothing is selected


def test_smaller_sets_of_features_are_the_first_of_the_largest() -> None:
    models = {"OLS": classifiers(trees=1)["OLS"]}
    both = selection_trial([0, 0], 30, [20, 40], 5, models, 0.33)
    assert selection_trial([0, 0], 30, [40], 5, models, 0.33) == {key: both[key] for key in both if key[1] == 40}


@pytest.mark.parametrize("tails", TAILS)
def test_the_stated_range_is_the_interquartile_range(tails: str) -> None:
    values, unit = draw_features(np.random.default_rng(0), tails, (200_000, 1), dof=1.5)
    low, high = np.quantile(values, [0.25, 0.75])
    assert high - low == pytest.approx(unit, rel=0.02)


def test_unknown_tails_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^tails=cauchy: must be one of uniform, normal, student$"):
        draw_features(np.random.default_rng(0), "cauchy", (2, 2), 1.0)


def test_a_standardisation_trial_is_repeatable_and_measures_the_shift() -> None:
    svm = classifiers(trees=1)["RBF-SVM"]
    first, again, other = (standardisation_trial([seed], 60, "student", 1.5, svm, 0.33) for seed in (0, 0, 1))
    assert first == again != other
    x, unit = draw_features(np.random.default_rng([0]), "student", (60, 2), 1.5)
    x[:, 0] += unit * (np.arange(60) % 2)
    train, _ = split_rows(60, 0.33, split_seed([0]), stratify=np.arange(60) % 2)
    offset, scale = standardisation_shift(x, train)
    assert first.log_offset == pytest.approx(np.log(np.abs(offset)).mean())
    assert first.log_scale == pytest.approx(np.abs(scale).mean())


def test_averages_are_rounded_to_what_they_are_on_paper() -> None:
    trials = [Shift(0.0, 1.0, gap, 0.5) for gap in (0.1, 0.2, -0.3)]
    np.testing.assert_array_equal(average_shift(trials), [0.0, 1.0, 0.0, 0.5])
