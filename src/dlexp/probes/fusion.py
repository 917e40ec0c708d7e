"""One representation from several layers: their features standardised and put side by side, X = union of X_l.

Everything that is fitted (means, deviations, principal axes) is fitted on training samples only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Features = Mapping[str, Matrix]  # layer -> (N, F_l), the same samples for all layers


@dataclass(frozen=True, eq=False)
class Fusion:
    """A fitted concatenation; `transform` takes any samples of the same layers."""

    layers: tuple[str, ...]
    width: int  # features that it gives
    _fitted: Any  # a scikit-learn pipeline

    def transform(self, features: Features) -> Matrix:
        """layer -> (N, F_l) to (N, width); layers that are not part of it are ignored.

        Raises:
            ValueError: a layer is missing.
        """
        return np.asarray(self._fitted.transform(side_by_side(features, self.layers)))


def fit_fusion(train: Features, layers: Sequence[str], components: int | None = None) -> Fusion:
    """Standardise every feature of `layers` and put them side by side, in the order given.

    Args:
        train: layer -> (N, F_l) of the training samples. Nothing else may be given here.
        layers: any of them, each once. One alone is that layer, standardised.
        components: None: all D = sum F_l features. Else the fused features are rotated to their principal axes (of
            `train`) and as many are kept, not rescaled: the control that has no more features than a single layer.

    A feature that does not vary over `train` is 0.

    Raises:
        ValueError: no layers, a layer twice or unknown, or `components` is not in 1..min(N, D).
    """
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if not layers or len(set(layers)) < len(layers):
        raise ValueError(f"layers {list(layers)}: must be one or more, each once")
    x = side_by_side(train, layers)
    steps = [StandardScaler()]
    if components is not None:
        if not 1 <= components <= min(x.shape):
            raise ValueError(
                f"components={components}: must be 1 to {min(x.shape)}, the smaller of samples and features"
            )
        steps.append(PCA(components, svd_solver="full"))
    return Fusion(tuple(layers), components or x.shape[1], make_pipeline(*steps).fit(x))


def side_by_side(features: Features, layers: Sequence[str]) -> Matrix:
    """(N, sum F_l): the features of `layers` in their order, as they are.

    Raises:
        ValueError: a layer is missing.
    """
    missing = [name for name in layers if name not in features]
    if missing:
        raise ValueError(f"there is no layer {missing[0]}; there are {', '.join(features)}")
    return np.concatenate([features[name] for name in layers], axis=1)


def random_features(x: Matrix, count: int, seed: int) -> Matrix:
    """(N, count): relu(x W + b) with W ~ N(0, 1/F), b ~ N(0, 1): more features, and no information beyond `x` (N, F).

    The control for their number (Rahimi and Recht 2008). The same seed, F and count give the same W and b, so that
    training and test samples get the same features. `x` should be standardised.
    """
    random = np.random.default_rng(seed)
    weight = random.standard_normal((x.shape[1], count)) / np.sqrt(x.shape[1])
    return np.asarray(np.maximum(x @ weight + random.standard_normal(count), 0))
