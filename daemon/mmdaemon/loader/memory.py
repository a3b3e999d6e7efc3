"""What the reconciler remembers of the folder: what was tried, what went missing since when, what was unloaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mmdaemon.folder.snapshot import Source
from mmdaemon.loader.plan import Fingerprint, Outcome, Tried, fingerprint

# A try that may go better later is repeated after this long, doubling up to the most.
_RETRY_S = 10.0
_RETRY_MOST_S = 300.0


class Memory:
    """Plain state.

    Thread: the reconciler's.
    """

    def __init__(self) -> None:
        self._tried: dict[Path, Tried] = {}
        self._missing: dict[str, float] = {}
        self._unloaded: dict[str, frozenset[Fingerprint]] = {}

    def tried(self, source: Source) -> Tried | None:
        """Return what came of a source the last time."""
        return self._tried.get(source.path)

    def on_good(self, source: Source, version: int) -> None:
        """Note that a source was loaded as a version."""
        self._tried[source.path] = Tried(fingerprint(source), Outcome.GOOD, version)

    def on_bad(self, source: Source, version: int) -> None:
        """Note that a source cannot be served as it is."""
        self._tried[source.path] = Tried(fingerprint(source), Outcome.BAD, version)

    def on_later(self, source: Source, version: int, now: float) -> float:
        """Note that a source is to be tried again; return the seconds until then."""
        before = self._tried.get(source.path)
        attempts = before.attempts if before is not None and before.fingerprint == fingerprint(source) else 0
        wait_s = min(_RETRY_S * 2.0**attempts, _RETRY_MOST_S)
        self._tried[source.path] = Tried(fingerprint(source), Outcome.LATER, version, now + wait_s, attempts + 1)
        return wait_s

    def forget_try(self, source: Source) -> None:
        """Let a source be tried again at once."""
        self._tried.pop(source.path, None)

    def missing_since(self, key: str, now: float) -> float:
        """Return since when something has been missing; it starts now if it was there before."""
        return self._missing.setdefault(key, now)

    def on_present(self, key: str) -> None:
        """Note that something is there (again)."""
        self._missing.pop(key, None)

    def set_unloaded(self, name: str, sources: Iterable[Source]) -> None:
        """Note that a name was unloaded while these files were there."""
        self._unloaded[name] = frozenset(map(fingerprint, sources))

    def clear_unloaded(self, name: str) -> bool:
        """Note that a name is to be served again; return whether it had been unloaded."""
        return self._unloaded.pop(name, None) is not None

    def stays_unloaded(self, name: str, sources: Iterable[Source]) -> bool:
        """Return whether a name was unloaded and no new file came since: dropping one in is a deployment."""
        known = self._unloaded.get(name)
        return known is not None and known.issuperset(map(fingerprint, sources))
