"""Image datasets in the layout of the Hugging Face hub: one parquet file per split."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from dlexp.data.images import EncodedImages, Form, encoded_images, hold
from dlexp.data.root import root_folder
from dlexp.data.source import Source, checked
from dlexp.errors import InputError

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "fine_label", "coarse_label")


def parquet(
    *,
    root: str | None,
    channels: Literal[1, 3],
    size: Annotated[int, Field(ge=1)] | None,
    crop: bool,
    antialias: bool,
    memory_gb: Annotated[float, Field(ge=0)],
) -> Source:
    """A folder with train.parquet and test.parquet: `img` or `image` (struct<bytes, path>) and a label.

    The label is `label`, else `fine_label`, else `coarse_label`: class indices or strings. Class names are
    taken from the file's metadata when it has them. Images are (N, C, H, W) uint8.

    Raises:
        InputError: files missing, unreadable or without these columns; images or labels at fault.
    """
    expected = "a folder with train.parquet and test.parquet"
    folder = root_folder(root, expected)
    where = f"dataset.root={root}"
    form = Form(channels, size, crop, antialias)
    images: list[EncodedImages] = []
    labels: list[npt.NDArray[Any]] = []
    names: tuple[str, ...] | None = None
    for part in ("train", "test"):
        file = folder / f"{part}.parquet"
        if not file.is_file():
            raise InputError(f"{where}: no {file.name} there; a parquet dataset is {expected}")
        encoded, found, class_names = _read(file, f"{where}: {file.name}")
        names = class_names if part == "train" else names
        rows = [f"{file.name} row {row}" for row in range(len(encoded))]
        images.append(encoded_images(encoded, rows, form, where))
        labels.append(found)
    train, test = hold(images, memory_gb)
    return checked(folder.resolve().name, where, (train, labels[0]), (test, labels[1]), names)


def _read(file: Path, what: str) -> tuple[list[bytes], npt.NDArray[Any], tuple[str, ...] | None]:
    """Encoded images, labels and class names of one parquet file."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file)
        image = _column(schema.names, IMAGE_COLUMNS, what)
        label = _column(schema.names, LABEL_COLUMNS, what)
        table = pq.read_table(file, columns=[image, label])
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{what} cannot be read ({reason}); it is damaged: fetch it again") from error
    if not len(table):
        raise InputError(f"{what} has no rows")
    column = table[image]
    if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        column = pc.struct_field(column, "bytes")
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise InputError(f"{what}: column '{image}' is {column.type}; it must be struct<bytes: binary, path: string>")
    if pa.types.is_nested(table[label].type):
        raise InputError(f"{what}: column '{label}' is {table[label].type}; it must hold one label per row")
    for name, values in ((image, column), (label, table[label])):
        if values.null_count:
            raise InputError(f"{what}: column '{name}' lacks {values.null_count} values; remove those rows")
    return column.to_pylist(), np.asarray(table[label].to_pylist()), _class_names(schema.metadata, label)


def _column(names: list[str], candidates: tuple[str, ...], what: str) -> str:
    for candidate in candidates:
        if candidate in names:
            return candidate
    raise InputError(f"{what}: no column {' or '.join(candidates)}; its columns are {', '.join(names) or 'none'}")


def _class_names(metadata: dict[bytes, bytes] | None, label: str) -> tuple[str, ...] | None:
    """Class names as the `datasets` library keeps them in the schema; None without any."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return tuple(str(name) for name in features[label]["names"]) or None
    except (KeyError, TypeError, ValueError):
        return None
