"""A folder of image files, one subfolder per class."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from dlexp.data.images import Form, encoded_images, hold
from dlexp.data.root import root_folder
from dlexp.data.source import Source, checked
from dlexp.errors import InputError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}


def image_folder(
    *,
    root: str | None,
    channels: Literal[1, 3],
    size: Annotated[int, Field(ge=1)] | None,
    crop: bool,
    antialias: bool,
    memory_gb: Annotated[float, Field(ge=0)],
) -> Source:
    """train/CLASS/* and test/CLASS/*: class names are the folders' names, sorted. Images (N, C, H, W) uint8.

    Files that do not have the suffix of an image are passed over. What does not fit `memory_gb` stays on
    disk and is decoded batch by batch.

    Raises:
        InputError: folders missing or empty, images that cannot be decoded or differ in size.
    """
    expected = "a folder with train/CLASS/* and test/CLASS/*"
    folder = root_folder(root, expected)
    where = f"dataset.root={root}"
    form = Form(channels, size, crop, antialias)
    images, labels = [], []
    for part in ("train", "test"):
        if not (folder / part).is_dir():
            raise InputError(f"{where}: no folder {part} there; an image folder is {expected}")
        files, classes = _image_files(folder / part, where)
        names = [file.relative_to(folder).as_posix() for file in files]
        images.append(encoded_images(files, names, form, where))
        labels.append(np.array(classes))
    train, test = hold(images, memory_gb)
    return checked(folder.resolve().name, where, (train, labels[0]), (test, labels[1]))


def _image_files(part: Path, where: str) -> tuple[list[Path], list[str]]:
    """All images under the class folders of `part`, in sorted order, and the class of each."""
    files: list[Path] = []
    classes: list[str] = []
    for folder in sorted(part.iterdir()):
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not found:
            raise InputError(f"{where}: class folder {part.name}/{folder.name} has no images; fill it or remove it")
        files += found
        classes += [folder.name] * len(found)
    if not files:
        raise InputError(f"{where}: {part.name} has no class folders; put images into {part.name}/CLASS/")
    return files, classes
