"""Linear models of scikit-learn as layers: equal to the model, to formulas by hand, and refused where not affine."""

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA, IncrementalPCA, KernelPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    RidgeCV,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

from dlexp.errors import InputError
from dlexp.models.linear_equivalent import Affine, affine_map, linear_equivalent, scaling

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 12)) @ RNG.normal(size=(12, 12)) + 5 * RNG.normal(size=12)
LABELS = (X[:, :3] - X[:, :3].mean(axis=0)).argmax(axis=1)
ONE_HOT = np.eye(3)[LABELS]
NUMBERS = X @ RNG.normal(size=12) + 1.0
NEW = 3 * RNG.normal(size=(50, 12)) + 2  # rows that nothing was fitted to

CASES: dict[str, tuple[Any, str, Any]] = {
    "pca": (PCA(4), "transform", None),
    "pca, all": (PCA(), "transform", None),
    "pca, whitened": (PCA(4, whiten=True), "transform", None),
    "incremental pca, whitened": (IncrementalPCA(4, whiten=True), "transform", None),
    "svd without centring": (TruncatedSVD(4), "transform", None),
    "scaler": (StandardScaler(), "transform", None),
    "ols, several targets": (LinearRegression(), "predict", ONE_HOT),
    "ols, one target": (LinearRegression(), "predict", NUMBERS),
    "ols, no intercept": (LinearRegression(fit_intercept=False), "predict", ONE_HOT),
    "ridge": (Ridge(), "predict", NUMBERS),
    "ridge, several targets": (Ridge(), "predict", ONE_HOT),
    "ridge, cross-validated": (RidgeCV(), "predict", NUMBERS),
    "lasso": (Lasso(0.1), "predict", NUMBERS),
    "elastic net": (ElasticNet(0.1), "predict", NUMBERS),
    "lda, svd": (LinearDiscriminantAnalysis(), "transform", LABELS),
    "lda, eigen": (LinearDiscriminantAnalysis(solver="eigen"), "transform", LABELS),
    "lda, one component": (LinearDiscriminantAnalysis(n_components=1), "transform", LABELS),
    "lda, decision": (LinearDiscriminantAnalysis(), "decision_function", LABELS),
    "lda, lsqr, decision": (LinearDiscriminantAnalysis(solver="lsqr"), "decision_function", LABELS),
    "lda, two classes": (LinearDiscriminantAnalysis(), "decision_function", LABELS == 0),
    "pls": (PLSRegression(3), "transform", ONE_HOT),
    "pls, not scaled": (PLSRegression(3, scale=False), "transform", ONE_HOT),
    "pls, prediction": (PLSRegression(3), "predict", ONE_HOT),
    "pls, one target": (PLSRegression(3), "predict", NUMBERS),
    "logistic": (LogisticRegression(max_iter=2000), "decision_function", LABELS),
    "logistic, two classes": (LogisticRegression(max_iter=2000), "decision_function", LABELS == 0),
    "ridge classifier": (RidgeClassifier(), "decision_function", LABELS),
    "linear svm": (LinearSVC(), "decision_function", LABELS),
    "scaler, pca": (make_pipeline(StandardScaler(), PCA(4)), "transform", None),
    "scaler without mean, pca": (make_pipeline(StandardScaler(with_mean=False), PCA(4)), "transform", None),
    "scaler without std, logistic": (
        make_pipeline(StandardScaler(with_std=False), LogisticRegression(max_iter=2000)),
        "decision_function",
        LABELS,
    ),
    "scaler, pca, scaler, logistic": (
        make_pipeline(StandardScaler(), PCA(5), StandardScaler(), LogisticRegression(max_iter=2000)),
        "decision_function",
        LABELS,
    ),
    "passthrough": (make_pipeline("passthrough", PCA(4)), "transform", None),
    "pipeline in a pipeline": (make_pipeline(make_pipeline(StandardScaler(), PCA(6)), Ridge()), "predict", ONE_HOT),
}


def probed(function: Any, features: int) -> Affine:
    """The slow way: what an affine function does with 0 and with each unit vector says all about it."""
    bias, *moved = function(np.vstack([np.zeros(features), np.eye(features)])).reshape(features + 1, -1)
    return Affine((np.array(moved) - bias).T, bias)


@pytest.mark.parametrize("case", CASES)
def test_the_layer_is_the_model(case: str) -> None:
    estimator, output, target = CASES[case]
    estimator.fit(X, target)
    expected = getattr(estimator, output)(NEW).reshape(len(NEW), -1)
    layer = linear_equivalent(estimator, output)
    assert (layer.weight.dtype, layer.in_features, layer.out_features) == (torch.float64, 12, expected.shape[1])
    np.testing.assert_allclose(layer(torch.tensor(NEW)).detach().numpy(), expected, rtol=1e-9, atol=1e-9)
    rounded = linear_equivalent(estimator, output, torch.float32)(torch.tensor(NEW, dtype=torch.float32))
    np.testing.assert_allclose(rounded.detach().numpy(), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    slow, found = probed(getattr(estimator, output), 12), affine_map(estimator, output)
    np.testing.assert_allclose(found.weight, slow.weight, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.bias, slow.bias, rtol=1e-8, atol=1e-8)


def test_pca_by_hand() -> None:
    x = np.array([[1.0, 10.0], [3.0, 10.0], [5.0, 10.0]])  # one direction, variance 4, mean (3, 10)
    found = affine_map(PCA(1).fit(x), "transform")
    sign = found.weight[0, 0]
    np.testing.assert_allclose(found.weight, [[sign, 0]], atol=1e-12)
    np.testing.assert_allclose(found.bias, [-3 * sign])
    whitened = affine_map(PCA(1, whiten=True).fit(x), "transform")
    np.testing.assert_allclose(whitened.weight, found.weight / 2, atol=1e-12)
    scaled = affine_map(make_pipeline(StandardScaler(), PCA(1)).fit(x), "transform")
    np.testing.assert_allclose(np.abs(scaled.weight), [[1 / np.sqrt(8 / 3), 0]], atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(sizes=st.tuples(*[st.integers(1, 6)] * 4), seed=st.integers(0, 10**6))
def test_composition_is_associative_and_scaling_is_a_diagonal_map(sizes: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second, third = (
        Affine(rng.normal(size=(fan_out, fan_in)), rng.normal(size=fan_out)) for fan_in, fan_out in pairwise(sizes)
    )
    x = rng.normal(size=(7, sizes[0]))
    np.testing.assert_allclose(third.after(second).after(first)(x), third(second(first(x))), atol=1e-10)
    np.testing.assert_allclose(third.after(second.after(first))(x), third(second(first(x))), atol=1e-10)
    factor, shift = rng.normal(size=(2, sizes[0]))
    np.testing.assert_allclose(first.after_scaling(factor, shift)(x), first(x * factor + shift), atol=1e-10)


def test_a_constant_feature_is_scaled_as_scikit_learn_does() -> None:
    x = np.column_stack([X[:, 0], np.full(len(X), 7.0)])
    scaler = StandardScaler().fit(x)
    factor, shift = scaling(scaler)
    np.testing.assert_allclose(x * factor + shift, scaler.transform(x), atol=1e-12)


def test_making_a_layer_draws_no_random_numbers() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    linear_equivalent(PCA(2).fit(X), "transform")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("estimator", "output", "message"),
    [
        (PCA(2), "transform", "PCA: it is not fitted; call its fit first"),
        (make_pipeline(PCA(2)), "transform", "PCA: it is not fitted; call its fit first"),
        (
            KernelPCA(2).fit(X),
            "transform",
            "KernelPCA.transform: is not known as a map x W^T + b; known are PCA, IncrementalPCA, TruncatedSVD, "
            "LinearDiscriminantAnalysis, PLSRegression",
        ),
        (
            SVC().fit(X, LABELS),
            "decision_function",
            "SVC.decision_function: is not known as a map x W^T + b; known are LogisticRegression, "
            "LogisticRegressionCV, RidgeClassifier, LinearSVC, LinearDiscriminantAnalysis",
        ),
        (
            LogisticRegression(max_iter=2000).fit(X, LABELS),
            "predict",
            "LogisticRegression.predict: an arg max is no map x W^T + b; take output='decision_function'",
        ),
        (
            make_pipeline(MinMaxScaler(), PCA(2)).fit(X),
            "transform",
            "MinMaxScaler.transform: is not known as a map x W^T + b; known are PCA, IncrementalPCA, TruncatedSVD, "
            "LinearDiscriminantAnalysis, PLSRegression",
        ),
        (
            LinearDiscriminantAnalysis(solver="lsqr").fit(X, LABELS),
            "transform",
            "LinearDiscriminantAnalysis.transform: solver='lsqr' has none; use solver='svd' or 'eigen'",
        ),
        (
            make_pipeline("passthrough").fit(X),
            "transform",
            "Pipeline: it has no steps; there is nothing to turn into a layer",
        ),
    ],
)
def test_what_is_not_affine_is_refused(estimator: Any, output: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        linear_equivalent(estimator, output)
