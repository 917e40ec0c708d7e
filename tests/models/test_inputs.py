"""Input wrappers: normalisation inside the model, gray images for colour nets."""

import re

import pytest
import torch
from torch import nn

from dlexp.errors import InputError
from dlexp.models.inputs import Normalized, RepeatChannels, bare, image_shape, normalized


def test_images_are_normalised_per_channel_and_tables_per_feature():
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([1.0, 2.0, 4.0])
    images, table = torch.rand(5, 3, 3, 3), torch.rand(5, 3)
    image_net = normalized(nn.Identity(), (3, 3, 3), mean, std)
    for channel in range(3):
        expected = (images[:, channel] - mean[channel]) / std[channel]
        assert torch.equal(image_net(images)[:, channel], expected)
    table_net = normalized(nn.Identity(), (3,), mean, std)
    assert torch.equal(table_net(table), (table - mean) / std)


def test_a_constant_feature_becomes_zero():
    net = normalized(nn.Identity(), (2,), torch.tensor([3.0, 1.0]), torch.tensor([0.0, 2.0]))
    assert torch.equal(net(torch.tensor([[3.0, 5.0]])), torch.tensor([[0.0, 2.0]]))


def test_mean_and_std_are_buffers_of_its_own():
    mean, std = torch.zeros(2), torch.ones(2)
    net = Normalized(nn.Linear(2, 1), mean, std)
    mean += 7
    assert list(net.state_dict()) == ["mean", "std", "net.weight", "net.bias"]
    assert torch.equal(net.mean, torch.zeros(2))
    assert {name for name, _ in net.named_parameters()} == {"net.weight", "net.bias"}
    assert net.double().mean.dtype == torch.float64


def test_gray_images_are_repeated_and_wrappers_come_off():
    conv = nn.Conv2d(3, 2, 3)
    gray = torch.rand(4, 1, 8, 8)
    wrapped = RepeatChannels(conv)
    assert torch.equal(wrapped(gray), conv(torch.cat([gray, gray, gray], dim=1)))
    assert bare(Normalized(wrapped, torch.zeros(1), torch.ones(1))) is conv


def test_a_mean_of_another_length_is_refused():
    message = "dataset.mean: has 3 values, but the data have 1 channels; give one per channel or feature"
    with pytest.raises(InputError, match=f"^{message}$"):
        normalized(nn.Identity(), (1, 8, 8), torch.zeros(3), torch.ones(3))
    message = "dataset.std: has 2 values, but the data have 30 features; give one per channel or feature"
    with pytest.raises(InputError, match=f"^{message}$"):
        normalized(nn.Identity(), (30,), torch.zeros(30), torch.ones(2))


def test_a_table_is_no_image():
    message = (
        "model=cnn: needs images (channels, height, width), but each input of this dataset is a row of 30 "
        "numbers; use model=mlp, or an image dataset (digits, mnist, cifar10, ...)"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        image_shape((30,), "cnn")
    assert image_shape((1, 8, 9), "cnn") == (1, 8, 9)
