"""Passes each scan and each finished load to the states of the names, and applies the effects that follow.

No threads, no clock, no files: the reconciler hands both in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from mmdaemon.folder.snapshot import FolderSource, Problem, Snapshot
from mmdaemon.loader.arrived import Arrived, Refused
from mmdaemon.loader.candidate import Candidate
from mmdaemon.loader.decision import decide, on_load, on_unload
from mmdaemon.loader.effect import (
    Discard,
    Effect,
    Explain,
    NoteServing,
    NoteUnloaded,
    Publish,
    Retire,
    StartLoad,
    Tell,
    Withdraw,
)
from mmdaemon.loader.ending import on_result
from mmdaemon.loader.name_state import Memory, NameState, Sight
from mmdaemon.loader.pace import Pace
from mmdaemon.loader.swap import Swap
from mmdaemon.log.logger import LOG, about
from mmdaemon.registry.model import Model
from mmdaemon.registry.registry import Registry
from mmwire.manifest import ModelOptions, unknown_model

# Returns None for a source that has settled, else when to look again in monotonic seconds.
IsSettled = Callable[[FolderSource, float], float | None]


class Remembering(Memory, Protocol):
    """The store's memory of names, for reading and writing. Every method returns at once."""

    def set_unloaded(self, name: str, unloaded: bool) -> None:
        """Note whether a name is to stay out of memory."""

    def on_serving(self, name: str, version: int, options: ModelOptions) -> None:
        """Note what serves, and with which options."""

    def names_kept(self) -> list[str]:
        """Return the names of which a version serves or served last, or which their owner unloaded."""

    def on_retired(self, name: str) -> None:
        """Note that a name is gone: its bytes and its unload are not needed any more."""


class StartsLoads(Protocol):
    """Brings candidates up elsewhere."""

    def start(self, candidate: Candidate, number: int) -> None:
        """Bring a candidate up as a version; the result comes back through ``Comparison.on_result``."""

    def discard(self, arrived: Arrived) -> None:
        """Close what was loaded and will not serve."""


class Comparison:
    """Holds the state of every name, and applies the effects.

    Args:
        memory: What the store remembers of names.
        registry: What people are shown.
        swap: Publishes and retires.
        loads: Brings candidates up.
        pace: How patiently.

    Thread: under the reconciler's monitor.
    """

    def __init__(self, memory: Remembering, registry: Registry, swap: Swap, loads: StartsLoads, pace: Pace) -> None:
        self.pace = pace
        self._memory = memory
        self._registry = registry
        self._swap = swap
        self._loads = loads
        self._states: dict[str, NameState] = {}
        self._had_a_look = False

    def on_snapshot(self, snapshot: Snapshot, is_settled: IsSettled, now: float) -> float:
        """Take in the folder; return when there is something to decide without a hint, in monotonic seconds.

        A folder that cannot be read, or holds nothing at all, retires nothing.
        """
        self._swap.settle_retired()
        if not snapshot.available:
            return math.inf
        problems: dict[str, list[Problem]] = {}
        for problem in snapshot.problems:
            if not (problem.is_foreign and self._has_versions(problem.name)):  # it keeps no model from retiring
                problems.setdefault(problem.name, []).append(problem)
        due = math.inf
        for name in sorted({*self._states, *snapshot.sources, *problems}):
            if snapshot.is_empty and self._is_held(name):
                self._states[name].is_overtaken = False
                continue
            sight = _sight(
                snapshot.sources.get(name, ()), problems.get(name, ()), lambda source: is_settled(source, now)
            )
            state = self._state(name, snapshot)
            self._apply(state, decide(state, sight, self.pace, now))
            due = min(due, state.look_again)
            if state.is_nothing:
                del self._states[name]
        if not snapshot.is_empty:
            self._had_a_look = True
            for name in self._memory.names_kept():  # gone now, or while the daemon did not run
                if name not in self._states:
                    self._memory.on_retired(name)
        return due

    def on_result(self, candidate: Candidate, result: Arrived | Refused, now: float) -> None:
        """Take up what came of bringing a candidate up."""
        state = self._states[candidate.name]
        self._apply(state, on_result(state, result, now))

    def load(self, name: str) -> None:
        """Serve a name that was unloaded, or try again what was refused.

        Raises:
            RequestError: ``MODEL_NOT_FOUND``.
        """
        state = self._known(name)
        self._apply(state, on_load(state))

    def unload(self, name: str) -> dict[str, Any]:
        """Take a name out of memory until ``load``, or until a new file of that name comes; return its document.

        Raises:
            RequestError: ``MODEL_NOT_FOUND``.
        """
        state = self._known(name)
        self._apply(state, on_unload(state))
        return self._registry.document(name)

    @property
    def has_models(self) -> bool:
        """Whether any version of any name is known."""
        return any(map(self._has_versions, self._states))

    @property
    def is_loading(self) -> bool:
        """Whether anything is being brought up."""
        return any(state.load is not None for state in self._states.values())

    def is_undecided(self, name: str) -> bool:
        """Return whether a candidate of this name is still settling, loading or due."""
        return name in self._states and self._states[name].is_undecided

    def is_overtaken(self, name: str) -> bool:
        """Return whether a name's files changed during its last load, or a stored version is about to be tried."""
        return name in self._states and self._states[name].is_overtaken

    def news_in(self, snapshot: Snapshot) -> list[FolderSource]:
        """Return the sources that have to settle: neither tried nor stored as they are now, and not being loaded."""
        sources = (source for sources in snapshot.sources.values() for source in sources)
        return [
            source
            for source in sources
            if (self._states.get(source.name) or self._new(source.name)).needs_to_settle(source)
        ]

    def _state(self, name: str, snapshot: Snapshot) -> NameState:
        state = self._states.get(name)
        if state is None:
            state = self._states[name] = self._new(name)
            state.may_come_back = not self._had_a_look and name in snapshot.sources
        return state

    def _is_held(self, name: str) -> bool:
        """Return whether a name is kept as it is while the folder is empty."""
        return self._has_versions(name) or (name in self._states and bool(self._states[name].sources))

    def _has_versions(self, name: str) -> bool:
        return name in self._states and bool(self._states[name].model.versions)

    def _new(self, name: str) -> NameState:
        return NameState(Model(name), self._memory)

    def _known(self, name: str) -> NameState:
        if name not in self._registry:
            raise unknown_model(name, self._registry.names())
        return self._states[name]

    def _apply(self, state: NameState, effects: list[Effect]) -> None:
        name = state.name
        if state.phase is not None and name not in self._registry:
            self._registry.add(state.model)
        for effect in effects:
            match effect:
                case StartLoad(candidate, number):
                    self._loads.start(candidate, number)
                case Publish(arrived, reason):
                    self._swap.publish(arrived, reason)
                case Discard(arrived):
                    self._loads.discard(arrived)
                case Withdraw(absence):
                    self._swap.withdraw(name, absence)
                case Explain(absence):
                    self._swap.explain_absence(name, absence)
                case Retire():
                    self._swap.forget(name)
                case NoteUnloaded(unloaded):
                    self._memory.set_unloaded(name, unloaded)
                case NoteServing(version, options):
                    self._memory.on_serving(name, version, options)
                case Tell(text, version, error, is_warning):
                    log = LOG.warning if is_warning else LOG.info
                    log("%s: %s", name, text, extra=about(name, version, error=error))


def _sight(
    sources: Sequence[FolderSource], problems: Sequence[Problem], is_settled: Callable[[FolderSource], float | None]
) -> Sight:
    """Return what a look shows of one name; its first problem is the one that people are told."""
    return Sight(
        sources,
        problems[0].error if problems else None,
        frozenset(problem.version for problem in problems if not problem.is_foreign),
        any(problem.hides_all for problem in problems),
        is_settled,
    )
