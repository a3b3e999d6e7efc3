"""Images, resized to the input.

A uint8 input takes the pixels as they are, and an int8 input takes them minus 128. The tensor's scale and zero point
play no part: they may describe values after a normalising layer, while models are trained on one of these two ranges.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclient.array import Array
from mmwire.errors import ClientError, RequestError
from mmwire.installation import install_hint
from mmwire.message import Opened
from mmwire.tensor import Shape, TensorSpec

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_MIN_SIDE = 8  # the smallest real image model has 8x8 digits; [1,128,3] is an accelerometer
_PIXEL_SCALE = (0.0, 255.0)  # mean and scale that the daemon sends when NAME.toml has none
_BITS_PER_SAMPLE = 258  # Source: TIFF 6.0, tag BitsPerSample
_DEEP_FORMATS = ("PNG", "PPM")  # formats whose mode "I" holds 16 bits; in a TIFF it holds 32


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """How the pixels of one row lie in an input.

    Attributes:
        height: -1 where the input takes any.
        width: -1 where the input takes any.
        channels: 1, 3 or 4.
        shape: Of one row, without a leading dimension.
    """

    height: int
    width: int
    channels: int
    shape: Shape


def layout_of(tensor: TensorSpec, opened: Opened, *, is_asked: bool) -> PixelLayout:
    """Return how an image lies in an input.

    The shape alone cannot prove that an input is an image: a spectrogram is ``[rows,49,10,1]``. An input counts as an
    image when it has 3 or 4 channels, or one channel and equal sides, each side of at least 8. An input for whose
    model NAME.toml sets ``image_mean`` or ``image_scale`` counts too.

    Args:
        tensor: The input.
        opened: Its model.
        is_asked: Whether the user said that the input is an image.

    Raises:
        RequestError: ``BAD_TENSOR``: pixels have no place in the input, or nothing says that it is an image.
    """
    layout = _only_layout(tensor)
    is_declared = (opened.image_mean, opened.image_scale) != _PIXEL_SCALE
    if is_asked or is_declared or _looks_like_image(layout):
        return layout
    raise RequestError(
        "BAD_TENSOR",
        f"input {tensor.name!r}: {tensor.describe()} does not look like an image: it may hold sound or other readings",
        "if it is an image, add --as-image; else give the values as .npy",
    )


def read(path: str, layout: PixelLayout, tensor: TensorSpec, opened: Opened) -> Array:
    """Return an image as one row of an input.

    Shape: ``[1, height, width, channels]``, or flat where the input is.

    Raises:
        RequestError: ``BAD_INPUT``: the file is not an image, or its pixels have no known range.
        ClientError: ``USAGE``: Pillow is not installed.
    """
    pixels = _pixels(path, layout)
    shapes: dict[int, Shape] = {1: (-1,), 2: pixels.shape[:2], 3: (*pixels.shape[:2], layout.channels)}
    values = _as_dtype(pixels.reshape(shapes[len(layout.shape)]), tensor, opened)
    return values[None] if len(layout.shape) < len(tensor.shape) else values


def _only_layout(tensor: TensorSpec) -> PixelLayout:
    """Return the one layout that pixels can have in an input."""
    row = tensor.shape[1:] if tensor.has_rows or tensor.shape[:1] == (1,) else tensor.shape
    if tensor.dtype in ("uint8", "int8") or tensor.dtype.startswith("float"):
        if len(row) == 3 and row[2] in _MODES:
            return PixelLayout(row[0], row[1], row[2], row)
        if len(row) == 2:
            return PixelLayout(row[0], row[1], 1, row)
        if len(row) == 1 and row[0] > 0:
            for channels in (1, 3):
                side = math.isqrt(row[0] // channels)
                if side * side * channels == row[0]:
                    return PixelLayout(side, side, channels, row)
    raise RequestError(
        "BAD_TENSOR",
        f"input {tensor.name!r}: {tensor.describe()} takes no image; expected uint8, int8 or float"
        " [rows,height,width,1 or 3 or 4]",
        "give the values as .npy",
    )


def _looks_like_image(layout: PixelLayout) -> bool:
    sides = (layout.height, layout.width)
    if len(layout.shape) == 1 or any(0 <= side < _MIN_SIDE for side in sides):
        return False
    return layout.channels > 1 or layout.height == layout.width


def _pixels(path: str, layout: PixelLayout) -> Array:
    """Return a file's pixels from 0 to 255, in the size and the channels of the input."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ClientError("USAGE", "reading images needs Pillow", install_hint("images", sys.prefix)) from None
    try:
        with Image.open(path) as file:
            image = _with_8_bits(path, file, ImageOps.exif_transpose(file)).convert(_MODES[layout.channels])
            own = image.size[::-1]
            height, width = (
                given if given > 0 else real for given, real in zip((layout.height, layout.width), own, strict=True)
            )
            return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.uint8)
    except FileNotFoundError:
        raise RequestError("BAD_INPUT", f"{path} cannot be read: No such file or directory") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RequestError("BAD_INPUT", f"{path} cannot be read as an image: {error}") from None


def _with_8_bits(path: str, file: Any, image: Any) -> Any:
    """Return an image of deeper grey scaled to 8 bits; Pillow's own conversion would cut values at 255.

    Raises:
        RequestError: ``BAD_INPUT``: the file does not say which value is white.
    """
    if file.mode.startswith("I;16") or (file.mode == "I" and file.format in _DEEP_FORMATS):
        from PIL import Image

        bits = file.tag_v2.get(_BITS_PER_SAMPLE, (16,))[0] if file.format == "TIFF" else 16
        grey = np.asarray(image, dtype=np.float32) * np.float32(255 / (2**bits - 1))
        return Image.fromarray(np.rint(grey).clip(0, 255).astype(np.uint8))
    if file.mode in ("I", "F"):
        kind = "32-bit integers" if file.mode == "I" else "floats"
        raise RequestError(
            "BAD_INPUT",
            f"{path}: expected 8 or 16 bits a channel, got {kind}, for which no value stands for white",
            "scale the image to 8 or 16 bits first, or give the values as .npy",
        )
    return image


def _as_dtype(pixels: Array, tensor: TensorSpec, opened: Opened) -> Array:
    if tensor.dtype == "uint8":
        return pixels
    if tensor.dtype == "int8":
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    mean, scale = np.float32(opened.image_mean), np.float32(opened.image_scale)
    return ((pixels.astype(np.float32) - mean) / scale).astype(tensor.dtype)
