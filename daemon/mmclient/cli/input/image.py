"""Images, resized to the input.

Pixels go to a uint8 input as they are and to an int8 input minus 128, never through scale and zero point: models are
trained on one of these two ranges, and their scale may describe the values behind a normalising layer.
"""

from __future__ import annotations

import math

import numpy as np

from mmclient.array import Array
from mmwire.errors import ClientError, RequestError
from mmwire.message import Opened
from mmwire.tensor import TensorSpec

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def read(path: str, tensor: TensorSpec, opened: Opened) -> Array:
    """Return an image as one row of an input.

    Shape: ``[1, height, width, channels]``, or flat where the input is.

    Raises:
        RequestError: ``BAD_INPUT``: the file is no image; ``BAD_TENSOR``: the input takes none.
        ClientError: ``USAGE``: Pillow is not installed.
    """
    row = tensor.shape[1:] if tensor.has_rows or tensor.shape[:1] == (1,) else tensor.shape
    height, width, channels = _layout(row, tensor)
    pixels = _pixels(path, (height, width), _MODES[channels])
    flat = len(row) == 1
    shape: tuple[int, ...] = (-1,) if flat else pixels.shape if len(row) == 2 else (*pixels.shape[:2], channels)
    values = _as_dtype(pixels.reshape(shape), tensor, opened)
    return values[None] if len(row) < len(tensor.shape) else values


def _layout(row: tuple[int, ...], tensor: TensorSpec) -> tuple[int, int, int]:
    """Return height, width and channels of one row; -1 for a free height or width."""
    if len(row) == 3 and row[2] in _MODES:
        return row[0], row[1], row[2]
    if len(row) == 2:
        return row[0], row[1], 1
    if len(row) == 1 and row[0] > 0:
        for channels in (1, 3):
            side = math.isqrt(row[0] // channels)
            if side * side * channels == row[0]:
                return side, side, channels
    raise RequestError(
        "BAD_TENSOR",
        f"input {tensor.name!r}: {tensor.describe()} takes no image; expected [rows,height,width,1 or 3 or 4]",
        "give the values as .npy",
    )


def _pixels(path: str, size: tuple[int, int], mode: str) -> Array:
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ClientError("USAGE", "reading images needs Pillow", "pip install 'mmdaemon[images]'") from None
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file).convert(mode)
            height, width = (given if given > 0 else own for given, own in zip(size, image.size[::-1], strict=True))
            return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.uint8)
    except FileNotFoundError:
        raise RequestError("BAD_INPUT", f"{path} cannot be read: No such file or directory") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RequestError("BAD_INPUT", f"{path} cannot be read as an image: {error}") from None


def _as_dtype(pixels: Array, tensor: TensorSpec, opened: Opened) -> Array:
    if tensor.dtype == "uint8":
        return pixels
    if tensor.dtype == "int8":
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    if tensor.dtype.startswith("float"):
        mean, scale = np.float32(opened.image_mean), np.float32(opened.image_scale)
        return ((pixels.astype(np.float32) - mean) / scale).astype(tensor.dtype)
    raise RequestError(
        "BAD_TENSOR",
        f"input {tensor.name!r}: expected pixels for {tensor.describe()}, which takes none",
        "an image goes to a uint8, int8 or float input",
    )
