"""A download is complete or it is not there. No test here opens a connection: the downloader is replaced."""

import threading
from pathlib import Path

import pytest
import torchvision.datasets

from dlexp.data import build_dataset
from dlexp.data.download import ensure
from dlexp.errors import DlexpError, InputError

MANUAL = "put b and c there by hand"
ITEMS = ["a/b", "c"]


def fetch_all(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "a" / "b").write_text("b")
    (folder / "c").write_text("c")
    (folder / "archive.tar").write_text("not needed any more")


def fetch_half(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "a" / "b").write_text("b")
    raise OSError("connection\nreset")


def visible(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix != ".lock")


def test_what_is_asked_for_is_moved_into_place_and_nothing_else(tmp_path):
    root = tmp_path / "new"
    assert ensure(str(root), "set", ITEMS, fetch_all, MANUAL) == root
    assert visible(root) == ["a", "a/b", "c"]


@pytest.mark.parametrize("error", [OSError("connection\nreset"), RuntimeError("File not found or corrupted.")])
def test_a_download_that_dies_half_way_leaves_nothing(tmp_path, error):
    def fetch(folder: Path) -> None:
        fetch_all(folder)
        raise error

    with pytest.raises(DlexpError) as caught:
        ensure(str(tmp_path), "set", ITEMS, fetch, MANUAL)
    reason = " ".join(str(error).split())
    assert str(caught.value) == (
        f"dataset.root={tmp_path}: set could not be downloaded ({reason}); try again, or {MANUAL}"
    )
    assert not isinstance(caught.value, InputError)  # the network's fault, not the user's
    assert visible(tmp_path) == []


def test_an_interrupted_download_leaves_nothing_and_stays_an_interrupt(tmp_path):
    def fetch(folder: Path) -> None:
        fetch_all(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure(str(tmp_path), "set", ITEMS, fetch, MANUAL)
    assert visible(tmp_path) == []


def test_an_archive_that_lacks_a_file_is_not_moved_into_place(tmp_path):
    with pytest.raises(DlexpError, match="the archive is incomplete"):
        ensure(str(tmp_path), "set", [*ITEMS, "d"], fetch_all, MANUAL)
    assert visible(tmp_path) == []


def test_the_leftovers_of_a_killed_process_are_cleared_away(tmp_path):
    (tmp_path / ".set.part" / "a").mkdir(parents=True)
    (tmp_path / ".set.part" / "a" / "b").write_text("half")
    ensure(str(tmp_path), "set", ITEMS, fetch_all, MANUAL)
    assert visible(tmp_path) == ["a", "a/b", "c"]
    assert (tmp_path / "a" / "b").read_text() == "b"


def test_what_is_there_is_not_fetched_again(tmp_path):
    ensure(str(tmp_path), "set", ITEMS, fetch_all, MANUAL)
    ensure(str(tmp_path), "set", ITEMS, fetch_half, MANUAL)
    ensure(str(tmp_path), "set", ITEMS, None, MANUAL)


def test_several_at_once_fetch_once(tmp_path):
    fetched, gate = [], threading.Barrier(4)

    def fetch(folder: Path) -> None:
        fetched.append(folder)
        fetch_all(folder)

    def ask() -> None:
        gate.wait()
        ensure(str(tmp_path), "set", ITEMS, fetch, MANUAL)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1
    assert visible(tmp_path) == ["a", "a/b", "c"]


def test_roots_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError) as caught:
        ensure(None, "set", ITEMS, fetch_all, MANUAL)
    assert str(caught.value) == "dataset.root is not set; add dataset.root=PATH, the folder to keep set in"
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError) as caught:
        ensure(str(file), "set", ITEMS, fetch_all, MANUAL)
    assert str(caught.value) == f"dataset.root={file}: is a file; it must be the folder to keep set in"


@pytest.mark.parametrize(
    ("name", "kind", "manual"),
    [
        ("mnist", "MNIST", "put its four idx files (as they are or .gz) into MNIST/raw there by hand"),
        (
            "fashion_mnist",
            "FashionMNIST",
            "put its four idx files (as they are or .gz) into FashionMNIST/raw there by hand",
        ),
        ("cifar10", "CIFAR10", "unpack the original archive so that cifar-10-batches-py lies in it"),
        ("cifar100", "CIFAR100", "unpack the original archive so that cifar-100-python lies in it"),
        ("svhn", "SVHN", "put train_32x32.mat and test_32x32.mat into it by hand"),
    ],
)
def test_torchvision_sets_without_a_network_or_without_leave(tmp_path, monkeypatch, name, kind, manual):
    def offline(root: str, **_: object) -> None:
        Path(root, "half").write_text("half")
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.datasets, kind, offline)
    node = {"_target_": f"dlexp.data.torchvision_sets.{name}", "root": str(tmp_path), "download": True}
    with pytest.raises(DlexpError) as caught:
        build_dataset(node)
    assert str(caught.value) == (
        f"dataset.root={tmp_path}: {name} could not be downloaded (no route to host); try again, or {manual}"
    )
    assert visible(tmp_path) == []
    with pytest.raises(InputError) as caught:
        build_dataset(node | {"download": False})
    assert str(caught.value) == f"dataset.root={tmp_path}: {name} is not there; set dataset.download=true, or {manual}"


def test_a_damaged_cifar_folder_is_named_with_its_cure(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"half")
    with pytest.raises(InputError) as caught:
        build_dataset({"_target_": "dlexp.data.torchvision_sets.cifar10", "root": str(tmp_path), "download": True})
    assert str(caught.value) == (
        f"dataset.root={tmp_path}: cifar-10-batches-py is incomplete or damaged (Dataset not found or corrupted."
        " You can use download=True to download it); remove it and set dataset.download=true"
    )
