r"""2.2 Linear projections as one layer of a neural network.

Question. PCA, linear regression and their kin predict x W^T + b, which is what one layer without an activation does.
How is each of them turned into that layer, and can the layer learn it instead?

Idea. Read W and b off the fitted model: transpose what is stored as columns, fold in what happens to x before
(centring, standardising) and to the outputs after (whitening). The layer is then the model, up to rounding; we compare
the two on the document's 10,000 x 3,000 data. To *learn* PCA, train a linear auto-encoder: it reconstructs best from
the principal subspace, but any basis of that subspace does as well, so its axes need not be principal ones.

Expected. Differences of rounding only, in float64 and in float32; one layer instead of a pipeline saves time; folding
the centring into b costs precision in float32 when the mean is large beside the spread. The auto-encoder's subspace
converges to PCA's and its axes do not, unless the weights decay.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import log10
from statistics import median
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from dlexp.claims import claim_above, claim_below
from dlexp.errors import InputError
from dlexp.lab import Lab
from dlexp.models.linear_autoencoder import LinearAutoencoder, fit_linear_autoencoder
from dlexp.models.linear_equivalent import Affine, Output, affine_map, linear_equivalent
from dlexp.plots import COLOURS, MARKERS, curves, figure, legend
from dlexp.probes.principal_angles import axis_angles, principal_angles
from dlexp.stats import mean_interval

# Practical margins, stated before looking.
EXACT = 1e-9  # largest difference that float64 may make: far below any use of a projection
RELATIVE = 1e-4  # the same for float32, as a share of the largest output: four digits that hold
HALF = 0.5  # of a pipeline's time one layer must save half to be worth the change
DECADE = 1.0  # a digit of precision, of the seven that float32 has
SAME_SUBSPACE = 0.1  # degrees: principal angles below this would not be seen in any plot
OTHER_AXES = 5.0  # degrees: an axis that is off by more would get another interpretation
SAME_AXES = 1.0  # degrees: axes closer than this would get the same

OFFSETS = (0.0, 10.0, 100.0, 1000.0, 10_000.0)  # means of all features, in standard deviations
OFFSET_ROWS = 2000  # samples on which these are tried
PIPELINE = "scaler + PCA"  # on which the time that folding saves is judged
TINY = 1e-18  # differences are drawn on a logarithmic axis, on which 0 has no place

log = logging.getLogger(__name__)

Matrix = NDArray[np.float64]
Errors = dict[str, list[float]]  # way of centring -> relative error at each of OFFSETS


@dataclass(frozen=True)
class Params:
    """What this exercise lets one choose."""

    n_samples: Annotated[int, Field(ge=20, le=10_000_000)]  # rows of the data
    n_features: Annotated[int, Field(ge=4, le=100_000)]  # their columns
    n_informative: Annotated[int, Field(ge=2, le=1000)]  # columns that tell the classes apart
    n_redundant: Annotated[int, Field(ge=0, le=1000)]  # linear combinations of those; the other columns are noise
    n_classes: Annotated[int, Field(ge=3, le=100)]  # classes, and targets of the regressions
    n_components: Annotated[int, Field(ge=1, le=1000)]  # outputs of PCA and of PLS
    refit_slow: bool  # fit OLS and LDA on every draw of the data; false: on the first, the others are new rows to them
    repeats: Annotated[
        int, Field(ge=1, le=1000)
    ]  # each time is the median of so many, fewer if they take over a second
    learned_samples: Annotated[int, Field(ge=20, le=10_000_000)]  # rows of the data on which PCA is learned
    learned_features: Annotated[int, Field(ge=4, le=20_000)]  # their columns
    codes: Annotated[int, Field(ge=2, le=1000)]  # codes of the auto-encoder: principal directions to be learned
    weight_decay: Annotated[float, Field(ge=0, lt=1)]  # of the decaying auto-encoder, as a share of the total variance
    iterations: Annotated[int, Field(ge=1, le=100_000)]  # of L-BFGS


@dataclass(frozen=True)
class Projection:
    """A model of scikit-learn and the method of it that becomes a layer."""

    name: str
    estimator: Any  # not fitted yet; one that two projections share is fitted once
    output: Output
    target: str  # what it is fitted to: "" (nothing), "class", "one-hot", or "first" (is it the first class, 0 or 1)
    stored: str  # what scikit-learn keeps: k components, m features, c classes
    weight: str  # W of the layer, (outputs x m)
    bias: str  # b of the layer
    slow: bool = False  # its fit takes O(m^3) with a large factor


@dataclass
class Compared:
    """A projection against its layer, one value per draw of the data."""

    projection: Projection
    outputs: int = 0  # columns of what it returns
    difference: list[float] = field(default_factory=list)  # largest |layer - scikit-learn| in float64
    relative: list[float] = field(default_factory=list)  # the same in float32, over the largest |output|
    sklearn_seconds: list[float] = field(default_factory=list)
    float64_seconds: list[float] = field(default_factory=list)
    float32_seconds: list[float] = field(default_factory=list)


class Path(NamedTuple):
    """The way of one auto-encoder to PCA: largest angles in degrees after some iterations."""

    iterations: list[int]
    span: list[float]  # between the decoder's span and the principal subspace
    columns: list[float]  # between the decoder's columns and the principal directions
    singular: list[float]  # between the decoder's left singular vectors and the principal directions


@dataclass
class Learned:
    """Auto-encoders, one per seed."""

    decay: float
    paths: list[Path] = field(default_factory=list)
    encoder: list[float] = field(default_factory=list)  # at the end: between the span of its rows and the subspace

    def final(self, part: str) -> list[float]:
        """The end of each path."""
        return [getattr(path, part)[-1] for path in self.paths]


def check(lab: Lab, params: Params) -> None:
    """Refuse, before anything is fitted, numbers that do not fit each other."""
    special = params.n_informative + params.n_redundant
    for key in ("n_features", "learned_features"):
        if (value := getattr(params, key)) < special:
            raise InputError(f"params.{key}={value}: is less than n_informative + n_redundant = {special}; raise it")
    corners = 2**params.n_informative
    if 2 * params.n_classes > corners:  # make_classification puts two clusters of each class on corners
        raise InputError(
            f"params.n_classes={params.n_classes}: {params.n_informative} informative features have {corners} corners "
            "for two clusters of each class; raise n_informative"
        )
    for key, most in (("n_components", "n_features"), ("n_components", "n_samples"), ("codes", "learned_features")):
        if getattr(params, key) >= getattr(params, most):
            raise InputError(f"params.{key}={getattr(params, key)}: must be less than {most}={getattr(params, most)}")


def run(lab: Lab, params: Params) -> None:
    """Learn PCA with a layer, turn every model into a layer, and judge the claims."""
    learned = [learn(lab, params, decay) for decay in dict.fromkeys((0.0, params.weight_decay))]
    compared, errors = compare(lab, params)

    formal_statement(lab, params)
    agreement(lab, params, compared)
    centring(lab, errors)
    learning(lab, params, learned)
    discussion(lab, compared, learned)


def projections(params: Params) -> list[Projection]:
    """The models that become layers, and how."""
    from sklearn.cross_decomposition import PLSRegression
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def pca(whiten: bool = False) -> Any:
        return PCA(params.n_components, svd_solver="randomized", whiten=whiten, random_state=0)

    def logistic() -> Any:
        return LogisticRegression(tol=0.1)  # how well it learns does not matter here, only what it then computes

    lda, pls = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1), PLSRegression(params.n_components)
    scaled, both = make_pipeline(StandardScaler(), pca()), make_pipeline(StandardScaler(), logistic())
    rows, directions = "coef_ B (c x m): rows", "components_ P (k x m): rows"
    scalings, rotations = "scalings_ S (m x m or less): columns", "x_rotations_ R (m x k): columns"
    scale, centred, moved = r"\,\mathrm{diag}(1/\sigma)$", r"$-W\mu$", r"intercept_ $-\,W\mu$"
    return [
        Projection("PCA", pca(), "transform", "", directions, "$P$", centred),
        Projection("PCA, whitened", pca(True), "transform", "", directions, r"$\mathrm{diag}(1/s)\,P$", centred),
        Projection(PIPELINE, scaled, "transform", "", directions, "$P" + scale, r"$-P\mu_z - W\mu$"),
        Projection("OLS", LinearRegression(), "predict", "one-hot", rows, "$B$", "intercept_", slow=True),
        Projection("ridge", Ridge(solver="cholesky"), "predict", "first", "coef_ w (m)", "$w^T$ (1 x m)", "intercept_"),
        Projection("LDA, projection", lda, "transform", "class", scalings, "$S^T$, c-1 rows", "0", slow=True),
        Projection("LDA, decision", lda, "decision_function", "class", rows, "$B$", "intercept_", slow=True),
        Projection("PLS, projection", pls, "transform", "one-hot", rotations, "$R^T" + scale, centred),
        Projection("PLS, prediction", pls, "predict", "one-hot", rows, "$B$", moved),
        Projection("logistic regression", logistic(), "decision_function", "class", rows, "$B$", "intercept_"),
        Projection("scaler + logistic", both, "decision_function", "class", rows, "$B" + scale, moved),
    ]


def draw(n_samples: int, n_features: int, params: Params, seed: int) -> tuple[Matrix, NDArray[np.int64]]:
    """The document's data: X (n, m) float64 and the classes (n,)."""
    from sklearn.datasets import make_classification

    special = {"n_informative": params.n_informative, "n_redundant": params.n_redundant}
    x, y = make_classification(n_samples, n_features, n_classes=params.n_classes, random_state=seed, **special)
    return x, y


def compare(lab: Lab, params: Params) -> tuple[list[Compared], list[Errors]]:
    """Every projection against its layer on one draw of the data per seed; and the ways of centring on each draw."""
    compared, errors = [Compared(each) for each in projections(params)], []
    for number, seed in enumerate(lab.seeds):
        x, y = draw(params.n_samples, params.n_features, params, seed)
        targets = {"": None, "class": y, "one-hot": np.eye(params.n_classes)[y], "first": (y == 0).astype(np.float64)}
        to_fit = [each.projection for each in compared]
        to_fit = [each for each in to_fit if number == 0 or params.refit_slow or not each.slow]
        for each in {id(each.estimator): each for each in to_fit}.values():
            each.estimator.fit(x, targets[each.target])
        x64, x32 = torch.tensor(x), torch.tensor(x, dtype=torch.float32)  # aligned copies: the same bits in every run
        for found in compared:
            compare_one(found, x, x64, x32, params.repeats)
        errors.append(errors_of_centring(affine_map(compared[0].projection.estimator, "transform"), x[:OFFSET_ROWS]))
        log.info("seed %d: %d projections compared", seed, len(compared))
    return compared, errors


@torch.inference_mode()
def compare_one(found: Compared, x: Matrix, x64: Tensor, x32: Tensor, repeats: int) -> None:
    """Add what a fitted model and its layers make of one draw of the data."""
    model, output = found.projection.estimator, found.projection.output
    layer64, layer32 = (linear_equivalent(model, output, dtype) for dtype in (torch.float64, torch.float32))
    expected, seconds = timed(lambda: getattr(model, output)(x), repeats)
    found.sklearn_seconds.append(seconds)
    exact, seconds = timed(lambda: layer64(x64), repeats)
    found.float64_seconds.append(seconds)
    rounded, seconds = timed(lambda: layer32(x32), repeats)
    found.float32_seconds.append(seconds)
    expected = expected.reshape(len(x), -1)  # for one target scikit-learn returns a vector
    found.outputs = expected.shape[1]
    found.difference.append(float(np.abs(exact.numpy() - expected).max()))
    found.relative.append(relative_error(rounded, expected))


def timed(function: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """The result, and the median seconds of `repeats` calls, fewer if they take more than a second together."""
    seconds: list[float] = []
    while len(seconds) < repeats and sum(seconds) < 1:
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return result, median(seconds)


def relative_error(outputs: Tensor, expected: Matrix) -> float:
    """Largest absolute difference over the largest absolute output."""
    return float(np.abs(outputs.double().numpy() - expected).max() / np.abs(expected).max())


def errors_of_centring(pca: Affine, x: Matrix) -> Errors:
    """Relative errors of float32 layers on features that have means of each of OFFSETS standard deviations.

    The data are moved and the layer with them, so that the exact outputs stay as they are. "folded" is b = -W mu,
    "centred first" subtracts the mean from x and has no bias.
    """
    weight, spread = torch.tensor(pca.weight, dtype=torch.float32), x.std(axis=0)
    x = x - x.mean(axis=0)
    expected = x @ pca.weight.T
    errors: Errors = {"folded": [], "centred first": []}
    for offset in OFFSETS:
        mean = offset * spread
        moved = torch.tensor(x + mean, dtype=torch.float32)
        bias = torch.tensor(-pca.weight @ mean, dtype=torch.float32)
        errors["folded"].append(relative_error(moved @ weight.T + bias, expected))
        centred = moved - torch.tensor(mean, dtype=torch.float32)
        errors["centred first"].append(relative_error(centred @ weight.T, expected))
    return errors


def learn(lab: Lab, params: Params, decay: float) -> Learned:
    """A linear auto-encoder per seed, watched on its way to PCA."""
    from sklearn.decomposition import PCA

    learned = Learned(decay)
    for seed in lab.seeds:
        x, _ = draw(params.learned_samples, params.learned_features, params, seed)
        x = x - x.mean(axis=0)
        pca = PCA(params.codes, svd_solver="covariance_eigh").fit(x)
        directions, last = pca.components_.T, pca.explained_variance_ratio_[-1]  # (m, k)
        if decay >= last:
            raise InputError(
                f"params.weight_decay={decay:g}: the last of {params.codes} directions has only {last:.2g} of the "
                "variance, so it would not be learned; lower weight_decay or codes"
            )
        path = Path([], [], [], [])

        def watch(done: int, net: LinearAutoencoder, path: Path = path, directions: Matrix = directions) -> None:
            decoder = net.decoder.numpy()
            path.iterations.append(done)
            path.span.append(largest_degrees(principal_angles(decoder, directions)))
            path.columns.append(largest_degrees(axis_angles(decoder, directions)))
            singular = np.linalg.svd(decoder, full_matrices=False)[0]
            path.singular.append(largest_degrees(axis_angles(singular, directions)))

        how: dict[str, Any] = {"decay": decay, "iterations": params.iterations, "watch": watch}
        net = fit_linear_autoencoder(torch.tensor(x.T @ x / len(x)), params.codes, seed, **how)
        learned.paths.append(path)
        learned.encoder.append(largest_degrees(principal_angles(net.encoder.numpy().T, directions)))
    return learned


def largest_degrees(angles: Matrix) -> float:
    """The largest of `angles` in radians, in degrees."""
    return float(np.degrees(angles.max()))


def formal_statement(lab: Lab, params: Params) -> None:
    """How, as formulas; and the method."""
    lab.answer.section(
        "Formal statement",
        r"With samples as rows, $X \in \mathbb{R}^{N \times m}$, `torch.nn.Linear` computes "
        r"$Y = X W^T + \mathbf{1} b^T$ with $W \in \mathbb{R}^{k \times m}$ stored as (outputs, inputs): one *row* per "
        r"output. For PCA with mean $\mu$ and unit directions $p_1, \dots, p_k$, the rows of $P$:"
        "\n\n"
        r"$$Y = (X - \mathbf{1}\mu^T) P^T \quad\Rightarrow\quad W = P, \qquad b = -P \mu .$$"
        "\n\n"
        r"What is done before or after the projection is affine as well and folds in. Whitening divides output $i$ by "
        r"the standard deviation $s_i$ along $p_i$: $W = \mathrm{diag}(1/s) P$, $b = -W\mu$. Standardising first, "
        r"$z = (x - \mu) / \sigma$, and then $A z + a$: $W = A\,\mathrm{diag}(1/\sigma)$, $b = a - W \mu$. In general "
        r"$W_2 (W_1 x + b_1) + b_2 = (W_2 W_1) x + (W_2 b_1 + b_2)$: a pipeline of linear steps is one layer. "
        r"What is stored as columns ($m \times k$) is transposed, and a vector of $m$ numbers (one target) becomes a "
        r"$1 \times m$ matrix. What a classifier predicts is the arg max of the layer, its probabilities the softmax.",
    )
    slow = " OLS and LDA, slow to fit, are fitted on the first; the other draws are new rows to them."
    lab.answer.section(
        "Method",
        f"The document's data, `make_classification` with {params.n_samples} samples and {params.n_features} features, "
        f"are drawn anew for each of {len(lab.seeds)} seeds. On each draw the models are fitted, turned into layers in "
        f"float64 and float32, and both are applied to all rows.{'' if params.refit_slow else slow} Intervals are 95 % "
        "over the draws.",
    )


def agreement(lab: Lab, params: Params, compared: list[Compared]) -> None:
    """Differences and times of every projection."""
    answer = lab.answer
    answer.section("Every model as one layer")
    rows: list[dict[str, Any]] = []
    for found in compared:
        each = found.projection
        rows.append(
            {"model": each.name, "scikit-learn keeps": each.stored, "W": each.weight, "b": each.bias}
            | {"outputs": found.outputs, "float64: largest difference": max(found.difference)}
            | {"float32: largest relative": max(found.relative)}
        )
    caption = "Conventions (k components, m features, c classes), and the largest difference over all rows and draws"
    answer.table("agreement", rows, caption)
    rows = [
        {"model": found.projection.name, "scikit-learn (seconds)": median(found.sklearn_seconds)}
        | {"layer, float64 (seconds)": median(found.float64_seconds)}
        | {"layer, float32 (seconds)": median(found.float32_seconds)}
        for found in compared
    ]
    answer.table("times", rows, f"Seconds to project {params.n_samples} rows: median over the draws")
    draw_agreement(lab, compared)

    exact, rounded = (  # per draw, the worst of the models
        mean_interval(np.max([getattr(found, part) for found in compared], axis=0))
        for part in ("difference", "relative")
    )
    statement = "In float64, one linear layer computes what each of the models does, up to rounding."
    answer.claim(claim_below("one_layer_is_exact", statement, exact, EXACT, "absolute difference"))
    statement = "In float32, the layer keeps four digits of the largest output."
    answer.claim(claim_below("float32_keeps_four_digits", statement, rounded, RELATIVE, "relative error"))
    pipeline = next(found for found in compared if found.projection.name == PIPELINE)
    ratio = mean_interval(np.divide(pipeline.float64_seconds, pipeline.sklearn_seconds))
    statement = f"Folding the scaler in saves time: one layer takes less than half of what {PIPELINE} takes."
    answer.claim(claim_below("folding_saves_time", statement, ratio, HALF, "ratio of seconds"))
    answer.objective = exact.mean


def power_of_ten(power: float, _position: int) -> str:
    """A logarithm as the power of ten that it stands for, along an axis."""
    return f"$10^{{{power:g}}}$"


def draw_agreement(lab: Lab, compared: list[Compared]) -> None:
    """Differences of every model, as powers of ten."""
    made, (left, right) = figure(width=9.5, height=4.2, columns=2, sharey=True)
    for axes, part, margin, label in (
        (left, "difference", EXACT, "float64: largest absolute difference"),
        (right, "relative", RELATIVE, "float32: largest relative error"),
    ):
        for at, found in enumerate(compared):
            powers = np.log10(np.maximum(getattr(found, part), TINY))
            axes.plot(powers, [at] * len(powers), "o", color=COLOURS[0], mfc="none", markersize=6)
        axes.axvline(log10(margin), color="black", linestyle="--", linewidth=1, label=f"margin {margin:g}")
        axes.xaxis.set_major_formatter(power_of_ten)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel=label)
        legend(axes)
    left.set_yticks(range(len(compared)), [found.projection.name for found in compared])
    left.invert_yaxis()
    caption = "How far each layer is from its model, one mark per draw of the data, and the margins of the claims"
    lab.answer.figure("agreement", made, caption)


def centring(lab: Lab, errors: list[Errors]) -> None:
    """What folding the mean into b costs in float32."""
    answer = lab.answer
    answer.section(
        "What folding costs",
        "Algebra does not see whether the mean is subtracted from $x$ or from the output; floating-point numbers do. "
        "With a mean much larger than the spread, $xW^T$ and $b$ are large numbers that nearly cancel. Here all "
        "features are moved by a multiple of their standard deviations, which leaves the exact projection as it was.",
    )
    powers = {
        way: [mean_interval([log10(max(each[way][i], TINY)) for each in errors]) for i in range(len(OFFSETS))]
        for way in errors[0]
    }
    rows = [
        {"mean / standard deviation": offset}
        | {f"{way}: relative error": 10 ** intervals[i].mean for way, intervals in powers.items()}
        for i, offset in enumerate(OFFSETS)
    ]
    answer.table("centring", rows, "PCA as a float32 layer, by the size of the mean: geometric mean over the draws")
    made, axes = figure()
    curves(axes, range(len(OFFSETS)), powers)
    axes.set_xticks(range(len(OFFSETS)), [f"{offset:g}" for offset in OFFSETS])
    axes.yaxis.set_major_formatter(power_of_ten)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="mean of the features (standard deviations)", ylabel="relative error in float32")
    legend(axes)
    answer.figure("centring", made, "Relative error of PCA as a float32 layer; bands are 95 % intervals over the draws")
    lost = mean_interval([log10(each["folded"][-1] / each["centred first"][-1]) for each in errors])
    statement = (
        f"In float32, with means of {OFFSETS[-1]:g} standard deviations, folding the centring into b loses more than a "
        "digit that subtracting the mean first keeps."
    )
    answer.claim(claim_above("centring_first_keeps_digits", statement, lost, DECADE, "decades of relative error"))


def learning(lab: Lab, params: Params, learned: list[Learned]) -> None:
    """The auto-encoder against PCA: subspace and axes."""
    answer, plain = lab.answer, learned[0]
    answer.section(
        "PCA, learned",
        r"A linear auto-encoder reconstructs centred samples as $\hat x = D E x$ with $E \in \mathbb{R}^{k \times m}$ "
        rf"and $D \in \mathbb{{R}}^{{m \times k}}$; here $k = {params.codes}$, on {params.learned_samples} x "
        f"{params.learned_features} data of the same kind, by {params.iterations} iterations of full-batch L-BFGS in "
        r"float64 from random weights. $\mathbb{E}\|x - D E x\|^2$ is smallest at $D = U C^{-1}$ for any invertible "
        r"$C$, where the columns of $U$ are the principal directions: the span of $D$ is determined, its columns are "
        r"not. Adding $\lambda (\|E\|^2 + \|D\|^2)$ makes $U$ the left singular vectors of $D$. Angles are the largest "
        "principal angle between two subspaces, and the largest between axes matched in their best order and sign.",
    )
    rows = []
    for each in learned:
        ends = {
            "span of the decoder": each.final("span"),
            "span of the encoder": each.encoder,
            "axes: columns of the decoder": each.final("columns"),
            "axes: its left singular vectors": each.final("singular"),
        }
        for what, angles in ends.items():
            interval = mean_interval(angles)
            rows.append(
                {"weight decay": each.decay, "compared with PCA": what, "largest angle (degrees)": interval.mean}
                | {"low": interval.low, "high": interval.high}
            )
    answer.table("learned", rows, "How far the trained auto-encoders are from PCA")
    draw_learning(lab, learned)

    span = mean_interval(plain.final("span"))
    statement = "The subspace that the auto-encoder's decoder spans is that of PCA."
    answer.claim(claim_below("subspace_is_learned", statement, span, SAME_SUBSPACE, "degrees"))
    columns = mean_interval(plain.final("columns"))
    statement = "The axes of that subspace, the decoder's columns, are not the principal directions."
    answer.claim(claim_above("axes_are_not_learned", statement, columns, OTHER_AXES, "degrees"))
    if len(learned) > 1:
        singular = mean_interval(learned[1].final("singular"))
        statement = "With weight decay, the decoder's left singular vectors are the principal directions."
        answer.claim(claim_below("decay_recovers_the_axes", statement, singular, SAME_AXES, "degrees"))


def draw_learning(lab: Lab, learned: list[Learned]) -> None:
    """Largest angles on the way, one line per seed."""
    made, axes = figure()
    for index, each in enumerate(learned):
        name = f"decay {each.decay:g}" if each.decay else "no decay"
        parts = {"span": ("subspace", "-"), "columns": ("columns", "--"), "singular": ("singular vectors", ":")}
        for part, (label, line) in parts.items():
            look: dict[str, Any] = {"color": COLOURS[index], "linestyle": line, "marker": MARKERS[index]}
            look |= {"markersize": 4, "linewidth": 1}
            for path in each.paths:
                powers = np.log10(np.maximum(getattr(path, part), TINY))
                axes.plot(path.iterations, powers, markevery=4, **look)
            axes.plot([], [], label=f"{label}, {name}", **look)
    axes.axhline(log10(SAME_SUBSPACE), color="black", linestyle="-.", linewidth=1, label=f"margin {SAME_SUBSPACE:g}°")
    axes.yaxis.set_major_formatter(power_of_ten)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel="iterations of L-BFGS", ylabel="largest angle with PCA (degrees)")
    made.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False, fontsize=9)
    caption = (
        "From random weights to PCA, one line per seed: the decoder's span, its columns, its left singular vectors"
    )
    lab.answer.figure("learning", made, caption)


def discussion(lab: Lab, compared: list[Compared], learned: list[Learned]) -> None:
    """The answer to "how?", with the numbers of this run."""
    claims = {claim.name: claim for claim in lab.answer.claims}
    effects = {name: f"{claim.effect:.2g} {claim.unit}, {claim.verdict}" for name, claim in claims.items()}
    times = 10 ** claims["centring_first_keeps_digits"].effect
    lines = [
        "**How?** Copy the fitted matrix into a layer as (outputs, inputs), and everything that shifts into its bias:",
        "```python\n"
        "layer = torch.nn.Linear(pca.n_features_in_, pca.n_components_, dtype=torch.float64)\n"
        "with torch.no_grad():\n"
        "    layer.weight.copy_(torch.from_numpy(pca.components_))  # rows are directions: no transpose\n"
        "    layer.bias.copy_(torch.from_numpy(-pca.components_ @ pca.mean_))  # the centring\n"
        "# layer(torch.from_numpy(X)) is pca.transform(X)\n"
        "```",
        "`dlexp.models.linear_equivalent.linear_equivalent(estimator, output)` does it for every model of the table, "
        "pipelines included. The largest difference of any of them on any draw is "
        f"{max(max(found.difference) for found in compared):.1e} in float64, and "
        f"{max(max(found.relative) for found in compared):.1e} of the largest output in float32.",
        "**Row or column.** `components_` and `coef_` hold rows, as a layer does, and are copied as they are; "
        "`scalings_` of LDA and `x_rotations_` of PLS hold columns and are transposed. One target gives a vector of m "
        "numbers, neither row nor column: as $1 \\times m$ it is a layer of one neuron, whose output is a column. LDA "
        "is two different layers, a projection and a decision function; with the solver `svd` the projection is "
        "centred, with `eigen`, used here, it is not. PLS standardises by itself: its rotations are meant for "
        "standardised features, its `coef_` has the scaling in it already, but not the centring.",
        "**Before the projection.** A scaler costs nothing once it is folded in (time of the layer over that of the "
        f"pipeline: {effects['folding_saves_time']}), while the pipeline first writes a scaled copy of the data. A "
        "layer also has the rows that are wanted and no more: LDA's `transform` multiplies by all of `scalings_` and "
        "then keeps c - 1 columns. But folding the mean relies on cancellation: at the largest means tried, in "
        f"float32, the error of the folded layer is {times:.1f} times that of centring first "
        f"({claims['centring_first_keeps_digits'].verdict}). Then keep the subtraction, or float64.",
        f"**Learning it.** Largest angle between the auto-encoder's subspace and PCA's: "
        f"{effects['subspace_is_learned']}. Largest angle between their axes: {effects['axes_are_not_learned']}. The "
        "reconstruction is the same for each basis of the subspace, so nothing pulls the axes to the principal ones: a "
        "trained linear layer must not be read axis by axis as principal components are.",
    ]
    encoder = mean_interval(learned[0].encoder)
    if encoder.mean > SAME_SUBSPACE:
        lines.append(
            f"The encoder's rows are {encoder.mean:.2g} degrees off that subspace, and this is no failure: redundant "
            "features are combinations of others, so there are directions in which the data do not vary, and what $E$ "
            "does there never shows in the loss. Only $D$ is determined; weight decay also removes that part of $E$."
        )
    if "decay_recovers_the_axes" in claims:
        lines.append(
            "Weight decay breaks the tie between the bases: it makes the decoder's singular values depend on the "
            "variance along each direction, so that its singular vectors are the principal directions (largest angle: "
            f"{effects['decay_recovers_the_axes']}). Without it they are not: see the table."
        )
    if failed := [name for name, claim in claims.items() if claim.verdict != "supported"]:
        lines.append(
            f"Not supported in this run: {', '.join(failed)}. Differences beyond rounding would mean a wrong formula; "
            "times depend on the machine and on what else runs on it; the loss by folding grows with the number of "
            "features that are summed; angles need more `params.iterations` where neighbouring directions have nearly "
            "the same variance; and few seeds make wide intervals."
        )
    lines.append(
        "**Limits.** All of this holds because each step is affine. With a kernel, an arg max or a ReLU between two "
        "projections there is no such layer, and two layers without anything between them are no deeper than one."
    )
    lab.answer.section("Discussion", "\n\n".join(lines))
