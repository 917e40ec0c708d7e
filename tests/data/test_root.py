"""`dataset.root`: what it may name, and what is said when it does not."""

import pytest

IMAGES = {"channels": 3, "size": None, "crop": True, "antialias": True, "memory_gb": 1.0, "val_fraction": 0.0}


@pytest.mark.parametrize(
    ("target", "expected", "is_file"),
    [
        ("npz.npz", "an .npz file with x_train, y_train, x_test, y_test", True),
        ("csv.csv", "a .csv file with column names in its first line", True),
        ("parquet.parquet", "a folder with train.parquet and test.parquet", False),
        ("image_folder.image_folder", "a folder with train/CLASS/* and test/CLASS/*", False),
    ],
)
def test_a_root_that_is_not_set_not_there_or_of_the_other_kind(
    tmp_path, monkeypatch, target, expected, is_file, error_of
):
    keys = {"csv.csv": {"target": None}, "npz.npz": {}}.get(target, IMAGES)
    node = {"_target_": f"dlexp.data.{target}", "root": None, **keys}
    assert error_of(node) == f"dataset.root is not set; add dataset.root=PATH, {expected}"
    missing = tmp_path / "nowhere"
    assert error_of(node | {"root": str(missing)}) == (
        f"dataset.root={missing}: there is no such file or folder; it must be {expected}"
    )
    monkeypatch.chdir(tmp_path)
    assert error_of(node | {"root": "nowhere"}) == (
        f"dataset.root=nowhere: there is no such file or folder under {tmp_path}; it must be {expected}"
    )
    other = tmp_path / "other"
    other.mkdir() if is_file else other.touch()
    kind = "folder" if is_file else "file"
    assert error_of(node | {"root": str(other)}) == f"dataset.root={other}: is a {kind}; it must be {expected}"
