"""State dicts from files: every published wrapping loads, nothing in them is run, misfits are named."""

import logging
import os
import pickle
import re
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from dlexp.errors import InputError
from dlexp.models import load_weights, state_hash
from dlexp.models.cifar_resnet import cifar_plain, cifar_resnet
from dlexp.models.inputs import Normalized, RepeatChannels

SHAPE = (3, 16, 16)


def resnet(depth=8, classes=10, shape=SHAPE, **keys):
    return cifar_resnet(shape, classes, depth=depth, **keys)


def refusal(net, path):
    """The message of the InputError without its place; the net is the same as before."""
    before = state_hash(net)
    with pytest.raises(InputError) as caught:
        load_weights(net, path)
    assert state_hash(net) == before
    message = str(caught.value)
    assert message.startswith(f"model.weights={path}: ")
    assert "\n" not in message
    return message.removeprefix(f"model.weights={path}: ")


@pytest.fixture
def source(randomised):
    torch.manual_seed(5)
    return randomised(resnet())


def published(state):
    """As the well-known CIFAR-10 checkpoints are saved: DataParallel's prefix, `linear`, no step counters."""
    names = {key: "module." + key.replace("fc.", "linear.") for key in state if "num_batches_tracked" not in key}
    return {"state_dict": {name: state[key] for key, name in names.items()}, "best_prec1": 91.73}


WRAPPINGS = {
    "plain": lambda state: state,
    "published": published,
    "model_state_dict": lambda state: {"epoch": 3, "model_state_dict": state, "optimizer": {"state": {}}},
    "model": lambda state: {"model": {f"module.{key}": value for key, value in state.items()}},
    "compiled": lambda state: {"state_dict": {f"module._orig_mod.{key}": v for key, v in state.items()}},
    "lightning": lambda state: {"state_dict": {f"model.{key}": v for key, v in state.items()}, "loops": {}},
    "half": lambda state: {key: v.half() if v.is_floating_point() else v for key, v in state.items()},
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
@torch.no_grad()
def test_every_wrapping_gives_the_same_net(wrapping, legacy, source, tmp_path):
    path = tmp_path / "net.th"
    wrapped = WRAPPINGS[wrapping](source.state_dict())
    torch.save(wrapped, path, _use_new_zipfile_serialization=not legacy)
    if wrapping == "half":
        source = source.half().float()
    net = Normalized(resnet(), torch.rand(3, 1, 1), torch.rand(3, 1, 1) + 0.5).eval()
    load_weights(net, path)
    x = torch.rand(4, *SHAPE)
    assert torch.equal(net.net(x), source(x))
    assert torch.equal(net(x), source((x - net.mean) / net.std))


@pytest.mark.parametrize("name", ["net.safetensors", "net.bin"])
def test_safetensors_are_known_by_suffix_or_content(name, source, tmp_path):
    save_file(source.state_dict(), tmp_path / name)
    net = resnet()
    load_weights(net, tmp_path / name)
    assert state_hash(net) == state_hash(source)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_normalised_net_brings_its_normalisation(prefix, source, tmp_path, caplog):
    saved = Normalized(source, torch.full((3, 1, 1), 0.4), torch.full((3, 1, 1), 0.2))
    path = tmp_path / "net.pt"
    torch.save({prefix + key: value for key, value in saved.state_dict().items()}, path)
    net = Normalized(resnet(), torch.zeros(3, 1, 1), torch.full((3, 1, 1), 0.2))
    with caplog.at_level(logging.WARNING):
        load_weights(net, path)
    assert state_hash(net) == state_hash(saved)
    assert caplog.messages == [f"model.weights={path}: brings its own mean, used instead of the dataset's"]
    bare = resnet()
    load_weights(bare, path)
    assert state_hash(bare) == state_hash(source)


def test_a_normalisation_of_other_channels_is_refused_whole(tmp_path):
    path = tmp_path / "net.pt"
    net = Normalized(resnet(), torch.zeros(3, 1, 1), torch.ones(3, 1, 1))
    torch.save({**net.state_dict(), "mean": torch.ones(3), "std": torch.ones(2)}, path)
    assert refusal(net, path) == "its std has 2 values, the data need 3"


def test_gray_and_colour_versions_of_a_torchvision_net_share_files(tmp_path):
    path = tmp_path / "net.pt"
    saved = models.mobilenet_v3_small(num_classes=4)
    torch.save(Normalized(RepeatChannels(saved), torch.zeros(1, 1, 1), torch.ones(1, 1, 1)).state_dict(), path)
    net = models.mobilenet_v3_small(num_classes=4)
    load_weights(net, path)
    assert state_hash(net) == state_hash(saved)


def test_a_file_saved_here_puts_every_bit_back(source, tmp_path):
    saved = Normalized(source, torch.rand(3, 1, 1), torch.rand(3, 1, 1) + 0.5)
    torch.save(saved.state_dict(), tmp_path / "net.pt")
    before = state_hash(saved)
    with torch.no_grad():
        source.layer2[0].conv1.weight.normal_()
    assert state_hash(saved) != before
    load_weights(saved, tmp_path / "net.pt")
    assert state_hash(saved) == before


class Payload:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
def test_a_malicious_pickle_is_refused_and_not_run(how, tmp_path):
    path, trace = tmp_path / "net.pt", tmp_path / "trace"
    content = {"state_dict": {"conv1.weight": torch.zeros(2)}, "extra": Payload(trace)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
    message = refusal(resnet(), path)
    assert not trace.exists()
    if how == "pickle":
        assert message == (
            "refused, because it is a pickle that may hold more than tensors and run code; "
            "save net.state_dict() with torch.save and give that file"
        )
        pickle.loads(path.read_bytes())  # the payload is live: without the guard it would have run
    else:
        assert message == (
            "refused, because it holds more than tensors (it asks for posix.system) and loading it could run "
            "code; save net.state_dict() with torch.save and give that file"
        )
        torch.load(path, weights_only=False)
    assert trace.exists()


def test_a_pickled_net_is_refused_by_name(tmp_path):
    path = tmp_path / "net.pt"
    torch.save(nn.Linear(2, 2), path)
    assert refusal(resnet(), path) == (
        "refused, because it holds more than tensors (it asks for torch.nn.modules.linear.Linear) and loading it "
        "could run code; save net.state_dict() with torch.save and give that file"
    )


def test_a_missing_file_and_a_folder(tmp_path):
    assert refusal(resnet(), tmp_path / "no.pt") == "there is no such file"
    assert refusal(resnet(), tmp_path) == "is a folder; give the file with the state dict"


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, 0.99])
def test_a_cut_off_file_is_refused(form, kept, tmp_path):
    path = tmp_path / "net.pt"
    if form == "safetensors":
        save_file(resnet().state_dict(), path)
    else:
        torch.save(resnet().state_dict(), path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    pattern = r"is damaged, cut off, or no PyTorch or safetensors file \(\w+\); fetch or save it again"
    assert re.fullmatch(pattern, refusal(resnet(), path))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=64))
def test_any_bytes_give_one_line(content, tmp_path):
    path = tmp_path / "bytes.pt"
    path.write_bytes(content)
    assert refusal(nn.Linear(1, 1), path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ([1, 2], "a list"),
        ({}, "an empty mapping"),
        (torch.zeros(3), "a Tensor"),
        ({"state_dict": {"a": torch.zeros(1), "b": 3}}, "no tensors under b"),
        ({"a": 1, "b": 2, "c": 3, "d": 4}, "no tensors under a, b, c, ..."),
    ],
)
def test_files_without_a_state_dict(content, found, tmp_path):
    path = tmp_path / "net.pt"
    torch.save(content, path)
    assert refusal(resnet(), path) == f"holds no state dict but {found}; save net.state_dict()"


def saved(net, folder: Path):
    path = folder / "net.pt"
    torch.save(net.state_dict(), path)
    return path


MISFITS = [
    (
        lambda: resnet(shortcut="B"),
        resnet,
        "does not fit CifarNet: unexpected: layer2.0.shortcut.0.weight, layer2.0.shortcut.1.weight, "
        "layer2.0.shortcut.1.bias, ... and 9 more (the file holds an option-B net: set model.shortcut=B)",
    ),
    (
        resnet,
        lambda: resnet(shortcut="B"),
        "does not fit CifarNet: missing: layer2.0.shortcut.0.weight, layer2.0.shortcut.1.weight, "
        "layer2.0.shortcut.1.bias, ... and 7 more (the file holds an option-A net: set model.shortcut=A)",
    ),
    (
        lambda: resnet(depth=20),
        resnet,
        "does not fit CifarNet: unexpected: layer1.1.conv1.weight, layer1.1.bn1.weight, layer1.1.bn1.bias, "
        "... and 69 more (the file holds a net of depth 20: set model.depth=20)",
    ),
    (
        lambda: resnet(classes=100),
        resnet,
        "does not fit CifarNet: wrong shape: fc.weight is (100, 64) instead of (10, 64), fc.bias is (100,) instead "
        "of (10,) (the file's net has 100 classes, this dataset has 10)",
    ),
    (
        resnet,
        lambda: resnet(shape=(1, 8, 8)),
        "does not fit CifarNet: wrong shape: conv1.weight is (16, 3, 3, 3) instead of (16, 1, 3, 3) (the file's net "
        "takes images of 3 channels, this dataset's have 1)",
    ),
    (
        lambda: resnet(width=2),
        lambda: cifar_plain(SHAPE, 10, depth=8),
        "does not fit CifarNet: wrong shape: conv1.weight is (32, 3, 3, 3) instead of (16, 3, 3, 3), bn1.weight is "
        "(32,) instead of (16,), bn1.bias is (32,) instead of (16,), ... and 33 more (the file's net is wider or "
        "narrower: set model.width=2)",
    ),
    (
        lambda: models.resnet18(num_classes=10),
        lambda: models.resnet34(num_classes=10),
        "does not fit ResNet: missing: layer1.2.conv1.weight, layer1.2.bn1.weight, layer1.2.bn1.bias, ... and 77 "
        "more (the file's ResNet has 2+2+2+2 blocks, this model 3+4+6+3)",
    ),
    (
        lambda: nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)),
        lambda: nn.Sequential(nn.Linear(4, 2)),
        "does not fit Sequential: unexpected: 1.weight, 1.bias; wrong shape: 0.weight is (2, 3) instead of (2, 4)",
    ),
]


@pytest.mark.parametrize(("there", "wanted", "message"), MISFITS)
def test_misfits_are_named_with_their_likely_cause(there, wanted, message, tmp_path):
    assert refusal(wanted(), saved(there(), tmp_path)) == message
