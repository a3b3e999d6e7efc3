"""Opens a user's file, and only a regular one: no FIFO, no device, and not through a symlink."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.refusal import not_a_file, unreadable


def open_regular(path: Path) -> tuple[int, FileIdentity]:
    """Open a regular file for reading; return its descriptor, which the caller closes, and its identity.

    Raises:
        ModelError: ``MODEL_UNREADABLE``: missing, not a regular file, or not readable for this user.

    Thread: any. It never blocks on a FIFO and never follows a symlink in the last component.
    """
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
        if kind != stat.S_IFREG:
            raise not_a_file(path, kind)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise unreadable(path, error) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):  # another file took its place between the two calls
        os.close(descriptor)
        raise not_a_file(path, stat.S_IFMT(status.st_mode))
    return descriptor, FileIdentity.of(status)


def readable_identity(path: Path) -> FileIdentity:
    """Return the identity of a regular file that can be opened now.

    Raises:
        ModelError: ``MODEL_UNREADABLE``.
        FileNotFoundError: The file is gone.
    """
    if not os.path.lexists(path):
        raise FileNotFoundError(path)
    descriptor, identity = open_regular(path)
    os.close(descriptor)
    return identity
