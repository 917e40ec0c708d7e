"""Fused representations by hand, fitted on training samples alone, and controls that are what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dlexp.probes.fusion import fit_fusion, random_features, side_by_side

Features = dict[str, NDArray[np.float64]]


def drawn(n: int, seed: int = 0, widths: tuple[int, ...] = (3, 1, 4)) -> Features:
    random = np.random.default_rng(seed)
    return {f"l{at}": random.standard_normal((n, m)) * (at + 1) + at for at, m in enumerate(widths)}


@settings(max_examples=20)
@given(st.sets(st.sampled_from(["l0", "l1", "l2"]), min_size=1), st.integers(0, 100))
def test_any_subset_is_each_layer_standardised_side_by_side(names: set[str], seed: int) -> None:
    train, test, layers = drawn(20, seed), drawn(5, seed + 1), sorted(names)
    fusion = fit_fusion(train, layers)
    expected = [(test[name] - train[name].mean(axis=0)) / train[name].std(axis=0) for name in layers]
    np.testing.assert_allclose(fusion.transform(test), np.concatenate(expected, axis=1))
    assert fusion.width == sum(train[name].shape[1] for name in layers)
    assert fusion.layers == tuple(layers)


def test_the_order_of_the_layers_is_the_one_asked_for() -> None:
    train = drawn(20)
    turned = fit_fusion(train, ["l2", "l0"]).transform(train)
    np.testing.assert_array_equal(turned, np.roll(fit_fusion(train, ["l0", "l2"]).transform(train), 4, axis=1))


def test_principal_axes_against_an_eigendecomposition() -> None:
    train, test = drawn(50), drawn(9, 1)
    whole, fusion = fit_fusion(train, list(train)), fit_fusion(train, list(train), components=3)
    standard = whole.transform(train)
    _, axes = np.linalg.eigh(standard.T @ standard)
    expected = whole.transform(test) @ axes[:, ::-1][:, :3]
    found = fusion.transform(test)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-9)  # axes have no sign
    assert (fusion.width, found.shape) == (3, (9, 3))


def test_all_components_are_a_rotation_and_lose_nothing() -> None:
    train, test = drawn(50), drawn(9, 1)
    plain = fit_fusion(train, list(train)).transform(test)
    turned = fit_fusion(train, list(train), components=8).transform(test)
    np.testing.assert_allclose(plain @ plain.T, turned @ turned.T, atol=1e-9)


def test_what_is_transformed_does_not_depend_on_what_comes_with_it() -> None:
    train, test = drawn(30), drawn(10, 1)
    fusion = fit_fusion(train, list(train), components=4)
    alone = fusion.transform({name: x[:1] for name, x in test.items()})
    shifted = {name: np.concatenate([x[:1], 1000 + x[1:]]) for name, x in test.items()}
    np.testing.assert_allclose(fusion.transform(shifted)[:1], alone)
    np.testing.assert_allclose(fusion.transform(test)[:1], alone)


def test_a_feature_that_does_not_vary_is_zero() -> None:
    train = {"a": np.ones((10, 2)), "b": np.arange(10.0)[:, None]}
    assert not fit_fusion(train, ["a", "b"]).transform(train)[:, :2].any()


@pytest.mark.parametrize(
    ("layers", "components", "message"),
    [
        ([], None, r"layers \[\]: must be one or more, each once"),
        (["l0", "l0"], None, r"layers \['l0', 'l0'\]: must be one or more, each once"),
        (["l0", "l9"], None, "there is no layer l9; there are l0, l1, l2"),
        (["l0"], 4, "components=4: must be 1 to 3, the smaller of samples and features"),
        (["l0"], 0, "components=0: must be 1 to 3, the smaller of samples and features"),
    ],
)
def test_bad_choices_are_named(layers: list[str], components: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_fusion(drawn(20), layers, components)


def test_a_missing_layer_is_named_when_transforming() -> None:
    train = drawn(20)
    with pytest.raises(ValueError, match="there is no layer l2; there are l0"):
        fit_fusion(train, ["l0", "l2"]).transform({"l0": train["l0"]})
    np.testing.assert_array_equal(side_by_side(train, ["l1"]), train["l1"])


def test_random_features_are_the_same_map_for_any_samples() -> None:
    x = np.random.default_rng(0).standard_normal((2000, 16))
    features = random_features(x, 50, seed=3)
    np.testing.assert_allclose(random_features(x[:7], 50, seed=3), features[:7])
    assert not np.array_equal(random_features(x, 50, seed=4), features)
    assert features.shape == (2000, 50)
    assert features.min() == 0
    # relu of N(0, 2) in the mean over maps: half of the second moment.
    assert np.square(features).mean() == pytest.approx(1.0, rel=0.2)
