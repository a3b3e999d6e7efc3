"""Stage publish: a file appears under its name whole, or not at all."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mmwire.errors import ConvertError
from mmwire.manifest import MODEL_SUFFIX

_MODE = 0o644  # less the umask; the daemon that reads it is another user


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
    if (folder / name).is_dir():
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


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that at every instant, a power cut included, the name holds the old bytes or the new.

    Raises:
        ConvertError: ``PUBLISH_FAILED``; nothing is left behind.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # hidden and *.tmp: the daemon passes over both
    try:
        try:
            descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            hidden.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                hidden.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise ConvertError("PUBLISH_FAILED", f"{path} cannot be written: {error.strerror}") from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
