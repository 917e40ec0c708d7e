"""The image datasets that torchvision downloads: MNIST, Fashion-MNIST, CIFAR-10, CIFAR-100, SVHN.

Files lie where torchvision puts them, so a folder that torchvision filled serves as `root`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlexp.data.download import ensure
from dlexp.data.idx import read_idx
from dlexp.data.source import Part, Source, checked
from dlexp.errors import InputError

CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DIGITS = tuple("0123456789")


def mnist(*, root: str | None, download: bool) -> Source:
    """MNIST: 60,000 + 10,000 handwritten digits, (N, 1, 28, 28) uint8 (LeCun et al. 1998).

    Raises:
        InputError: files that are missing or damaged; DlexpError: the download failed.
    """
    return _idx_source("mnist", "MNIST", root, download, DIGITS)


def fashion_mnist(*, root: str | None, download: bool) -> Source:
    """Fashion-MNIST: 60,000 + 10,000 pieces of clothing, (N, 1, 28, 28) uint8 (Xiao et al. 2017).

    Raises:
        InputError: files that are missing or damaged; DlexpError: the download failed.
    """
    return _idx_source("fashion_mnist", "FashionMNIST", root, download, CLOTHES)


def cifar10(*, root: str | None, download: bool) -> Source:
    """CIFAR-10: 50,000 + 10,000 photographs, (N, 3, 32, 32) uint8 (Krizhevsky 2009).

    Raises:
        InputError: files that are missing or damaged; DlexpError: the download failed.
    """
    return _cifar_source("cifar10", "CIFAR10", root, download)


def cifar100(*, root: str | None, download: bool) -> Source:
    """CIFAR-100 with its 100 fine classes: 50,000 + 10,000 photographs, (N, 3, 32, 32) uint8 (Krizhevsky 2009).

    Raises:
        InputError: files that are missing or damaged; DlexpError: the download failed.
    """
    return _cifar_source("cifar100", "CIFAR100", root, download)


def svhn(*, root: str | None, download: bool) -> Source:
    """Street View House Numbers: 73,257 + 26,032 digits, (N, 3, 32, 32) uint8 (Netzer et al. 2011).

    Raises:
        InputError: files that are missing or damaged; DlexpError: the download failed.
    """
    files = ["train_32x32.mat", "test_32x32.mat"]
    manual = f"put {files[0]} and {files[1]} into it by hand"
    arguments = [{"split": "train"}, {"split": "test"}]
    folder = ensure(root, "svhn", files, _fetcher("SVHN", arguments) if download else None, manual)
    where = f"dataset.root={root}"
    parts: list[Part] = []
    for file, options in zip(files, arguments, strict=True):
        loaded = _load("SVHN", folder, file, where, options)
        parts.append((torch.from_numpy(np.ascontiguousarray(loaded.data)), np.asarray(loaded.labels)))
    return checked("svhn", where, parts[0], parts[1], DIGITS)


def _idx_source(name: str, kind: str, root: str | None, download: bool, classes: tuple[str, ...]) -> Source:
    manual = f"put its four idx files (as they are or .gz) into {kind}/raw there by hand"
    fetch = _fetcher(kind, [{"train": True}]) if download else None  # fetches all four files
    folder = ensure(root, name, [f"{kind}/raw"], fetch, manual) / kind / "raw"
    where = f"dataset.root={root}"
    parts: list[Part] = []
    for part in ("train", "t10k"):
        images = read_idx(folder / f"{part}-images-idx3-ubyte", 3, where)
        labels = read_idx(folder / f"{part}-labels-idx1-ubyte", 1, where)
        parts.append((torch.from_numpy(images[:, None]), labels))
    return checked(name, where, parts[0], parts[1], classes)


def _cifar_source(name: str, kind: str, root: str | None, download: bool) -> Source:
    base = {"CIFAR10": "cifar-10-batches-py", "CIFAR100": "cifar-100-python"}[kind]
    arguments = [{"train": True}, {"train": False}]
    manual = f"unpack the original archive so that {base} lies in it"
    folder = ensure(root, name, [base], _fetcher(kind, arguments[:1]) if download else None, manual)
    where = f"dataset.root={root}"
    # torchvision checks the md5 of every file before it unpickles any of them
    loaded = [_load(kind, folder, base, where, options) for options in arguments]
    parts = [
        (torch.from_numpy(np.ascontiguousarray(part.data.transpose(0, 3, 1, 2))), np.asarray(part.targets))
        for part in loaded
    ]
    return checked(name, where, parts[0], parts[1], tuple(loaded[0].classes))


def _fetcher(kind: str, arguments: list[dict[str, Any]]) -> Callable[[Path], None]:
    def fetch(folder: Path) -> None:
        import torchvision.datasets

        for options in arguments:
            getattr(torchvision.datasets, kind)(str(folder), download=True, **options)

    return fetch


def _load(kind: str, folder: Path, item: str, where: str, options: dict[str, Any]) -> Any:
    import torchvision.datasets

    try:
        return getattr(torchvision.datasets, kind)(str(folder), download=False, **options)
    except Exception as error:  # RuntimeError for a wrong checksum; else whatever the reader stumbles over
        reason = " ".join(str(error).split())[:100]
        raise InputError(
            f"{where}: {item} is incomplete or damaged ({reason}); remove it and set dataset.download=true"
        ) from error
