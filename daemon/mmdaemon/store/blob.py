"""Blobs: models by the SHA-256 of their bytes, copied from the user's folder once and never changed."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.opening import open_regular
from mmdaemon.store.copying import copy_verified, digest_of, write_all
from mmdaemon.store.durable import publish, temporary
from mmdaemon.store.layout import Layout
from mmdaemon.store.sealed import open_memory, seal
from mmwire.errors import ModelError

BLOB_MODE = 0o400
# When the disk is full, the quota is used up, or the disk is read-only or not ours, memory takes the blob.
_NO_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO}


@dataclass(frozen=True, slots=True)
class Blob:
    """One model in the store.

    Attributes:
        sha256: The SHA-256 of its bytes in hex, which is its name.
        size: Its size in bytes.
        identity: The identity of the user's file or folder when it was copied.
        fd: The sealed memory that holds it, None when the disk does. The store closes it.
    """

    sha256: str
    size: int
    identity: FileIdentity
    fd: int | None = None


class OpenBlob:
    """An open blob whose bytes were just verified. Keep it open while something may load from ``path``.

    Attributes:
        sha256: Its name.
        fd: Its descriptor.
        path: A path to exactly these bytes, valid in this process until ``close``.
        size: Its size in bytes.
    """

    __slots__ = ("fd", "path", "sha256", "size")

    def __init__(self, sha256: str, fd: int, size: int) -> None:
        self.sha256 = sha256
        self.fd = fd
        self.path = f"/proc/self/fd/{fd}"
        self.size = size

    def close(self) -> None:
        """Close the descriptor. Mappings of the bytes stay valid. Idempotent."""
        descriptor, self.fd = self.fd, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> OpenBlob:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Blobs:
    """The blobs of one store.

    Thread: any for every method; copying and hashing go on side by side.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._memory: dict[str, int] = {}
        self.has_garbage = True  # a blob may lie here that no name needs: from before this start, or released since
        self._fresh: Counter[str] = Counter()  # copies that no record known to ``collect`` names yet

    def ingest(self, path: Path) -> Blob:
        """Copy a user's file, or a SavedModel folder as an archive, into the store. It stays until ``collect``.

        Raises:
            ModelError: ``MODEL_UNREADABLE``. ``MODEL_INVALID`` (retryable): it changed meanwhile. ``STORE_FAILED``:
                neither the disk nor memory takes it.
        """
        try:
            try:
                return self._to_disk(path)
            except OSError as error:
                if error.errno not in _NO_DISK:
                    raise
            return self._to_memory(path)
        except OSError as error:
            raise ModelError(
                "STORE_FAILED",
                f"the store cannot keep {path.name}: {error.strerror}",
                f"free some space in {self._layout.root}",
                retryable=True,
            ) from None

    def _to_disk(self, path: Path) -> Blob:
        with temporary(self._layout.tmp) as (file, copy):
            blob = _copy(path, file.write)
            with self._lock:
                self._fresh[blob.sha256] += 1
            final = self._layout.blobs / blob.sha256
            if _size(final) == blob.size:  # ``open`` verifies its bytes
                copy.unlink()
            else:
                publish(file, copy, final, BLOB_MODE)
        return blob

    def _to_memory(self, path: Path) -> Blob:
        descriptor = open_memory("blob")
        try:
            blob = _copy(path, lambda chunk: write_all(descriptor, chunk))
            seal(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        with self._lock:
            self._fresh[blob.sha256] += 1
            kept = self._memory.setdefault(blob.sha256, descriptor)
        if kept != descriptor:
            os.close(descriptor)
        return replace(blob, fd=kept)

    def open(self, sha256: str) -> OpenBlob:
        """Open a blob and verify every byte of it.

        Raises:
            ModelError: ``DIGEST_MISMATCH``: it was damaged; it is removed, so that it is copied again.
                ``STORE_FAILED`` (retryable): it is not in the store, or the disk cannot read it.
        """
        path = self._layout.blobs / sha256
        with self._lock:
            held = self._memory.get(sha256)
            descriptor = None if held is None else os.dup(held)
        try:
            if descriptor is None:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            found = digest_of(descriptor)
            size = os.fstat(descriptor).st_size
        except OSError as error:
            if descriptor is not None:
                os.close(descriptor)
            raise ModelError(
                "STORE_FAILED", f"the store cannot read blob {sha256[:12]}: {error.strerror}", retryable=True
            ) from None
        if found != sha256:
            if _is_same_file(path, descriptor):  # else a good copy has replaced it meanwhile
                with contextlib.suppress(OSError):
                    path.unlink()
            os.close(descriptor)
            raise ModelError(
                "DIGEST_MISMATCH",
                f"blob {sha256[:12]} was damaged on disk: its digest is {found[:12]}",
                "the daemon copies it again from the model folder; if this happens again, the disk is failing",
                retryable=True,
            )
        return OpenBlob(sha256, descriptor, size)

    def collect(self, keep: set[str]) -> list[str]:
        """Remove the blobs that are not in ``keep``; return which. An open blob stays readable until it is closed.

        A blob that was just copied stays until it was in ``keep`` once, or given to ``release``: the record that names
        it may not be written yet.
        """
        with self._lock:
            self.has_garbage = False
            self._fresh = Counter({sha256: count for sha256, count in self._fresh.items() if sha256 not in keep})
            keep = keep.union(self._fresh)
            gone = [sha256 for sha256 in self._memory if sha256 not in keep]
            for sha256 in gone:
                os.close(self._memory.pop(sha256))
            with contextlib.suppress(OSError):
                for path in self._layout.blobs.iterdir():
                    if path.name not in keep:
                        path.unlink(missing_ok=True)
                        gone.append(path.name)
        return gone

    def release(self, sha256: str) -> None:
        """Give up a copy of a blob that no record will name; other copies of the same bytes keep it."""
        with self._lock:
            self.has_garbage = True
            if self._fresh[sha256] > 1:
                self._fresh[sha256] -= 1
            else:
                del self._fresh[sha256]

    def close(self) -> None:
        """Free the blobs in memory. Idempotent."""
        with self._lock:
            while self._memory:
                os.close(self._memory.popitem()[1])


def _copy(path: Path, write: Callable[[bytes], object]) -> Blob:
    if path.is_dir() and not path.is_symlink():
        from mmdaemon.store.archive import pack  # the import takes 6 ms, which a box without SavedModels saves

        sha256, size, identity = pack(path, write)
        return Blob(sha256, size, identity)
    source, identity = open_regular(path)
    try:
        return Blob(copy_verified(source, identity, write), identity.size, identity)
    finally:
        os.close(source)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
