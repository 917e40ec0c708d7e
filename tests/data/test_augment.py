"""Batched augmentation and resizing against slow or closed forms."""

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlexp.data.augment import flip_crop
from dlexp.data.resize import centre_square, resize
from dlexp.schema import instantiate


def slow_flip_crop(x, generator, padding, flip):
    """The same draws, applied to one sample after the other."""
    n, _, height, width = x.shape
    top = torch.randint(2 * padding + 1, (n, 1), generator=generator)
    left = torch.randint(2 * padding + 1, (n, 1), generator=generator)
    mirrored = torch.rand(n, 1, generator=generator) < flip
    out = []
    for i in range(n):
        padded = torch.zeros(x.shape[1], height + 2 * padding, width + 2 * padding)
        padded[:, padding : padding + height, padding : padding + width] = x[i]
        crop = padded[:, top[i] : top[i] + height, left[i] : left[i] + width]
        out.append(crop.flip(2) if mirrored[i] else crop)
    return torch.stack(out)


@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(0, 4), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_equals_a_loop_over_samples(n, channels, height, width, padding, flip):
    x = torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(1))
    fast = flip_crop(x, torch.Generator().manual_seed(2), padding=padding, flip=flip)
    assert torch.equal(fast, slow_flip_crop(x, torch.Generator().manual_seed(2), padding, flip))


def test_without_padding_and_flip_nothing_changes_and_with_certain_flip_all_are_mirrored():
    x = torch.rand(5, 3, 4, 6)
    assert torch.equal(flip_crop(x, torch.Generator(), padding=0, flip=0.0), x)
    assert torch.equal(flip_crop(x, torch.Generator(), padding=0, flip=1.0), x.flip(3))


def test_every_sample_has_its_own_draw_and_all_shifts_occur():
    image = torch.arange(1.0, 26.0).view(1, 1, 5, 5)
    out = flip_crop(image.expand(4000, -1, -1, -1), torch.Generator().manual_seed(0), padding=1, flip=0.5)
    seen = out.flatten(1).unique(dim=0, return_counts=True)
    assert len(seen[0]) == 3 * 3 * 2  # shifts down, shifts right, mirrored or not
    assert seen[1].min() > 4000 / 18 * 0.7


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_generator_decides_and_the_input_is_left_alone(memory_format):
    x = torch.rand(8, 3, 6, 6).contiguous(memory_format=memory_format)
    before = x.clone()
    first, again = (flip_crop(x, torch.Generator().manual_seed(4), padding=2, flip=0.5) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(x, before)
    assert first.data_ptr() != x.data_ptr()


def test_the_yaml_makes_a_function_of_batch_and_generator():
    from hydra import compose, initialize_config_module
    from omegaconf import OmegaConf

    with initialize_config_module("dlexp.conf", version_base=None):
        node = OmegaConf.to_container(compose(overrides=["+augmentation=flip_crop"]).augmentation)
    augment = instantiate(node, where="augmentation")
    assert isinstance(augment, functools.partial)
    assert augment.keywords == {"padding": 4, "flip": 0.5}
    assert augment(torch.rand(2, 3, 8, 8), torch.Generator()).shape == (2, 3, 8, 8)


def test_antialiasing_averages_what_plain_bilinear_skips():
    lines = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    lines[..., ::4] = 200
    assert resize(lines, 2, antialias=False).unique().tolist() == [0]  # falls between the lines
    smooth = resize(lines, 2, antialias=True)
    assert 30 < smooth.min() <= smooth.max() < 60  # the mean is 50


@pytest.mark.parametrize("antialias", [False, True])
def test_resizing_keeps_constants_types_and_ranges(antialias):
    flat = torch.full((2, 3, 7, 5), 77, dtype=torch.uint8)
    assert torch.equal(resize(flat, (4, 9), antialias=antialias), torch.full((2, 3, 4, 9), 77, dtype=torch.uint8))
    edge = torch.zeros(1, 1, 8, 8)
    edge[..., 4:] = 1
    bicubic = resize(edge, 16, antialias=antialias, mode="bicubic")
    assert (bicubic.min(), bicubic.max()) == (0, 1)
    assert bicubic.shape == (1, 1, 16, 16)
    assert resize(edge, 8, antialias=antialias) is edge


def test_the_centre_square_of_tall_and_wide_images():
    x = torch.arange(3 * 7).view(1, 1, 3, 7)
    assert torch.equal(centre_square(x), x[..., 2:5])
    assert torch.equal(centre_square(x.mT), x.mT[..., 2:5, :])
