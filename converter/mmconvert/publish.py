"""Stage publish: a file or a folder appears under its name whole, or not at all."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from pathlib import Path

from mmconvert.bundle import copy_folder, is_bundle
from mmwire.errors import ConvertError
from mmwire.manifest import MODEL_SUFFIX

_FILE_MODE = 0o644  # less the umask; the daemon that reads it is another user
_FOLDER_MODE = 0o755
_RENAME_EXCHANGE = 2  # Source: renameat2(2)
_AT_FDCWD = -100


def published_path(folder: Path, name: str) -> Path:
    """Return where a model of this name is published; checked before the conversion, which takes its time.

    Raises:
        ConvertError: ``PUBLISH_FAILED``: no such folder, not writable, or a folder layout of that name is there.
    """
    path = folder / f"{name}{MODEL_SUFFIX}"
    if not folder.is_dir():
        raise ConvertError(
            "PUBLISH_FAILED", f"the model folder {folder} does not exist", "create it, or give the daemon's --models"
        )
    if (folder / name).is_dir() and not is_bundle(folder / name):
        raise ConvertError(
            "PUBLISH_FAILED",
            f"{folder} already has a folder {name}/ for this model, and two layouts of one name conflict",
            "choose another --name, or remove the folder",
        )
    return require_writable(path)


def require_writable(path: Path) -> Path:
    """Return the path if a file could be put there.

    Raises:
        ConvertError: ``PUBLISH_FAILED``.
    """
    if not path.parent.is_dir():
        raise ConvertError("PUBLISH_FAILED", f"the folder {path.parent} does not exist", "create it first")
    if path.is_dir():
        raise ConvertError("PUBLISH_FAILED", f"{path} is a folder", "give a file name")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ConvertError("PUBLISH_FAILED", f"the folder {path.parent} is not writable")
    return path


def bundle_path(path: Path) -> Path:
    """Return the folder that stands for a ``.tflite`` file that cannot be: the same name without the suffix.

    Raises:
        ConvertError: ``PUBLISH_FAILED``, something is there that mmconvert did not make.
    """
    folder = path.with_name(path.name.removesuffix(MODEL_SUFFIX))
    if folder.name == path.name:
        folder = path.with_name(f"{path.name}.full_tf")
    if os.path.lexists(folder) and not is_bundle(folder):
        raise ConvertError(
            "PUBLISH_FAILED",
            f"the model needs full TensorFlow, and its folder {folder} is already there and not made by mmconvert",
            "say where else with -o, or choose another --name",
        )
    if path.is_file() and path.suffix == MODEL_SUFFIX:
        raise ConvertError(
            "PUBLISH_FAILED",
            f"the model needs full TensorFlow, and {path} is there: two layouts of one name conflict",
            "remove it, or choose another --name",
        )
    return folder


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that at every instant, a power cut included, the name holds the old bytes or the new.

    A folder that an earlier conversion of the same name left is taken away once the file is there.

    Raises:
        ConvertError: ``PUBLISH_FAILED``; nothing is left behind.
    """
    hidden = _hidden(path)
    try:
        try:
            descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE_MODE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            hidden.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                hidden.unlink()
            raise
        _sync(path.parent)
        _remove_bundle(path)
    except OSError as error:
        raise ConvertError("PUBLISH_FAILED", f"{path} cannot be written: {error.strerror}") from None


def _remove_bundle(path: Path) -> None:
    """Take away the folder that an earlier conversion to FULL_TF left under the same name."""
    folder = path.with_name(path.name.removesuffix(MODEL_SUFFIX))
    if folder != path and is_bundle(folder):
        hidden = _hidden(folder)
        folder.rename(hidden)
        shutil.rmtree(hidden)


def write_bundle(staged: Path, folder: Path) -> None:
    """Copy a staged folder to its place, whole: a folder that is replaced is exchanged for it in one step.

    Raises:
        ConvertError: ``PUBLISH_FAILED``; nothing is left behind.
    """
    hidden = _hidden(folder)
    try:
        try:
            copy_folder(staged, hidden)
            for path in (hidden, *hidden.rglob("*")):
                path.chmod((_FOLDER_MODE if path.is_dir() else _FILE_MODE) & ~_umask())
                _sync(path)
            if folder.is_dir():
                _exchange(hidden, folder)
            else:
                hidden.rename(folder)
            _sync(folder.parent)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
    except OSError as error:
        raise ConvertError("PUBLISH_FAILED", f"{folder} cannot be written: {error.strerror}") from None


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")  # hidden and *.tmp: the daemon passes over both


def _exchange(one: Path, other: Path) -> None:
    """Let two folders change places in one step."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
