"""Block-wise distances against the plain definition, and what is refused."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlexp.errors import InputError
from dlexp.tabular import blockwise
from dlexp.tabular.blockwise import (
    check_budget,
    middle_row,
    nearest,
    rbf_gamma,
    spans,
    squared_distances,
    squared_distances_to,
)


def plain(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """(A, B) squared distances by the definition, float64."""
    return np.square(a.astype(np.float64)[:, None] - b.astype(np.float64)[None]).sum(axis=2)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blockwise, "BLOCK", 17)


@pytest.mark.parametrize("n", [1, 2, 5, 6, 100])
@pytest.mark.usefixtures("small_blocks")
def test_spans_cover_every_row_once_within_the_block(n: int) -> None:
    found = list(spans(n, 3))
    assert np.concatenate([np.arange(n)[span] for span in found]).tolist() == list(range(n))
    assert max(span.stop - span.start for span in found) * 3 <= 17
    assert len(list(spans(n, 1000))) == n  # a row wider than the block still goes alone


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_distances_are_those_of_the_definition_even_far_from_the_origin(offset: float) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 4)), rng.normal(size=(20, 4))
    assert squared_distances(a + offset, b + offset) == pytest.approx(plain(a, b), abs=1e-8)
    assert squared_distances_to(a + offset, b[0] + offset) == pytest.approx(plain(a, b)[:, 0], abs=1e-8)


@pytest.mark.usefixtures("small_blocks")
def test_nearest_is_the_lowest_of_equals_and_does_not_depend_on_blocks() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 3)).astype(np.float32)
    centres = np.concatenate([x[:4], x[:4]])  # each centre twice
    owner, squared = nearest(x, centres)
    assert owner.max() < 4
    assert squared == pytest.approx(plain(x, centres).min(axis=1), abs=1e-5)
    assert owner.tolist() == plain(x, x[:4]).argmin(axis=1).tolist()


def test_middle_row_is_nearest_to_the_mean() -> None:
    x = np.array([[0.0], [4.0], [5.0], [11.0]])  # mean 5
    assert middle_row(x) == 2


def test_gamma_is_scikit_learns_scale() -> None:
    from sklearn.svm import SVC

    x = np.random.default_rng(2).normal(size=(40, 5))
    x -= x.mean(axis=0)  # scikit-learn takes the variance of all numbers together; equal where columns share a mean
    fitted = SVC(gamma="scale").fit(x, np.arange(40) % 2)
    assert rbf_gamma(x) == pytest.approx(fitted._gamma)
    assert rbf_gamma(np.ones((4, 3))) == 1.0


@pytest.mark.parametrize(
    ("x", "k", "message"),
    [
        (np.zeros(5), 1, r"x of shape (5,): must be samples x features; flatten each sample"),
        (np.zeros((5, 2)), 6, "k=6: there are 5 samples to choose from; lower k"),
        (np.zeros((5, 2)), 0, "k=0: there are 5 samples to choose from; ask for at least 1"),
        (np.array([[0.0], [np.nan]]), 1, "x holds NaN or infinite numbers; remove or fill them"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused(x: NDArray[Any], k: int, message: str) -> None:
    with pytest.raises(InputError) as refused:
        check_budget(x, k)
    assert str(refused.value) == message
