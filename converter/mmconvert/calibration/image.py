"""A folder of images as calibration rows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmconvert.calibration.row import spread
from mmconvert.feed import Array
from mmconvert.source.signature import UNKNOWN, Signature, describe_shape
from mmwire.errors import ClientError, ConvertError

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
MAX_IMAGES = 1024
_SHOWN = 12
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def list_images(folder: Path) -> list[Path]:
    """Return the images of a folder and those below it, by name; at most ``MAX_IMAGES``, evenly spaced.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: there is none, or a folder below cannot be read.
    """
    paths: list[Path] = []
    for place, _, names in os.walk(folder, onerror=_refuse_folder):
        paths += [Path(place, name) for name in names if Path(name).suffix.lower() in SUFFIXES]
    paths = sorted(path for path in paths if path.is_file())
    if not paths:
        raise ConvertError(
            "CALIBRATION_INVALID", f"the folder {folder} holds no image", f"known: {', '.join(SUFFIXES)}"
        )
    return [paths[index] for index in spread(len(paths), MAX_IMAGES)]


def _refuse_folder(error: OSError) -> None:
    raise ConvertError("CALIBRATION_INVALID", f"{error.filename} cannot be read: {error.strerror}")


def classes_of(folder: Path, paths: Sequence[Path], labels: Sequence[str]) -> tuple[Array | None, str]:
    """Return the class of each image, None where they do not lie in one folder a class; and what was taken for what.

    A class is the folder's place among the labels, where all are labels, else among the folders by name.
    """
    parents = [path.relative_to(folder).parts[0] if path.parent != folder else "" for path in paths]
    names = sorted(set(parents))
    if "" in names and len(names) > 1:
        return None, f"images beside the folders in {folder}: nothing is taken for a class"
    if len(names) < 2:
        return None, ""
    is_labelled = set(names) <= set(labels)
    order = list(labels) if is_labelled else names
    by = "labels" if is_labelled else "folders by name, which are not the labels" if labels else "folders by name"
    shown = ", ".join(f"{order.index(name)} {name}" for name in names[:_SHOWN]) + (
        " ..." if len(names) > _SHOWN else ""
    )
    return np.array([order.index(parent) for parent in parents]), f"classes are the {by}: {shown}"


def read_images(paths: list[Path], signature: Signature) -> Array:
    """Return the images resized to the input: [0, 1] for a float input, as pixels for an integer one.

    The daemon and ``mmctl predict`` scale an image for a float input in the same way, unless ``NAME.toml`` says
    otherwise; a model trained on another range needs its rows as ``.npz``.

    Shape:
        ``[images, height, width, channels]``

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: the input is no image, or a file is none.
        ClientError: ``USAGE``, the images extra is not installed.
    """
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise ClientError("USAGE", "reading images needs Pillow", "pip install 'mmdaemon[images]'") from None
    tensor = signature.inputs[0]
    shape = tensor.row_shape
    if len(shape) != 3 or UNKNOWN in shape or shape[2] not in _MODES:
        raise ConvertError(
            "CALIBRATION_INVALID",
            f"a folder of images cannot feed input {tensor.describe()}: expected [?, height, width, 1, 3 or 4],"
            f" got {describe_shape(tensor.shape)}",
            "give the rows as .npz",
        )
    height, width, channels = shape
    rows = np.stack([_read(path, (width, height), _MODES[channels]) for path in paths])
    rows = rows.reshape(len(paths), height, width, channels)
    if tensor.is_float:
        return rows.astype(np.float32) / np.float32(255)
    return (rows.astype(np.int16) - 128).astype(np.int8) if tensor.dtype == "int8" else rows


def _read(path: Path, size: tuple[int, int], mode: str) -> Array:
    from PIL import Image

    try:
        with Image.open(path) as file:
            return np.asarray(file.convert(mode).resize(size, Image.Resampling.BILINEAR), dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ConvertError("CALIBRATION_INVALID", f"{path} cannot be read as an image: {error}") from None
