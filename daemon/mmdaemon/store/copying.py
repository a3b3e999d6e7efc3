"""Copies bytes from one descriptor to another, with their digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator

from mmdaemon.folder.identity import FileIdentity
from mmwire.errors import ModelError

CHUNK_BYTES = 1024 * 1024


def copy_verified(source: int, identity: FileIdentity, write: Callable[[bytes], object]) -> str:
    """Pass all bytes of a user's file to ``write``; return their SHA-256 in hex.

    Args:
        source: The descriptor of the file.
        identity: The identity of the file when it was opened.
        write: Takes one chunk after the other.

    Raises:
        ModelError: ``MODEL_INVALID`` (retryable): somebody wrote to the file meanwhile. ``MODEL_UNREADABLE``
            (retryable): the disk cannot read it.
        OSError: From ``write``.
    """
    digest = hashlib.sha256()
    copied = 0
    try:
        for chunk in _chunks(source):
            digest.update(chunk)
            copied += len(chunk)
            _unmixed(write, chunk)
    except _WriteError as error:
        raise error.reason from None
    except OSError as error:
        raise ModelError(
            "MODEL_UNREADABLE", f"reading stopped after {copied} bytes: {error.strerror}", retryable=True
        ) from None
    if copied != identity.size or FileIdentity.of(os.fstat(source)) != identity:
        raise ModelError("MODEL_INVALID", "the file is still changing", "the daemon tries it again", retryable=True)
    return digest.hexdigest()


class _WriteError(Exception):
    """An ``OSError`` of the destination, to tell it from one of the source."""

    def __init__(self, reason: OSError) -> None:
        super().__init__()
        self.reason = reason


def _unmixed(write: Callable[[bytes], object], chunk: bytes) -> None:
    try:
        write(chunk)
    except OSError as error:
        raise _WriteError(error) from None


def _chunks(descriptor: int) -> Iterator[bytes]:
    offset = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, offset):
        yield chunk
        offset += len(chunk)


def digest_of(descriptor: int) -> str:
    """Return the SHA-256 of a whole file in hex. The offset of the descriptor does not matter.

    Raises:
        OSError: From the disk.
    """
    digest = hashlib.sha256()
    for chunk in _chunks(descriptor):
        digest.update(chunk)
    return digest.hexdigest()


def write_all(descriptor: int, chunk: bytes) -> None:
    """Write every byte.

    Raises:
        OSError: From the disk.
    """
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]
