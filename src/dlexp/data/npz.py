"""A user's own arrays, in one NumPy .npz file."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlexp.data.root import root_file
from dlexp.data.source import Source, checked, float_table
from dlexp.errors import InputError, nearest

KEYS = ("x_train", "y_train", "x_test", "y_test")


def npz(*, root: str | None) -> Source:
    """A .npz file with x_train, y_train, x_test, y_test.

    Images are uint8, N x H x W x C (C = 1 or 3) or N x H x W; tables are numbers, N x M. Labels are class
    indices or strings. Pickled objects are never loaded.

    Raises:
        InputError: the file or one of its arrays is missing, damaged or of another kind.
    """
    path = root_file(root, f"an .npz file with {', '.join(KEYS)}")
    where = f"dataset.root={root}"
    arrays = _read(path, where)
    x = {key: _inputs(arrays[key], f"{where}: {key}") for key in ("x_train", "x_test")}
    if x["x_train"].ndim != x["x_test"].ndim:
        raise InputError(f"{where}: one of x_train and x_test holds images, the other a table; make them alike")
    return checked(path.stem, where, (x["x_train"], arrays["y_train"]), (x["x_test"], arrays["y_test"]))


def _read(path: Path, where: str) -> dict[str, npt.NDArray[Any]]:
    if not zipfile.is_zipfile(path):
        raise InputError(f"{where}: is not an .npz file, or it is cut off; write it with numpy.savez")
    arrays = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            for key in KEYS:
                if key not in file.files:
                    raise InputError(f"{where}: there is no {key}; {nearest(key, file.files)}")
            for key in KEYS:
                arrays[key] = file[key]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise InputError(f"{where}: the file is damaged ({error}); write it again") from error
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise InputError(f"{where}: {key} is damaged ({error}); write it again") from error
        raise InputError(
            f"{where}: {key} holds Python objects, which are never loaded; save numbers or strings"
        ) from error
    return arrays


def _inputs(x: npt.NDArray[Any], what: str) -> Tensor:
    shape = " x ".join(str(size) for size in x.shape)
    if x.ndim == 2 and x.dtype.kind in "iuf":
        return float_table(x)
    if x.ndim not in (2, 3, 4) or x.dtype.kind not in "iuf":
        raise InputError(
            f"{what} is {shape or 'a single number'} of {x.dtype}; images are uint8 N x H x W (x C),"
            " tables numbers N x M"
        )
    if x.dtype != np.uint8:
        raise InputError(f"{what} holds images of {x.dtype}; images are uint8, 0..255")
    if x.ndim == 3:
        x = x[..., None]
    if x.shape[3] not in (1, 3):
        raise InputError(f"{what} is {shape}; images are N x H x W x C with 1 or 3 channels, the channels last")
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
