"""Folders of images: in memory and left on disk, sound and spoilt."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dlexp.data import build_dataset

IMAGES = {"channels": 3, "size": None, "crop": True, "antialias": True, "memory_gb": 1.0, "val_fraction": 0.0}


def pixels(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def write_folder(root: Path, sizes: dict[str, int] | None = None) -> Path:
    """train/{cat,dog} with 5 images each and test/{cat,dog} with 2."""
    for part, n in (("train", 5), ("test", 2)):
        for seed, name in enumerate(("cat", "dog")):
            (root / part / name).mkdir(parents=True)
            for i, array in enumerate(pixels(n, 6, 8, 3, seed=seed + n)):
                file = f"{part}/{name}/{i}.png"
                side = (sizes or {}).get(file)
                Image.fromarray(pixels(1, side, side, 3)[0] if side else array).save(root / file)
    return root


def folder_node(root: Path, **changes: object) -> dict:
    return {"_target_": "dlexp.data.image_folder.image_folder", "root": str(root)} | IMAGES | changes


def test_image_folder_classes_are_the_sorted_folders(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("not an image, passed over")
    (tmp_path / "train" / ".cache").mkdir()
    dataset = build_dataset(folder_node(tmp_path))
    assert (dataset.classes, dataset.input_shape) == (("cat", "dog"), (3, 6, 8))
    assert dataset.train.y.tolist() == [0] * 5 + [1] * 5
    np.testing.assert_array_equal(dataset.train.x[:5].permute(0, 2, 3, 1).numpy(), pixels(5, 6, 8, 3, seed=5))


@pytest.mark.parametrize("size", [None, 4])
def test_images_that_stay_on_disk_are_the_same_as_those_in_memory(tmp_path, size):
    write_folder(tmp_path)
    keys = {"size": size, "val_fraction": 0.2, "train_size": 7}
    memory, lazy = (build_dataset(folder_node(tmp_path, memory_gb=gb, **keys)) for gb in (1.0, 0.0))
    assert isinstance(memory.train.x, torch.Tensor)
    assert not isinstance(lazy.train.x, torch.Tensor)
    assert lazy.fingerprint == memory.fingerprint
    assert lazy.input_shape == memory.input_shape == (3, size or 6, size or 8)
    for one, other in ((memory.train, lazy.train), (memory.val, lazy.val), (memory.test, lazy.test)):
        assert torch.equal(one.y, other.y)
        assert torch.equal(one.inputs(), other.inputs())
        shuffled = torch.randperm(len(one), generator=torch.Generator().manual_seed(0))
        assert torch.equal(one.inputs(shuffled), other.inputs(shuffled))
        assert torch.equal(one.inputs(slice(1, None)), other.inputs(slice(1, None)))
        assert torch.equal(one.inputs(one.y == 0), other.inputs(other.y == 0))
        assert torch.equal(one.select(shuffled).inputs(), other.select(shuffled).inputs())


def test_size_brings_all_images_to_one_square(tmp_path):
    write_folder(tmp_path, {"train/dog/3.png": 9})
    assert build_dataset(folder_node(tmp_path, size=5)).input_shape == (3, 5, 5)


def test_crop_cuts_the_centre_and_without_it_the_whole_image_is_squeezed(tmp_path):
    write_folder(tmp_path)
    stripes = np.zeros((6, 8, 3), np.uint8)
    stripes[:, :1] = stripes[:, -1:] = 255  # the outermost columns, outside the centre square
    Image.fromarray(stripes).save(tmp_path / "train" / "cat" / "0.png")
    cropped, squeezed = (build_dataset(folder_node(tmp_path, size=6, crop=crop)) for crop in (True, False))
    assert cropped.train.x[0].max() == 0
    assert squeezed.train.x[0, :, :, [0, 5]].min() > 100


@pytest.mark.parametrize("memory_gb", [0.0, 1.0])
def test_image_folder_with_images_of_two_sizes(tmp_path, memory_gb, error_of):
    write_folder(tmp_path, {"train/dog/3.png": 9})
    assert error_of(folder_node(tmp_path, memory_gb=memory_gb)) == (
        f"dataset.root={tmp_path}: images differ in size (8 x 6 pixels at first, train/dog/3.png is 9 x 9);"
        " set dataset.size to bring them to one"
    )


@pytest.mark.parametrize("memory_gb", [0.0, 1.0])
def test_image_folder_with_a_file_that_is_no_image(tmp_path, memory_gb, error_of):
    write_folder(tmp_path)
    (tmp_path / "test" / "dog" / "1.png").write_bytes(b"<html>404</html>")
    assert error_of(folder_node(tmp_path, memory_gb=memory_gb)) == (
        f"dataset.root={tmp_path}: test/dog/1.png cannot be decoded (not an image); replace or remove it"
    )


def test_image_folder_with_16_bit_images(tmp_path, error_of):
    write_folder(tmp_path)
    Image.fromarray(np.full((6, 8), 40000, np.uint16)).save(tmp_path / "train" / "cat" / "1.png")
    assert error_of(folder_node(tmp_path)) == (
        f"dataset.root={tmp_path}: train/cat/1.png has more than 8 bits per channel; convert it to 8 bits"
    )


def test_image_folder_folders_at_fault(tmp_path, error_of):
    start = f"dataset.root={tmp_path}: "
    assert error_of(folder_node(tmp_path)) == (
        start + "no folder train there; an image folder is a folder with train/CLASS/* and test/CLASS/*"
    )
    (tmp_path / "train").mkdir()
    assert error_of(folder_node(tmp_path)) == start + "train has no class folders; put images into train/CLASS/"
    (tmp_path / "train" / "cat").mkdir()
    assert error_of(folder_node(tmp_path)) == start + "class folder train/cat has no images; fill it or remove it"


def test_image_folder_with_a_test_class_that_training_lacks(tmp_path, error_of):
    write_folder(tmp_path)
    (tmp_path / "test" / "dog").rename(tmp_path / "test" / "eel")
    assert error_of(folder_node(tmp_path)) == (
        f"dataset.root={tmp_path}: test class 'eel' has no training samples; add some or remove the class"
    )
