"""CKA against sums over distinct samples, closed forms, and what it must and must not see."""

from itertools import permutations

import numpy as np
import pytest
import torch

from dlexp.probes.similarity.cka import centred_gram, hsic, linear_cka, linear_gram, median_distance, rbf_cka, rbf_gram


def gaussian(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def hsic_by_sums(k: np.ndarray, m: np.ndarray) -> float:
    """Song et al. 2012: the U-statistic of HSIC, written as means over distinct samples."""
    n = range(len(k))
    pairs = np.mean([k[i, j] * m[i, j] for i, j in permutations(n, 2)])
    fours = np.mean([k[i, j] * m[q, r] for i, j, q, r in permutations(n, 4)])
    threes = np.mean([k[i, j] * m[i, q] for i, j, q in permutations(n, 3)])
    return float(pairs + fours - 2 * threes)


@pytest.mark.parametrize("n", [4, 6])
def test_unbiased_hsic_is_the_u_statistic(n: int) -> None:
    first, second = (linear_gram(torch.from_numpy(gaussian(seed, n, 3) + 2)) for seed in (0, 1))
    assert hsic(first, second) == pytest.approx(hsic_by_sums(first.numpy(), second.numpy()))


def test_biased_hsic_is_the_trace_formula() -> None:
    first, second = (linear_gram(torch.from_numpy(gaussian(seed, 7, 3))) for seed in (0, 1))
    centring = np.eye(7) - 1 / 7
    trace = np.trace(first.numpy() @ centring @ second.numpy() @ centring) / 36
    assert hsic(first, second, unbiased=False) == pytest.approx(trace)


def test_u_centred_matrices_have_rows_that_sum_to_zero() -> None:
    centred = centred_gram(linear_gram(torch.from_numpy(gaussian(0, 9, 3))))
    assert torch.allclose(centred.sum(dim=1), torch.zeros(9, dtype=torch.float64), atol=1e-12)
    assert (centred.diagonal() == 0).all()


def test_biased_linear_cka_in_feature_space() -> None:
    # Kornblith et al. 2019, section 3: |Y'X|^2 / (|X'X| |Y'Y|) of centred features.
    x, y = gaussian(0, 20, 4), gaussian(1, 20, 6)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    norm = np.linalg.norm
    assert linear_cka(x + 5, y - 3, unbiased=False) == pytest.approx(norm(y.T @ x) ** 2 / norm(x.T @ x) / norm(y.T @ y))


@pytest.mark.parametrize(("y", "known"), [([0, 1, 2, 3], 1), ([1, -1, -1, 1], 0), ([0, 0, 0, 1], 0.6)])
def test_of_one_feature_it_is_the_squared_correlation(y: list[int], known: float) -> None:
    x = [[0], [1], [2], [3]]
    assert linear_cka(x, np.array(y)[:, None], unbiased=False) == pytest.approx(known)


def test_a_hand_computed_unbiased_value() -> None:
    # x = (-1, 0, 0, 1): hollow Gram matrix with -1 at (1, 4) only; U-centred: -1/3 there and at (2, 3), 1/6 elsewhere.
    assert centred_gram(linear_gram(torch.tensor([[-1.0], [0], [0], [1]]))).tolist() == pytest.approx(
        [
            pytest.approx([0, 1 / 6, 1 / 6, -1 / 3]),
            pytest.approx([1 / 6, 0, -1 / 3, 1 / 6]),
            pytest.approx([1 / 6, -1 / 3, 0, 1 / 6]),
            pytest.approx([-1 / 3, 1 / 6, 1 / 6, 0]),
        ]
    )
    # y = (-1, 1, 0, 0): the same with samples 2 and 4 exchanged: cosine (-2 + 1 - 2) / 6 of (-2, 1, 1) and (1, -2, 1).
    assert linear_cka([[-1], [0], [0], [1]], [[-1], [1], [0], [0]]) == pytest.approx(-0.5)


def test_rbf_gram_and_median_distance_by_loops() -> None:
    x = gaussian(0, 7, 3) + 4
    distances = np.array([[np.linalg.norm(a - b) for b in x] for a in x])
    assert np.allclose(rbf_gram(torch.from_numpy(x), 1.5).numpy(), np.exp(-(distances**2) / (2 * 1.5**2)))
    assert median_distance(torch.from_numpy(x)) == pytest.approx(np.median(distances[np.triu_indices(7, 1)]))
    assert median_distance(torch.tensor([[0.0]] * 5 + [[3.0]])) == 3  # most do not differ
    assert median_distance(torch.ones(5, 2)) == 1


def test_a_wide_rbf_is_linear() -> None:
    x, y = gaussian(0, 30, 4), gaussian(0, 30, 4) ** 2
    assert rbf_cka(x, y, fraction=300) == pytest.approx(linear_cka(x, y), abs=1e-4)
    assert rbf_cka(x, y, fraction=0.5) != pytest.approx(linear_cka(x, y), abs=1e-2)


@pytest.mark.parametrize("measure", [linear_cka, rbf_cka])
def test_null_independent_features_give_zero_on_average_unless_biased(measure) -> None:
    draws = [(gaussian(2 * seed, 16, 64), gaussian(2 * seed + 1, 16, 64)) for seed in range(100)]
    unbiased, biased = (np.array([measure(*pair, unbiased=which) for pair in draws]) for which in (True, False))
    error = unbiased.std(ddof=1) / 10
    assert error < 0.02
    assert abs(unbiased.mean()) < 4 * error
    assert biased.mean() > 0.7


@pytest.mark.parametrize("unbiased", [True, False])
def test_of_what_does_not_vary_it_is_zero(unbiased: bool) -> None:
    constant, x = np.full((8, 3), 0.1, dtype=np.float32), gaussian(0, 8, 3)
    for measure in (linear_cka, rbf_cka):
        assert measure(constant, x, unbiased=unbiased) == measure(constant, constant, unbiased=unbiased) == 0


def test_what_cannot_be_compared_is_refused() -> None:
    x = gaussian(0, 5, 2)
    with pytest.raises(ValueError, match=r"of the same samples, not \(5,\) and \(4,\)$"):
        linear_cka(x, x[:4])
    with pytest.raises(ValueError, match=r"^the unbiased estimator needs 4 samples, not 3$"):
        linear_cka(x[:3], x[:3])
    with pytest.raises(ValueError, match=r"^features must be \(N, F\) with N >= 2 and F >= 1, not \(5,\)$"):
        linear_cka(x[:, 0], x[:, 0])
    with pytest.raises(ValueError, match=r"^features must be finite: there is a NaN or an infinity$"):
        linear_cka(np.full((5, 2), np.nan), x)
    with pytest.raises(ValueError, match=r"^fraction=0: must be above 0$"):
        rbf_cka(x, x, fraction=0)
