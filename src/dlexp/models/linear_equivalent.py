r"""Fitted linear models of scikit-learn as one `torch.nn.Linear`: x W^T + b.

Conventions. A batch is a matrix of rows, x of shape (N, m); `torch.nn.Linear` keeps W as (outputs, inputs), one row per
output, and b as (outputs,), and returns (N, outputs) also for one output, where scikit-learn may return (N,).
scikit-learn keeps what it projects with as rows in `components_` (k, m) and `coef_` (targets, m) or (m,), and as
columns in `scalings_` (m, k) and `x_rotations_` (m, k), which are transposed here.

What is done to x before it is projected is affine, too, and folds into W and b. Centring by mu: W (x - mu) gives
b = -W mu. Whitening divides output i by the standard deviation s_i along it: W_i / s_i. Standardising first,
z = (x - mu) / sigma, gives W / sigma (column by column) and b - W (mu / sigma).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlexp.errors import InputError

Output = Literal["transform", "predict", "decision_function"]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Affine:
    """The map x -> x W^T + b of rows x (N, inputs)."""

    weight: Matrix  # (outputs, inputs)
    bias: Matrix  # (outputs,)

    def __call__(self, x: Matrix) -> Matrix:
        """(N, inputs) -> (N, outputs)."""
        result: Matrix = x @ self.weight.T + self.bias
        return result

    def after_scaling(self, factor: Matrix, shift: Matrix) -> "Affine":
        """This map of x * factor + shift, both (inputs,), as a map of x."""
        return Affine(self.weight * factor, self.bias + self.weight @ shift)

    def after(self, first: "Affine") -> "Affine":
        """This map of what `first` returns: linear layers without a non-linearity between them are one."""
        return Affine(self.weight @ first.weight, self.bias + self.weight @ first.bias)


def linear_equivalent(estimator: Any, output: Output, dtype: torch.dtype = torch.float64) -> nn.Linear:
    """A `torch.nn.Linear` that computes what the method `output` of a fitted `estimator` does.

    Args:
        estimator: see `affine_map`.
        output: "transform" (projections), "predict" (regressions) or "decision_function" (logits of classifiers).
        dtype: of weight and bias; they are computed in float64 and then rounded.

    Returns:
        inputs -> outputs; one column where scikit-learn returns a vector (one target, two classes).

    Raises:
        InputError: see `affine_map`.
    """
    found = affine_map(estimator, output)
    n_outputs, n_inputs = found.weight.shape
    linear = nn.Linear(n_inputs, n_outputs, dtype=dtype, device="meta").to_empty(device="cpu")  # no random draw
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(found.weight))
        linear.bias.copy_(torch.tensor(found.bias))
    return linear


def affine_map(estimator: Any, output: Output) -> Affine:
    """W and b of the method `output` of a fitted `estimator`, in float64.

    Known are PCA, IncrementalPCA, TruncatedSVD, LinearDiscriminantAnalysis, PLSRegression and StandardScaler
    (transform); LinearRegression, Ridge, RidgeCV, Lasso, ElasticNet and PLSRegression (predict); LogisticRegression,
    LogisticRegressionCV, RidgeClassifier, LinearSVC and LinearDiscriminantAnalysis (decision_function); and pipelines
    of them: earlier steps are folded in.

    Raises:
        InputError: the estimator is not fitted, is none of these, or its `output` is not affine in x.
    """
    from sklearn.exceptions import NotFittedError
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils.validation import check_is_fitted

    name = type(estimator).__name__
    if isinstance(estimator, Pipeline):
        return _pipeline(estimator, output)
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        raise InputError(f"{name}: it is not fitted; call its fit first") from error
    if isinstance(estimator, StandardScaler) and output == "transform":
        factor, shift = scaling(estimator)
        return Affine(np.diag(factor), shift)
    formulas = _formulas(output)
    for kinds, formula in formulas:
        if isinstance(estimator, kinds):
            found = formula(estimator)
            return Affine(np.asarray(found.weight, dtype=np.float64), np.asarray(found.bias, dtype=np.float64))
    if output == "predict" and hasattr(estimator, "decision_function"):
        raise InputError(f"{name}.predict: an arg max is no map x W^T + b; take output='decision_function'")
    known = ", ".join(kind.__name__ for kinds, _ in formulas for kind in kinds)
    raise InputError(f"{name}.{output}: is not known as a map x W^T + b; known are {known}")


def scaling(scaler: Any) -> tuple[Matrix, Matrix]:
    """(factor, shift), each (m,), of a fitted StandardScaler: it returns x * factor + shift."""
    ones = np.ones(scaler.n_features_in_)
    factor = ones if scaler.scale_ is None else 1 / scaler.scale_
    shift = 0 * ones if scaler.mean_ is None or not scaler.with_mean else -scaler.mean_ * factor
    return factor, shift


def _pipeline(pipeline: Any, output: Output) -> Affine:
    from sklearn.preprocessing import StandardScaler

    steps = [step for _, step in pipeline.steps if step not in (None, "passthrough")]
    if not steps:
        raise InputError("Pipeline: it has no steps; there is nothing to turn into a layer")
    found = affine_map(steps[-1], output)
    for step in reversed(steps[:-1]):
        # A scaler multiplies column by column: its diagonal matrix (m, m) is never made.
        before = affine_map(step, "transform") if not isinstance(step, StandardScaler) else None
        found = found.after(before) if before is not None else found.after_scaling(*scaling(step))
    return found


def _formulas(output: Output) -> list[tuple[tuple[type, ...], Callable[[Any], Affine]]]:
    """Which formula belongs to which classes of scikit-learn (imported here: it takes longer than many runs)."""
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import (
        ElasticNet,
        Lasso,
        LinearRegression,
        LogisticRegression,
        LogisticRegressionCV,
        Ridge,
        RidgeClassifier,
        RidgeCV,
    )
    from sklearn.svm import LinearSVC

    if output == "transform":
        return [
            ((PCA, IncrementalPCA, TruncatedSVD), _components),
            ((LinearDiscriminantAnalysis,), _discriminants),
            ((PLSRegression,), _latent_scores),
        ]
    if output == "predict":
        return [
            ((LinearRegression, Ridge, RidgeCV, Lasso, ElasticNet), _coefficients),
            ((PLSRegression,), _latent_prediction),
        ]
    classifiers = (LogisticRegression, LogisticRegressionCV, RidgeClassifier, LinearSVC, LinearDiscriminantAnalysis)
    return [(classifiers, _coefficients)]


def _components(pca: Any) -> Affine:
    """Rows of `components_` are directions; centred by `mean_`, whitened by the standard deviation along each."""
    weight = pca.components_
    if getattr(pca, "whiten", False):
        deviation = np.sqrt(pca.explained_variance_)
        weight = weight / np.maximum(deviation, np.finfo(deviation.dtype).eps)[:, None]
    mean = getattr(pca, "mean_", None)  # TruncatedSVD does not centre
    return Affine(weight, np.zeros(len(weight)) if mean is None else -weight @ mean)


def _discriminants(lda: Any) -> Affine:
    """Columns of `scalings_` are directions, more than are used; only the solver svd centres."""
    if lda.solver == "lsqr":
        raise InputError("LinearDiscriminantAnalysis.transform: solver='lsqr' has none; use solver='svd' or 'eigen'")
    n_outputs = min(lda.scalings_.shape[1], lda._max_components)
    weight = lda.scalings_[:, :n_outputs].T
    return Affine(weight, -weight @ lda.xbar_ if lda.solver == "svd" else np.zeros(n_outputs))


def _latent_scores(pls: Any) -> Affine:
    """PLS standardises x itself; columns of `x_rotations_` are directions in standardised features."""
    weight = pls.x_rotations_.T / pls._x_std
    return Affine(weight, -weight @ pls._x_mean)


def _latent_prediction(pls: Any) -> Affine:
    """`coef_` (targets, m) has both scalings in it already, but not the centring."""
    return Affine(pls.coef_, np.atleast_1d(pls.intercept_) - pls.coef_ @ pls._x_mean)


def _coefficients(model: Any) -> Affine:
    """`coef_` (outputs, m), or (m,) for one target; `intercept_` (outputs,) or a number."""
    weight = np.atleast_2d(model.coef_)
    return Affine(weight, np.broadcast_to(np.atleast_1d(model.intercept_), len(weight)))
