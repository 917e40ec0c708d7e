"""A trial on layers whose information is planted: what only fusing can see, and what controls cannot invent."""

from typing import Any

import numpy as np
import pytest

from dlexp.probes.fusion_trials import (
    BEST,
    FUSED,
    FUSED_EQUAL,
    LAST,
    RAW,
    UNTRAINED,
    WIDENED,
    Trial,
    accuracies,
    at_equal_dimension,
    fuse,
    gains,
    per_seed,
    try_fusion,
    widened,
    width,
)
from dlexp.probes.layer_measures import Layer
from dlexp.probes.representations import Samples
from dlexp.stats import mean_interval, paired_interval

LAYERS = ["first", "last"]


def planted(seed: int) -> dict[str, Layer]:
    """Four classes of two bits: the first layer has one (in 8 features), the last the other (in 4), noise none."""
    random = np.random.default_rng(seed)

    def split(n: int) -> dict[str, Samples]:
        bits = random.integers(0, 2, (n, 2))
        y = bits @ [2, 1]

        def layer(bit: int | None, features: int) -> Samples:
            x = 0.2 * random.standard_normal((n, features))
            return Samples(x + (0 if bit is None else bits[:, [bit]]), y)

        return {"first": layer(0, 8), "last": layer(1, 4), "noise": layer(None, 12)}

    parts = [split(n) for n in (80, 40, 200)]
    parts = [{name: Samples(each.x, part["first"].y) for name, each in part.items()} for part in parts]
    return {name: Layer(*(part[name] for part in parts)) for name in parts[0]}


@pytest.fixture(scope="module")
def trials() -> list[Trial]:
    made = []
    for seed in range(2):
        known = planted(seed)
        before = dict.fromkeys(LAYERS, known["noise"])
        made.append(try_fusion(known, before, known["noise"], LAYERS, "last", ["logistic", "pls"], seed))
    return made


def test_only_the_fused_layers_have_both_bits(trials: list[Trial]) -> None:
    for one in trials:
        for classifier in ("logistic", "pls"):
            got = {name: one.compared[name][classifier] for name in one.compared}
            assert got[FUSED] > 0.9
            assert got[FUSED_EQUAL] > 0.9
            for name in (LAST, WIDENED):
                assert 0.4 < got[name] < 0.6
            for name in (UNTRAINED, RAW):
                assert got[name] < 0.4
            assert one.best_alone[classifier] in (one.alone["first"][classifier], one.alone["last"][classifier])


def test_dimensions_are_those_of_the_controls(trials: list[Trial]) -> None:
    features = trials[0].features
    assert features == {
        FUSED: 12, FUSED_EQUAL: 4, LAST: 4, WIDENED: 12, UNTRAINED: 24, RAW: 12, "first": 8, "last": 4,
    }  # fmt: skip


def test_subsets_and_cuts_agree_with_the_rest(trials: list[Trial]) -> None:
    for one in trials:
        assert one.last_of == [one.alone["last"]["logistic"], one.compared[FUSED]["logistic"]]
        assert one.equal["last"] == one.compared[FUSED_EQUAL]["logistic"]


def test_one_layer_fused_is_that_layer_standardised() -> None:
    known = planted(0)
    alone = fuse(known, ["last"])
    x = known["last"].train.x
    np.testing.assert_allclose(alone.test.x, (known["last"].test.x - x.mean(axis=0)) / x.std(axis=0))
    assert alone.test.y is known["last"].test.y


def test_as_many_components_as_samples_at_most() -> None:
    known = planted(0)
    few = {
        name: Layer(Samples(each.train.x[:5], each.train.y[:5]), each.val, each.test) for name, each in known.items()
    }
    assert width(fuse(few, LAYERS, 8)) == 5
    assert width(fuse(known, LAYERS, 100)) == 12


def test_widening_keeps_the_layer_and_adds_what_follows_from_it() -> None:
    known = planted(0)
    wide = widened(known, "last", 12, seed=0)
    np.testing.assert_allclose(wide.val.x[:, :4], fuse(known, ["last"]).val.x)
    same = {"last": Layer(known["last"].train, known["last"].val, known["last"].val)}
    np.testing.assert_allclose(widened(same, "last", 12, seed=0).test.x, wide.val.x)  # no other layer comes in


def trial(fused: float, last: float, best: float, equal: float) -> Trial:
    return Trial(
        {FUSED: {"svm": fused}, LAST: {"svm": last}}, {"a": {"svm": last}}, {"svm": best}, {"a": equal}, [], {}
    )


def test_a_seeds_value_is_the_mean_of_its_trials() -> None:
    pairs: Any = [[trial(0.9, 0.5, 0.7, 0.6), trial(0.7, 0.5, 0.5, 0.8)], [trial(0.6, 0.6, 0.6, 0.9)]]
    np.testing.assert_allclose(accuracies(pairs, FUSED, ["svm"]), [[0.8], [0.6]])
    np.testing.assert_allclose(accuracies(pairs, BEST, ["svm"]), [[0.6], [0.6]])
    assert gains(pairs, FUSED, LAST, ["svm"]) == {"svm": paired_interval([0.8, 0.6], [0.5, 0.6])}
    expected = mean_interval([0.2, 0.3])
    found = at_equal_dimension(pairs, ["a"], "svm")["a"]
    assert (found.mean, found.low) == (pytest.approx(expected.mean), pytest.approx(expected.low))
    np.testing.assert_allclose(per_seed(pairs, lambda one: [one.equal["a"]]), [[0.7], [0.9]])
