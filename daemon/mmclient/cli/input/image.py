"""Images as rows of an input: where its pixels lie, and whether it is an image at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mmclient.array import Array
from mmclient.pixels import MODES, SCALE, as_dtype, read_pixels
from mmwire.errors import RequestError
from mmwire.message import Opened
from mmwire.tensor import Shape, TensorSpec

_MIN_SIDE = 8  # the smallest real image model has 8x8 digits; [1,128,3] is an accelerometer


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
    is_declared = (opened.image_mean, opened.image_scale) != SCALE
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
    pixels = read_pixels(path, layout.height, layout.width, layout.channels)
    shapes: dict[int, Shape] = {1: (-1,), 2: pixels.shape[:2], 3: (*pixels.shape[:2], layout.channels)}
    placed = pixels.reshape(shapes[len(layout.shape)])
    values = as_dtype(placed, tensor.dtype, opened.image_mean, opened.image_scale)
    return values[None] if len(layout.shape) < len(tensor.shape) else values


def _only_layout(tensor: TensorSpec) -> PixelLayout:
    """Return the one layout that pixels can have in an input."""
    row = tensor.shape[1:] if tensor.has_rows or tensor.shape[:1] == (1,) else tensor.shape
    if tensor.dtype in ("uint8", "int8") or tensor.dtype.startswith("float"):
        if len(row) == 3 and row[2] in MODES:
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
