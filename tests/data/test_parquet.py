"""Images in parquet files: the hub's layouts, and files that are spoilt."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dlexp.data import build_dataset

IMAGES = {"channels": 3, "size": None, "crop": True, "antialias": True, "memory_gb": 1.0, "val_fraction": 0.0}


def pixels(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def encoded(array: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def write_parquet(folder: Path, part: str, image: str = "img", label: str = "label", **changes: object) -> None:
    n = 6 if part == "train" else 3
    images = changes.get("images", [encoded(array) for array in pixels(n, 4, 5, 3, seed=n)])
    labels = changes.get("labels", [i % 3 for i in range(len(images))])
    names = changes.get("names", ["ant", "bee", "cow"])
    struct_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    column = changes.get(
        "column", pa.array([None if b is None else {"bytes": b, "path": None} for b in images], struct_type)
    )
    table = pa.table({image: column, label: labels})
    features = {"info": {"features": {label: {"names": names, "_type": "ClassLabel"}}}}
    if names:
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    folder.mkdir(exist_ok=True)
    pq.write_table(table, folder / f"{part}.parquet")


def parquet_node(folder: Path, **changes: object) -> dict:
    return {"_target_": "dlexp.data.parquet.parquet", "root": str(folder)} | IMAGES | changes


@pytest.mark.parametrize(("image", "label"), [("img", "label"), ("image", "fine_label"), ("image", "coarse_label")])
def test_parquet_in_the_layouts_of_the_hub(tmp_path, image, label):
    folder = tmp_path / "insects"
    write_parquet(folder, "train", image, label)
    write_parquet(folder, "test", image, label)
    dataset = build_dataset(parquet_node(folder))
    assert (dataset.name, dataset.classes, dataset.input_shape) == ("insects", ("ant", "bee", "cow"), (3, 4, 5))
    np.testing.assert_array_equal(dataset.train.x.permute(0, 2, 3, 1).numpy(), pixels(6, 4, 5, 3, seed=6))
    assert dataset.train.y.tolist() == [0, 1, 2, 0, 1, 2]


def test_parquet_jpeg_grey_and_labels_that_are_words(tmp_path):
    grey = np.full((8, 8), 90, np.uint8)
    for part in ("train", "test"):
        write_parquet(tmp_path, part, images=[encoded(grey, "JPEG")] * 4, labels=["yes", "no"] * 2, names=[])
    dataset = build_dataset(parquet_node(tmp_path, channels=1))
    assert (dataset.input_shape, dataset.classes) == ((1, 8, 8), ("no", "yes"))
    assert dataset.train.y.tolist() == [1, 0, 1, 0]
    assert dataset.train.x.unique().tolist() == [90]


GOOD = [encoded(array) for array in pixels(6, 4, 5, 3)]
SIZES = [*GOOD[:5], encoded(pixels(1, 7, 6, 3)[0])]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": "picture"}, "train.parquet: no column img or image; its columns are picture, label"),
        ({"label": "y"}, "train.parquet: no column label or fine_label or coarse_label; its columns are img, y"),
        (
            {"column": pa.array(["a"] * 6), "images": GOOD},
            "train.parquet: column 'img' is string; it must be struct<bytes: binary, path: string>",
        ),
        ({"images": [*GOOD[:5], None]}, "train.parquet: column 'img' lacks 1 values; remove those rows"),
        ({"labels": [0, 1, 2, 0, 1, None]}, "train.parquet: column 'label' lacks 1 values; remove those rows"),
        (
            {"labels": [[0], [1], [2], [0], [1], [2, 1]]},
            "train.parquet: column 'label' is list<element: int64>; it must hold one label per row",
        ),
        ({"labels": [0, 1, 2, 0, 1, 3]}, "train label 3 is out of range; there are 3 classes"),
        ({"labels": [0, 1, 2, 0, 1, -1]}, "train label -1 is negative; labels are class indices 0..K-1"),
        ({"labels": [0, 1, 2, 0, 1, 0.5]}, "train labels hold 0.5, not an integer; labels are class indices 0..K-1"),
        ({"labels": [0, 1, 0, 0, 1, 0]}, "test class 2 has no training samples; add some or remove the class"),
        ({"images": []}, "train.parquet has no rows"),
        (
            {"images": [*GOOD[:5], b"no image"]},
            "train.parquet row 5 cannot be decoded (not an image); replace or remove it",
        ),
        (
            {"images": SIZES},
            "images differ in size (5 x 4 pixels at first, train.parquet row 5 is 6 x 7);"
            " set dataset.size to bring them to one",
        ),
    ],
)
def test_parquet_at_fault(tmp_path, changes, message, error_of):
    write_parquet(tmp_path, "train", **changes)
    write_parquet(tmp_path, "test")
    assert error_of(parquet_node(tmp_path)) == f"dataset.root={tmp_path}: {message}"


def test_parquet_that_is_missing_or_cut_off(tmp_path, error_of):
    write_parquet(tmp_path, "train")
    assert error_of(parquet_node(tmp_path)) == (
        f"dataset.root={tmp_path}: no test.parquet there; a parquet dataset is a folder with train.parquet and"
        " test.parquet"
    )
    write_parquet(tmp_path, "test")
    for keep in (0, 3, 100, -1):
        content = (tmp_path / "train.parquet").read_bytes()
        (tmp_path / "test.parquet").write_bytes(content[:keep])
        message = error_of(parquet_node(tmp_path))
        assert message.startswith(f"dataset.root={tmp_path}: test.parquet cannot be read (")
        assert message.endswith("); it is damaged: fetch it again")


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_an_image_that_is_cut_off(tmp_path, kind, error_of):
    cut = encoded(pixels(1, 32, 32, 3)[0], kind)
    write_parquet(tmp_path, "train", images=[encoded(pixels(1, 32, 32, 3)[0], kind)] * 5 + [cut[: len(cut) // 2]])
    write_parquet(tmp_path, "test")
    message = error_of(parquet_node(tmp_path))
    assert message.startswith(f"dataset.root={tmp_path}: train.parquet row 5 cannot be decoded (")
    assert "truncated" in message
    assert message.endswith("); replace or remove it")
