"""The identity of a file in one state, as far as ``stat`` tells it without reading a byte."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Equal identities mean equal bytes, unless something wrote to the file within one tick of the clock.

    Attributes:
        device: The number of the file system.
        inode: The number of the file; for a folder a digest of everything beneath it.
        size: Bytes of the file; for a folder the sum of its files.
        mtime_ns: The time of the last write, which tools may set.
        ctime_ns: The time of the last change, which only the kernel sets.
    """

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        """Return the identity of a file."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    @classmethod
    def of_tree(cls, members: Iterable[tuple[str, FileIdentity]]) -> FileIdentity:
        """Return one identity for a folder, from the paths and identities of its members, folders included.

        Raises:
            ValueError: There are no members.
        """
        ordered = sorted(members, key=lambda member: member[0])
        if not ordered:
            raise ValueError("a tree has at least its root")
        digest = hashlib.sha256(repr([(path, astuple(identity)) for path, identity in ordered]).encode())
        identities = [identity for _, identity in ordered]
        return cls(
            identities[0].device,
            int.from_bytes(digest.digest()[:7], "little"),  # 56 bits fit the integers of any JSON reader
            sum(identity.size for identity in identities),
            max(identity.mtime_ns for identity in identities),
            max(identity.ctime_ns for identity in identities),
        )

    def changed_ns(self) -> int:
        """Return the wall time of the last change, in nanoseconds. On vfat only ``mtime`` changes with the bytes."""
        return max(self.mtime_ns, self.ctime_ns)

    def as_list(self) -> list[int]:
        """Return the JSON form."""
        return list(astuple(self))

    @classmethod
    def from_list(cls, values: Any) -> FileIdentity:
        """Read the JSON form.

        Raises:
            ValueError: The values are not five whole numbers.
        """
        if not isinstance(values, list) or len(values) != 5 or not all(type(value) is int for value in values):
            raise ValueError(f"not a file identity: {values!r}")
        return cls(*values)
