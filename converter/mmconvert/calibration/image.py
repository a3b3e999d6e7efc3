"""Images as calibration rows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmclient.pixels import MODES, SUFFIXES, as_dtype, read_pixels, require_reader
from mmconvert.calibration.row import spread
from mmconvert.feed import Array
from mmconvert.source.signature import UNKNOWN, Signature, describe_shape
from mmwire.errors import ConvertError, RequestError

MAX_IMAGES = 1024
_SHOWN = 12


def list_images(folder: Path) -> list[Path]:
    """Return the images of a folder and those below it, by name; at most ``MAX_IMAGES``, evenly spaced.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: there is no image, or a folder below cannot be read.
    """
    paths: list[Path] = []
    for place, _, names in os.walk(folder, onerror=_refuse_folder):
        paths += [Path(place, name) for name in names if Path(name).suffix.lower() in SUFFIXES]
    paths = sorted(path for path in paths if path.is_file())
    if not paths:
        raise ConvertError(
            "CALIBRATION_INVALID", f"the folder {folder} holds no image", f"known suffixes: {', '.join(SUFFIXES)}"
        )
    return [paths[index] for index in spread(len(paths), MAX_IMAGES)]


def _refuse_folder(error: OSError) -> None:
    raise ConvertError("CALIBRATION_INVALID", f"{error.filename} cannot be read: {error.strerror}")


def classes_of(folder: Path, paths: Sequence[Path], labels: Sequence[str]) -> tuple[Array | None, str]:
    """Return the class of each image, and a notice of how the classes were found.

    A class is the folder's place among the labels, where all folders are called after labels, else among the folders
    by name. There are no classes where the images do not lie in one folder for each class.
    """
    parents = [path.relative_to(folder).parts[0] if path.parent != folder else "" for path in paths]
    names = sorted(set(parents))
    if "" in names and len(names) > 1:
        return None, f"there are images beside the folders in {folder}: the folders are not taken for classes"
    if len(names) < 2:
        return None, ""
    is_labelled = set(names) <= set(labels)
    order = list(labels) if is_labelled else names
    by = "labels" if is_labelled else "folders by name, which are not the labels" if labels else "folders by name"
    shown = ", ".join(f"{order.index(name)} {name}" for name in names[:_SHOWN])
    shown += " ..." if len(names) > _SHOWN else ""
    return np.array([order.index(parent) for parent in parents]), f"classes are the {by}: {shown}"


def read_images(paths: list[Path], signature: Signature) -> Array:
    """Return the images resized to the input: [0, 1] for a float input, as pixels for an integer one.

    ``mmctl predict`` scales an image for a float input in the same way, unless ``NAME.toml`` says otherwise. A model
    that was trained on another range needs its rows as ``.npz``.

    Shape:
        ``[images, height, width, channels]``

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: the input does not take images, or a file cannot be read as one.
        ClientError: ``USAGE``: Pillow is not installed.
    """
    require_reader()
    tensor = signature.inputs[0]
    shape = tensor.row_shape
    if len(shape) != 3 or UNKNOWN in shape or shape[2] not in MODES:
        raise ConvertError(
            "CALIBRATION_INVALID",
            f"a folder of images cannot feed input {tensor.describe()}: expected [?, height, width, 1, 3 or 4],"
            f" got {describe_shape(tensor.shape)}",
            "give the rows as .npz",
        )
    height, width, channels = shape
    rows = np.stack([_read(path, height, width, channels) for path in paths])
    dtype = "float32" if tensor.is_float else "int8" if tensor.dtype == "int8" else "uint8"
    return as_dtype(rows.reshape(len(paths), height, width, channels), dtype)


def _read(path: Path, height: int, width: int, channels: int) -> Array:
    try:
        return read_pixels(str(path), height, width, channels)
    except RequestError as error:
        raise ConvertError("CALIBRATION_INVALID", error.message, error.hint) from None
