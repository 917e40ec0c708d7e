"""The plain convolutional net: counts, invariance of the pooled features, refusals."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dlexp.errors import InputError
from dlexp.models.cnn import cnn


@settings(deadline=None, max_examples=40)
@given(
    in_channels=st.integers(1, 4),
    channels=st.lists(st.integers(1, 24), min_size=1, max_size=4),
    classes=st.integers(2, 12),
    batch_norm=st.booleans(),
)
def test_counts_follow_the_closed_form(in_channels, channels, classes, batch_norm):
    net = cnn((in_channels, 8, 8), classes, channels=channels, activation=nn.ReLU, batch_norm=batch_norm)
    sizes = [in_channels, *channels]
    per_channel = 2 if batch_norm else 1
    stages = sum(9 * sizes[i] * sizes[i + 1] + per_channel * sizes[i + 1] for i in range(len(channels)))
    assert sum(p.numel() for p in net.parameters()) == stages + sizes[-1] * classes + classes


@torch.no_grad()
def test_a_translated_object_on_an_empty_ground_gives_the_same_logits():
    """Convolution and pooling commute with shifts by the pooling's step, global averaging forgets them."""
    net = cnn((1, 48, 48), 5, channels=[6, 8, 10], activation=nn.ReLU, batch_norm=False).double()
    for name, parameter in net.named_parameters():
        if name.endswith("conv.bias"):
            parameter.zero_()  # an empty ground stays empty
    x = torch.zeros(2, 1, 48, 48, dtype=torch.float64)
    x[:, :, 16:24, 16:24] = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    logits = net(x)
    torch.testing.assert_close(net(x.roll((4, 8), dims=(2, 3))), logits, rtol=1e-10, atol=1e-10)
    assert not torch.allclose(net(x.roll((3, 0), dims=(2, 3))), logits, atol=1e-6)
    assert logits.shape == (2, 5)


@pytest.mark.parametrize(("shape", "most"), [((1, 8, 8), 4), ((3, 32, 32), 6), ((1, 5, 9), 3)])
def test_as_many_stages_as_the_image_can_be_halved(shape, most):
    net = cnn(shape, 10, channels=[4] * most, activation=nn.ReLU)
    assert net(torch.rand(2, *shape)).shape == (2, 10)
    channels = [4] * (most + 1)
    message = (
        f"model.channels={channels}: images of {shape[1]}x{shape[2]} can be halved {most - 1} times; "
        f"give at most {most} channel numbers"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        cnn(shape, 10, channels=channels, activation=nn.ReLU)
