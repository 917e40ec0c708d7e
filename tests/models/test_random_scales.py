"""Gamma that starts at random: its distribution, and that nothing else starts otherwise."""

from functools import partial

import torch
from torch import nn

from dlexp.models import build_model
from dlexp.models.cifar_resnet import cifar_resnet
from dlexp.models.mlp import mlp
from dlexp.models.random_scales import with_random_scales

RESNET = {"_target_": "dlexp.models.cifar_resnet.cifar_resnet", "depth": 8, "width": 4, "shortcut": "A"}


def built(node: dict) -> nn.Module:
    torch.manual_seed(3)
    return build_model(node, (1, 8, 8), 10, torch.tensor([0.5]), torch.tensor([1.0]))


def test_only_the_scales_start_otherwise() -> None:
    plain = built({**RESNET, "weights": None})
    random = built({"_target_": "dlexp.models.random_scales.with_random_scales", "net": {**RESNET, "_partial_": True}})
    others = dict(plain.named_parameters())
    gammas = []
    for name, parameter in random.named_parameters():
        if ".bn" in name and name.endswith("weight"):
            assert others[name].eq(1).all()
            gammas.append(parameter.detach())
        else:
            assert parameter.equal(others[name])
    gamma = torch.cat(gammas)
    assert len(gamma) == 960
    assert 0 <= gamma.min() < 0.02
    assert 0.98 < gamma.max() <= 1
    assert abs(float(gamma.mean()) - 0.5) < 0.05
    assert abs(float(gamma.std()) - 12**-0.5) < 0.02


def test_it_follows_the_seed_and_leaves_nets_without_normalisation_alone() -> None:
    def gamma(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        net = with_random_scales((1, 8, 8), 10, net=partial(cifar_resnet, depth=8))
        return net.get_parameter("bn1.weight")

    assert gamma(1).equal(gamma(1))
    assert not gamma(1).equal(gamma(2))
    make = partial(mlp, widths=[4], activation=nn.ReLU)
    torch.manual_seed(1)
    plain = make((6,), 3)
    torch.manual_seed(1)
    same = with_random_scales((6,), 3, net=make)
    assert all(a.equal(b) for a, b in zip(plain.parameters(), same.parameters(), strict=True))
