"""All N single deletions of a ResNet along shared paths, against N full passes; the accuracies must be bit-equal."""

import torch

from bench.compare import Comparison, in_turn
from dlexp.data import Split
from dlexp.models.cifar_resnet import cifar_resnet
from dlexp.probes.paths import deletion, predict_paths

DEPTH = 56


def compare() -> list[Comparison]:
    """Seconds for ResNet-56 (27 blocks) on 128 random CIFAR-sized images."""
    torch.manual_seed(0)
    net = cifar_resnet((3, 32, 32), 10, depth=DEPTH).eval()
    split = Split(torch.rand(128, 3, 32, 32), torch.randint(10, (128,)))
    paths = [deletion((DEPTH - 2) // 2, [block]) for block in range((DEPTH - 2) // 2)]

    def ours() -> torch.Tensor:
        return predict_paths(net, split, paths)

    def plain() -> torch.Tensor:
        return torch.cat([predict_paths(net, split, [path]) for path in paths])

    if not ours().equal(plain()):
        raise AssertionError("shared and separate passes disagree")
    return [in_turn(f"{len(paths)} deletions, {len(paths)} full passes", ours, plain, target=0.6, runs=3)]
