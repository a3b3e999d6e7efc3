"""Decides what follows from the end of a load. No threads, no clock, no files: it writes only the state of the name."""

from __future__ import annotations

from dataclasses import replace

from mmdaemon.loader import absence
from mmdaemon.loader.arrived import Arrived, Refused
from mmdaemon.loader.attempt import Ending
from mmdaemon.loader.candidate import StoredSource, stored_candidates
from mmdaemon.loader.effect import Discard, Effect, Explain, NoteServing, Publish, Tell
from mmdaemon.loader.name_state import Load, NameState
from mmdaemon.loader.plan import plan
from mmdaemon.registry.state import VersionState
from mmwire.errors import MmError


def on_result(state: NameState, result: Arrived | Refused, now: float) -> list[Effect]:
    """Return what follows when the load of a name ends.

    Raises:
        AssertionError: No load was under way: a bug of the caller.
    """
    load, state.load = state.load, None
    if load is None:
        raise AssertionError(f"{state.name}: a result without a load")
    version = result.deployment.version if isinstance(result, Arrived) else result.version
    if version != load.number and not state.is_unloaded:
        state.leave_loading(load.number, None)  # its bytes had a version already
    if isinstance(result, Arrived):
        return _on_arrived(state, load, version, result)
    return _on_refused(state, load, version, result, now)


def _on_arrived(state: NameState, load: Load, version: int, arrived: Arrived) -> list[Effect]:
    model, facts = state.model, arrived.facts
    state.attempts.on_end(load.candidate, Ending.GOOD, version, 0.0)
    if state.is_unloaded:
        state.leave_loading(load.number, VersionState.UNLOADED)
        return [Discard(arrived)]
    effects: list[Effect] = []
    reason = None
    if isinstance(load.candidate, StoredSource):
        reason = model.versions[version].reason  # the file's
        effects.append(Tell(f"version {version} serves from the store; its file cannot be served", version))
    if model.serving == version:
        serving = model.versions[version]
        if (serving.sha256, model.facts.options) == (arrived.sha256, facts.options):
            model.facts, serving.reason, serving.detail = replace(model.facts, labels=facts.labels), None, ""
            return [*effects, Discard(arrived)]
    else:
        model.move(version, VersionState.LOADING, arrived.sha256)
    return [*effects, Publish(arrived, reason), NoteServing(version, facts.options)]


def _on_refused(state: NameState, load: Load, version: int, refused: Refused, now: float) -> list[Effect]:
    """Keep what serves, and say why the candidate does not.

    1. An unloaded name stays unloaded.
    2. When the changed files of the version that serves are refused, it goes on as it was.
    3. When the store has something instead, requests are told that it is on its way.
    4. When that was refused, they are told the reason of the file, because its owner can mend the file.
    """
    model, error, is_serving = state.model, refused.error, version == state.model.serving
    ending = Ending.LATER if error.retryable else Ending.BAD
    wait_s = state.attempts.on_end(load.candidate, ending, version, now)
    effects: list[Effect] = [_tell(error, version, is_serving, wait_s)]
    if state.is_unloaded:  # 1
        state.leave_loading(load.number, VersionState.UNLOADED)
        return effects
    if is_serving:  # 2
        model.versions[version].reason, model.versions[version].detail = error, refused.detail
        return effects
    of_file = model.newest.reason if isinstance(load.candidate, StoredSource) and model.newest is not None else None
    shown = of_file or error
    is_later = ending is Ending.LATER
    state_then = VersionState.LOADING if is_later else VersionState.QUARANTINED
    model.move(version, state_then, refused.sha256, shown, refused.detail)
    if not model.serving and _is_recalled(state, now):
        state.is_overtaken = True  # 3
        return [*effects, Explain(absence.loading(state.name, shown))]
    if is_later and of_file is None:
        return [*effects, Explain(absence.loading(state.name, shown))]
    return [*effects, Explain(absence.quarantined(state.name, shown))]  # 4


def _is_recalled(state: NameState, now: float) -> bool:
    """Return whether the next look loads the version in the store."""
    stored = stored_candidates(state.sources, state.recallable)
    return plan(stored, state.attempts, 0, lambda _: None, now).start is not None


def _tell(error: MmError, version: int, is_serving: bool, wait_s: float) -> Tell:
    if is_serving:
        text = f"version {version} goes on as it was, its changed files cannot be served: {error}"
    elif error.retryable:
        text = f"version {version} is tried again in {wait_s:g} s: {error}"
    else:
        text = f"version {version} is quarantined: {error}"
    return Tell(text, version, error)
