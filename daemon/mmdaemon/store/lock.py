"""The lock of a store: only one daemon may use it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from mmwire.errors import ConfigError


class StoreLock:
    """Held from ``acquire`` until ``release`` or the end of the process, however that ends.

    Thread: one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Idempotent.

        Raises:
            ConfigError: ``ALREADY_RUNNING``: another process has it, and which. ``CONFIG_INVALID``: it cannot be taken.
        """
        if self._descriptor is not None:
            return
        try:
            descriptor = _open(self._path)
        except OSError as error:
            raise ConfigError(
                "CONFIG_INVALID",
                f"cannot lock the store with {self._path}: {error.strerror}",
                "choose a folder that the user of the daemon may write to, with --store",
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise ConfigError(
                "ALREADY_RUNNING",
                f"the store {self._path.parent} is in use by process {holder}",
                "stop it, or choose another folder with --store",
            ) from None
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # for people only; a full or read-only disk has the lock all the same
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back. Idempotent. The file stays: unlinking it would let two have it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _open(path: Path) -> int:
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o600)
    except OSError:
        return os.open(path, os.O_RDONLY | flags)  # a read-only disk, with the lock file of an earlier start
