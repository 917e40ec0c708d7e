"""The trace of the Fisher information against closed forms, a loop over samples and classes, and its invariances."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dlexp.errors import InputError
from dlexp.models import state_hash
from dlexp.models.cifar_resnet import cifar_resnet
from dlexp.probes.fisher import fisher_by_parameter, fisher_trace, made_of_known_layers


def slow_trace(net: nn.Module, x: Tensor) -> dict[str, float]:
    """The definition: for every sample and class, the gradient of log p, by one backward pass each."""
    total = dict.fromkeys((name for name, _ in net.named_parameters()), 0.0)
    for sample in x:
        log_p = net(sample[None]).log_softmax(dim=1)[0]
        for k in range(len(log_p)):
            gradients = torch.autograd.grad(log_p[k], list(net.parameters()), retain_graph=True, allow_unused=True)
            for name, gradient in zip(total, gradients, strict=True):
                if gradient is not None:
                    total[name] += float(log_p[k].detach().exp() * gradient.square().sum()) / len(x)
    return total


class Reused(nn.Module):
    """Calls one layer twice: the gradients of the two calls must be added before they are squared."""

    def __init__(self) -> None:
        super().__init__()
        self.twice, self.out = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(torch.tanh(self.twice(torch.tanh(self.twice(x)))))
        return logits


class Sequence(nn.Module):
    """A linear map at each of several positions."""

    def __init__(self) -> None:
        super().__init__()
        self.each, self.out = nn.Linear(2, 4), nn.Linear(4, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(torch.tanh(self.each(x.view(len(x), 3, 2))).mean(dim=1))
        return logits


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, stride=2, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(inplace=True),
        nn.Conv2d(3, 4, (1, 2), dilation=2, bias=False),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(4 * 3 * 1, 3),
    )


NETS: dict[str, tuple[Any, tuple[int, ...], bool]] = {
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)), (6,), True),
    "convolutions": (convolutional, (2, 5, 6), True),
    "residual": (lambda: cifar_resnet((1, 4, 4), 3, depth=8), (1, 4, 4), True),
    "positions": (Sequence, (6,), True),
    "grouped": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 2, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)),
        (2, 3, 3),
        False,
    ),
    "layer norm": (lambda: nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4), nn.Linear(4, 3)), (6,), False),
    "reused layer": (Reused, (6,), False),
}


def drawn(name: str, n: int = 4) -> tuple[nn.Module, Tensor]:
    """A net with running statistics that are not trivial, and samples, in float64."""
    make, shape, _ = NETS[name]
    torch.manual_seed(3)
    net = make().double()
    x = torch.randn(n, *shape, dtype=torch.float64)
    net.train()
    for _ in range(3):
        net(torch.randn(16, *shape, dtype=torch.float64) * 2 + 1)
    return net, x


@pytest.mark.parametrize("name", NETS)
def test_equals_a_loop_over_samples_and_classes(name: str) -> None:
    net, x = drawn(name)
    assert made_of_known_layers(net.eval(), x[:1]) == NETS[name][2]  # both ways of computing it are tested
    expected = slow_trace(net, x)
    found = fisher_by_parameter(net, x, rows=5)
    assert list(found) == list(expected)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert fisher_trace(net, x) == pytest.approx(sum(expected.values()), rel=1e-9)


@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 4), st.integers(2, 5))
@settings(max_examples=20)
def test_logistic_regression_in_closed_form(seed: int, n: int, features: int, classes: int) -> None:
    torch.manual_seed(seed)
    net = nn.Linear(features, classes).double()
    x = torch.randn(n, features, dtype=torch.float64)
    gini = 1 - net(x).detach().softmax(dim=1).square().sum(dim=1)  # the trace of diag(p) - p p^T
    found = fisher_by_parameter(net, x)
    assert found["weight"] == pytest.approx(float((gini * x.square().sum(dim=1)).mean()))
    assert found["bias"] == pytest.approx(float(gini.mean()))


def test_is_the_trace_of_the_hessian_where_logits_are_linear_whatever_the_labels() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(5, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    net = nn.Linear(3, 4, bias=False).double()
    net.load_state_dict({"weight": weight})
    labels = torch.tensor([0, 1, 2, 3, 0])
    hessian = torch.func.hessian(lambda w: nn.functional.cross_entropy(x @ w.T, labels))(weight)
    assert fisher_trace(net, x) == pytest.approx(float(torch.einsum("ijij->", hessian)))


def test_invariant_to_the_order_of_samples_and_classes_to_copies_and_to_shifted_logits() -> None:
    net, x = drawn("mlp", n=7)
    trace = fisher_trace(net, x)
    assert fisher_trace(net, x.flip(0)) == pytest.approx(trace)
    assert fisher_trace(net, torch.cat([x, x, x]), rows=4) == pytest.approx(trace)
    last = net[3]
    with torch.no_grad():
        last.weight.copy_(last.weight[[2, 0, 1]])
        last.bias.copy_(last.bias[[2, 0, 1]] + 5)  # p is the same
    assert fisher_trace(net, x) == pytest.approx(trace)


def test_vanishes_for_a_sure_net_and_is_that_of_the_whole_for_frozen_weights() -> None:
    net, x = drawn("convolutions")
    trace = fisher_trace(net, x)
    for parameter in list(net.parameters())[:-1]:
        parameter.requires_grad_(False)
    assert fisher_trace(net, x) == pytest.approx(trace)
    with torch.no_grad():
        net[-1].bias.copy_(torch.tensor([1e4, 0.0, 0.0]))
    assert fisher_trace(net, x) == 0


@pytest.mark.parametrize("name", ["mlp", "layer norm"])
def test_drawn_labels_estimate_it_without_bias(name: str) -> None:
    net, x = drawn(name)
    generator = torch.Generator().manual_seed(0)
    estimates = torch.tensor([fisher_trace(net, x, draws=40, generator=generator) for _ in range(40)])
    standard_error = float(estimates.std() / 40**0.5)
    assert 0 < standard_error < 0.1 * float(estimates.mean())
    assert abs(float(estimates.mean()) - fisher_trace(net, x)) < 4 * standard_error


def test_labels_come_from_the_prediction_not_from_the_data() -> None:
    # A net that is always wrong, and sure of it: the empirical Fisher information is large, the true one nearly 0.
    net = nn.Linear(1, 2, bias=False).double()
    net.load_state_dict({"weight": torch.tensor([[0.0], [20.0]])})
    x = torch.ones(1, 1, dtype=torch.float64)
    (empirical,) = torch.autograd.grad(net(x).log_softmax(dim=1)[0, 0], net.weight)
    assert float(empirical.square().sum()) == pytest.approx(2, rel=1e-6)
    assert fisher_trace(net, x) < 1e-6


def test_leaves_the_net_as_it_was() -> None:
    net, x = drawn("residual")
    net.train()
    net.bn1.eval()
    before, modes = state_hash(net), [module.training for module in net.modules()]
    with torch.no_grad():
        fisher_trace(net, x)
    assert state_hash(net) == before
    assert [module.training for module in net.modules()] == modes
    assert all(parameter.grad is None for parameter in net.parameters())
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize(
    ("n", "options", "message"),
    [
        (0, {}, "x: the Fisher information needs at least one sample"),
        (1, {"draws": 0}, "draws=0: must be 1 or more, and comes with a generator; None sums over all classes"),
        (1, {"draws": 2}, "draws=2: must be 1 or more, and comes with a generator; None sums over all classes"),
    ],
)
def test_refusals(n: int, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        fisher_trace(nn.Linear(2, 2), torch.zeros(n, 2), **options)
    assert str(refused.value) == message
