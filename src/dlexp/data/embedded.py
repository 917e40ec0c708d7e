"""Small real datasets that ship with scikit-learn: nothing to download.

The files are read directly, because `import sklearn` alone takes longer than many runs on these data.
"""

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from dlexp.data.source import Source, checked, float_table
from dlexp.errors import DlexpError


def digits() -> Source:
    """1797 handwritten digits, (N, 1, 8, 8) float32 in [0, 1] (grey levels 0..16, divided by 16), 10 classes.

    Source: the test set of "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak,
    UCI Machine Learning Repository, 1998.
    """
    rows = _read("digits.csv.gz")
    x = torch.from_numpy(rows[:, :-1].astype(np.float32)).reshape(-1, 1, 8, 8) / 16
    names = tuple(str(digit) for digit in range(10))
    return checked("digits", "dataset=digits", (x, rows[:, -1].astype(np.int64)), names=names)


def breast_cancer() -> Source:
    """569 tumours, (N, 30) float32 measurements of cell nuclei; classes malignant (0) and benign (1).

    Source: W. Wolberg, O. Mangasarian and W. Street, Breast Cancer Wisconsin (Diagnostic), UCI, 1995.
    """
    return _table("breast_cancer", "breast_cancer.csv", ("malignant", "benign"))


def wine() -> Source:
    """178 wines of three cultivars, (N, 13) float32 chemical measurements.

    Source: S. Aeberhard and M. Forina, Wine, UCI Machine Learning Repository, 1992.
    """
    return _table("wine", "wine_data.csv", ("class_0", "class_1", "class_2"))


def _table(name: str, file: str, names: tuple[str, ...]) -> Source:
    rows = _read(file, header_lines=1)  # one line: number of rows, of columns, class names
    part = (float_table(rows[:, :-1]), rows[:, -1].astype(np.int64))
    return checked(name, f"dataset={name}", part, names=names)


def _read(file: str, header_lines: int = 0) -> npt.NDArray[np.float64]:
    """The numbers of a comma-separated file of scikit-learn's, the class in the last column."""
    package = importlib.util.find_spec("sklearn")  # finds it without importing it
    if package is None or package.origin is None:
        raise DlexpError("scikit-learn is not installed; install dlexp again with its dependencies")
    path = Path(package.origin).parent / "datasets" / "data" / file
    return np.loadtxt(path, delimiter=",", skiprows=header_lines)  # unzips .gz itself
