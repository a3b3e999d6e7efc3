"""The SavedModel folder: whether it is one, its size, its bytes, and the labels in it."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmwire.errors import ClientError, ConvertError
from mmwire.manifest import SAVED_MODEL_FILE, parse_labels, parse_version

_LABELS_PLACES = ("labels.txt", "assets/labels.txt", "assets.extra/labels.txt")
KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
_HDF5 = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Sizes and times of files, by which a later change is seen."""

    files: tuple[tuple[str, int, int], ...]  # path in the folder, bytes, modification time

    @property
    def total_bytes(self) -> int:
        """Size of all files."""
        return sum(size for _, size, _ in self.files)


def read_model(folder: Path) -> bytes:
    """Return the bytes of the folder's ``saved_model.pb``.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``: no such folder, not a SavedModel, not readable.
    """
    try:
        if not folder.is_dir() or not (folder / SAVED_MODEL_FILE).is_file():
            raise _not_a_saved_model(folder)
        return (folder / SAVED_MODEL_FILE).read_bytes()
    except OSError as error:
        raise ConvertError("SAVED_MODEL_INVALID", f"{folder} cannot be read: {error.strerror}") from None


def require_variables(folder: Path, operations: Iterable[str]) -> None:
    """Check that the weights are there, if the graph has any.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``.
    """
    index = folder / "variables" / "variables.index"
    if "VarHandleOp" in operations and not index.is_file():
        raise ConvertError(
            "SAVED_MODEL_INVALID", f"the model has weights, but {index} is missing", "copy the whole folder again"
        )


def require_keras_file(path: Path) -> None:
    """Check that a file is what its suffix says, by its first bytes and, for a zip file, by its end.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``.

    Source: the HDF5 file format, signature; Keras 3 writes ``.keras`` as a zip file.
    """
    try:
        with path.open("rb") as file:
            is_hdf5 = file.read(len(_HDF5)) == _HDF5
        if path.suffix != ".keras" and is_hdf5:
            return
        if path.suffix == ".keras" and (zipfile.is_zipfile(path) or is_hdf5):
            return
    except OSError as error:
        raise ConvertError("SAVED_MODEL_INVALID", f"{path} cannot be read: {error.strerror}") from None
    raise ConvertError("SAVED_MODEL_INVALID", f"{path} is not a whole Keras file", "copy it again, or save it again")


def _not_a_saved_model(path: Path) -> ConvertError:
    hint = "give the folder that holds saved_model.pb and variables/"
    if not path.exists():
        return ConvertError("SAVED_MODEL_INVALID", f"{path} does not exist", hint)
    if not path.is_dir():
        hint = f"give the folder: {path.parent}" if path.name == SAVED_MODEL_FILE else hint
    else:
        versions = [entry.name for entry in path.iterdir() if parse_version(entry.name) and entry.is_dir()]
        if versions:
            hint = f"it holds versions; give one of them: {path / max(versions, key=int)}"
        elif (path / "saved_model.pbtxt").exists():
            hint = "it holds the text form saved_model.pbtxt; export it again in the binary form"
        elif (path / "saved_model.cpb").exists():
            hint = "it holds the split form saved_model.cpb of a graph over 2 GB, which cannot become a .tflite"
    return ConvertError(
        "SAVED_MODEL_INVALID", f"{path} is not a SavedModel: there is no {SAVED_MODEL_FILE} in it", hint
    )


def take_stamp(folder: Path) -> Stamp:
    """Return sizes and times of the folder's files, or of the one file.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``: a file cannot be examined.
    """
    try:
        files = [folder] if folder.is_file() else sorted(entry for entry in folder.rglob("*") if entry.is_file())
        found = [(str(path.relative_to(folder)), path.stat()) for path in files]
    except OSError as error:
        raise ConvertError("SAVED_MODEL_INVALID", f"{folder} cannot be read: {error.strerror}") from None
    return Stamp(tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in found))


def tree_digest(folder: Path, stamp: Stamp) -> str:
    """Return SHA-256 over the names, sizes and bytes of all files, sorted by path.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``: a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path, size, _ in stamp.files:
            digest.update(f"{path}\0{size}\0".encode())
            with (folder / path).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError as error:
        raise ConvertError("SAVED_MODEL_INVALID", f"{folder} cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def require_unchanged(folder: Path, stamp: Stamp) -> None:
    """Check that nobody has written to the folder in the meantime.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``: it changed.
    """
    if take_stamp(folder) != stamp:
        raise ConvertError(
            "SAVED_MODEL_INVALID", f"{folder} changed while it was converted", "convert again when it is complete"
        )


def find_labels(folder: Path, asked: Path | None) -> list[str]:
    """Return the labels of ``--labels``, or else of a ``labels.txt`` in the folder, or else none.

    Raises:
        ClientError: ``USAGE``: the file given with ``--labels`` cannot be read as text, or is empty.
    """
    places = [folder / place for place in _LABELS_PLACES] if asked is None else [asked]
    for path in places:
        try:
            labels = parse_labels(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            if asked is None:
                continue
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ClientError(
                "USAGE", f"--labels {path} cannot be read: {reason}", "put one label on each line"
            ) from None
        while labels and not labels[-1]:
            labels.pop()
        if labels:
            return labels
        if asked is not None:
            raise ClientError("USAGE", f"--labels {path} holds no label", "put one label on each line")
    return []
