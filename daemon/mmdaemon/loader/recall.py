"""What served before a restart serves again, though nothing in the folder can: the store has its bytes.

A copy over a flat file that a power cut tore, or a slip in ``NAME.toml``, stops nothing that serves; thanks to this it
does not after a restart either.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmdaemon.folder.snapshot import Snapshot, Source
from mmdaemon.loader.arrived import Arrivals
from mmdaemon.loader.memory import Memory
from mmdaemon.loader.plan import Plan, plan


class Recall:
    """Says which bytes of the store are due.

    Only TFLite files: what becomes of a SavedModel folder depends on what lies in it. Only names that were in the
    folder when the daemon started: a name that went away meanwhile was retired by its owner, and what comes under it
    later is a new model.

    Thread: the reconciler's.
    """

    def __init__(self, arrivals: Arrivals, memory: Memory) -> None:
        self._arrivals = arrivals
        self._memory = memory
        self._names: set[str] | None = None

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Note the names of the first look at a folder that holds anything."""
        if self._names is None and not snapshot.is_empty:
            self._names = set(snapshot.sources)

    def forget(self, name: str) -> None:
        """Note that a name was retired."""
        if self._names is not None:
            self._names.discard(name)

    def plan(self, name: str, sources: Sequence[Source], now: float) -> Plan:
        """Return what of the store is due for a name that nothing serves."""
        version = self._arrivals.last_served(name)
        if not version or name not in (self._names or ()):
            return Plan()
        files = [source for source in sources if source.kind == "tflite" and source.version in (None, version)]
        return plan(
            [_stored(source, version) for source in files],
            self._memory.tried,
            0,
            lambda _: None,
            now,
        )


def _stored(source: Source, version: int) -> Source:
    """Return the version that the store has where a source lies; with other files it is another, to be tried again."""
    return Source(
        source.name,
        version,
        "stored",
        Path(source.name, str(version)),  # of no file: paths of files are absolute
        source.identity,
        source.labels,
        source.options,
    )
