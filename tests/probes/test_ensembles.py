"""Combining predictions, and the identities by which an ensemble's loss is its members' less their ambiguity."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dlexp.errors import InputError
from dlexp.probes.ensembles import (
    average_of_logits,
    average_of_probabilities,
    ensemble_quality,
    expected_squared_error,
    logit_log_loss_decomposition,
    probability_log_loss_decomposition,
    squared_error_decomposition,
    votes,
)

DECOMPOSITIONS = [squared_error_decomposition, probability_log_loss_decomposition, logit_log_loss_decomposition]
sizes = st.tuples(st.integers(1, 6), st.integers(1, 8), st.integers(2, 5), st.integers(0, 2**31))


def drawn(members: int, samples: int, classes: int, seed: int, scale: float = 3.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(members, samples, classes, generator=generator)
    return logits, torch.randint(0, classes, (samples,), generator=generator)


def logits_of(probabilities: list[list[list[float]]]) -> Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log()


def test_two_members_by_hand() -> None:
    logits = logits_of([[[0.5, 0.5]], [[0.9, 0.1]]])
    assert average_of_probabilities(logits).exp()[0].tolist() == pytest.approx([0.7, 0.3])
    # sqrt(0.5 * 0.9) and sqrt(0.5 * 0.1) are as 3 to 1.
    assert average_of_logits(logits).exp()[0].tolist() == pytest.approx([0.75, 0.25])
    assert votes(logits).tolist() == [[1.0, 0.0]]  # of equal probabilities the first


@settings(max_examples=20)
@given(sizes)
def test_the_rules_against_their_definitions(size: tuple[int, int, int, int]) -> None:
    logits, _ = drawn(*size)
    p = logits.double().softmax(2)
    assert torch.allclose(average_of_probabilities(logits).exp(), sum(p) / len(p))
    geometric = torch.stack(list(p)).prod(0) ** (1 / len(p))
    assert torch.allclose(average_of_logits(logits).exp(), geometric / geometric.sum(1, keepdim=True))
    shift = torch.randn(len(logits), logits.shape[1], 1)  # adding a number to all logits of a sample changes nothing
    assert torch.allclose(average_of_logits(logits + shift), average_of_logits(logits), atol=1e-5)


@settings(max_examples=20)
@given(sizes)
def test_loss_is_members_less_ambiguity(size: tuple[int, int, int, int]) -> None:
    logits, labels = drawn(*size)
    for decompose in DECOMPOSITIONS:
        found = decompose(logits, labels)
        assert found.residual < 1e-12
        assert float(found.ambiguity.min()) > -1e-12
        if len(logits) == 1:
            assert float(found.ambiguity.abs().max()) < 1e-12
        for each in (found.ensemble, found.members, found.ambiguity):
            assert each.shape == labels.shape


def test_losses_of_the_decompositions_are_those_of_the_ensemble() -> None:
    logits, labels = drawn(5, 40, 4, 0)
    by_probabilities = ensemble_quality(logits, labels)
    by_logits = ensemble_quality(logits, labels, "average of logits")
    assert float(squared_error_decomposition(logits, labels).ensemble.mean()) == pytest.approx(by_probabilities.brier)
    of_nll = probability_log_loss_decomposition(logits, labels)
    assert float(of_nll.ensemble.mean()) == pytest.approx(by_probabilities.nll)
    assert float(logit_log_loss_decomposition(logits, labels).ensemble.mean()) == pytest.approx(by_logits.nll)
    alone = [ensemble_quality(logits[m : m + 1], labels) for m in range(5)]
    assert float(of_nll.members.mean()) == pytest.approx(sum(each.nll for each in alone) / 5)


def test_only_the_ambiguity_of_the_mixture_depends_on_the_label() -> None:
    logits, labels = drawn(4, 30, 3, 1)
    others = (labels + 1) % 3
    squared, mixture, geometric = (
        torch.allclose(decompose(logits, labels).ambiguity, decompose(logits, others).ambiguity)
        for decompose in DECOMPOSITIONS
    )
    assert squared
    assert geometric
    assert not mixture


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_expected_error_against_all_ensembles_of_a_pool(size: int) -> None:
    logits, labels = drawn(5, 20, 3, 2)
    every = [ensemble_quality(logits[list(those)], labels).brier for those in combinations(range(5), size)]
    pool = squared_error_decomposition(logits, labels)
    assert expected_squared_error(pool, 5, size) == pytest.approx(sum(every) / len(every), rel=1e-12)


def test_votes_may_have_no_finite_log_loss() -> None:
    logits = logits_of([[[0.6, 0.4], [0.8, 0.2]], [[0.7, 0.3], [0.1, 0.9]]])
    found = ensemble_quality(logits, torch.tensor([1, 0]), "vote")
    assert math.isinf(found.nll)
    assert found.accuracy == 0.5  # of two votes against two the lower class
    assert found.brier == pytest.approx((2.0 + 0.5) / 2)
    assert ensemble_quality(logits, torch.tensor([0, 1]), "vote").nll == pytest.approx(math.log(2) / 2)


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        (torch.zeros(3, 4), "logits: have the shape (3, 4); they must be (members, samples, classes)"),
        (torch.zeros(0, 4, 2), "logits: have the shape (0, 4, 2); they must be (members, samples, classes)"),
        (torch.full((1, 1, 2), math.nan), "logits: must be finite"),
    ],
)
def test_what_is_no_ensemble_is_refused(logits: Tensor, message: str) -> None:
    for function in (average_of_probabilities, average_of_logits, votes):
        with pytest.raises(InputError) as refused:
            function(logits)
        assert str(refused.value) == message


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        ensemble_quality(*drawn(2, 3, 2, 0), "median")
    known = "average of probabilities, average of logits, vote"
    assert str(refused.value) == f"rule=median: there is no such way to combine; choose from: {known}"
