"""Encoded images (files on disk, or their bytes) that look like a uint8 tensor and are decoded when read."""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlexp.data.dataset import ImageArray
from dlexp.data.resize import centre_square, resize
from dlexp.errors import InputError
from dlexp.processes import available_cores

BLOCK = 64  # images per task of the thread pool
TINY = 96 * 96  # pixels; below, threads only wait for each other: most of the work holds the interpreter lock


@dataclass(frozen=True)
class Form:
    """What every image is brought to: `channels` 1 or 3, and a square of `size` pixels (None: as it is)."""

    channels: Literal[1, 3]
    size: int | None
    crop: bool  # cut the centre square out first; else squeeze the whole image into the square
    antialias: bool


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """An `ImageArray` over encoded images. `names` say which one is at fault, `where` starts the message."""

    encoded: Sequence[bytes | Path]
    names: Sequence[str]
    form: Form
    where: str
    image_shape: tuple[int, int, int]  # (C, H, W), that all of them must have

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.encoded), *self.image_shape)

    @property
    def dtype(self) -> torch.dtype:
        return torch.uint8

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        """The images at `index`, (n, C, H, W) uint8, decoded by one thread per core unless they are tiny.

        Raises:
            InputError: an image cannot be decoded, or has another size than the others.
        """
        chosen = list(range(len(self)))[index] if isinstance(index, slice) else _positions(index)
        out = np.empty((len(chosen), *self.image_shape), dtype=np.uint8)

        def decode_block(start: int) -> None:
            for place in range(start, min(start + BLOCK, len(chosen))):
                out[place] = self._decode(chosen[place])

        with ThreadPoolExecutor(self._threads()) as pool:
            try:
                list(pool.map(decode_block, range(0, len(chosen), BLOCK)))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return torch.from_numpy(out)

    def take(self, index: Tensor) -> "EncodedImages":
        """The images at `index`, still encoded."""
        chosen = _positions(index)
        encoded, names = [self.encoded[i] for i in chosen], [self.names[i] for i in chosen]
        return replace(self, encoded=encoded, names=names)

    def _threads(self) -> int:
        tiny = self.form.size is None and self.image_shape[1] * self.image_shape[2] < TINY
        return 1 if tiny else available_cores()

    def _decode(self, position: int) -> npt.NDArray[np.uint8]:
        image = decode(self.encoded[position], self.form, f"{self.where}: {self.names[position]}")
        if image.shape != self.image_shape:
            sizes = [f"{shape[-1]} x {shape[-2]}" for shape in (self.image_shape, image.shape)]
            raise InputError(
                f"{self.where}: images differ in size ({sizes[0]} pixels at first, {self.names[position]} is"
                f" {sizes[1]}); set dataset.size to bring them to one"
            )
        return image


def encoded_images(encoded: Sequence[bytes | Path], names: Sequence[str], form: Form, where: str) -> EncodedImages:
    """One or more encoded images, all of the size that `form` asks for, else of the first one's."""
    channels, height, width = decode(encoded[0], form, f"{where}: {names[0]}").shape
    return EncodedImages(encoded, names, form, where, (channels, height, width))


def hold(parts: Sequence[EncodedImages], memory_gb: float) -> list[Tensor | ImageArray]:
    """All parts decoded, as tensors, when that takes at most `memory_gb` together; else as they are."""
    needed = sum(len(part) * int(np.prod(part.image_shape)) for part in parts)
    return [part[:] for part in parts] if needed <= memory_gb * 1e9 else list(parts)


def decode(encoded: bytes | Path, form: Form, what: str) -> npt.NDArray[np.uint8]:
    """One image as (C, H, W) uint8. Transparency is dropped and EXIF rotation ignored, as torchvision does.

    Raises:
        InputError: not an image, truncated, or with more than 8 bits per channel.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded) as opened:
            mode = opened.mode
            pixels: npt.NDArray[np.uint8] = np.array(opened.convert("L" if form.channels == 1 else "RGB"))
    except Exception as error:  # the decoders raise OSError, SyntaxError, ValueError, struct.error, ...
        reason = " ".join(str(error).split())[:100] if not _unidentified(error) else "not an image"
        raise InputError(f"{what} cannot be decoded ({reason}); replace or remove it") from error
    if mode.startswith("I") or mode == "F":
        raise InputError(f"{what} has more than 8 bits per channel; convert it to 8 bits")
    # Plain NumPy unless it is resized: a torch call per tiny image costs more than decoding it.
    pixels = pixels.reshape(*pixels.shape[:2], form.channels).transpose(2, 0, 1)
    if form.size is None:
        return pixels
    image = torch.from_numpy(pixels)[None]
    return resize(centre_square(image) if form.crop else image, form.size, antialias=form.antialias)[0].numpy()


def _positions(index: Tensor) -> list[int]:
    positions = index.nonzero().squeeze(1) if index.dtype == torch.bool else index
    return [int(position) for position in positions.tolist()]


def _unidentified(error: Exception) -> bool:
    from PIL import UnidentifiedImageError

    return isinstance(error, UnidentifiedImageError)
