"""Decides when a changing file has settled. Plain state: the caller passes in time and findings."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from mmdaemon.folder.identity import FileIdentity

_NS = 1_000_000_000


@dataclass(slots=True)
class _Sight:
    identity: FileIdentity
    since: float  # monotonic seconds: it has looked like this since then
    renamed: bool


class Settling:
    """Decides when a file may be taken up.

    A file that is not observed in one look is forgotten at its end.

    Thread: one.
    """

    def __init__(self) -> None:
        self._settle_s = 0.0
        self._unfinished_s = 0.0
        self._sights: dict[Hashable, _Sight] = {}
        self._seen: set[Hashable] = set()

    def begin_look(self, settle_s: float, unfinished_s: float) -> None:
        """Begin a look at all files.

        Args:
            settle_s: How long a whole file must have been still.
            unfinished_s: How long any other file must have been still, before it is taken up and refused.
        """
        self._settle_s, self._unfinished_s = settle_s, unfinished_s
        self._seen.clear()

    def end_look(self) -> None:
        """Forget every file that was not observed since ``begin_look``: it is gone, or was taken up."""
        self._sights = {key: sight for key, sight in self._sights.items() if key in self._seen}

    def observe(
        self,
        key: Hashable,
        identity: FileIdentity,
        whole: bool,
        renamed: bool,
        now: float,
        wall_ns: int,
    ) -> Literal[True] | float:
        """Note how a file looks; return True when it has settled, else when to look again, in monotonic seconds.

        1. A file that changed since the last look begins again.
        2. At the first look the wall clock tells how long it has been still. A date in the future tells nothing.
        3. A whole file that was renamed into the folder has settled, because a rename is atomic.
        4. A whole file has settled after ``settle_s``, any other after ``unfinished_s``.

        Args:
            key: The key of the file, for the caller to choose.
            identity: The identity of the file now.
            whole: Whether it is structurally complete.
            renamed: Whether a rename put it there since the last look.
            now: Monotonic seconds.
            wall_ns: The wall clock, comparable with the times of the identity.
        """
        self._seen.add(key)
        sight = self._sights.get(key)
        if sight is None or sight.identity != identity:  # 1
            still_s = max(0, wall_ns - identity.changed_ns()) / _NS  # 2
            sight = self._sights[key] = _Sight(identity, now - still_s, renamed)
        sight.renamed = sight.renamed or renamed
        if whole and sight.renamed:  # 3
            return True
        settled_at = sight.since + (self._settle_s if whole else self._unfinished_s)  # 4
        return True if now >= settled_at else settled_at
