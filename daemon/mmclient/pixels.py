"""Image files as pixels: one way for ``mmctl predict`` and for calibration, which must see what will be predicted.

A uint8 input takes the pixels as they are, and an int8 input takes them minus 128. The tensor's scale and zero point
play no part: they may describe values after a normalising layer, while models are trained on one of these two ranges.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwire.errors import ClientError, RequestError
from mmwire.installation import install_hint

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's, by the number of channels
SCALE = (0.0, 255.0)  # mean and scale of a float input when nothing else is said: [0, 1]
Pixels = NDArray[Any]
_BITS_PER_SAMPLE = 258  # Source: TIFF 6.0, tag BitsPerSample
_DEEP_FORMATS = ("PNG", "PPM")  # formats whose mode "I" holds 16 bits; in a TIFF it holds 32


def require_reader() -> None:
    """Check that Pillow is installed.

    Raises:
        ClientError: ``USAGE``.
    """
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise ClientError("USAGE", "reading images needs Pillow", install_hint("images", sys.prefix)) from None


def read_pixels(path: str, height: int, width: int, channels: int) -> Pixels:
    """Return a file's pixels, upright, resized bilinearly.

    Args:
        path: The image file.
        height: The height to resize to, -1 for the image's own.
        width: The width to resize to, -1 for the image's own.
        channels: 1, 3 or 4.

    Shape: ``[height, width]`` for one channel, else ``[height, width, channels]``; uint8.

    Raises:
        RequestError: ``BAD_INPUT``: the file is not an image, or its pixels have no known range.
        ClientError: ``USAGE``: Pillow is not installed.
    """
    require_reader()
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            image = _with_8_bits(path, file, ImageOps.exif_transpose(file)).convert(MODES[channels])
            size = (width if width > 0 else image.width, height if height > 0 else image.height)
            return np.asarray(image.resize(size, Image.Resampling.BILINEAR), dtype=np.uint8)
    except FileNotFoundError:
        raise RequestError("BAD_INPUT", f"{path} cannot be read: No such file or directory") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise RequestError("BAD_INPUT", f"{path} cannot be read as an image: {error}") from None


def as_dtype(pixels: Pixels, dtype: str, mean: float = SCALE[0], scale: float = SCALE[1]) -> Pixels:
    """Return pixels as the values of an input: ``(pixel - mean) / scale`` for a float one.

    Args:
        pixels: uint8, of any shape.
        dtype: ``uint8``, ``int8`` or a float.
        mean: Subtracted for a float input.
        scale: Divides for a float input.
    """
    if dtype == "uint8":
        return pixels
    if dtype == "int8":
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    return ((pixels.astype(np.float32) - np.float32(mean)) / np.float32(scale)).astype(dtype)


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
