"""A SavedModel folder as one blob: an archive whose bytes depend only on the paths and the bytes of the files."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, cast

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.opening import open_regular
from mmdaemon.folder.place import listing, status_of
from mmdaemon.folder.refusal import not_a_file, shown
from mmdaemon.folder.subfolder import tree_identity
from mmwire.errors import ModelError
from mmwire.manifest import is_ignored

_MAGIC = b"ustar"  # at byte 257 of the first header, POSIX.1-1988
_MAGIC_AT = 257
_MODE = 0o400


def pack(folder: Path, write: Callable[[bytes], object]) -> tuple[str, int, FileIdentity]:
    """Pass a folder's archive to ``write``; return its SHA-256 in hex, its size, and the folder's identity.

    Raises:
        ModelError: ``MODEL_UNREADABLE``. ``MODEL_INVALID`` (retryable): the folder changed meanwhile.
        OSError: From ``write``.
    """
    sink = _Sink(write)
    try:
        identity = tree_identity(folder)
        with tarfile.open(fileobj=cast(Any, sink), mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for path in _files(folder):
                _add(archive, folder, path)
        changed = tree_identity(folder) != identity
    except FileNotFoundError:
        changed = True
    except tarfile.TarError as error:
        raise ModelError("MODEL_UNREADABLE", f"{shown(folder)}: {error}") from None
    if changed:
        raise ModelError("MODEL_INVALID", "the folder is still changing", "the daemon tries it again", retryable=True)
    return sink.digest.hexdigest(), sink.size, identity


def unpack(blob: str, folder: Path) -> None:
    """Write the files of an archive into an empty folder.

    Args:
        blob: The path of an archive that ``pack`` made.
        folder: An empty folder.

    Raises:
        ModelError: ``MODEL_INVALID``: it is not such an archive.
        OSError: From the disk.
    """
    try:
        with tarfile.open(blob, "r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                if not member.isreg() or name.is_absolute() or ".." in name.parts:
                    raise ModelError("MODEL_INVALID", f"the archive has {member.name!r}, which is not a plain file")
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                source = archive.extractfile(member)
                if source is not None:
                    with target.open("xb") as file:
                        while chunk := source.read(1024 * 1024):
                            file.write(chunk)
    except tarfile.TarError as error:
        raise ModelError("MODEL_INVALID", f"the stored SavedModel cannot be unpacked: {error}") from None


def require_files(blob: str, digests: Mapping[str, str]) -> None:
    """Check the files of an archive against their digests.

    Args:
        blob: The path of an archive that ``pack`` made.
        digests: SHA-256 in hex by path. A file without a digest is not checked.

    Raises:
        ModelError: ``DIGEST_MISMATCH``: a file has another digest, or is missing. ``MODEL_INVALID``: it is not such an
            archive.
    """
    missing = dict(digests)
    try:
        with tarfile.open(blob, "r:") as archive:
            for member in archive:
                expected = missing.pop(member.name, None)
                source = archive.extractfile(member)
                if expected is None or source is None:
                    continue
                found = hashlib.file_digest(cast(Any, source), "sha256").hexdigest()
                if found != expected:
                    raise _not_as_made(f"{member.name} has changed since mmconvert wrote it")
    except tarfile.TarError as error:
        raise ModelError("MODEL_INVALID", f"the stored SavedModel cannot be read: {error}") from None
    if missing:
        raise _not_as_made(f"{sorted(missing)[0]} is missing")


def _not_as_made(what: str) -> ModelError:
    return ModelError("DIGEST_MISMATCH", what, "copy the whole folder again")


def is_archive(descriptor: int) -> bool:
    """Return whether a blob is a packed folder rather than a model file."""
    return os.pread(descriptor, len(_MAGIC), _MAGIC_AT) == _MAGIC


class _Sink:
    """Hashes and counts the bytes that pass through."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self.digest = hashlib.sha256()
        self.size = 0
        self._write = write

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += len(data)
        self._write(data)
        return len(data)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files beneath a folder, in the order of their names, without partial and hidden ones."""
    for name in listing(folder):
        if is_ignored(name):
            continue
        path = folder / name
        if stat.S_ISDIR(status_of(path).st_mode):
            yield from _files(path)
        else:
            yield path


def _add(archive: tarfile.TarFile, folder: Path, path: Path) -> None:
    try:
        descriptor, identity = open_regular(path)
    except ModelError:
        kind = stat.S_IFMT(status_of(path).st_mode)
        if kind != stat.S_IFREG:
            raise not_a_file(path, kind) from None
        raise
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        member = tarfile.TarInfo(path.relative_to(folder).as_posix())
        member.size, member.mode = identity.size, _MODE
        try:
            archive.addfile(member, file)
        except OSError as error:
            if error.args and "unexpected end of data" in str(
                error.args[0]
            ):  # it shrank: the caller then finds that it changed
                raise FileNotFoundError(path) from None
            raise
