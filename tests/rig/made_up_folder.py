"""A model folder that exists only in memory, with everything that an owner does to one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.snapshot import FolderSource, Problem, Sidecar, Snapshot
from mmwire.errors import ModelError

Place = tuple[str, int | None]  # a model's name, and the version of its folder; None for a flat file


def content_of(source: FolderSource) -> int:
    """Return the number of the bytes that lie there: equal numbers are equal bytes."""
    return source.identity.mtime_ns


def is_broken(content: int) -> bool:
    """Return whether bytes can never be served: a quarter of all."""
    return content % 4 == 2


def fails_at_first(content: int) -> bool:
    """Return whether bytes cannot be served for now, but later: another quarter."""
    return content % 4 == 3


def threads_of(source: FolderSource) -> int:
    """Return what ``NAME.toml`` asks for; 0 when it has a slip."""
    return source.options.identity.size if source.options else 1


@dataclass
class MadeUpFolder:
    """A model folder.

    Attributes:
        files: What lies there, whether or not a look can see it.
        problems: At most one for each name. A problem of one version hides that version.
        settling: Paths of files that are still being written.
        is_available: Whether the folder can be read.
        is_mounted: Whether anything can be seen in it.
    """

    files: dict[Place, FolderSource] = field(default_factory=dict)
    options: dict[str, Sidecar] = field(default_factory=dict)
    labels: dict[str, Sidecar] = field(default_factory=dict)
    problems: dict[str, Problem] = field(default_factory=dict)
    settling: set[Path] = field(default_factory=set)
    is_available: bool = True
    is_mounted: bool = True
    _backups: dict[Place, FolderSource] = field(default_factory=dict)
    _count: int = 0

    def copy(self, name: str, version: int | None, content: int) -> None:
        """Copy a new file there, or over the one that is there."""
        path = Path(f"/m/{name}.tflite" if version is None else f"/m/{name}/{version}/model.tflite")
        self.delete(name, version)
        self.files[name, version] = FolderSource(name, version, "tflite", path, self._identity(3, content))

    def delete(self, name: str, version: int | None) -> None:
        """Delete a file; ``bring_back`` has it yet."""
        if (name, version) in self.files:
            self._backups[name, version] = self.files.pop((name, version))

    def bring_back(self, name: str, version: int | None) -> bool:
        """Move the file that was there before back in its place; return whether there was one."""
        source = self._backups.get((name, version))
        if source is not None:
            self.delete(name, version)
            self.files[name, version] = source
        return source is not None

    def rename(self, name: str, version: int, to: int) -> bool:
        """Rename a version folder; return whether it is there, and the other is not."""
        if (name, version) not in self.files or (name, to) in self.files:
            return False
        source = self.files.pop((name, version))
        self.files[name, to] = replace(source, version=to, path=Path(f"/m/{name}/{to}/model.tflite"))
        return True

    def link(self, name: str, version: int, to: int) -> bool:
        """Let two version folders be links to what lies in the first; return whether that is there."""
        if (name, version) not in self.files:
            return False
        source = self.files[name, version]
        outside = replace(source, path=Path(f"/srv/{source.identity.inode}/model.tflite"))
        self.files[name, version], self.files[name, to] = outside, replace(outside, version=to)
        return True

    def write_options(self, name: str, threads: int) -> None:
        """Write ``NAME.toml``; 0 threads are a slip in it."""
        self.options[name] = Sidecar(Path(f"/m/{name}.toml"), self._identity(threads, 0))

    def write_labels(self, name: str) -> None:
        """Write ``NAME.labels.txt``."""
        self.labels[name] = Sidecar(Path(f"/m/{name}.labels.txt"), self._identity(3, 0))

    def spoil(self, name: str, version: int | None, hides_all: bool, may_pass: bool) -> None:
        """Let a place of a model be one that cannot be used; version 0 is a place that no version has."""
        error = ModelError("MODEL_UNREADABLE", f"{name}/{version} cannot be read", "chmod", may_pass)
        self.problems[name] = Problem(name, f"/m/{name}", error, version, hides_all)

    def versions(self, name: str) -> list[int | None]:
        """Return the versions of a name that lie there, seen or not."""
        return [version for other, version in self.files if other == name]

    def has(self, source: FolderSource) -> bool:
        """Return whether a file still lies where it was seen, and has not changed since."""
        here = (source.path, source.identity)
        return any((file.path, file.identity) == here for file in self.files.values())

    def is_settled(self, source: FolderSource, now: float) -> float | None:
        """Return None for a file that nobody writes to, else when to look again."""
        return now + 0.2 if source.path in self.settling else None

    def snapshot(self) -> Snapshot:
        """Return what a look shows."""
        if not self.is_available:
            return Snapshot(False, "gone")
        if not self.is_mounted:
            return Snapshot(True)
        names = sorted({name for name, _ in self.files})
        sources = {name: seen for name in names if (seen := self._seen(name))}
        conflicts = [
            Problem(name, f"/m/{name}", ModelError("MODEL_CONFLICT", f"two layouts claim {name}"), 0)
            for name, seen in sources.items()
            if len({source.layout for source in seen}) > 1
        ]
        return Snapshot(True, "", sources, [*self.problems.values(), *conflicts])

    def _seen(self, name: str) -> list[FolderSource]:
        problem = self.problems.get(name)
        if problem is not None and problem.hides_all:
            return []
        versions = [version for version in self.versions(name) if problem is None or version != problem.version]
        return [
            replace(self.files[name, version], labels=self.labels.get(name), options=self.options.get(name))
            for version in sorted(versions, key=lambda version: version or 0)
        ]

    def _identity(self, size: int, content: int) -> FileIdentity:
        self._count += 1
        return FileIdentity(1, self._count, size, content, self._count)
