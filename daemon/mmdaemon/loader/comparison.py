"""The comparison of the folder with what serves, and what follows from it. No threads, no clock, no files.

Every look takes in the whole folder (level-triggered); what was missed once is seen the next time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from mmdaemon.folder.snapshot import Snapshot, Source
from mmdaemon.loader.absence import loading, quarantined, unknown, unloaded
from mmdaemon.loader.arrived import Arrivals, Arrived, Refused
from mmdaemon.loader.doubt import Doubts
from mmdaemon.loader.listing import Listing
from mmdaemon.loader.memory import Memory
from mmdaemon.loader.plan import Fingerprint, fingerprint, plan
from mmdaemon.loader.recall import Recall
from mmdaemon.loader.swap import Swap
from mmdaemon.log.logger import LOG, about
from mmdaemon.registry.registry import Registry
from mmdaemon.registry.state import VersionState
from mmwire.errors import MmError

# Says whether a source has settled: None, or when to look again in monotonic seconds.
IsSettled = Callable[[Source, float], float | None]
# Starts ``Arrivals.bring_up`` somewhere; its result comes back through ``on_result``.
Start = Callable[[Source, int], None]


class Comparison:
    """Decides what to bring up and what to retire.

    Args:
        arrivals: Numbers and records of versions.
        registry: What is known.
        swap: Publishes and retires.
        start: Brings a source up.
        retire_grace_s: How long a deleted file may be away before its model retires.
        settle_s: How long a problem that may pass must last before it counts.

    Thread: under the loader's monitor.
    """

    def __init__(
        self, arrivals: Arrivals, registry: Registry, swap: Swap, start: Start, retire_grace_s: float, settle_s: float
    ) -> None:
        self.retire_grace_s = retire_grace_s
        self.doubts = Doubts(settle_s)
        self.under_way: dict[str, int] = {}
        self.overtaken: set[str] = set()  # names of which more is known, or due, than what was begun last
        self._begun: dict[str, frozenset[Fingerprint]] = {}
        self._arrivals = arrivals
        self._registry = registry
        self._swap = swap
        self._start = start
        self._memory = Memory()
        self._recall = Recall(arrivals, self._memory)
        self._listing = Listing(arrivals, registry, self._memory)
        self._sources: dict[str, list[Source]] = {}

    def on_snapshot(self, snapshot: Snapshot, is_settled: IsSettled, now: float) -> float:
        """Take in the folder; return when there is something to decide without a hint, in monotonic seconds.

        A folder that cannot be read, or holds nothing at all, retires nothing.
        """
        if not snapshot.available:
            return math.inf
        self._sources = snapshot.sources
        self._recall.on_snapshot(snapshot)
        problems: dict[str, MmError] = {}
        for found in snapshot.problems:
            problems.setdefault(found.name, found.error)
        due = math.inf
        self.doubts.on_look(problems, now)
        for name in sorted({*snapshot.sources, *problems}):
            self._memory.on_present(name)
            problem = problems.get(name)
            if problem is not None and (counts := self.doubts.counts_from(name, problem)) > now:
                due = min(due, counts)
                continue
            self._take_problem(name, problem)
            due = min(due, self._look_at(name, snapshot.sources.get(name, []), is_settled, now))
        if not snapshot.is_empty:
            for name in self._registry.names():
                if name not in snapshot.sources and name not in problems:
                    due = min(due, self._look_for(name, now))
        return due

    @property
    def undecided(self) -> set[str]:
        """Names of which something may serve soon that does not yet."""
        return self.overtaken.union(self.under_way)

    def news_in(self, snapshot: Snapshot) -> list[Source]:
        """Return the sources that have to settle: neither tried nor stored as they are now, and not under way."""
        return [
            source
            for name, sources in snapshot.sources.items()
            if name not in self.under_way
            for source in sources
            if ((before := self._memory.tried(source)) is None or before.fingerprint != fingerprint(source))
            and not self._arrivals.is_stored(source)
        ]

    def on_result(self, source: Source, result: Arrived | Refused, now: float) -> None:
        """Take up what came of bringing a source up."""
        number = self.under_way.pop(source.name)
        self._begun.pop(source.name)
        if source.name not in self._registry:
            self._registry.model(source.name)
        if isinstance(result, Arrived):
            self._on_arrived(source, number, result)
        else:
            self._on_refused(source, number, result, now)

    def load(self, name: str) -> None:
        """Serve a name that was unloaded, or try again what was refused.

        Raises:
            RequestError: ``MODEL_NOT_FOUND``.
        """
        if name not in self._registry:
            raise unknown(name)
        self._memory.clear_unloaded(name)
        self._arrivals.set_unloaded(name, False)
        serving = self._registry.model(name).serving
        for source in self._sources.get(name, ()):
            before = self._memory.tried(source)
            if before is not None and before.version != serving:
                self._memory.forget_try(source)

    def unload(self, name: str) -> None:
        """Take a name out of memory until ``load``, or until a new file of that name comes.

        Raises:
            RequestError: ``MODEL_NOT_FOUND``.
        """
        if name not in self._registry:
            raise unknown(name)
        self._memory.set_unloaded(name, self._sources.get(name, ()))
        self._arrivals.set_unloaded(name, True)
        self._swap.withdraw(name, unloaded(name))
        self._listing.leave_out(name, self.under_way.get(name))
        LOG.info("%s is unloaded, as its owner asked", name, extra=about(name))

    def _take_problem(self, name: str, problem: MmError | None) -> None:
        model = self._registry.model(name)
        if problem is not None and (model.problem is None or model.problem.message != problem.message):
            LOG.warning("%s: %s", name, problem, extra=about(name, error=problem))
        model.problem = problem
        if problem is not None:
            self._swap.explain_absence(name, quarantined(name, problem))

    def _look_at(self, name: str, sources: Sequence[Source], is_settled: IsSettled, now: float) -> float:
        """Start what is due for a name that is in the folder; return when to look again."""
        model = self._registry.model(name)
        if name in self.under_way:
            if self._begun[name] != frozenset(map(fingerprint, sources)):
                self.overtaken.add(name)
            return math.inf
        self.overtaken.discard(name)
        if model.problem is not None and model.problem.code == "MODEL_CONFLICT":
            return math.inf
        if not model.versions and self._arrivals.is_unloaded(name):
            self._memory.set_unloaded(name, sources)
        if self._memory.stays_unloaded(name, sources):
            self._listing.list_versions(name, sources, self.under_way.get(name))
            self._swap.explain_absence(name, unloaded(name))
            return math.inf
        if self._memory.clear_unloaded(name):
            self._arrivals.set_unloaded(name, False)
        counted, due = self._serving_version(name, sources, now)

        def settles_at(source: Source) -> float | None:
            return None if self._arrivals.is_stored(source) else is_settled(source, now)

        planned = plan(sources, self._memory.tried, counted, settles_at, now)
        for source in planned.settling:
            self._listing.move(source, VersionState.SETTLING)
        if planned.start is None and not model.serving:
            planned = planned.beside(self._recall.plan(name, sources, now))
        if planned.start is not None:
            self._begin(planned.start)
        elif model.serving and not counted and not planned.settling:
            self._swap.withdraw(name, quarantined(name, None))
        self._listing.list_versions(name, sources, self.under_way.get(name))
        if planned.settling or planned.start is not None:
            self._swap.explain_absence(name, loading(name))
        return min(due, planned.look_again)

    def _serving_version(self, name: str, sources: Sequence[Source], now: float) -> tuple[int, float]:
        """Return the version that counts as serving, and when that may change.

        A version whose own folder was deleted counts until the grace time is over; then the best of the others is
        brought up beside it.
        """
        serving = self._registry.model(name).serving
        key = f"{name}/{serving}"
        if not serving or any(source.version in (None, serving) for source in sources):
            self._memory.on_present(key)
            return serving, math.inf
        at = self._memory.missing_since(key, now) + self.retire_grace_s
        return (serving, at) if now < at else (0, math.inf)

    def _look_for(self, name: str, now: float) -> float:
        """Retire a name whose files stay away; return when to look again."""
        if name in self.under_way:
            return math.inf
        at = self._memory.missing_since(name, now) + self.retire_grace_s
        if now < at:
            return at
        LOG.info("%s is gone from the folder: retired", name, extra=about(name))
        self.overtaken.discard(name)
        self._memory.on_present(name)
        self._memory.clear_unloaded(name)
        self._recall.forget(name)
        self._swap.forget(name)
        return math.inf

    def _begin(self, source: Source) -> None:
        number = self._listing.number(source)
        self._listing.move(source, VersionState.LOADING)
        self.under_way[source.name] = number
        self._begun[source.name] = frozenset(map(fingerprint, self._sources[source.name]))
        self._start(source, number)

    def _on_arrived(self, source: Source, number: int, arrived: Arrived) -> None:
        name, version = source.name, arrived.deployment.version
        self._memory.on_good(source, version)
        if self._memory.stays_unloaded(name, self._sources.get(name, ())):
            self._arrivals.discard(arrived)
            self._listing.leave_loading(name, number, VersionState.UNLOADED)
            return
        if version != number:
            self._listing.leave_loading(name, number, None)  # the bytes had a version already
        model = self._registry.model(name)
        reason = None
        if source.kind == "stored":
            reason = model.versions[version].reason  # of the file that cannot be served
            LOG.warning("%s: the file cannot be served; version %d from before is, from the store", name, version)
        if model.serving == version and (model.versions[version].sha256, model.options) == (
            arrived.sha256,
            arrived.options,
        ):
            model.labels, model.versions[version].reason = arrived.labels, None
            self._arrivals.discard(arrived)
            return
        if model.serving != version:
            self._registry.set_state(name, version, VersionState.LOADING, arrived.sha256)
        self._swap.publish(arrived.deployment, arrived.options.max_queue)
        model.versions[version].sha256, model.versions[version].reason = arrived.sha256, reason
        model.signatures = tuple(arrived.deployment.signatures.values())
        model.labels, model.options = arrived.labels, arrived.options
        model.traits, model.runtime = arrived.traits, arrived.runtime
        self._arrivals.on_serving(name, version, arrived.options)

    def _on_refused(self, source: Source, number: int, refused: Refused, now: float) -> None:
        name, error, version = source.name, refused.error, refused.version
        extra = about(name, version, error=error)
        told: MmError
        if version != number:
            self._listing.leave_loading(name, number, None)
        if error.retryable:
            wait_s = self._memory.on_later(source, version, now)
            LOG.warning("%s version %d is tried again in %g s: %s", name, version, wait_s, error, extra=extra)
            state, told = VersionState.LOADING, loading(name, error)
        else:
            self._memory.on_bad(source, version)
            LOG.warning("%s version %d is quarantined: %s", name, version, error, extra=extra)
            state, told = VersionState.QUARANTINED, quarantined(name, error)
        if self._memory.stays_unloaded(name, self._sources.get(name, ())):
            self._listing.leave_loading(name, number, VersionState.UNLOADED)
            return
        model = self._registry.model(name)
        if source.kind == "stored" and model.newest is not None and model.newest.reason is not None:
            error = model.newest.reason  # what can be mended is the file
            told = quarantined(name, error)
        if version == model.serving:
            model.versions[version].reason = error  # its folder was overwritten; the bytes from before serve on
        else:
            self._registry.set_state(name, version, state, refused.sha256, error)
            if self._recall.plan(name, self._sources.get(name, ()), now).start is not None:
                told = loading(name, error)
                self.overtaken.add(name)
            self._swap.explain_absence(name, told)
