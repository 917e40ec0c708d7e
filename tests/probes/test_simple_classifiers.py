"""Simple classifiers on planted classes, and how their settings are chosen."""

import numpy as np
import pytest

from dlexp.probes.representations import Samples
from dlexp.probes.simple_classifiers import CLASSIFIERS, PlsDiscriminant, fit_best, linear_svm, logistic


def planted(n: int, seed: int, m: int = 6, apart: float = 3.0) -> Samples:
    """Three classes along three of the axes; labels 0, 2, 5."""
    random = np.random.default_rng(seed)
    place = np.arange(n) % 3
    x = random.standard_normal((n, m))
    x[np.arange(n), place] += apart
    return Samples(x - x.mean(axis=0), np.array([0, 2, 5])[place])


@pytest.mark.parametrize("name", list(CLASSIFIERS))
def test_planted_classes_are_found_and_invented_ones_are_not(name: str) -> None:
    train, validation, test = planted(150, 0), planted(60, 1), planted(300, 2)
    assert fit_best(CLASSIFIERS[name], train, validation).accuracy(test) > 0.9
    noise = [Samples(each.x, np.random.default_rng(9).permutation(each.y)) for each in (train, validation, test)]
    assert fit_best(CLASSIFIERS[name], noise[0], noise[1]).accuracy(noise[2]) < 0.45  # chance is 1/3


@pytest.mark.filterwarnings("ignore:y residual is constant")  # fewer directions than components: said, and harmless
@pytest.mark.parametrize("name", list(CLASSIFIERS))
def test_the_setting_does_best_on_validation_samples(name: str) -> None:
    train, validation = planted(24, 0, m=40, apart=1.5), planted(90, 1, m=40, apart=1.5)
    kind = CLASSIFIERS[name]
    alone = {setting: fit_best(kind, train, validation, [setting]).accuracy(validation) for setting in kind.settings}
    chosen = fit_best(kind, train, validation)
    assert chosen.accuracy(validation) == max(alone.values())
    assert chosen.setting == next(setting for setting, value in alone.items() if value == max(alone.values()))


@pytest.mark.parametrize("build", [logistic, linear_svm])
def test_a_penalty_means_the_same_for_twice_the_samples(build) -> None:  # type: ignore[no-untyped-def]
    once = planted(60, 0)
    weights = []
    for repeat in (1, 2):
        x, y = np.tile(once.x, (repeat, 1)), np.tile(once.y, repeat)
        weights.append(build(0.1, len(y)).fit(x, y).coef_)
    np.testing.assert_allclose(weights[0], weights[1], rtol=0.02, atol=1e-3)


def test_pls_with_all_components_is_least_squares() -> None:
    train, test = planted(80, 0), planted(40, 1)
    targets = (train.y[:, None] == np.array([0, 2, 5])).astype(float)
    design = np.column_stack([np.ones(80), train.x])
    solution = np.linalg.lstsq(design, targets, rcond=None)[0]
    expected = np.array([0, 2, 5])[(np.column_stack([np.ones(40), test.x]) @ solution).argmax(axis=1)]
    np.testing.assert_array_equal(PlsDiscriminant(100).fit(train.x, train.y).predict(test.x), expected)


def test_one_pls_component_of_two_classes_is_the_difference_of_the_means() -> None:
    random = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = random.standard_normal((40, 5)) + y[:, None]
    x -= x.mean(axis=0)
    weight = PlsDiscriminant(1).fit(x, y).fitted.x_weights_[:, 0]
    direction = x[y == 1].mean(axis=0) - x[y == 0].mean(axis=0)
    assert abs(weight @ direction) / np.linalg.norm(direction) == pytest.approx(1)


def test_one_class_is_refused() -> None:
    one = Samples(np.zeros((4, 2)), np.zeros(4, dtype=np.int64))
    with pytest.raises(ValueError, match="a classifier needs samples of two classes or more"):
        fit_best(CLASSIFIERS["logistic"], one, one)
