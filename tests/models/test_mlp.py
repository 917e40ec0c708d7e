"""The multilayer perceptron: counts, layers, formula."""

import math
from functools import partial

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dlexp.models.mlp import mlp


@settings(deadline=None, max_examples=40)
@given(
    shape=st.sampled_from([(13,), (1, 8, 8), (3, 5, 4)]),
    widths=st.lists(st.integers(1, 40), max_size=4),
    classes=st.integers(2, 12),
    batch_norm=st.booleans(),
)
def test_counts_follow_the_closed_form(shape, widths, classes, batch_norm):
    net = mlp(shape, classes, widths=widths, activation=nn.ReLU, batch_norm=batch_norm)
    sizes = [math.prod(shape), *widths]
    per_unit = 2 if batch_norm else 1  # scale and shift instead of the bias
    hidden = sum(sizes[i] * sizes[i + 1] + per_unit * sizes[i + 1] for i in range(len(widths)))
    assert sum(p.numel() for p in net.parameters()) == hidden + sizes[-1] * classes + classes


@torch.no_grad()
def test_logits_are_those_of_the_formula():
    net = mlp((1, 4, 4), 3, widths=[7, 5], activation=nn.Tanh).double()
    state, x = net.state_dict(), torch.rand(6, 1, 4, 4, dtype=torch.float64)
    hidden = x.reshape(6, 16)
    for layer in ("layer1", "layer2"):
        hidden = torch.tanh(hidden @ state[f"{layer}.linear.weight"].T + state[f"{layer}.linear.bias"])
    expected = hidden @ state["fc.weight"].T + state["fc.bias"]
    torch.testing.assert_close(net(x), expected, rtol=1e-12, atol=1e-12)


def test_a_hidden_layer_holds_what_was_asked_for_in_order():
    activation = partial(nn.LeakyReLU, negative_slope=0.2)
    net = mlp((4,), 2, widths=[3, 3], activation=activation, dropout=0.25, batch_norm=True)
    assert [type(part) for part in net.layer2] == [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU, nn.Dropout]
    assert net.layer2.activation.negative_slope == 0.2
    assert net.layer2.dropout.p == 0.25
    assert net.layer1.activation is not net.layer2.activation
    assert [type(part) for part in mlp((4,), 2, widths=[3], activation=nn.ELU).layer1] == [nn.Linear, nn.ELU]
