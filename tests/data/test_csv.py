"""A user's table: sound, and spoilt."""

from pathlib import Path

import pytest
import torch

from dlexp.data import build_dataset

FLOWERS = "length,kind,width\n" + "".join(f"{i},{'rose' if i % 2 else 'iris'},{i / 4}\n" for i in range(10))


def csv_node(path: Path, target: str | None = None) -> dict:
    return {"_target_": "dlexp.data.csv.csv", "root": str(path), "target": target, "val_fraction": 0.0}


def test_csv_takes_the_named_column_as_class_and_the_others_in_order(tmp_path):
    path = tmp_path / "flowers.csv"
    path.write_text(FLOWERS)
    dataset = build_dataset(csv_node(path, "kind"))
    assert (dataset.name, dataset.classes, dataset.input_shape) == ("flowers", ("iris", "rose"), (2,))
    assert (len(dataset.train), len(dataset.test)) == (8, 2)
    for split in (dataset.train, dataset.test):
        assert torch.equal(split.x[:, 1], split.x[:, 0] / 4)
        assert torch.equal(split.y, split.x[:, 0].long() % 2)


def test_csv_class_numbers_keep_their_order_whatever_they_start_from(tmp_path):
    path = tmp_path / "n.csv"
    path.write_text("a,b\n" + "".join(f"{i},{(9, 10, 100)[i % 3]}\n" for i in range(12)))
    dataset = build_dataset(csv_node(path))
    assert dataset.classes == ("9", "10", "100")
    assert torch.equal(dataset.train.y, dataset.train.x[:, 0].long() % 3)


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (FLOWERS, "kinds", "dataset.target=kinds: flowers.csv has no such column; did you mean 'kind'?"),
        (FLOWERS, None, "dataset.root=PATH: column 'width' holds float64 numbers, not classes; set dataset.target"),
        (
            "n,kind\n" + "1,a\n2,b\n" * 3,
            "n",
            "dataset.root=PATH: column 'kind' is string, not numbers; encode it as numbers or drop it",
        ),
        ("a,b\n1,x\n,y\n3,x\n4,y\n", None, "dataset.root=PATH: column 'a' lacks 1 values; fill them or drop the rows"),
        ("a,b\n1,0\n2,1\n3,\n4,1\n", None, "dataset.root=PATH: column 'b' lacks 1 values; drop those rows"),
        ("a,b\n", None, "dataset.root=PATH: has no rows"),
        ("a\n1\n2\n", None, "dataset.root=PATH: needs one column 'a' and at least one other"),
        ("", None, "dataset.root=PATH: cannot be read as a table (Empty CSV file); check the file"),
        (
            "a,id\n" + "".join(f"1,{i}\n" for i in range(9)),
            None,
            "dataset.root=PATH: column 'id' has 9 different values in 9 rows, which are not classes;"
            " set dataset.target",
        ),
        (
            "a,b\n" + "1,0\n" * 5 + "inf,1\n" * 5,
            None,
            "dataset.root=PATH: the train set holds NaN or infinite numbers (first in sample 5, 5 samples in all);"
            " remove or fill them",
        ),
    ],
)
def test_csv_at_fault(tmp_path, text, target, message, error_of):
    path = tmp_path / "flowers.csv"
    path.write_text(text)
    assert error_of(csv_node(path, target)) == message.replace("PATH", str(path))


def test_csv_with_a_torn_line(tmp_path, error_of):
    path = tmp_path / "flowers.csv"
    path.write_text(FLOWERS + "3,ro")
    assert error_of(csv_node(path, "kind")).startswith(
        f"dataset.root={path}: cannot be read as a table (CSV parse error: Expected 3 columns, got 2"
    )
