"""Sealed memory, which nobody can change any more: it holds a blob when the disk does not take it."""

from __future__ import annotations

import fcntl
import os

_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def open_memory(name: str) -> int:
    """Return the descriptor of an empty file in memory that can be sealed.

    Raises:
        OSError: There is no memory, or no descriptor.
    """
    return os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def seal(descriptor: int) -> None:
    """Forbid every later change, for everybody and for ever.

    Raises:
        OSError: It is mapped for writing.
    """
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
