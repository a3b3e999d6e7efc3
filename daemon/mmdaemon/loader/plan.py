"""Which candidate of a name is due, from what was tried before. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mmdaemon.loader.attempt import Attempts, Ending
from mmdaemon.loader.candidate import Candidate

C = TypeVar("C", bound=Candidate)


@dataclass(frozen=True, slots=True)
class Plan(Generic[C]):
    """The work that is due for one name.

    Attributes:
        start: The candidate to bring up now.
        settling: The candidates that still change.
        look_again: When there is something to decide without any further hint, in monotonic seconds.
    """

    start: C | None = None
    settling: tuple[C, ...] = ()
    look_again: float = math.inf


def plan(
    candidates: Sequence[C],
    attempts: Attempts,
    serving: int,
    is_settled: Callable[[C], float | None],
    now: float,
) -> Plan[C]:
    """Decide for one name: the highest good version serves.

    1. From the highest version down; the first that serves or can be brought up ends the search.
    2. A candidate that changed, or is new, is brought up once it has settled. While it settles, the ones below it are
       looked at only if nothing serves.
    3. A refused candidate is passed over until it changes; one to be tried later is passed over until then.
    4. Nothing below the version that serves is looked at.

    Args:
        candidates: Those of the name, in any order.
        attempts: What came of them before.
        serving: The version that serves, 0 for none.
        is_settled: Returns None for a settled candidate, else when to look again in monotonic seconds.
        now: Monotonic seconds.
    """
    settling: list[C] = []
    look_again = math.inf
    for candidate in sorted(candidates, key=lambda candidate: candidate.version or 0, reverse=True):
        if candidate.version is not None and candidate.version < serving:
            break
        attempt = attempts.of(candidate)
        if attempt is None:
            at = is_settled(candidate)
            if at is not None:
                settling.append(candidate)
                look_again = min(look_again, at)
                if serving:
                    return Plan(None, tuple(settling), look_again)
                continue
        elif attempt.ending is Ending.BAD:
            continue
        elif attempt.ending is Ending.LATER and now < attempt.retry_at:
            look_again = min(look_again, attempt.retry_at)
            continue
        elif attempt.ending is Ending.GOOD and attempt.version == serving:
            return Plan(None, tuple(settling), look_again)
        return Plan(candidate, tuple(settling), look_again)
    return Plan(None, tuple(settling), look_again)
