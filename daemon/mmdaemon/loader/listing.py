"""What the registry lists of a name's files: which number each has, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from mmdaemon.folder.snapshot import Source
from mmdaemon.loader.arrived import Arrivals
from mmdaemon.loader.memory import Memory
from mmdaemon.loader.plan import fingerprint
from mmdaemon.registry.registry import Registry
from mmdaemon.registry.state import VersionState

_IN_MEMORY = (VersionState.READY, VersionState.RETIRING)


class Listing:
    """Keeps the registry's versions in step with the files.

    Thread: under the loader's monitor.
    """

    def __init__(self, arrivals: Arrivals, registry: Registry, memory: Memory) -> None:
        self._arrivals = arrivals
        self._registry = registry
        self._memory = memory

    def leave_loading(self, name: str, number: int, state: VersionState | None) -> None:
        """Move a version whose load came to something else on, or drop it."""
        version = self._registry.model(name).versions.get(number)
        if version is None or version.state not in (VersionState.LOADING, VersionState.SETTLING):
            return
        if state is None:
            self._registry.drop_version(name, number)
        else:
            self._registry.set_state(name, number, state)

    def leave_out(self, name: str, under_way: int | None) -> None:
        """Show as unloaded what its owner unloads and does not serve: a file may be on its way, or refused."""
        for number, version in self._registry.model(name).versions.items():
            if version.state not in _IN_MEMORY and number != under_way:
                self._registry.set_state(name, number, VersionState.UNLOADED)

    def list_versions(self, name: str, sources: Sequence[Source], under_way: int | None) -> None:
        """Show a version for every file, and none that is neither in the folder nor in memory."""
        model = self._registry.model(name)
        numbers = {self.number(source) for source in sources}
        for number, version in list(model.versions.items()):
            version.has_file = number in numbers
            if number not in numbers and version.state not in _IN_MEMORY and number != under_way:
                if version.state is VersionState.UNLOADED and self._arrivals.is_kept(name, number):
                    continue
                self._registry.drop_version(name, number)
        for number in numbers - model.versions.keys():
            self._registry.set_state(name, number, VersionState.UNLOADED)

    def move(self, source: Source, state: VersionState) -> None:
        """Move a source's version, unless it serves: a changed file does not change what serves."""
        number, model = self.number(source), self._registry.model(source.name)
        if number != model.serving:
            before = model.versions.get(number)
            reason = before.reason if before is not None and source.kind == "stored" else None
            self._registry.set_state(source.name, number, state, reason=reason)

    def number(self, source: Source) -> int:
        """Return a source's version; a flat file that is new or changed gets the next number."""
        if source.version is not None:
            return source.version
        before = self._memory.tried(source)
        if before is not None and before.fingerprint == fingerprint(source):
            return before.version
        return self._arrivals.next_version(source.name)
