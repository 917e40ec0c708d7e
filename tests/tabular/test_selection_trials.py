"""Trials of selectors: nothing leaks between pool and test, and a selector's chance is its own."""

import numpy as np
import pytest

from dlexp.data import build_dataset
from dlexp.data.dataset import Dataset
from dlexp.errors import InputError
from dlexp.tabular.selection import SELECTORS, own_selector
from dlexp.tabular.selection_trials import Pool, learn, prepared, resplit, thin_out, try_selectors


@pytest.fixture(scope="module")
def wine() -> Dataset:
    return build_dataset({"_target_": "dlexp.data.embedded.wine"})  # 178 samples; train, val and test


@pytest.fixture
def pool(wine: Dataset) -> Pool:
    return resplit(wine, np.random.default_rng(0))


def test_a_new_split_holds_every_sample_once_in_the_same_proportions(wine: Dataset, pool: Pool) -> None:
    whole = np.concatenate([split.inputs().numpy() for split in (wine.train, wine.val, wine.test) if split])
    again = np.concatenate([pool.x, pool.x_test])
    assert sorted(map(tuple, whole.tolist())) == sorted(map(tuple, again.tolist()))
    assert len(pool.x_test) == len(wine.test)
    shares = [np.bincount(y) / len(y) for y in (pool.y, pool.y_test)]
    assert shares[0] == pytest.approx(shares[1], abs=0.02)
    assert resplit(wine, np.random.default_rng(1)).y.tolist() != pool.y.tolist()
    assert pool.rare.size == 0


def test_a_class_of_one_sample_cannot_be_split() -> None:
    data = build_dataset({"_target_": "dlexp.data.embedded.wine", "test_size": 3, "train_size": 3, "val_fraction": 0.0})
    assert resplit(data, np.random.default_rng(0)).y.tolist().count(0) == 1  # one on each side
    lone = Dataset(data.name, data.train, None, data.test.select(data.test.y[:1] * 0), *_rest(data))
    with pytest.raises(InputError, match=r"^dataset: cannot be split anew with every class on both sides: "):
        resplit(lone, np.random.default_rng(0))


def _rest(data: Dataset) -> tuple[object, ...]:
    return data.classes, data.mean, data.std, data.fingerprint


def test_only_the_rare_classes_are_thinned_out_and_the_test_set_stays(pool: Pool) -> None:
    thin = thin_out(pool, 2, 0.1, np.random.default_rng(3))
    before, after = np.bincount(pool.y), np.bincount(thin.y)
    assert len(thin.rare) == 2
    for label in range(3):
        assert after[label] == (round(0.1 * before[label]) if label in thin.rare else before[label])
    assert thin.y_test is pool.y_test
    assert np.bincount(thin_out(pool, 1, 0.001, np.random.default_rng(0)).y).min() == 1  # never none


def test_preparation_is_fitted_on_the_pool_alone(pool: Pool) -> None:
    ready = prepared(pool, standardize=True, components=2)
    assert ready.x.shape == (len(pool.y), 2)
    assert ready.x.mean(axis=0) == pytest.approx([0, 0], abs=1e-4)
    shifted = Pool(pool.x, pool.y, pool.x_test + 1000, pool.y_test, pool.rare)
    assert np.array_equal(prepared(shifted, True, 2).x, ready.x)
    constant = Pool(np.ones_like(pool.x), pool.y, pool.x_test, pool.y_test, pool.rare)
    assert np.array_equal(prepared(constant, True, None).x, np.zeros_like(pool.x))


def test_learning_uses_the_chosen_samples_only(pool: Pool) -> None:
    ready = prepared(pool, standardize=True, components=None)
    chosen = np.array([int(np.flatnonzero(pool.y == label)[0]) for label in (0, 1, 2)])
    spoiled = Pool(ready.x, np.where(np.isin(np.arange(len(pool.y)), chosen), pool.y, 0), *_test(ready))
    names = ["nearest_neighbour", "logistic_regression", "svm"]
    assert np.array_equal(learn(ready, chosen, names), learn(spoiled, chosen, names))
    assert learn(ready, np.arange(len(pool.y)), names).min() > 0.9
    # One class only: always that class.
    same = np.flatnonzero(pool.y == 1)[:5]
    assert learn(ready, same, names) == pytest.approx([np.mean(pool.y_test == 1)] * 3)


def _test(pool: Pool) -> tuple[object, ...]:
    return pool.x_test, pool.y_test, pool.rare


def test_a_selectors_trials_do_not_depend_on_who_else_takes_part(pool: Pool) -> None:
    ready = prepared(pool, standardize=True, components=None)
    arguments = ([0.03, 0.1], ["nearest_neighbour"], [0, 1])
    many = {name: SELECTORS[name] for name in ("random", "k_medoids", "class_random")}
    alone = try_selectors(ready, {"k_medoids": SELECTORS["k_medoids"]}, *arguments)
    together = try_selectors(ready, many, *arguments)
    assert together.sizes == [5, 15]
    assert together.n == len(pool.y)
    for one, other in zip(alone.trials["k_medoids"], together.trials["k_medoids"], strict=True):
        assert one.chosen.tolist() == other.chosen.tolist()
    other_seed = try_selectors(ready, many, [0.03, 0.1], ["nearest_neighbour"], [0, 2])
    assert other_seed.trials["random"][1].chosen.tolist() != together.trials["random"][1].chosen.tolist()


def test_found_classes_are_counted(pool: Pool) -> None:
    thin = prepared(thin_out(pool, 1, 0.1, np.random.default_rng(0)), True, None)

    def all_but_rare(x: object, y: np.ndarray, k: int, rng: object) -> np.ndarray:
        return np.flatnonzero(y != thin.rare[0])[:k]

    draw = try_selectors(thin, {"class_random": SELECTORS["class_random"]}, [0.1], ["nearest_neighbour"], [0])
    assert draw.trials["class_random"][0].rare_found == draw.trials["class_random"][0].classes_found == 1.0
    mine = try_selectors(thin, {"mine": own_selector(all_but_rare)}, [0.1], ["nearest_neighbour"], [0]).trials["mine"][
        0
    ]
    assert mine.rare_found == 0.0
    assert mine.classes_found < 1
