"""MNIST's files: read as torchvision reads them, or refused by name."""

import gzip
import struct
from pathlib import Path

import numpy as np
import torch

from dlexp.data import build_dataset


def pixels(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def write_mnist(root: Path, kind: str = "MNIST") -> Path:
    raw = root / kind / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 20), ("t10k", 10)):
        images = pixels(n, 4, 4, seed=n)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, n, 4, 4) + images.tobytes())
        labels = bytes(i % 10 for i in range(n))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, n) + labels)
    return raw


def mnist_node(root: Path, name: str = "mnist") -> dict:
    target = f"dlexp.data.torchvision_sets.{name}"
    return {"_target_": target, "root": str(root), "download": False, "val_fraction": 0.0}


def test_mnist_files_are_read_as_torchvision_reads_them(tmp_path):
    from torchvision.datasets import MNIST

    write_mnist(tmp_path)
    dataset = build_dataset(mnist_node(tmp_path))
    for split, train in ((dataset.train, True), (dataset.test, False)):
        theirs = MNIST(str(tmp_path), train=train)
        assert torch.equal(split.x[:, 0], theirs.data)
        assert torch.equal(split.y, theirs.targets)
    assert dataset.classes == tuple("0123456789")


def test_mnist_files_may_be_gzipped(tmp_path):
    plain = build_dataset(mnist_node(write_mnist(tmp_path).parents[1])).fingerprint
    for path in (tmp_path / "MNIST" / "raw").iterdir():
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert build_dataset(mnist_node(tmp_path)).fingerprint == plain


def test_fashion_mnist_has_its_own_folder_and_names(tmp_path):
    from torchvision.datasets import FashionMNIST

    write_mnist(tmp_path, "FashionMNIST")
    assert list(build_dataset(mnist_node(tmp_path, "fashion_mnist")).classes) == FashionMNIST.classes


def test_mnist_files_at_fault(tmp_path, error_of):
    raw = write_mnist(tmp_path)
    start = f"dataset.root={tmp_path}: "
    labels = raw / "t10k-labels-idx1-ubyte"
    content = labels.read_bytes()
    labels.write_bytes(content[:-1])
    assert error_of(mnist_node(tmp_path)) == start + (
        "t10k-labels-idx1-ubyte has 17 bytes, not 18 as its header says; it is cut off or damaged: fetch it again"
    )
    labels.write_bytes(b"<html>")
    assert error_of(mnist_node(tmp_path)) == start + (
        "t10k-labels-idx1-ubyte is not an idx file of 1 dimensions; fetch it again"
    )
    labels.unlink()
    assert error_of(mnist_node(tmp_path)) == start + (
        f"no t10k-labels-idx1-ubyte there; put it (or t10k-labels-idx1-ubyte.gz) into {raw}"
    )
    (raw / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(content)[:-9])
    assert error_of(mnist_node(tmp_path)).startswith(start + "t10k-labels-idx1-ubyte.gz is damaged (")
