r"""A linear auto-encoder, trained to reconstruct: what it learns is the subspace of PCA.

With centred rows x, codes z = E x and reconstructions D z, the mean squared error depends on the data through their
covariance S alone:

    L(E, D) = tr S - 2 tr(E S D) + tr(D^T D E S E^T)  (+ decay (||E||^2 + ||D||^2)).

Every minimum is global, with D = U C^-1 for any invertible C, where U holds the first k principal directions; every
other stationary point is a saddle (Baldi and Hornik 1989). So the columns of D span the principal subspace, but
nothing makes them principal directions. With decay > 0, D = U diag(sqrt(1 - decay / lambda_i)) O^T for an orthogonal O,
lambda_i being the variance along direction i: the left singular vectors of D *are* the principal directions (Kunin et
al. 2019).

Trained apart from `dlexp.training`: that loop compares logits with class indices, in float32 and on random batches,
while here there are no labels, and what is to be seen is the exact minimum. Full-batch L-BFGS in float64 on S finds it,
at a cost per step that does not depend on the number of samples.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

ITERATIONS_AT_ONCE = 5


@dataclass(frozen=True)
class LinearAutoencoder:
    """x -> D E x. Only where S is regular is E determined by D; D always spans the principal subspace."""

    encoder: Tensor  # E (k, m)
    decoder: Tensor  # D (m, k)


def reconstruction_loss(net: LinearAutoencoder, covariance: Tensor, decay: float = 0.0) -> Tensor:
    """The mean of ||x - D E x||^2 over centred samples of this `covariance` (m, m), plus the decay's penalty."""
    projected = net.encoder @ covariance  # E S
    loss = covariance.trace() - 2 * (projected * net.decoder.T).sum()
    loss = loss + ((net.decoder.T @ net.decoder) * (projected @ net.encoder.T)).sum()
    return loss + decay * (net.encoder.square().sum() + net.decoder.square().sum())


def fit_linear_autoencoder(
    covariance: Tensor,
    k: int,
    seed: int,
    *,
    decay: float = 0.0,
    iterations: int = 120,
    watch: Callable[[int, LinearAutoencoder], None] | None = None,
) -> LinearAutoencoder:
    """The auto-encoder with `k` codes after `iterations` of L-BFGS from random weights of scale 1/sqrt(m).

    Args:
        covariance: (m, m), symmetric, positive semi-definite; its scale does not matter, it is divided by its trace.
        decay: factor of the squared weights relative to the total variance, >= 0; a principal direction whose share of
            the variance is below it is not learned.
        watch: called with the number of iterations done and the net: at 0, every few, and at the end.

    Raises:
        ValueError: there is no variance, or `k` is not in 1..m.
    """
    m = len(covariance)
    shares = covariance.double() / covariance.double().trace()
    if not 1 <= k <= m or not torch.isfinite(shares).all():
        raise ValueError(f"needs a covariance with some variance and 1 <= k <= {m}, not k = {k}")
    generator = torch.Generator().manual_seed(seed)
    encoder, decoder = (
        torch.randn(shape, generator=generator, dtype=torch.float64).div_(m**0.5).to(shares.device).requires_grad_()
        for shape in ((k, m), (m, k))
    )
    optimizer = torch.optim.LBFGS(
        [encoder, decoder],
        max_iter=ITERATIONS_AT_ONCE,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_grad=0,
        tolerance_change=0,
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = reconstruction_loss(LinearAutoencoder(encoder, decoder), shares, decay)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    def now() -> LinearAutoencoder:
        return LinearAutoencoder(encoder.detach().clone(), decoder.detach().clone())

    for done in range(0, iterations, ITERATIONS_AT_ONCE):
        if watch is not None:
            watch(done, now())
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    net = now()
    if watch is not None:
        watch(iterations, net)
    return net
