"""The noisy quadratic model: SGD whose expected loss is known exactly, for any schedule."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NoisyQuadratic:
    """L(theta) = 1/2 sum_k h_k theta_k^2; the gradient along direction k is seen with noise of variance `noise` h_k.

    Zhang et al. 2019, section 3, with noise proportional to the curvature.
    """

    curvatures: Vector  # h (K,), each > 0
    signal: float  # E theta_k^2 at the start, the same in every direction, >= 0
    noise: float  # variance of the gradient along a direction of curvature 1, >= 0

    def loss(self, rates: ArrayLike) -> Vector:
        """Expected loss after SGD with the learning rates (..., T) of its T steps: (...)."""
        by_step = np.moveaxis(np.asarray(rates, dtype=np.float64), -1, 0)[..., None]  # (T, ..., 1)
        square = np.full((*by_step.shape[1:-1], len(self.curvatures)), self.signal)
        for rate in by_step:
            square = self._step(square, rate)
        losses: Vector = square @ self.curvatures / 2
        return losses

    def best_schedule(self, steps: int, largest: float) -> Vector:
        """The rates (steps,), each in [0, `largest`], of least expected loss, found by L-BFGS-B from a line to 0."""
        from scipy.optimize import minimize

        start = largest * (1 - np.arange(steps) / steps)
        bounds = [(0.0, largest)] * steps
        options = {"maxiter": 2000, "maxfun": 4000, "ftol": 1e-12, "gtol": 1e-12}
        best = minimize(self._loss_and_gradient, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        return np.asarray(best.x, dtype=np.float64)

    def _step(self, square: Vector, rate: Vector | float) -> Vector:
        """E theta_k^2 after one more step."""
        moved: Vector = (1 - rate * self.curvatures) ** 2 * square + rate**2 * self.noise * self.curvatures
        return moved

    def _loss_and_gradient(self, rates: Vector) -> tuple[float, Vector]:
        """The loss of one schedule and its derivative by each rate, by one sweep forwards and one back."""
        h = self.curvatures
        squares = [np.full(len(h), self.signal)]
        for rate in rates:
            squares.append(self._step(squares[-1], rate))
        adjoint, gradient = h / 2, np.empty(len(rates))  # derivative of the loss by E theta_k^2
        for t in reversed(range(len(rates))):
            rate = rates[t]
            gradient[t] = adjoint @ (2 * rate * self.noise * h - 2 * h * (1 - rate * h) * squares[t])
            adjoint = adjoint * (1 - rate * h) ** 2
        return float(squares[-1] @ h / 2), gradient
