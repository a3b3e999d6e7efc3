"""The states of a version, and which may follow which."""

from __future__ import annotations

from enum import StrEnum


class VersionState(StrEnum):
    """How far one version of a model is."""

    SETTLING = "settling"  # its file still changes, or is not whole yet
    LOADING = "loading"  # stored, tried, loaded and warmed up beside whatever serves
    READY = "ready"  # it serves
    QUARANTINED = "quarantined"  # it cannot be served; the reason stands beside it
    UNLOADED = "unloaded"  # known, and not in memory
    RETIRING = "retiring"  # something else serves; requests that run on it still finish


_S = VersionState
# None is "not known": where a version comes from, and where it goes.
TRANSITIONS: dict[VersionState | None, frozenset[VersionState | None]] = {
    None: frozenset({_S.SETTLING, _S.LOADING, _S.UNLOADED, _S.QUARANTINED}),
    _S.SETTLING: frozenset({_S.LOADING, _S.QUARANTINED, _S.UNLOADED, None}),
    _S.LOADING: frozenset({_S.READY, _S.QUARANTINED, _S.SETTLING, _S.UNLOADED, None}),
    _S.READY: frozenset({_S.RETIRING, _S.LOADING}),
    _S.QUARANTINED: frozenset({_S.SETTLING, _S.LOADING, _S.UNLOADED, None}),
    _S.UNLOADED: frozenset({_S.SETTLING, _S.LOADING, _S.QUARANTINED, None}),
    _S.RETIRING: frozenset({_S.UNLOADED, _S.SETTLING, _S.LOADING, _S.QUARANTINED, None}),
}


def check_transition(before: VersionState | None, after: VersionState | None) -> None:
    """Hold a change to the table; staying is always allowed.

    Raises:
        AssertionError: The change is not in the table: a bug of the caller.
    """
    if after is not before and after not in TRANSITIONS[before]:
        raise AssertionError(f"a version cannot go from {before} to {after}")
