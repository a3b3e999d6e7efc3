"""Reading calibration and evaluation data: ``.npz``, ``.npy``, ``.csv``, a folder of those or of images."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmconvert.calibration.image import classes_of, list_images, read_images
from mmconvert.feed import Array
from mmconvert.source.signature import Signature, describe_shape
from mmwire.errors import ConvertError

_FORMS = "expected .npz (arrays by input name), .npy, .csv, a folder of those or a folder of images"
# Names that the array or the column with the right classes may have.
_CLASSES = ("labels", "label", "answers", "y")


def refuse(message: str, hint: str = "") -> ConvertError:
    """Return the error of calibration data that cannot be used."""
    return ConvertError("CALIBRATION_INVALID", message, hint)


@dataclass(frozen=True, slots=True)
class Raw:
    """The content of a file or a folder for one signature, before any check.

    Attributes:
        arrays: By input, rows first.
        classes: The right class of each row, None where they are not given.
        notices: How it was read, where that may surprise.
    """

    arrays: dict[str, Array]
    classes: Array | None = None
    notices: tuple[str, ...] = ()


def read_rows(path: Path, signatures: Sequence[Signature], labels: Sequence[str]) -> dict[str, Raw]:
    """Return the rows for every signature, by its name.

    Several signatures need an ``.npz`` with arrays called ``SIGNATURE/INPUT`` (or ``INPUT``, for all signatures with
    an input of that name), or a folder of files called after the signatures.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: no such data, not readable, or without rows for a signature or an input.
    """
    if not path.exists():
        raise refuse(f"the data {path} does not exist", _FORMS)
    try:
        if len(signatures) == 1:
            return {signatures[0].name: _read_one(path, signatures[0], labels)}
        return {signature.name: _read_of_several(path, signature, labels) for signature in signatures}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise refuse(f"the data {path} cannot be read: {error}", _FORMS) from None


def _read_of_several(path: Path, signature: Signature, labels: Sequence[str]) -> Raw:
    if path.is_dir():
        files = [path / f"{signature.name}{suffix}" for suffix in _READERS]
        found = next((file for file in files if file.is_file()), None)
        if found is None:
            raise refuse(f"{path} has no rows for signature {signature.name!r}", f"put {signature.name}.npz there")
        return _read_one(found, signature, labels)
    if path.suffix != ".npz":
        raise refuse(
            f"{path} holds one array, the model has several signatures",
            f"give an .npz with arrays called {signature.name}/{signature.inputs[0].name}, or choose with --signature",
        )
    return _read_npz(path, signature, prefix=f"{signature.name}/")


def _read_one(path: Path, signature: Signature, labels: Sequence[str]) -> Raw:
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in _READERS and file.is_file())
        if files:
            return _join([_read_one(file, signature, labels) for file in files])
        images = list_images(path)
        classes, notice = classes_of(path, images, labels)
        arrays = _for_one_input(read_images(images, signature), path, signature)
        return Raw(arrays, classes, (notice,) if notice else ())
    if path.suffix not in _READERS:
        raise refuse(f"the data {path} has an unknown form", _FORMS)
    return _READERS[path.suffix](path, signature)


def _join(parts: list[Raw]) -> Raw:
    names = parts[0].arrays
    classes = [part.classes for part in parts if part.classes is not None]
    return Raw(
        {name: np.concatenate([part.arrays[name] for part in parts]) for name in names},
        np.concatenate(classes) if len(classes) == len(parts) else None,
    )


def _read_npz(path: Path, signature: Signature, prefix: str = "") -> Raw:
    names = [tensor.name for tensor in signature.inputs]
    with np.load(path, allow_pickle=False) as file:
        class_names = [name for name in _CLASSES if name in file.files and name not in names]
        classes = file[class_names[0]] if class_names else None
        found = sorted(set(file.files) - set(class_names))
        if len(names) == 1 and len(found) == 1 and not prefix:
            return Raw({names[0]: file[found[0]]}, classes)
        keys = {name: f"{prefix}{name}" if f"{prefix}{name}" in found else name for name in names}
        missing = [prefix + name for name in names if keys[name] not in found]
        if missing:
            raise refuse(
                f"{path} has no array for input {missing[0]!r}: expected {', '.join(prefix + name for name in names)},"
                f" got {', '.join(found) or 'none'}",
                "name the arrays as the signature names its inputs: np.savez(FILE, " + f"**{{{missing[0]!r}: x}})",
            )
        return Raw({name: file[key] for name, key in keys.items()}, classes)


def _read_npy(path: Path, signature: Signature) -> Raw:
    return Raw(_for_one_input(np.load(path, allow_pickle=False), path, signature))


def _for_one_input(array: Array, path: Path, signature: Signature) -> dict[str, Array]:
    if len(signature.inputs) != 1:
        names = ", ".join(tensor.name for tensor in signature.inputs)
        raise refuse(
            f"{path} holds one array, the signature has the inputs {names}", "give an .npz with one array each"
        )
    return {signature.inputs[0].name: array}


def _read_csv(path: Path, signature: Signature) -> Raw:
    """Read one row of numbers from each line. A first line that is not numbers is a header."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [line for line in csv.reader(file) if line]
    header: list[str] = []
    if lines and not _is_numeric(lines[0]):
        header, lines = [name.strip() for name in lines[0]], lines[1:]
    widths = {len(line) for line in lines}
    if len(widths) > 1:
        raise refuse(
            f"{path} has lines of {min(widths)} and of {max(widths)} values", "put one whole row in every line"
        )
    try:
        rows = np.array(lines, dtype=np.float64)
    except ValueError as error:
        raise refuse(f"{path}: {error}", "give numbers only, after at most one header line") from None
    column = next((header.index(name) for name in _CLASSES if name in header), None)
    classes = None
    if column is not None and len(rows):
        classes, rows = rows[:, column], np.delete(rows, column, axis=1)
    shape = signature.inputs[0].row_shape if signature.inputs else ()
    try:
        rows = rows.reshape(len(rows), *shape) if len(rows) else rows
    except ValueError:
        raise refuse(
            f"{path} has {rows.shape[1]} values in each line; one row of input {signature.inputs[0].name!r} is"
            f" {describe_shape(shape)}",
        ) from None
    return Raw(_for_one_input(rows, path, signature), classes)


def _is_numeric(line: list[str]) -> bool:
    try:
        [float(value) for value in line]
    except ValueError:
        return False
    return True


_READERS: Mapping[str, Callable[[Path, Signature], Raw]] = {".npz": _read_npz, ".npy": _read_npy, ".csv": _read_csv}
