"""The net of k^i neurons: closed forms against the built net, memory against a counted step, refusals."""

import math
import re
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import cross_entropy

from dlexp.errors import InputError
from dlexp.models import geometric_mlp as module
from dlexp.models.geometric_mlp import (
    Memory,
    count_text,
    geometric_mlp,
    geometric_parameters,
    geometric_widths,
    measure_memory,
    memory_text,
    mlp_parameters,
    optimizer_state,
    predict_memory,
    why_too_large,
    widths_within,
)

SMALL = {"n": st.integers(1, 5), "k": st.integers(1, 4), "inputs": st.integers(1, 30), "classes": st.integers(1, 12)}


@settings(deadline=None, max_examples=60)
@given(**SMALL)
def test_the_closed_form_counts_the_built_net(n: int, k: int, inputs: int, classes: int) -> None:
    net = geometric_mlp((inputs,), classes, n=n, k=k, activation=nn.ReLU)
    linear = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in linear] == [*(k**i for i in range(1, n + 1)), classes]
    assert sum(p.numel() for p in net.parameters()) == geometric_parameters(n, k, inputs, classes)


@given(n=st.integers(1, 60), k=st.integers(1, 10**6), inputs=st.integers(1, 10**6), classes=st.integers(1, 10**4))
def test_the_closed_form_is_exact_at_any_size(n: int, k: int, inputs: int, classes: int) -> None:
    layers = [(inputs + 1) * k, *((k ** (i - 1) + 1) * k**i for i in range(2, n + 1)), (k**n + 1) * classes]
    assert geometric_parameters(n, k, inputs, classes) == sum(layers)
    assert mlp_parameters((inputs, *geometric_widths(n, k), classes)) == sum(layers)


def test_known_counts() -> None:
    assert geometric_parameters(1, 1, 1, 1) == 4  # two weights, two biases
    assert geometric_parameters(3, 4, 64, 10) == 65 * 4 + 5 * 16 + 17 * 64 + 65 * 10
    assert geometric_widths(4, 3) == [3, 9, 27, 81]


def test_most_parameters_lie_in_the_last_hidden_matrix() -> None:
    for k in (2, 5):  # its share tends to 1 - 1/k^2
        assert k ** (2 * 40 - 1) / geometric_parameters(40, k, 64, 10) == pytest.approx(1 - k**-2, rel=1e-6)


@torch.no_grad()
def test_a_chain_of_single_neurons_knows_one_projection_of_its_input() -> None:
    torch.manual_seed(0)
    net = geometric_mlp((6,), 3, n=4, k=1, activation=nn.Tanh).double()
    first = net.layer1.linear.weight[0]
    x, other = torch.randn(2, 50, 6, dtype=torch.float64)
    moved = x + other - (other @ first)[:, None] * first / (first @ first)  # the same first^T x
    torch.testing.assert_close(net(moved), net(x))
    logits = net(x[(x @ first).argsort()])
    steps = logits[1:] - logits[:-1]
    assert ((steps >= 0).all(0) | (steps <= 0).all(0)).all()  # and is monotone in it


@settings(deadline=None, max_examples=60)
@given(
    shape=st.lists(st.integers(1, 300), min_size=1, max_size=5),
    budget=st.integers(200, 10**7),
    inputs=st.integers(1, 100),
)
def test_widths_within_a_budget_are_the_widest(shape: list[int], budget: int, inputs: int) -> None:
    if mlp_parameters((inputs, *[1] * len(shape), 10)) > budget:
        with pytest.raises(ValueError, match="have more than"):
            widths_within(budget, shape, inputs, 10)
        return
    widths = widths_within(budget, shape, inputs, 10)
    assert mlp_parameters((inputs, *widths, 10)) <= budget
    factor = widths[0] / shape[0]
    if min(widths) > 20:  # proportions are kept up to rounding
        assert widths == pytest.approx([factor * width for width in shape], rel=0.06)
    wider = [max(width + 1, round(1.0 * width)) for width in widths]  # every layer one neuron more
    assert mlp_parameters((inputs, *wider, 10)) > budget


def test_equal_widths_within_a_budget() -> None:
    assert widths_within(259, [1, 1, 1], 64, 10) == [3, 3, 3]
    assert widths_within(258, [1, 1, 1], 64, 10) == [2, 2, 2]


ADAM = partial(torch.optim.Adam, lr=1e-3)
MOMENTUM = partial(torch.optim.SGD, lr=0.1, momentum=0.9)
PLAIN = partial(torch.optim.SGD, lr=0.1)


@pytest.mark.parametrize(
    ("make", "state"),
    [(ADAM, 2), (MOMENTUM, 1), (PLAIN, 0), (partial(torch.optim.Adam, lr=1e-3, amsgrad=True), 3)],
)
def test_the_state_of_an_optimizer_is_counted(make: partial[torch.optim.Optimizer], state: int) -> None:
    assert optimizer_state(make) == state


@settings(deadline=None, max_examples=25)
@given(
    **SMALL,
    batch=st.integers(1, 40),
    made=st.sampled_from([ADAM, MOMENTUM, PLAIN]),
    activation=st.sampled_from([nn.ReLU, nn.Tanh, nn.GELU]),
)
def test_predicted_memory_holds_what_a_step_holds(n, k, inputs, classes, batch, made, activation) -> None:
    net = geometric_mlp((inputs,), classes, n=n, k=k, activation=activation)
    x, y = torch.randn(batch, inputs), torch.randint(classes, (batch,))
    measured = measure_memory(net, made(net.parameters()), cross_entropy, x, y)
    predicted = predict_memory((inputs, *geometric_widths(n, k), classes), batch, optimizer_state(made))
    assert (predicted.weights, predicted.gradients) == (measured.weights, measured.gradients)
    assert predicted.optimizer == measured.optimizer
    # Beside activations, autograd keeps the labels (8 bytes a sample) and the loss's weight of all samples.
    assert measured.activations <= predicted.activations + 8 * batch + 16
    assert predicted.activations <= 2 * measured.activations + 4 * batch * classes


def test_the_formula_of_the_memory() -> None:
    # 2 inputs, hidden 3 and 9, 4 outputs: 9 + 36 + 40 = 85 parameters.
    held = predict_memory((2, 3, 9, 4), 10, 2)
    assert held == Memory(4 * 85, 4 * 85, 8 * 85, 4 * 10 * (2 + 2 * (3 + 9 + 4)))
    assert held.total == 4 * (4 * 85 + 10 * 34)


def test_a_net_too_large_is_refused_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "mlp", lambda *args, **options: pytest.fail("it was built"))
    message = (
        "model.n=5 model.k=8: training this net of 136,713,810 parameters needs 2.23 GB, beyond the limit of 2 GB; "
        "choose a smaller n or k, or raise model.memory_gb"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        geometric_mlp((64,), 10, n=5, k=8, activation=nn.ReLU, memory_gb=2.0)
    with pytest.raises(InputError, match=r"^model.n=1000 model.k=1000000: .* of 1.00e\+11994 parameters needs 1.60e"):
        geometric_mlp((64,), 10, n=1000, k=1_000_000, activation=nn.ReLU)


def test_what_the_batch_needs_counts_too() -> None:
    asked = {"n": 1, "k": 10, "activation": nn.ReLU, "memory_gb": 0.1}
    geometric_mlp((64,), 10, batch_size=100, **asked)
    with pytest.raises(InputError, match=r"needs 416 MB, beyond the limit of 0.1 GB"):
        geometric_mlp((64,), 10, batch_size=1_000_000, **asked)


def test_the_free_memory_limits_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_bytes", lambda device: 5_000_000)
    held = Memory(2_000_000, 2_000_000, 1_000_000, 0)
    assert why_too_large(held, 1.0) is None
    more = Memory(2_000_000, 2_000_000, 1_000_000, 1)
    assert why_too_large(more, 1.0) == "needs 5 MB, beyond the 5 MB that are free"
    assert why_too_large(more, 0.004) == "needs 5 MB, beyond the limit of 0.004 GB"


def test_numbers_stay_readable_at_any_size() -> None:
    assert [memory_text(n) for n in (0, 999, 23_400, 5_380_000, 45_900_000_000)] == [
        "0 kB",
        "0.999 kB",
        "23.4 kB",
        "5.38 MB",
        "45.9 GB",
    ]
    assert memory_text(10**400) == "1.00e+391 GB"
    assert (count_text(2078), count_text(10**400)) == ("2,078", "1.00e+400")
    assert math.isclose(float(count_text(123 * 10**20)), 1.23e22)
