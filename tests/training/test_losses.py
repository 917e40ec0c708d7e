"""Losses against closed forms, limits and independent formulas."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import vmap
from torch.nn.functional import cross_entropy, one_hot

from dlexp.errors import InputError
from dlexp.schema import instantiate
from dlexp.training.losses import (
    ContaminatedCrossEntropy,
    Focal,
    GeneralizedCrossEntropy,
    MeanAbsoluteError,
    MisassignedWeights,
    label_log_probability,
)

CONF = Path(__file__).parents[2] / "conf" / "loss"
LOSSES: dict[str, nn.Module] = {
    "focal": Focal(),
    "gentle focal": Focal(0.5),
    "mae": MeanAbsoluteError(),
    "gce": GeneralizedCrossEntropy(),
    "contaminated": ContaminatedCrossEntropy(),
    "misassigned": MisassignedWeights(),
}
GRADIENTS_OF_THEIR_VALUE = [name for name in LOSSES if name != "misassigned"]  # its weights are constants


def drawn(seed: int, n: int = 6, k: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, k, generator=generator, dtype=torch.float64) * 3
    return logits, torch.randint(0, k, (n,), generator=generator)


def gradient_of(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor) -> Tensor:
    logits = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, labels), logits)
    return gradient


def weight_of(loss: nn.Module, p: Tensor, k: int) -> Tensor:
    found: Tensor = loss.weight(p, k) if isinstance(loss, ContaminatedCrossEntropy) else loss.weight(p)  # type: ignore[operator]
    return found


@given(st.integers(0, 10_000), st.sampled_from(GRADIENTS_OF_THEIR_VALUE))
def test_gradient_with_respect_to_the_logits_is_the_closed_form(seed: int, name: str) -> None:
    loss, (logits, labels) = LOSSES[name], drawn(seed)
    softmax = logits.softmax(1)
    weight = weight_of(loss, softmax.gather(1, labels[:, None]), 5)
    closed = weight * (softmax - one_hot(labels, 5)) / len(labels)
    torch.testing.assert_close(gradient_of(loss, logits, labels), closed, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", GRADIENTS_OF_THEIR_VALUE)
def test_gradcheck(name: str) -> None:
    logits, labels = drawn(3)
    logits.requires_grad_()
    assert torch.autograd.gradcheck(LOSSES[name], (logits, labels))
    assert torch.autograd.gradgradcheck(LOSSES[name], (logits, labels))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_finite_at_extreme_logits(name: str, dtype: torch.dtype) -> None:
    for size in (0.0, 1e-3, 20.0, 1e4, -1e4):
        logits = torch.tensor([[size, -size, 0.0], [-size, size, 0.0], [size, size, -size]], dtype=dtype)
        labels = torch.tensor([0, 0, 2])
        assert LOSSES[name](logits, labels).isfinite()
        assert gradient_of(LOSSES[name], logits, labels).isfinite().all(), size


@pytest.mark.parametrize("name", LOSSES)
def test_a_stack_gives_what_each_gives_alone(name: str) -> None:
    pairs = [drawn(seed) for seed in range(4)]
    logits, labels = torch.stack([z for z, _ in pairs]), torch.stack([y for _, y in pairs])
    torch.testing.assert_close(vmap(LOSSES[name])(logits, labels), torch.stack([LOSSES[name](*pair) for pair in pairs]))
    stacked = gradient_of(lambda z, y: vmap(LOSSES[name])(z, y).sum(), logits, labels)
    torch.testing.assert_close(stacked, torch.stack([gradient_of(LOSSES[name], *pair) for pair in pairs]))


def test_limits_are_the_losses_that_they_should_be() -> None:
    logits, labels = drawn(1)
    standard, p = cross_entropy(logits, labels), label_log_probability(logits, labels).exp()
    torch.testing.assert_close(Focal(0.0)(logits, labels), standard)
    torch.testing.assert_close(ContaminatedCrossEntropy(0.0)(logits, labels), standard)
    torch.testing.assert_close(GeneralizedCrossEntropy(1e-6)(logits, labels), standard, rtol=1e-4, atol=0)
    absolute = MeanAbsoluteError()(logits, labels)
    torch.testing.assert_close(absolute, (logits.softmax(1) - one_hot(labels, 5)).abs().sum(1).mean())
    torch.testing.assert_close(GeneralizedCrossEntropy(1.0)(logits, labels), absolute / 2)
    nearly = ContaminatedCrossEntropy(0.8 - 1e-7)  # (K - 1) / K is 0.8
    torch.testing.assert_close(nearly(logits, labels) * (1 + nearly.tau(5)), absolute / 2, rtol=1e-4, atol=0)
    torch.testing.assert_close(Focal(2.0)(logits, labels), -((1 - p) ** 2 * p.log()).mean())


@given(st.integers(0, 10_000), st.floats(0.01, 0.79))
def test_contaminated_is_the_forward_correction_by_a_matrix(seed: int, noise: float) -> None:
    logits, labels = drawn(seed)
    transition = torch.full((5, 5), noise / 4, dtype=torch.float64)
    transition.fill_diagonal_(1 - noise)  # true class -> given label
    given_label = (logits.softmax(1) @ transition).gather(1, labels[:, None])[:, 0]
    matrix = -given_label.log().mean()
    loss = ContaminatedCrossEntropy(noise)
    constant = -torch.log(torch.tensor((1 - noise * 5 / 4) * (1 + loss.tau(5)), dtype=torch.float64))
    torch.testing.assert_close(loss(logits, labels) + constant, matrix)
    found = gradient_of(loss, logits, labels)
    torch.testing.assert_close(
        found, gradient_of(lambda z, y: -(z.softmax(1) @ transition).gather(1, y[:, None]).log().mean(), logits, labels)
    )


def test_contaminated_recovers_the_classes_from_noisy_labels() -> None:
    truth, noise = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64), 0.4
    given_labels = truth * (1 - noise) + (1 - truth) * noise / 2
    logits = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    loss, optimizer = ContaminatedCrossEntropy(noise), torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12)

    def expected() -> Tensor:
        optimizer.zero_grad()
        each = [loss(logits, torch.tensor([label])) for label in range(3)]
        total = sum(share * value for share, value in zip(given_labels, each, strict=True))
        assert isinstance(total, Tensor)
        total.backward()
        return total

    optimizer.step(expected)
    torch.testing.assert_close(logits.detach().softmax(1)[0], truth, rtol=0, atol=1e-4)


def test_the_cost_of_one_label_is_bounded_and_the_start_keeps_its_weight() -> None:
    loss = ContaminatedCrossEntropy(0.3)
    worst = float(loss(torch.tensor([[-1e4, 1e4] + [0.0] * 8]), torch.tensor([0])))
    assert worst == pytest.approx(float(torch.log(torch.tensor(1 + 1 / loss.tau(10)))))
    for k in (2, 10, 1000):
        start = float(ContaminatedCrossEntropy(0.3).weight(torch.tensor(1 / k), k))
        assert start == pytest.approx(1 - 0.3 * k / (k - 1))


@pytest.mark.parametrize(("noise", "k", "least"), [(0.5, 2, "0.5"), (0.9, 10, "0.9"), (0.7, 3, "0.667")])
def test_labels_that_say_nothing_are_refused(noise: float, k: int, least: str) -> None:
    with pytest.raises(ValueError, match=rf"^noise={noise}: with {k} classes it must be below {least}$"):
        ContaminatedCrossEntropy(noise)(torch.zeros(1, k), torch.tensor([0]))


def test_misassigned_weights_are_the_neighbours() -> None:
    logits, labels = drawn(5)
    loss, softmax = MisassignedWeights(0.3), logits.softmax(1)
    weight = loss.weight(softmax.gather(1, labels[:, None]), 5).roll(1, 0)
    closed = weight * (softmax - one_hot(labels, 5)) / len(labels)
    torch.testing.assert_close(gradient_of(loss, logits, labels), closed)


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("focal", Focal(2.0)),
        ("mae", MeanAbsoluteError()),
        ("gce", GeneralizedCrossEntropy(0.7)),
        ("contaminated", ContaminatedCrossEntropy(0.3)),
        ("label_smoothing", nn.CrossEntropyLoss(label_smoothing=0.1)),
    ],
)
def test_the_configured_losses(name: str, made: nn.Module) -> None:
    logits, labels = drawn(9)
    configured = instantiate(yaml.safe_load((CONF / f"{name}.yaml").read_text()), where="loss")
    assert type(configured) is type(made)
    torch.testing.assert_close(configured(logits, labels), made(logits, labels))


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("focal", {"gamma": -1.0}, "loss.gamma=-1.0: input should be greater than or equal to 0"),
        ("gce", {"q": 0.0}, "loss.q=0.0: input should be greater than 0"),
        ("gce", {"q": 1.5}, "loss.q=1.5: input should be less than or equal to 1"),
        ("contaminated", {"noise": 1.0}, "loss.noise=1.0: input should be less than 1"),
        ("contaminated", {"nois": 0.1}, "loss.nois: there is no such key; did you mean 'noise'?"),
    ],
)
def test_bad_settings_are_refused(name: str, change: dict[str, float], line: str) -> None:
    node = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    with pytest.raises(InputError) as refused:
        instantiate({**node, **change}, where="loss")
    assert str(refused.value) == line
