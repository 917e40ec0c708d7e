"""A user's own table, in one CSV file."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlexp.data.root import root_file
from dlexp.data.source import Source, checked, float_table
from dlexp.errors import InputError, nearest


def csv(*, root: str | None, target: str | None) -> Source:
    """A .csv file whose first line names the columns; one of them is the class, the others are numbers.

    `target` names the class column (None: the last). Classes are whatever it holds, in sorted order; there is
    no test set, so part of the rows is held out (`test_fraction`). Inputs are (N, M) float32.

    Raises:
        InputError: the file is damaged, a column is not numeric or has gaps, or the target is no class.
    """
    path = root_file(root, "a .csv file with column names in its first line")
    where = f"dataset.root={root}"
    table = _read(path, where)
    names = table.column_names
    if target is not None and target not in names:
        raise InputError(f"dataset.target={target}: {path.name} has no such column; {nearest(target, names)}")
    target = target or names[-1]
    if names.count(target) > 1 or len(names) < 2:
        raise InputError(f"{where}: needs one column '{target}' and at least one other")
    labels, classes = _classes(table[target], target, where)
    columns = [_numbers(table[i], name, where) for i, name in enumerate(names) if name != target]
    return checked(path.stem, where, (float_table(np.stack(columns, axis=1)), labels), names=classes)


def _read(path: Path, where: str) -> Any:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    try:
        table = pa_csv.read_csv(path)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(f"{where}: cannot be read as a table ({reason}); check the file") from error
    if not len(table):
        raise InputError(f"{where}: has no rows")
    return table


def _numbers(column: Any, name: str, where: str) -> npt.NDArray[np.float64]:
    import pyarrow as pa

    if column.null_count:
        raise InputError(f"{where}: column '{name}' lacks {column.null_count} values; fill them or drop the rows")
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise InputError(f"{where}: column '{name}' is {kind}, not numbers; encode it as numbers or drop it")
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _classes(column: Any, name: str, where: str) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    if column.null_count:
        raise InputError(f"{where}: column '{name}' lacks {column.null_count} values; drop those rows")
    found, labels = np.unique(np.asarray(column.to_pylist()), return_inverse=True)
    if found.dtype.kind == "f" and not np.array_equal(found, np.floor(found)):
        raise InputError(f"{where}: column '{name}' holds {found.dtype} numbers, not classes; set dataset.target")
    if len(found) > max(2, len(labels) // 2):
        raise InputError(
            f"{where}: column '{name}' has {len(found)} different values in {len(labels)} rows, which are not"
            " classes; set dataset.target"
        )
    return labels.astype(np.int64), tuple(str(value) for value in found.tolist())
