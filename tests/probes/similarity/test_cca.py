"""CCA measures against the eigenproblem of covariances, loops and closed forms."""

import numpy as np
import pytest

from dlexp.probes.similarity.cca import canonical_correlations, leading, pwcca, svcca


def gaussian(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def related() -> tuple[np.ndarray, np.ndarray]:
    x = gaussian(0, 40, 4)
    return x, x[:, :3] @ gaussian(1, 3, 3) + gaussian(2, 40, 3)


def test_correlations_solve_the_eigenproblem_of_the_covariances() -> None:
    x, y = related()
    both = np.cov(x.T, y.T)
    cxx, cxy, cyy = both[:4, :4], both[:4, 4:], both[4:, 4:]
    squares = np.linalg.eigvals(np.linalg.solve(cyy, cxy.T) @ np.linalg.solve(cxx, cxy))
    found = canonical_correlations(leading(x, 1), leading(y, 1))
    assert found == pytest.approx(np.sqrt(np.sort(squares.real)[::-1]))
    assert svcca(x, y, variance=1) == pytest.approx(found.mean())


def test_of_one_feature_it_is_the_correlation() -> None:
    x, y = gaussian(0, 30, 1), gaussian(1, 30, 1)
    known = abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1])
    assert svcca(x, y) == pytest.approx(known)
    assert pwcca(x, y) == pytest.approx(known)


def test_the_fewest_directions_that_explain_enough_are_kept() -> None:
    x = np.diag([3.0, 2.0, 1.0, 1.0, 0.0])
    x = np.vstack([x, -x])  # centred; variances 9, 4, 1, 1 of 15
    for variance, kept in ((0.6, 1), (0.61, 2), (13 / 15, 2), (0.9, 3), (0.99, 4), (1, 4)):
        assert leading(x, variance).basis.shape == (10, kept), variance
    assert np.allclose(leading(x, 1).basis @ leading(x, 1).loadings, x)


def test_plain_cca_sees_no_invertible_map_and_svcca_does() -> None:
    x, y = related()
    stretched = x @ np.diag([1, 1, 1, 1000]) @ gaussian(3, 4, 4)
    assert svcca(stretched, y, variance=1) == pytest.approx(svcca(x, y, variance=1))
    assert abs(svcca(stretched, y) - svcca(x, y)) > 0.01


def test_with_as_many_dimensions_as_samples_plain_cca_is_one_whatever_the_features() -> None:
    assert svcca(gaussian(0, 10, 12), gaussian(1, 10, 9), variance=1) == pytest.approx(1)


def test_pwcca_by_loops() -> None:
    x, y = related()
    first, second = leading(x), leading(y)
    left, correlations, _ = np.linalg.svd(first.basis.T @ second.basis)
    truncated = first.basis @ first.loadings
    total = weights = 0.0
    for i, rho in enumerate(correlations):
        variate = first.basis @ left[:, i]
        weight = sum(abs(variate @ truncated[:, j]) for j in range(4))
        total, weights = total + weight * rho, weights + weight
    assert pwcca(x, y) == pytest.approx(total / weights)
    assert pwcca(x, y) != pytest.approx(pwcca(y, x), abs=1e-3)


def test_rotating_the_first_argument_changes_pwcca_and_rotating_the_second_does_not() -> None:
    x, y = related()
    turn, other = np.linalg.qr(gaussian(5, 4, 4))[0], np.linalg.qr(gaussian(6, 3, 3))[0]
    assert pwcca(x, y @ other) == pytest.approx(pwcca(x, y))
    assert abs(pwcca(x @ turn, y) - pwcca(x, y)) > 1e-4


def test_of_what_does_not_vary_it_is_zero_and_bad_input_is_refused() -> None:
    x, constant = gaussian(0, 8, 3), np.full((8, 2), 0.1)
    for measure in (svcca, pwcca):
        assert measure(x, constant) == measure(constant, x) == 0
        with pytest.raises(ValueError, match=r"^variance=1\.1: must be above 0 and at most 1$"):
            measure(x, x, variance=1.1)
        with pytest.raises(ValueError, match=r"of the same samples, not \(8,\) and \(7,\)$"):
            measure(x, x[:7])
