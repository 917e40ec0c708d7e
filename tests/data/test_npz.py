"""A user's arrays: sound, and spoilt in every way we could think of."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dlexp.data import build_dataset


def pixels(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def arrays(**changes: object) -> dict:
    sound = {
        "x_train": pixels(6, 4, 5, 3),
        "y_train": np.arange(6) % 3,
        "x_test": pixels(3, 4, 5, 3),
        "y_test": np.arange(3),
    }
    return {key: value for key, value in (sound | changes).items() if value is not None}


def npz_node(root: object) -> dict:
    return {"_target_": "dlexp.data.npz.npz", "root": str(root), "val_fraction": 0.0}


@pytest.fixture
def npz_error(tmp_path, error_of):
    def error(**changes: object) -> str:
        path = tmp_path / "mine.npz"
        np.savez(path, **arrays(**changes))
        message = error_of(npz_node(path))
        assert message.startswith(f"dataset.root={path}: ")
        return message.removeprefix(f"dataset.root={path}: ")

    return error


def test_npz_images_become_channels_first_and_stay_uint8(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    dataset = build_dataset(npz_node(tmp_path / "mine.npz"))
    assert (dataset.name, dataset.input_shape, dataset.classes) == ("mine", (3, 4, 5), ("0", "1", "2"))
    assert dataset.train.x.dtype == torch.uint8
    np.testing.assert_array_equal(dataset.train.x.permute(0, 2, 3, 1).numpy(), arrays()["x_train"])


def test_npz_grey_images_tables_and_named_classes(tmp_path):
    np.savez(tmp_path / "grey.npz", **arrays(x_train=pixels(6, 4, 5), x_test=pixels(3, 4, 5)))
    assert build_dataset(npz_node(tmp_path / "grey.npz")).input_shape == (1, 4, 5)
    table = np.arange(12.0).reshape(6, 2)
    names = np.array(["dog", "cat", "eel"])
    np.savez(
        tmp_path / "t.npz", **arrays(x_train=table, x_test=table[:3], y_train=names[np.arange(6) % 3], y_test=names)
    )
    dataset = build_dataset(npz_node(tmp_path / "t.npz"))
    assert dataset.classes == ("cat", "dog", "eel")
    assert dataset.test.y.tolist() == [1, 0, 2]
    np.testing.assert_array_equal(dataset.train.x.numpy(), table.astype(np.float32))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "there is no y_test; did you mean 'x_test'?"),
        ({"x_train": pixels(5, 4, 5, 3)}, "the train set has 5 inputs but 6 labels; give one label per input"),
        (
            {"x_train": pixels(6, 5, 5, 3)},
            "training inputs are 3 x 5 x 5 but test inputs are 3 x 4 x 5; make them alike",
        ),
        (
            {"x_train": pixels(6, 3, 8, 8)},
            "x_train is 6 x 3 x 8 x 8; images are N x H x W x C with 1 or 3 channels, the channels last",
        ),
        ({"x_test": np.zeros((3, 4, 5, 3))}, "x_test holds images of float64; images are uint8, 0..255"),
        ({"x_test": np.zeros((3, 7))}, "one of x_train and x_test holds images, the other a table; make them alike"),
        ({"x_train": np.zeros(6)}, "x_train is 6 of float64; images are uint8 N x H x W (x C), tables numbers N x M"),
        (
            {"x_train": np.zeros((6, 2), complex)},
            "x_train is 6 x 2 of complex128; images are uint8 N x H x W (x C), tables numbers N x M",
        ),
        (
            {"x_test": pixels(0, 4, 5, 3), "y_test": np.arange(0)},
            "the test set is empty; give it at least one sample of every class",
        ),
        ({"y_train": np.array([0, 1, 2, 0, 1, -1])}, "train label -1 is negative; labels are class indices 0..K-1"),
        (
            {"y_train": np.array([0, 1, 3, 0, 1, 3])},
            "class 2 has no training samples though labels go up to 3; number the classes 0..K-1 without gaps",
        ),
        (
            {"y_train": np.array([1, 2, 3, 1, 2, 3])},
            "class 0 has no training samples though labels go up to 3; number the classes 0..K-1 without gaps",
        ),
        (
            {"y_train": np.array([0, 1, 2, 0, 1, 10**12])},
            "train label 1000000000000 is out of range for 6 samples; number the classes 0..K-1 without gaps",
        ),
        ({"y_test": np.array([0, 1, 3])}, "test class 3 has no training samples; add some or remove the class"),
        ({"y_test": np.array([0, 1, 0.5])}, "test labels hold 0.5, not an integer; labels are class indices 0..K-1"),
        ({"y_test": np.array([0, 1, np.nan])}, "test labels hold nan, not an integer; labels are class indices 0..K-1"),
        ({"y_train": np.zeros(6, int)}, "all training samples are of one class; a classification needs at least two"),
        ({"y_train": np.zeros((6, 1), int)}, "train labels have shape (6, 1); give one class index per sample"),
        (
            {"y_train": np.array(list("aaabbb")), "y_test": np.array(list("abc"))},
            "test class 'c' has no training samples; add some or remove the class",
        ),
        (
            {"y_train": np.array(list("aaaaaa")), "y_test": np.array(list("aaa"))},
            "all training samples are of one class; a classification needs at least two",
        ),
        (
            {"y_train": np.array(list("aaabbb"))},
            "test labels are missing or of mixed types; give integers or strings only",
        ),
        (
            {"y_train": np.array([0, 1, 2, 0, 1, None])},
            "y_train holds Python objects, which are never loaded; save numbers or strings",
        ),
    ],
)
def test_npz_arrays_at_fault(npz_error, changes, message):
    assert npz_error(**changes) == message


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_npz_tables_that_are_not_finite_in_float32(npz_error, bad):
    table = np.ones((6, 2))
    table[4, 1] = bad
    message = "the train set holds NaN or infinite numbers (first in sample 4, 1 samples in all); remove or fill them"
    assert npz_error(x_train=table, x_test=np.ones((3, 2))) == message


def test_npz_a_pickle_is_refused_without_running_it(tmp_path, error_of):
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "mine.npz", **arrays(x_train=np.array([Trap()], dtype=object)))
    assert "x_train holds Python objects, which are never loaded" in error_of(npz_node(tmp_path / "mine.npz"))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_npz_cut_off(tmp_path, keep, error_of):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays())
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
    assert error_of(npz_node(path)) == (
        f"dataset.root={path}: is not an .npz file, or it is cut off; write it with numpy.savez"
    )


def test_npz_with_changed_bytes(tmp_path, error_of):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays())
    content = bytearray(path.read_bytes())
    place = content.find(arrays()["x_train"].tobytes()[:40])
    content[place] ^= 1
    path.write_bytes(content)
    assert error_of(npz_node(path)) == (
        f"dataset.root={path}: the file is damaged (Bad CRC-32 for file 'x_train.npy'); write it again"
    )


def test_root_is_relative_to_the_working_directory_and_the_tilde_is_home(tmp_path, monkeypatch):
    np.savez(tmp_path / "mine.npz", **arrays())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    prints = [
        build_dataset(npz_node(root)).fingerprint
        for root in ("mine.npz", "~/mine.npz", "../" + tmp_path.name + "/mine.npz")
    ]
    assert len(set(prints)) == 1
