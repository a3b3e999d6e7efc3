"""The state of one model name. Plain data; ``decision`` and ``ending`` say what follows from each event."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from mmdaemon.folder.snapshot import FolderSource
from mmdaemon.loader.attempt import Attempts
from mmdaemon.loader.candidate import Candidate, Fingerprint, StoredSource, fingerprint
from mmdaemon.registry.model import Model
from mmdaemon.registry.state import VersionState
from mmwire.errors import MmError

_IN_MEMORY = (VersionState.READY, VersionState.RETIRING)


class Phase(StrEnum):
    """Whether a name is to be served."""

    PRESENT = "present"  # files of it lie in the folder: the highest version that can be served is
    UNLOADED = "unloaded"  # its owner took it out of memory: it stays out until a load, or a new file
    MISSING = "missing"  # its files are gone: what serves goes on until the grace time is over
    RETIRED = "retired"  # the grace time is over: the name is forgotten


_P = Phase
# None is "not known": a name comes from there.
TRANSITIONS: dict[Phase | None, frozenset[Phase]] = {
    None: frozenset({_P.PRESENT, _P.UNLOADED}),
    _P.PRESENT: frozenset({_P.UNLOADED, _P.MISSING}),
    _P.UNLOADED: frozenset({_P.PRESENT, _P.MISSING}),
    _P.MISSING: frozenset({_P.PRESENT, _P.UNLOADED, _P.RETIRED}),
    _P.RETIRED: frozenset(),
}


class Memory(Protocol):
    """The store's memory of names, for reading; see ``store.records``. Every method returns at once."""

    def next_version(self, name: str) -> int:
        """Return the number that a new flat file of this name gets."""

    def is_stored(self, source: FolderSource) -> bool:
        """Return whether a source was copied before, and has not changed since."""

    def is_unloaded(self, name: str) -> bool:
        """Return whether a name is to stay out of memory."""

    def is_kept(self, name: str, version: int) -> bool:
        """Return whether the store keeps the bytes of a version."""

    def last_served(self, name: str) -> int:
        """Return the version that serves or served last, 0 for none."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The findings of one look at a name.

    Attributes:
        sources: Its files.
        problem: What is wrong with its place in the folder.
        unusable: Versions whose place is there and cannot be used; None for a flat file.
        hides_all: Whether no version can be seen.
        is_settled: Returns None for a source that has settled, else when to look again in monotonic seconds.
    """

    sources: Sequence[FolderSource] = ()
    problem: MmError | None = None
    unusable: frozenset[int | None] = frozenset()
    hides_all: bool = False
    is_settled: Callable[[FolderSource], float | None] = lambda _: None

    def proves_gone(self, version: int) -> bool:
        """Return whether a version has no place in the folder any more.

        An unusable entry (a FIFO, an unreadable file) still counts as a place.
        """
        seen = {None, version}
        return not (self.hides_all or seen & self.unusable or seen.intersection(s.version for s in self.sources))


@dataclass(frozen=True, slots=True)
class Load:
    """A load under way.

    Attributes:
        candidate: What is brought up.
        number: The version that it is to be.
        begun_with: The fingerprints of all files that the name had when the load began.
    """

    candidate: Candidate
    number: int
    begun_with: frozenset[Fingerprint]


@dataclass(slots=True, eq=False)
class NameState:
    """One name.

    Attributes:
        model: What the registry shows of it.
        memory: What the store remembers of it.
        may_come_back: Whether bytes that only the store has may serve: the name was in the folder at the start. A
            name that went away while the daemon did not run was retired by its owner.
        phase: Whether it is to be served; None until a look counted.
        sources: Its files at the last look.
        attempts: What came of its candidates.
        load: The load under way.
        is_overtaken: Whether its files changed during its last load, or a stored version is about to be tried.
        look_again: When there is something to decide without a further hint, in monotonic seconds.
        problem_since: The text of the last problem that may pass, and since when it stands.
        missing_since: Since when no file of it has been there.
        serving_missing_since: The version that serves, and since when its folder has not been there.
        unloaded_with: The files that it had when its owner unloaded it; None while it is not unloaded.

    Thread: under the reconciler's monitor.
    """

    model: Model
    memory: Memory
    may_come_back: bool = False
    phase: Phase | None = None
    sources: Sequence[FolderSource] = ()
    attempts: Attempts = field(default_factory=Attempts)
    load: Load | None = None
    is_overtaken: bool = False
    look_again: float = math.inf
    problem_since: tuple[str, float] | None = None
    missing_since: float | None = None
    serving_missing_since: tuple[int, float] | None = None
    unloaded_with: frozenset[Fingerprint] | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def is_undecided(self) -> bool:
        """Whether a candidate of this name is still settling, loading or due."""
        is_in_doubt = self.phase is None and self.problem_since is not None
        return self.is_overtaken or self.load is not None or is_in_doubt

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to remember of it: it was retired, or a look found it gone before it counted."""
        return self.phase is Phase.RETIRED or (self.phase is None and self.problem_since is None)

    def enter(self, phase: Phase) -> None:
        """Go to a phase, along the table; staying is always allowed.

        Raises:
            AssertionError: The change is not in the table: a bug of the caller.
        """
        if phase is not self.phase and phase not in TRANSITIONS[self.phase]:
            raise AssertionError(f"{self.name} cannot go from {self.phase} to {phase}")
        self.phase = phase

    def fingerprints(self) -> frozenset[Fingerprint]:
        """Return what tells the files of the last look from others."""
        return frozenset(map(fingerprint, self.sources))

    def needs_to_settle(self, source: FolderSource) -> bool:
        """Return whether a source has to settle first: it is new or changed, and the store does not know it so."""
        return self.load is None and self.attempts.of(source) is None and not self.memory.is_stored(source)

    def set_unloaded(self, unloaded: bool) -> None:
        """Note whether its owner took it out of memory, and with which files; a second unload adds to them."""
        self.unloaded_with = self.fingerprints().union(self.unloaded_with or ()) if unloaded else None
        self.model.is_unloaded = unloaded

    def stays_unloaded(self) -> bool:
        """Return whether it was unloaded, and no file came that was not there then: dropping one is a deployment."""
        return self.unloaded_with is not None and self.unloaded_with.issuperset(self.fingerprints())

    @property
    def is_unloaded(self) -> bool:
        """Whether its owner took it out of memory, and no look has found a reason to bring it back."""
        return self.unloaded_with is not None

    @property
    def recallable(self) -> int:
        """The version that may serve from the store while no file can, 0 for none."""
        return self.memory.last_served(self.name) if self.may_come_back else 0

    def number_of(self, candidate: Candidate) -> int:
        """Return a candidate's version; a flat file that is new or changed gets the next number."""
        if candidate.version is not None:
            return candidate.version
        attempt = self.attempts.of(candidate)
        return attempt.version if attempt is not None else self.memory.next_version(self.name)

    def move(self, candidate: Candidate, state: VersionState) -> None:
        """Move a candidate's version, unless it serves: a changed file does not change what serves."""
        number = self.number_of(candidate)
        if number != self.model.serving:
            before = self.model.versions.get(number)
            reason = before.reason if before is not None and isinstance(candidate, StoredSource) else None
            self.model.move(number, state, reason=reason)

    def leave_loading(self, number: int, state: VersionState | None) -> None:
        """Give the version of a finished load its next state; None drops it."""
        version = self.model.versions.get(number)
        if version is None or version.state not in (VersionState.LOADING, VersionState.SETTLING):
            return
        if state is None:
            self.model.drop(number)
        else:
            self.model.move(number, state)

    def begin(self, settling: Sequence[Candidate], start: Candidate | None) -> None:
        """Show what settles, begin the load of what is due, and list what there is besides."""
        for candidate in settling:
            self.move(candidate, VersionState.SETTLING)
        if start is not None:
            self.move(start, VersionState.LOADING)
            self.load = Load(start, self.number_of(start), self.fingerprints())
        self.list_versions()
        for number, version in self.model.versions.items():  # nothing below what serves is looked at any more
            is_on_its_way = version.state in (VersionState.SETTLING, VersionState.LOADING)
            if is_on_its_way and number < self.model.serving and (self.load is None or number != self.load.number):
                self.model.move(number, VersionState.UNLOADED)

    def show_unloaded(self) -> None:
        """Show every version that is not in memory as unloaded: its file may be settling, or was refused."""
        for number, version in self.model.versions.items():
            if version.state not in _IN_MEMORY and (self.load is None or number != self.load.number):
                self.model.move(number, VersionState.UNLOADED)

    def list_versions(self) -> None:
        """List a version for every file, and none that is neither in the folder nor in memory nor kept."""
        numbers = {self.number_of(source) for source in self.sources}
        loading = self.load.number if self.load is not None else 0
        for number, version in list(self.model.versions.items()):
            version.has_file = number in numbers
            if number in numbers or version.state in _IN_MEMORY or number == loading:
                continue
            if version.state is not VersionState.UNLOADED or not self.memory.is_kept(self.name, number):
                self.model.drop(number)
        for number in numbers - self.model.versions.keys():
            self.model.move(number, VersionState.UNLOADED)
