"""The comparison under label noise: what it trains on, what it tunes by and what it reports."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from dlexp.comparison.tuned import TUNING_SEEDS, Contender, best_rate, mean_score, recipe_at, score
from dlexp.comparison.under_label_noise import compare_under_noise, logits_of
from dlexp.data.label_noise import noisy_labels, noisy_training_labels
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.probes.calibration import quality
from dlexp.training.evaluate import predict
from dlexp.training.single import train_one

GCE = Contender("gce", {"loss": {"_target_": "dlexp.training.losses.GeneralizedCrossEntropy", "q": 0.7}})
STANDARD = Contender("standard", {})
RATES = [0.01, 0.1]


def test_equals_the_same_done_by_hand(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()
    found = compare_under_noise(lab, {0.0: [STANDARD, GCE], 0.4: [STANDARD, GCE]}, RATES, tuning_repetitions=2)
    assert list(found) == [("standard", 0.0), ("gce", 0.0), ("standard", 0.4), ("gce", 0.4)]
    validation = lab.dataset.val
    assert validation is not None
    for (name, level), tuned in found.items():
        contender = GCE if name == "gce" else STANDARD
        for rate in RATES:
            noisy, clean = [], []
            for seed in (TUNING_SEEDS, TUNING_SEEDS + 1):
                data = noisy_training_labels(lab.dataset, level, seed)
                net = train_one(recipe_at(lab, contender, rate, seed), data)
                noisy.append(score(net, noisy_labels(validation, level, 3, seed), 3))
                clean.append(score(net, validation, 3))
            assert tuned.noisy[rate].nll == pytest.approx(mean_score(noisy).nll, rel=1e-4)
            assert tuned.noisy[rate].accuracy == pytest.approx(mean_score(noisy).accuracy, abs=0.02)
            assert tuned.clean[rate].nll == pytest.approx(mean_score(clean).nll, rel=1e-4)
        assert tuned.rate == best_rate(tuned.noisy)
        assert tuned.at_edge  # there are only two
        for seed, net, test in zip(lab.seeds, tuned.trained, tuned.tests, strict=True):
            data = noisy_training_labels(lab.dataset, level, seed)
            alone = train_one(recipe_at(lab, contender, tuned.rate, seed), data)
            torch.testing.assert_close(
                predict(net.net, lab.dataset.test), predict(alone.net, lab.dataset.test), rtol=1e-3, atol=1e-4
            )
            assert test == quality(predict(net.net, lab.dataset.test), lab.dataset.test.y)  # right labels


def test_without_noise_both_kinds_of_validation_labels_are_the_same(make_lab: Callable[..., Lab]) -> None:
    found = compare_under_noise(make_lab(seeds=1), {0.0: [STANDARD]}, RATES, 1)
    assert found["standard", 0.0].noisy == found["standard", 0.0].clean


def test_a_diverged_net_is_worth_chance(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(seeds=1)
    huge = {"_target_": "torch.optim.SGD", "lr": 1.0, "momentum": 0.9, "weight_decay": 1e30}
    diverging = Contender("diverging", {"optimizer": huge})
    (tuned,) = compare_under_noise(lab, {0.5: [diverging]}, [1e3, 1e4], 1).values()
    assert tuned.trained[0].diverged
    assert torch.equal(logits_of(lab, tuned.trained[0], lab.dataset.test), torch.zeros(30, 3))
    assert tuned.tests[0].nll == pytest.approx(1.0986, abs=1e-4)
    assert tuned.rate == 1e3


def test_tuning_needs_validation_samples(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab()
    lab.data = replace(lab.dataset, val=None)
    with pytest.raises(InputError, match=r"^dataset\.val_fraction=0: learning rates are tuned on validation samples"):
        compare_under_noise(lab, {0.0: [STANDARD]}, RATES, 1)
