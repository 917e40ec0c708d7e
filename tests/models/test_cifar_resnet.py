"""The CIFAR nets against He et al. 2016: counts, an independent reading of the formulas, deleted blocks."""

import itertools
import re

import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given, settings
from hypothesis import strategies as st

from dlexp.errors import InputError
from dlexp.models.cifar_resnet import cifar_plain, cifar_resnet

CIFAR = (3, 32, 32)


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


def closed_form(n, *, shortcut="A", width=1, channels=3, classes=10):
    """Parameters of a net of depth 6n+2, summed over its layers by hand."""
    convolutions = width**2 * (96_768 * n - 23_040)
    batch_norms = 448 * n * width
    stem = 144 * channels * width + 32 * width
    fc = (64 * width + 1) * classes
    projections = (2_560 * width**2 + 192 * width) if shortcut == "B" else 0
    return convolutions + batch_norms + stem + fc + projections


@pytest.mark.parametrize(("shortcut", "expected"), [("A", 269_722), ("B", 272_474)])
def test_resnet20_has_the_known_number_of_parameters(shortcut, expected):
    assert count(cifar_resnet(CIFAR, 10, depth=20, shortcut=shortcut)) == expected


@pytest.mark.parametrize(
    ("depth", "millions", "exact"),
    [
        (20, "0.27", 269_722),
        (32, "0.46", 464_154),
        (44, "0.66", 658_586),
        (56, "0.85", 853_018),
        (110, "1.7", 1_727_962),
    ],
)
def test_option_a_counts_are_those_of_table_6(depth, millions, exact):
    with torch.device("meta"):
        found = count(cifar_resnet(CIFAR, 10, depth=depth))
    assert found == exact == closed_form((depth - 2) // 6)
    assert f"{found / 1e6:.{len(millions) - 2}f}" == millions


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(1, 9),
    shortcut=st.sampled_from("AB"),
    width=st.integers(1, 4),
    channels=st.integers(1, 4),
    classes=st.integers(2, 100),
)
def test_counts_follow_the_closed_form(n, shortcut, width, channels, classes):
    shape = (channels, 8, 8)
    with torch.device("meta"):
        residual = cifar_resnet(shape, classes, depth=6 * n + 2, shortcut=shortcut, width=width)
        plain = cifar_plain(shape, classes, depth=6 * n + 2, width=width)
    form = {"width": width, "channels": channels, "classes": classes}
    assert count(residual) == closed_form(n, shortcut=shortcut, **form)
    assert count(plain) == closed_form(n, **form)
    assert len(residual.blocks) == len(plain.blocks) == 3 * n
    weighted = [p for name, p in residual.named_parameters() if p.ndim > 1 and "shortcut" not in name]
    assert len(weighted) == 6 * n + 2


def batch_norm(state, name, x):
    mean, variance, gamma, beta = (
        state[f"{name}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return gamma * (x - mean) / torch.sqrt(variance + 1e-5) + beta


def paper_logits(state, x, residual=True):
    """He et al. 2016, sections 3.2 to 3.4 and 4.2, written from a state dict alone."""
    out = batch_norm(state, "bn1", functional.conv2d(x, state["conv1.weight"], padding=1)).clamp(min=0)
    for stage, index in itertools.product((1, 2, 3), range(len(state))):
        name = f"layer{stage}.{index}"
        if f"{name}.conv1.weight" not in state:
            continue
        stride = 2 if stage > 1 and index == 0 else 1
        hidden = functional.conv2d(out, state[f"{name}.conv1.weight"], stride=stride, padding=1)
        hidden = batch_norm(state, f"{name}.bn1", hidden).clamp(min=0)
        branch = functional.conv2d(hidden, state[f"{name}.conv2.weight"], padding=1)
        branch = batch_norm(state, f"{name}.bn2", branch)
        if f"{name}.shortcut.0.weight" in state:  # option B
            shortcut = functional.conv2d(out, state[f"{name}.shortcut.0.weight"], stride=stride)
            shortcut = batch_norm(state, f"{name}.shortcut.1", shortcut)
        else:  # option A: identity, with extra zero entries where the dimensions increase
            shortcut = torch.zeros_like(branch)
            before = (branch.shape[1] - out.shape[1]) // 2
            shortcut[:, before : before + out.shape[1]] = out[:, :, ::stride, ::stride]
        out = (branch + shortcut if residual else branch).clamp(min=0)
    last = "fc" if "fc.weight" in state else "linear"
    return out.flatten(2).mean(2) @ state[f"{last}.weight"].T + state[f"{last}.bias"]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (3, 9, 7)])
@pytest.mark.parametrize("kind", ["A", "B", "plain"])
@pytest.mark.parametrize(("depth", "width"), [(20, 1), (8, 2)])
@torch.no_grad()
def test_logits_are_those_of_the_papers_formulas(kind, depth, width, shape, randomised):
    torch.manual_seed(1)
    if kind == "plain":
        net = cifar_plain(shape, 10, depth=depth, width=width)
    else:
        net = cifar_resnet(shape, 10, depth=depth, width=width, shortcut=kind)
    net = randomised(net).double()
    x = torch.rand(4, *shape, dtype=torch.float64)
    expected = paper_logits(net.state_dict(), x, residual=kind != "plain")
    assert expected.std() > 0.1  # the comparison below is one of numbers, not of zeros
    torch.testing.assert_close(net(x), expected, rtol=1e-10, atol=1e-10)


def test_the_state_dict_has_the_published_names():
    keys = set(cifar_resnet(CIFAR, 10, depth=8, shortcut="B").state_dict())
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {"conv1.weight", "fc.weight", "fc.bias", *(f"bn1.{part}" for part in norm)}
    for stage in (1, 2, 3):
        block = f"layer{stage}.0"
        expected |= {f"{block}.conv{i}.weight" for i in (1, 2)}
        expected |= {f"{block}.bn{i}.{part}" for i in (1, 2) for part in norm}
        if stage > 1:
            expected |= {f"{block}.shortcut.0.weight", *(f"{block}.shortcut.1.{part}" for part in norm)}
    assert keys == expected
    without = {key for key in keys if "shortcut" not in key}
    assert set(cifar_resnet(CIFAR, 10, depth=8, shortcut="A").state_dict()) == without
    assert set(cifar_plain(CIFAR, 10, depth=8).state_dict()) == without


def test_weights_start_with_variance_two_over_fan_in():
    torch.manual_seed(0)
    net = cifar_resnet(CIFAR, 10, depth=8, width=4)
    weight = net.layer3[0].conv2.weight  # 589,824 values: the standard error of the variance is 0.2 %
    assert weight.var().item() == pytest.approx(2 / (256 * 9), rel=0.01)
    assert weight.mean().item() == pytest.approx(0, abs=2e-4)
    assert torch.equal(net.fc.bias, torch.zeros(10))


@pytest.mark.parametrize("shortcut", ["A", "B"])
@torch.no_grad()
def test_skip_is_the_block_with_its_last_batch_norm_zeroed(shortcut, randomised):
    net = randomised(cifar_resnet(CIFAR, 10, depth=14, shortcut=shortcut))
    x = net.stem(torch.rand(2, *CIFAR))
    for _, block in net.blocks:
        skipped, following = block.skip(x), block(x)
        block.bn2.weight.zero_()
        block.bn2.bias.zero_()
        assert torch.equal(block(x), skipped)
        assert not torch.equal(skipped, following)
        x = following


@torch.no_grad()
def test_deleting_an_identity_block_passes_its_input_on(randomised):
    net = randomised(cifar_resnet(CIFAR, 10, depth=14))
    x = net.stem(torch.rand(2, *CIFAR))
    for name, block in net.blocks:
        assert block.identity == (name not in ("layer2.0", "layer3.0"))
        assert torch.equal(block.skip(x), x) == block.identity
        x = block(x)


@torch.no_grad()
def test_a_plain_block_is_deleted_by_option_a(randomised):
    plain, residual = cifar_plain(CIFAR, 10, depth=14), cifar_resnet(CIFAR, 10, depth=14)
    x = randomised(plain).stem(torch.rand(2, *CIFAR))
    for (_, plain_block), (_, residual_block) in zip(plain.blocks, residual.blocks, strict=True):
        assert torch.equal(plain_block.skip(x), residual_block.skip(x))
        assert plain_block.identity == residual_block.identity
        assert torch.equal(plain_block(x), plain_block.branch(x).clamp(min=0))
        x = plain_block(x)


VALID = "must be 6n+2 (8, 14, 20, 32, 44, 56, 110, ...)"


@pytest.mark.parametrize(
    ("depth", "near"), [(9, "are 8 and 14"), (18, "are 14 and 20"), (2, "is 8"), (7, "is 8"), (-4, "is 8")]
)
@pytest.mark.parametrize("build", [cifar_resnet, cifar_plain])
def test_another_depth_is_refused_with_the_nearest(build, depth, near):
    with pytest.raises(InputError, match=f"^{re.escape(f'model.depth={depth}: {VALID}; nearest {near}')}$"):
        build(CIFAR, 10, depth=depth)
