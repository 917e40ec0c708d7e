"""Conditions repeated over seeds: each net with its own data, and accuracies measured on them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dlexp.comparison.repeated import Condition, Outcome, train_conditions
from dlexp.data import Dataset
from dlexp.data.randomization import random_labels
from dlexp.lab import Lab
from dlexp.training.evaluate import accuracy
from dlexp.training.recipe import Recipe


def test_every_net_is_trained_and_measured_on_the_data_of_its_condition_and_seed(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(seeds=2, epochs=5)
    asked = []

    def noisy(seed: int) -> Dataset:
        asked.append(seed)
        return random_labels(lab.dataset, 1.0, seed)

    def short(seed: int) -> Recipe:
        recipe = lab.recipe(seed)
        return replace(recipe, trainer=replace(recipe.trainer, epochs=1))

    conditions = [Condition("true", lab.recipe, lambda seed: lab.dataset), Condition("noisy", short, noisy)]
    done = train_conditions(lab, conditions, "testing", curves=False)
    assert list(done) == ["true", "noisy"]
    assert asked == lab.seeds
    for name, outcome in done.items():
        assert [one.recipe.seed for one in outcome.trained] == lab.seeds
        assert {len(one.history) for one in outcome.trained} == {5 if name == "true" else 1}
        for at, (one, data) in enumerate(zip(outcome.trained, outcome.data, strict=True)):
            assert outcome.train[at] == accuracy(one.net, data.train)
            assert outcome.test[at] == accuracy(one.net, data.test)
    assert all(data is lab.dataset for data in done["true"].data)
    assert len({data.fingerprint for data in [*done["noisy"].data, lab.dataset]}) == 3
    assert done["true"].test.mean() > done["noisy"].test.mean()


def test_the_memorised_share_is_0_at_chance_and_1_if_all_are_fitted(make_lab: Callable[..., Lab]) -> None:
    data = [make_lab().dataset] * 3  # three classes
    outcome = Outcome([], data, np.array([1 / 3, 1.0, 2 / 3]), np.zeros(3))
    assert outcome.memorised.tolist() == pytest.approx([0.0, 1.0, 0.5])
