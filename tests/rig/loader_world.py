"""The loader without threads, clock and disk: a made-up folder, and loads that end when a test says so."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.dispatch.lease import Lease
from mmdaemon.dispatch.request import Request
from mmdaemon.folder.snapshot import FolderSource, Snapshot
from mmdaemon.loader.arrived import Arrived, Refused
from mmdaemon.loader.candidate import Candidate, Fingerprint, StoredSource, fingerprint
from mmdaemon.loader.comparison import Comparison
from mmdaemon.loader.pace import Pace
from mmdaemon.loader.swap import Swap
from mmdaemon.registry.model import ServingFacts
from mmdaemon.registry.registry import Registry
from mmdaemon.store.ledger import Ledger
from mmdaemon.store.record import NameRecord
from mmdaemon.store.records import Records
from mmwire.errors import MmError, ModelError
from mmwire.manifest import ModelOptions
from mmwire.tensor import SignatureSpec, TensorSpec
from rig.made_up_folder import MadeUpFolder, content_of, fails_at_first, is_broken, threads_of

SPEC = SignatureSpec("serving_default", (TensorSpec("x", "int8", (-1, 4)),), (TensorSpec("y", "int8", (-1, 4)),))
PACE = Pace(rescan_s=10.0, settle_s=0.2, unfinished_s=5.0, retire_grace_s=3.0)


class LedgerInMemory(Ledger):
    """What outlives a restart."""

    def __init__(self) -> None:
        self._saved: dict[str, NameRecord] = {}

    def load_all(self) -> dict[str, NameRecord]:
        return copy.deepcopy(self._saved)

    def save(self, record: NameRecord) -> None:
        self._saved[record.name] = copy.deepcopy(record)


class NoReply:
    """A caller that does not care."""

    def on_answer(self, *_: Any) -> None:
        """See ``ReplyTo``."""

    on_error = on_answer


@dataclass(eq=False)
class LoadUnderWay:
    """A load that the loader asked for.

    Attributes:
        number: The version that it was told to become.
        copied: Version and SHA-256 of its bytes in the store, once they are there; or why they never will be.
        is_outdated: Whether its name was unloaded since it began.
    """

    candidate: Candidate
    number: int
    copied: tuple[int, str] | MmError | None = None
    is_outdated: bool = False


class World:
    """The loader with the real store's records, registry and dispatcher.

    Attributes:
        diary: What happened, a line of text each.
        loads: The loads under way.
        leases: The requests that run.
        look_due: When the daemon looks again at the latest, in seconds of ``now``.
        seen: The files of each name at the last look that saw any file at all.
        unloaded: The names that must stay out of memory, with the files that do not bring them back.
        refused: The files that were refused for good, and must not be tried again as they are.
        gone_since: Since when looks have not found the version that serves a name in its place: version and time.
        retired: The names that the last look retired.
        published: The versions that came to serve each name, in their order.
        is_kind: Whether bytes that fail at first do not fail any more.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.diary: list[str] = []
        self.folder = MadeUpFolder()
        self.ledger = LedgerInMemory()
        self.is_kind = False
        self.published: dict[str, list[int]] = {}
        self.start_daemon()

    def start_daemon(self) -> None:
        """Start a daemon over the folder and the store as they are; one before is gone, with all that it ran."""
        self.records = Records(self.ledger)
        self.registry = Registry("fake")
        self.dispatcher = Dispatcher(2, 10, 1_000, lambda *_: None, lambda _: None)
        swap = Swap(self.dispatcher, self.registry, lambda _: None)
        self.comparison = Comparison(self.records, self.registry, swap, self, PACE)
        self.loads: list[LoadUnderWay] = []
        self.leases: list[Lease] = []
        self.look_due = self.now
        self.seen: dict[str, list[FolderSource]] = {}
        self.refused: set[FolderSource] = set()
        self.gone_since: dict[str, tuple[int, float]] = {}
        self.retired: set[str] = set()
        names = self.ledger.load_all()
        self.unloaded: dict[str, set[Fingerprint]] = {name: set() for name in names if self.records.is_unloaded(name)}

    def start(self, candidate: Candidate, number: int) -> None:
        """See ``StartsLoads``."""
        self.note(f"  a load of {candidate.name} begins: {_text(candidate)}, to be version {number}")
        self.loads.append(LoadUnderWay(candidate, number))

    def discard(self, arrived: Arrived) -> None:
        """See ``StartsLoads``."""
        self.note(f"  version {arrived.deployment.version} of {arrived.deployment.name} is discarded")

    def note(self, text: str) -> None:
        """Write a line into the diary."""
        self.diary.append(f"{self.now:8.1f}  {text}")

    def look(self) -> Snapshot:
        """Let the daemon look at the folder; return what it saw."""
        snapshot = self.folder.snapshot()
        self.comparison.news_in(snapshot)
        known = self.registry.names()
        without_versions = {name for name in self.unloaded if not self._has_versions(name)}
        self.look_due = self.comparison.on_snapshot(snapshot, self.folder.is_settled, self.now)
        self.retired = {name for name in known if name not in self.registry}
        if snapshot.available and not snapshot.is_empty:
            self.seen = {name: list(sources) for name, sources in snapshot.sources.items()}
            self.refused &= {source for sources in self.seen.values() for source in sources}
            self._note_gone()
        self._end_unloads(without_versions)
        return snapshot

    def unload(self, name: str) -> None:
        """Do what ``mmctl unload`` does, for a known name."""
        self.comparison.unload(name)
        self.unloaded[name] = set(map(fingerprint, self.seen.get(name, ())))
        for load in self.loads:
            load.is_outdated |= load.candidate.name == name

    def load(self, name: str) -> None:
        """Do what ``mmctl load`` does, for a known name."""
        self.comparison.load(name)
        self.unloaded.pop(name, None)
        self.refused = {source for source in self.refused if source.name != name}

    def copy_bytes(self, load: LoadUnderWay) -> None:
        """Copy the bytes of a load into the store, as its first stage does."""
        candidate = load.candidate
        if load.copied is not None:
            return
        try:
            if isinstance(candidate, StoredSource):
                load.copied = (candidate.version, self.records.stored(candidate.name, candidate.version).sha256)
            elif (known := self.records.known(candidate)) is not None:
                load.copied = known
            elif self.folder.has(candidate):
                sha256 = f"{content_of(candidate):064x}"
                load.copied = (self.records.put(candidate, sha256), sha256)
            else:
                load.copied = ModelError("MODEL_INVALID", "it changed while it was copied", "", retryable=True)
        except MmError as error:
            load.copied = error

    def end_load(self, load: LoadUnderWay, is_unlucky: bool = False) -> None:
        """Let a load end as its bytes and options make it end; an unlucky one fails for now."""
        self.loads.remove(load)
        self.copy_bytes(load)
        candidate, result = load.candidate, self._result(load, is_unlucky)
        if isinstance(result, Arrived):
            self.note(f"a load of {candidate.name} ends: version {result.deployment.version} arrives")
        else:
            self.note(f"a load of {candidate.name} ends: version {result.version} is refused: {result.error.message}")
            if not result.error.retryable and isinstance(candidate, FolderSource):
                self.refused.add(candidate)
        before = self.serving(candidate.name)
        self.comparison.on_result(candidate, result, self.now)
        if (after := self.serving(candidate.name)) != before:
            self.published.setdefault(candidate.name, []).append(after)

    def lease(self, name: str) -> bool:
        """Send a request for a model; return whether it was admitted. It runs until ``end_lease``."""
        with self.dispatcher.scheduler() as scheduler:
            try:
                lease = scheduler.admit(Request(NoReply(), 1, name, SPEC, b"1234", 0.0), 0.0, True)
            except MmError:
                return False
        self._keep(lease)
        return True

    def end_lease(self) -> None:
        """Let the request that began last end."""
        with self.dispatcher.scheduler() as scheduler:
            following = scheduler.finish(self.leases.pop(), 1.0, False)
        self._keep(following)

    def serving(self, name: str) -> int:
        """Return the version that requests run on, 0 for none."""
        with self.dispatcher.scheduler() as scheduler:
            lane = scheduler.lanes.get(name)
            return lane.deployment.version if lane is not None and lane.deployment is not None else 0

    def told(self, name: str) -> str:
        """Return the code that requests get, empty while a version serves."""
        with self.dispatcher.scheduler() as scheduler:
            try:
                scheduler.lane(name).serving()
            except MmError as error:
                return error.code
            return ""

    def may_serve(self, source: FolderSource) -> bool:
        """Return whether a file can be served, now or later, as far as its bytes and options go."""
        return not is_broken(content_of(source)) and threads_of(source) > 0

    def _keep(self, lease: Lease | None) -> None:
        if lease is not None:
            lease.started = 0.0
            self.leases.append(lease)

    def _result(self, load: LoadUnderWay, is_unlucky: bool) -> Arrived | Refused:
        candidate = load.candidate
        if load.copied is None or isinstance(load.copied, MmError):
            return Refused(load.copied or ModelError("STORE_FAILED", "not copied"), load.number)
        number, sha256 = load.copied
        content = int(sha256, 16)
        if isinstance(candidate, StoredSource):
            threads = self.records.stored(candidate.name, number).options.get("threads", 1)
        else:
            threads = threads_of(candidate)
        if threads == 0:
            return Refused(ModelError("MODEL_INVALID", f"a slip in {candidate.name}.toml"), number, sha256)
        if is_broken(content):
            return Refused(ModelError("MODEL_INVALID", f"the bytes {content} are broken"), number, sha256)
        if (is_unlucky or fails_at_first(content)) and not self.is_kind:
            return Refused(ModelError("STORE_FAILED", "not now", retryable=True), number, sha256)
        deployment = Deployment(candidate.name, number, {SPEC.name: SPEC}, 1, 1, [object()])
        return Arrived(deployment, sha256, ServingFacts((SPEC,), ["cat"], ModelOptions(threads=threads)))

    def _end_unloads(self, without_versions: set[str]) -> None:
        """Drop the unloads that this look may have ended, and did.

        A new file ends one, but not the first files that are seen of a name: the unload was meant for them.
        """
        for name, files in list(self.unloaded.items()):
            seen = set(map(fingerprint, self.seen.get(name, ())))
            if name in without_versions:
                files |= seen
            may_end = name not in self.registry or not files >= seen
            if may_end and not self.records.is_unloaded(name):
                del self.unloaded[name]

    def _note_gone(self) -> None:
        for name in {*self.registry.names(), *self.gone_since}:
            serving, there = self.serving(name), self.folder.versions(name)
            if serving and (serving in there or None in there):
                self.gone_since.pop(name, None)
            elif serving and self.gone_since.get(name, (0, 0.0))[0] != serving:
                self.gone_since[name] = (serving, self.now)

    def _has_versions(self, name: str) -> bool:
        return name in self.registry and bool(self.registry.model(name).versions)


def _text(candidate: Candidate) -> str:
    return (
        f"version {candidate.version} of the store"
        if isinstance(candidate, StoredSource)
        else f"the bytes {content_of(candidate)}"
    )
