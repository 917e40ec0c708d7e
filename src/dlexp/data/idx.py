"""The file format of MNIST and its relatives."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlexp.errors import InputError

UINT8 = 8  # the format's code for unsigned bytes


def read_idx(path: Path, dimensions: int, where: str) -> npt.NDArray[np.uint8]:
    """The uint8 array in an idx file, as it is or gzipped (`.gz` added to its name).

    Format (Y. LeCun, yann.lecun.com/exdb/mnist): two zero bytes, a type code, the number of dimensions, each
    dimension as a big-endian 32-bit number, then the bytes.

    Raises:
        InputError: the file is missing, damaged, of another length than it says, or of other dimensions.
    """
    zipped = path.with_name(path.name + ".gz")
    if not path.is_file() and not zipped.is_file():
        raise InputError(f"{where}: no {path.name} there; put it (or {zipped.name}) into {path.parent}")
    try:
        content = path.read_bytes() if path.is_file() else gzip.decompress(zipped.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{where}: {zipped.name} is damaged ({error}); fetch it again") from error
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes([0, 0, UINT8, dimensions]):
        raise InputError(f"{where}: {path.name} is not an idx file of {dimensions} dimensions; fetch it again")
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int).tolist()
    if len(content) != header + math.prod(shape):
        raise InputError(
            f"{where}: {path.name} has {len(content)} bytes, not {header + math.prod(shape)} as its header"
            " says; it is cut off or damaged: fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()
