"""Decides what follows from a look at one name, and from its owner's verbs.

No threads, no clock, no files: it writes only the state of the name.

Every look takes in all files of the name (level-triggered), so a change that one look misses is seen by the next.
"""

from __future__ import annotations

import math

from mmdaemon.loader import absence
from mmdaemon.loader.candidate import Candidate, stored_candidates
from mmdaemon.loader.effect import Effect, Explain, NoteUnloaded, Retire, StartLoad, Tell, Withdraw
from mmdaemon.loader.name_state import NameState, Phase, Sight
from mmdaemon.loader.pace import Pace
from mmdaemon.loader.plan import plan
from mmwire.errors import MmError


def decide(state: NameState, sight: Sight, pace: Pace, now: float) -> list[Effect]:
    """Return what follows from a look at a name.

    1. Without files and problems it retires when the grace time is over, and not during a load.
    2. A problem that may pass counts once it has lasted as long as a file takes to settle.
    3. During a load nothing else begins; a change overtakes it.
    4. When two layouts claim the name, what serves goes on and nothing new is taken.
    5. A name that its owner unloaded stays out until a load, or until a file comes that was not there then.
    6. Else the highest version that can be served is.
    """
    state.look_again = math.inf
    if not sight.sources and sight.problem is None:  # 1
        return _on_missing(state, pace, now)
    state.missing_since = None
    state.sources = sight.sources
    if (counts_from := _problem_counts_from(state, sight.problem, pace, now)) > now:  # 2
        state.look_again = counts_from
        return []
    if not state.model.versions and state.memory.is_unloaded(state.name):  # before this start, or with nothing usable
        state.set_unloaded(True)
    is_unloaded = state.stays_unloaded()
    state.enter(Phase.UNLOADED if is_unloaded else Phase.PRESENT)
    effects = _take_problem(state, sight.problem)
    if state.load is not None:  # 3
        state.is_overtaken |= state.load.begun_with != state.fingerprints()
        return effects
    state.is_overtaken = False
    if sight.problem is not None and sight.problem.code == "MODEL_CONFLICT":  # 4
        return effects
    if is_unloaded:  # 5
        state.list_versions()
        return [*effects, Explain(absence.unloaded(state.name))]
    if state.is_unloaded:
        state.set_unloaded(False)
        effects.append(NoteUnloaded(False))
    return effects + _serve_best(state, sight, pace, now)  # 6


def on_load(state: NameState) -> list[Effect]:
    """Return what follows when the owner wants a name served: the next look serves it, or tries again."""
    state.set_unloaded(False)
    for source in state.sources:
        attempt = state.attempts.of(source)
        if attempt is not None and attempt.version != state.model.serving:
            state.attempts.forget(source)
    return [NoteUnloaded(False)]


def on_unload(state: NameState) -> list[Effect]:
    """Return what follows when the owner takes a name out of memory, until a load or a new file of it."""
    state.set_unloaded(True)
    state.enter(Phase.UNLOADED)
    state.show_unloaded()
    withdrawal = Withdraw(absence.unloaded(state.name))
    return [NoteUnloaded(True), withdrawal, Tell("unloaded, as its owner asked", is_warning=False)]


def _on_missing(state: NameState, pace: Pace, now: float) -> list[Effect]:
    state.problem_since = None
    state.is_overtaken = False
    if state.load is not None or state.phase is None:
        return []
    state.enter(Phase.MISSING)
    state.sources = ()
    if state.missing_since is None:
        state.missing_since = now
    retires_at = state.missing_since + pace.retire_grace_s
    if now < retires_at:
        state.look_again = retires_at
        return []
    state.enter(Phase.RETIRED)
    return [Tell("gone from the folder: retired", is_warning=False), Retire()]


def _problem_counts_from(state: NameState, problem: MmError | None, pace: Pace, now: float) -> float:
    """Return when a problem may be reported. Tools such as install(1) set permissions last."""
    if problem is None or not problem.retryable:
        state.problem_since = None
        return -math.inf
    if state.problem_since is None or state.problem_since[0] != problem.message:
        state.problem_since = (problem.message, now)
    return state.problem_since[1] + pace.settle_s


def _take_problem(state: NameState, problem: MmError | None) -> list[Effect]:
    before, state.model.problem = state.model.problem, problem
    if problem is None:
        return []
    is_news = before is None or before.message != problem.message
    told = Explain(absence.quarantined(state.name, problem))
    return [Tell(str(problem), error=problem), told] if is_news else [told]


def _serve_best(state: NameState, sight: Sight, pace: Pace, now: float) -> list[Effect]:
    """Start what is due. When no file can be served and nothing serves, the store's bytes are due.

    A copy over a flat file that a power cut tore, or a slip in ``NAME.toml``, stops nothing that serves; thanks to
    the store it does not after a restart either.
    """
    counted = _counted_version(state, sight, pace, now)
    stored = stored_candidates(state.sources, state.recallable)
    state.attempts.keep_only([*state.sources, *stored])
    planned = plan(
        state.sources,
        state.attempts,
        counted,
        lambda source: None if state.memory.is_stored(source) else sight.is_settled(source),
        now,
    )
    look_again = min(state.look_again, planned.look_again)
    start: Candidate | None = planned.start
    if start is None and not state.model.serving:
        recalled = plan(stored, state.attempts, 0, lambda _: None, now)
        start, look_again = recalled.start, min(look_again, recalled.look_again)
    state.look_again = look_again
    state.begin(planned.settling, start)
    if state.load is not None:
        return [StartLoad(state.load.candidate, state.load.number), Explain(absence.loading(state.name))]
    if planned.settling:
        return [Explain(absence.loading(state.name))]
    if state.model.serving and not counted and planned.look_again == math.inf:
        return [Withdraw(absence.quarantined(state.name, None))]
    if not state.model.serving and sight.problem is None and look_again == math.inf:  # whatever was on its way went
        newest = state.model.newest
        return [Explain(absence.quarantined(state.name, newest.reason if newest is not None else None))]
    return []


def _counted_version(state: NameState, sight: Sight, pace: Pace, now: float) -> int:
    """Return the version that counts as serving, 0 for none.

    A version whose own folder was deleted counts until the grace time is over; then the best of the others is brought
    up beside it.
    """
    serving = state.model.serving
    if not serving or not sight.proves_gone(serving):
        state.serving_missing_since = None
        return serving
    if state.serving_missing_since is None or state.serving_missing_since[0] != serving:
        state.serving_missing_since = (serving, now)
    counts_until = state.serving_missing_since[1] + pace.retire_grace_s
    if now >= counts_until:
        return 0
    state.look_again = counts_until
    return serving
