"""torchvision's classifiers: the same nets, for the data's classes and channels."""

import re

import pytest
import torch
from torchvision import models

from dlexp.errors import InputError
from dlexp.models.torchvision_classifier import classifier


@torch.no_grad()
def test_it_is_torchvisions_net_of_the_same_seed():
    torch.manual_seed(3)
    net = classifier((3, 32, 32), 7, name="resnet18").eval()
    after = torch.rand(3)
    torch.manual_seed(3)
    twin = models.resnet18(num_classes=7).eval()
    assert torch.equal(after, torch.rand(3))  # the trial of one image takes no random number
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(net(x), twin(x))
    assert net(x).shape == (2, 7)


@torch.no_grad()
def test_a_gray_image_is_a_colour_image_of_three_equal_channels():
    net = classifier((1, 28, 28), 10, name="mobilenet_v3_small")
    assert net.training
    gray = torch.rand(2, 1, 28, 28)
    assert torch.equal(net.eval()(gray), net.net(gray.repeat(1, 3, 1, 1)))


def test_transformers_take_the_datas_size():
    net = classifier((3, 32, 32), 10, name="vit_b_32")
    assert net.image_size == 32
    assert net(torch.rand(1, 3, 32, 32)).shape == (1, 10)


REFUSED = [
    ((3, 32, 32), "resnet51", "model.name=resnet51: torchvision has no such classifier; did you mean 'resnet50'?"),
    ((2, 32, 32), "resnet18", "model=torchvision: needs images of 1 or 3 channels, and these have 2"),
    (
        (30,),
        "resnet18",
        "model=torchvision: needs images (channels, height, width), but each input of this dataset is a row of 30 "
        "numbers; use model=mlp, or an image dataset (digits, mnist, cifar10, ...)",
    ),
]


@pytest.mark.parametrize(("shape", "name", "message"), REFUSED)
def test_what_does_not_fit_is_refused(shape, name, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        classifier(shape, 10, name=name)


def test_detectors_and_segmenters_are_no_classifiers():
    with pytest.raises(InputError, match=r"^model\.name=fcn_resnet50: torchvision has no such classifier; "):
        classifier((3, 32, 32), 10, name="fcn_resnet50")


def test_images_too_small_for_the_net_are_refused():
    pattern = r"^model\.name=squeezenet1_0: does not take images of 8x8 \(.+\); use larger images or another model$"
    with pytest.raises(InputError, match=pattern):
        classifier((3, 8, 8), 10, name="squeezenet1_0")
