"""Reading calibration data: ``.npz``, ``.npy``, ``.csv`` or a folder of images, as arrays by input name."""

from __future__ import annotations

import csv
import hashlib
import zipfile
from pathlib import Path

import numpy as np

from mmconvert.calibration.image import list_images, read_images
from mmconvert.feed import Array
from mmconvert.source.signature import Signature, describe_shape
from mmwire.errors import ConvertError

_FORMS = "expected .npz (arrays by input name), .npy, .csv or a folder of images"


def refuse(message: str, hint: str = "") -> ConvertError:
    """Return the error of calibration data that cannot be used."""
    return ConvertError("CALIBRATION_INVALID", message, hint)


def read_calibration(path: Path, signature: Signature) -> dict[str, Array]:
    """Return the raw arrays for every input, rows first; shapes and types are checked later.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: no such data, not readable, or inputs missing.
    """
    if not path.exists():
        raise refuse(f"the calibration data {path} does not exist", _FORMS)
    try:
        if path.is_dir():
            return _for_one_input(read_images(list_images(path), signature), path, signature)
        if path.suffix == ".npz":
            return _read_npz(path, signature)
        if path.suffix == ".npy":
            return _for_one_input(np.load(path, allow_pickle=False), path, signature)
        if path.suffix == ".csv":
            return _for_one_input(_read_csv(path, signature), path, signature)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise refuse(f"the calibration data {path} cannot be read: {error}", _FORMS) from None
    raise refuse(f"the calibration data {path} has a form that is not known", _FORMS)


def _read_npz(path: Path, signature: Signature) -> dict[str, Array]:
    names = [tensor.name for tensor in signature.inputs]
    with np.load(path, allow_pickle=False) as file:
        found = sorted(file.files)
        if len(names) == 1 and len(found) == 1:
            return {names[0]: file[found[0]]}
        missing = [name for name in names if name not in found]
        if missing:
            raise refuse(
                f"{path} has no array for input {missing[0]!r}: expected {', '.join(names)},"
                f" got {', '.join(found) or 'none'}",
                "name the arrays as the signature names its inputs: np.savez(FILE, " + f"**{{{missing[0]!r}: x}})",
            )
        return {name: file[name] for name in names}


def _for_one_input(array: Array, path: Path, signature: Signature) -> dict[str, Array]:
    if len(signature.inputs) != 1:
        names = ", ".join(tensor.name for tensor in signature.inputs)
        raise refuse(
            f"{path} holds one array, the signature has the inputs {names}", "give an .npz with one array each"
        )
    return {signature.inputs[0].name: array}


def _read_csv(path: Path, signature: Signature) -> Array:
    """Read one row of numbers a line; a first line that is no numbers is a header."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [line for line in csv.reader(file) if line]
    if lines and not _is_numeric(lines[0]):
        lines = lines[1:]
    widths = {len(line) for line in lines}
    if len(widths) > 1:
        raise refuse(f"{path}: lines of {min(widths)} and of {max(widths)} values", "give every line one whole row")
    try:
        rows = np.array(lines, dtype=np.float64)
    except ValueError as error:
        raise refuse(f"{path}: {error}", "numbers only, after at most one header line") from None
    shape = signature.inputs[0].row_shape
    try:
        return rows.reshape(len(rows), *shape) if len(rows) else rows
    except ValueError:
        raise refuse(
            f"{path} has {rows.shape[1]} values a line; one row of input {signature.inputs[0].name!r} is"
            f" {describe_shape(shape)}",
        ) from None


def _is_numeric(line: list[str]) -> bool:
    try:
        [float(value) for value in line]
    except ValueError:
        return False
    return True


def digest_rows(arrays: dict[str, Array]) -> str:
    """Return SHA-256 over names, types, shapes and values: the same data in another file form has the same digest."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
