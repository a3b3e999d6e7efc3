"""The record of one model name: its versions, and the counter that numbers flat files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.snapshot import FolderSource, Layout


@dataclass(slots=True)
class VersionRecord:
    """One version of one name.

    Attributes:
        sha256: Of its bytes.
        layout: Whether the number came from the counter (flat) or from a folder (versioned).
        identity: The identity of the user's file when it was copied; None once that is of no use.
        options: ``ModelOptions.as_dict()`` that it served with last.
    """

    sha256: str
    layout: Layout
    identity: FileIdentity | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "sha256": self.sha256,
            "layout": self.layout,
            "identity": None if self.identity is None else self.identity.as_list(),
            "options": self.options,
        }

    @classmethod
    def from_dict(cls, fields: Any) -> VersionRecord:
        """Read the JSON form; keys of another release are passed over.

        Raises:
            ValueError: Not a version's record.
        """
        sha256, layout, identity = fields["sha256"], fields["layout"], fields.get("identity")
        if not (isinstance(sha256, str) and len(sha256) == 64 and layout in ("flat", "versioned")):
            raise ValueError("a version without sha256 and layout")
        options = fields.get("options", {})
        if not isinstance(options, dict):
            raise ValueError("a version's options")
        where = None if identity is None else FileIdentity.from_list(identity)
        return cls(sha256, layout, where, options)


@dataclass(slots=True)
class NameRecord:
    """One name.

    Attributes:
        name: The model's.
        next_version: The number that the next flat file gets.
        versions: By number.
        serving: The version that serves.
        previous: The one that served before: kept for a rollback.
        pinned: The one that serves whatever arrives.
        unloaded: Whether its owner unloaded it.

    Thread: one at a time.
    """

    name: str
    next_version: int = 1
    versions: dict[int, VersionRecord] = field(default_factory=dict)
    serving: int | None = None
    previous: int | None = None
    pinned: int | None = None
    unloaded: bool = False

    def put(self, number: int, version: VersionRecord) -> None:
        """Set a version; the counter passes it, so that no number is ever given twice."""
        before = self.versions.get(number)
        if before is not None and before.sha256 == version.sha256 and not version.options:
            version = replace(version, options=before.options)
        self.versions[number] = version
        self.next_version = max(self.next_version, number + 1)

    def kept(self) -> set[int]:
        """Return the versions whose bytes must stay: the serving one, the one before, and the pinned one."""
        return {number for number in (self.serving, self.previous, self.pinned) if number in self.versions}

    def blobs(self) -> set[str]:
        """Return the blobs that must stay."""
        return {self.versions[number].sha256 for number in self.kept()}

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "name": self.name,
            "next_version": self.next_version,
            "versions": {str(number): version.as_dict() for number, version in sorted(self.versions.items())},
            "serving": self.serving,
            "previous": self.previous,
            "pinned": self.pinned,
            "unloaded": self.unloaded,
        }

    @classmethod
    def from_dict(cls, fields: Any) -> NameRecord:
        """Read the JSON form; keys of a later release are passed over.

        Raises:
            ValueError: Not a name's record.
        """
        try:
            record = cls(str(fields["name"]), _number(fields["next_version"]) or 1)
            for number, version in fields["versions"].items():
                record.put(int(number), VersionRecord.from_dict(version))
            record.serving = _number(fields.get("serving"))
            record.previous = _number(fields.get("previous"))
            record.pinned = _number(fields.get("pinned"))
            record.unloaded = fields.get("unloaded") is True
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a name's record: {error!r}") from None
        return record


def _number(value: Any) -> int | None:
    if value is None or (type(value) is int and value > 0):
        return value
    raise ValueError(f"not a version: {value!r}")


def version_for(record: NameRecord, source: FolderSource, sha256: str) -> int:
    """Return the version number that a source's bytes get. Changes nothing; ``NameRecord.put`` does.

    1. A version folder has its number from its name.
    2. Bytes that already serve keep their version, whoever copied them again.
    3. So do the bytes of the newest version: it is on its way, was refused, or was rolled back from.
    4. All other bytes get a new number, also older ones that come back: for a client, versions never go back.
    """
    if source.version is not None:  # 1
        return source.version
    serving = record.versions.get(record.serving or 0)
    if record.serving is not None and serving is not None and serving.sha256 == sha256:  # 2
        return record.serving
    newest = max(record.versions, default=None)
    if newest is not None and record.versions[newest].sha256 == sha256:  # 3
        return newest
    return max(record.next_version, (newest or 0) + 1)  # 4
