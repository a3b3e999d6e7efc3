"""When a changing file has come to rest. Plain state: time and findings are passed in."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from mmdaemon.folder.identity import FileIdentity

_NS = 1_000_000_000


@dataclass(slots=True)
class _Sight:
    identity: FileIdentity
    since: float  # monotonic; from then on it has looked like this
    renamed: bool


class Settling:
    """Decides when a file is taken up.

    Files that one look does not ask about are forgotten when it ends.

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
            unfinished_s: How long any other must have been, before it is taken up and refused with its reason.
        """
        self._settle_s, self._unfinished_s = settle_s, unfinished_s
        self._seen.clear()

    def end_look(self) -> None:
        """Forget every file that was not asked about since ``begin_look``: it is gone, or taken up."""
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
        """Take in how a file looks; return True when it has settled, else when to look again (monotonic seconds).

        1. A file that looks otherwise than before starts anew; what it was before tells nothing.
        2. At first sight the wall clock tells how long it has been still. A date in the future tells nothing.
        3. A whole file that was renamed into the folder has settled: rename is atomic.
        4. A whole file has settled after ``settle_s``, any other after ``unfinished_s``.

        Args:
            key: Of the file, by whatever the caller tells files apart.
            identity: How it looks now.
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
