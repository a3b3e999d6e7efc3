"""Writes so that a power cut at any instant leaves the old file or the new one.

Source: rename(2), which is atomic for observers but not durable; fsync(2), which does not make the directory entry of a
file durable.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PRIVATE_FOLDER = 0o700


def make_folder(path: Path) -> None:
    """Make a private folder, durably. Make one that exists private.

    Raises:
        OSError: It cannot be made, or belongs to another user.
    """
    try:
        path.mkdir(PRIVATE_FOLDER)
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            path.chmod(PRIVATE_FOLDER)
        return
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the entries of a folder durable.

    Raises:
        OSError: The disk failed.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def temporary(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Give a new file to write to. It is removed at the end, unless it was published.

    Raises:
        OSError: From the disk.
    """
    descriptor, name = tempfile.mkstemp(dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file, path
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def publish(file: BinaryIO, path: Path, final: Path, mode: int = 0o600) -> None:
    """Give a written file its name, replacing the file that has it. When this returns, the disk holds it.

    Raises:
        OSError: From the disk. The name then leads to the old file or to the new one, and either is whole.
    """
    file.flush()
    os.fchmod(file.fileno(), mode)
    os.fsync(file.fileno())
    path.replace(final)
    sync_folder(final.parent)


def write_whole(final: Path, data: bytes, tmp: Path) -> None:
    """Replace a file's content.

    Args:
        final: The file.
        data: Its whole content.
        tmp: A folder on the same file system.

    Raises:
        OSError: From the disk. The file is then the old one or the new one, and either is whole.
    """
    with temporary(tmp) as (file, path):
        file.write(data)
        publish(file, path, final)
