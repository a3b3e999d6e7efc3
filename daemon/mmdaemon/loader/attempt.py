"""Attempts: what came of bringing each candidate of a name up. Plain data."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from mmdaemon.loader.candidate import Candidate, Fingerprint, Place, fingerprint, place_of

# An attempt that may go better later is repeated after this long, doubling up to the most.
_RETRY_S = 10.0
_RETRY_MOST_S = 300.0
_MOST_DOUBLINGS = 10  # a power of two that grows with every failure overflows after days


class Ending(Enum):
    """How an attempt ended."""

    GOOD = "good"  # it was loaded
    BAD = "bad"  # it cannot be served as it is
    LATER = "later"  # not now; it is tried again without being asked


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last attempt at a candidate.

    Attributes:
        fingerprint: What the candidate was then.
        ending: How it ended.
        version: The number that the candidate has.
        retry_at: When a LATER one is tried again, in monotonic seconds.
        failures: How often in a row it ended LATER.
    """

    fingerprint: Fingerprint
    ending: Ending
    version: int
    retry_at: float = math.inf
    failures: int = 0


class Attempts:
    """The last attempt at each candidate of one name; there are never more than candidates."""

    def __init__(self) -> None:
        self._attempts: dict[Place, Attempt] = {}

    def of(self, candidate: Candidate) -> Attempt | None:
        """Return the last attempt at a candidate; None when there was none since it changed."""
        attempt = self._attempts.get(place_of(candidate))
        return attempt if attempt is not None and attempt.fingerprint == fingerprint(candidate) else None

    def on_end(self, candidate: Candidate, ending: Ending, version: int, now: float) -> float:
        """Note how an attempt ended; return the seconds until the next one when it ended LATER."""
        before = self.of(candidate)
        failures = before.failures + 1 if before is not None else 1
        wait_s = min(_RETRY_S * 2.0 ** min(failures - 1, _MOST_DOUBLINGS), _RETRY_MOST_S)
        is_later = ending is Ending.LATER
        self._attempts[place_of(candidate)] = Attempt(
            fingerprint(candidate),
            ending,
            version,
            now + wait_s if is_later else math.inf,
            failures if is_later else 0,
        )
        return wait_s

    def forget(self, candidate: Candidate) -> None:
        """Let a candidate be tried again at once. Idempotent."""
        self._attempts.pop(place_of(candidate), None)

    def keep_only(self, candidates: Iterable[Candidate]) -> None:
        """Forget the attempts at everything else: it is gone."""
        places = {place_of(candidate) for candidate in candidates}
        self._attempts = {place: attempt for place, attempt in self._attempts.items() if place in places}
