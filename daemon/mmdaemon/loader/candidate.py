"""Candidates: the bytes that may be brought up to serve a name. They lie in the model folder, or only in the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.snapshot import FolderSource, Sidecar

Fingerprint = tuple[FileIdentity, FileIdentity | None, FileIdentity | None]


@dataclass(frozen=True, slots=True)
class StoredSource:
    """A version whose bytes only the store still has.

    Attributes:
        version: Its number.
        stands_for: The file in the folder that cannot be served, or not yet; another file makes another candidate.
    """

    version: int
    stands_for: FolderSource

    @property
    def name(self) -> str:
        """The model's name."""
        return self.stands_for.name

    @property
    def identity(self) -> FileIdentity:
        """The identity of the file that it stands for."""
        return self.stands_for.identity

    @property
    def labels(self) -> Sidecar | None:
        """``NAME.labels.txt``."""
        return self.stands_for.labels

    @property
    def options(self) -> Sidecar | None:
        """``NAME.toml``. The version serves with its stored options; a changed file makes it a new candidate."""
        return self.stands_for.options


Candidate = FolderSource | StoredSource
# Where a candidate is: a file or folder that gives it a version, or the number of a version in the store.
Place = tuple[Path, int | None] | int


def stored_candidates(sources: Iterable[FolderSource], version: int) -> list[StoredSource]:
    """Return a version of the store as a candidate, for each file in whose place it may serve.

    Only a TFLite file has one: what becomes of a SavedModel folder depends on what lies in it.

    Args:
        sources: The name's files.
        version: Its number, 0 for none.
    """
    files = (source for source in sources if version and source.kind == "tflite")
    return [StoredSource(version, source) for source in files if source.version in (None, version)]


def place_of(candidate: Candidate) -> Place:
    """Return the key of a candidate among those of the same name."""
    return (candidate.path, candidate.version) if isinstance(candidate, FolderSource) else candidate.version


def fingerprint(candidate: Candidate) -> Fingerprint:
    """Return what must change before a candidate is tried again: its file, its options or its labels."""
    return (
        candidate.identity,
        candidate.options.identity if candidate.options else None,
        candidate.labels.identity if candidate.labels else None,
    )
