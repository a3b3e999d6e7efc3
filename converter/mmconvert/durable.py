"""Files and folders that appear under their name whole or not at all, a power cut included.

Source: rename(2) is atomic for observers but not durable; fsync(2) of a file does not persist its directory entry.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from pathlib import Path

from mmwire.errors import ConvertError

_FILE_MODE = 0o644  # less the umask; the daemon that reads it is another user
_FOLDER_MODE = 0o755
_RENAME_EXCHANGE = 2  # Source: renameat2(2)
_AT_FDCWD = -100


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that at every instant the name holds the old bytes or the new ones.

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
    except OSError as error:
        raise _not_written(path, error) from None


def write_folder(source: Path, target: Path) -> None:
    """Copy a folder to its place; a folder that is there already is exchanged for the new one in one step.

    Raises:
        ConvertError: ``PUBLISH_FAILED``; nothing is left behind.
    """
    hidden = _hidden(target)
    try:
        try:
            copy_folder(source, hidden)
            for path in (hidden, *hidden.rglob("*")):
                path.chmod((_FOLDER_MODE if path.is_dir() else _FILE_MODE) & ~_umask())
                _sync(path)
            if target.is_dir():
                _exchange(hidden, target)
            else:
                hidden.rename(target)
            _sync(target.parent)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
    except OSError as error:
        raise _not_written(target, error) from None


def remove_folder(path: Path) -> None:
    """Take a folder away in one step.

    Raises:
        ConvertError: ``PUBLISH_FAILED``.
    """
    hidden = _hidden(path)
    try:
        path.rename(hidden)
        shutil.rmtree(hidden)
    except OSError as error:
        raise _not_written(path, error) from None


def copy_folder(source: Path, target: Path) -> None:
    """Copy the content of a folder; links are followed, modes are not copied.

    ``shutil.copytree`` copies the modes of folders. A folder that inherited the set-group-ID bit of the service's inbox
    has a mode that the confined service may not set.
    """
    target.mkdir()
    for path in source.iterdir():
        if path.is_dir():
            copy_folder(path, target / path.name)
        else:
            shutil.copyfile(path, target / path.name)


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")  # hidden and *.tmp: the daemon passes over both


def _not_written(path: Path, error: OSError) -> ConvertError:
    return ConvertError("PUBLISH_FAILED", f"{path} cannot be written: {error.strerror}")


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
