"""What to do about one model name, from what lies in the folder and what was tried before. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from mmdaemon.folder.identity import FileIdentity
from mmdaemon.folder.snapshot import Source

Fingerprint = tuple[FileIdentity, FileIdentity | None, FileIdentity | None]


def fingerprint(source: Source) -> Fingerprint:
    """Return what must change for a source to be tried again: its file, its options, its labels."""
    return (
        source.identity,
        source.options.identity if source.options else None,
        source.labels.identity if source.labels else None,
    )


class Outcome(Enum):
    """How the last try of a source ended."""

    GOOD = "good"  # it was loaded
    BAD = "bad"  # it cannot be served as it is
    LATER = "later"  # not now; tried again by itself


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a source the last time.

    Attributes:
        fingerprint: What it was then.
        outcome: How it ended.
        version: The number that it has, 0 if it never got one.
        retry_at: When a LATER one is tried again, in monotonic seconds.
        attempts: How often in a row it ended LATER.
    """

    fingerprint: Fingerprint
    outcome: Outcome
    version: int
    retry_at: float = math.inf
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is due for one name.

    Attributes:
        start: The source to bring up now.
        settling: The sources that still change.
        look_again: When there is something to decide without any further hint, in monotonic seconds.
    """

    start: Source | None = None
    settling: tuple[Source, ...] = ()
    look_again: float = math.inf

    def beside(self, other: Plan) -> Plan:
        """Return this plan, that starts nothing, with what another one starts."""
        return Plan(other.start, self.settling, min(self.look_again, other.look_again))


def plan(
    sources: Sequence[Source],
    tried: Callable[[Source], Tried | None],
    serving: int,
    is_settled: Callable[[Source], float | None],
    now: float,
) -> Plan:
    """Decide for one name: the highest good version serves.

    1. From the highest version down; the first that serves or can be brought up ends the search.
    2. A source that changed, or is new, is brought up once it has settled. While it settles, the ones below it are
       looked at only if nothing serves.
    3. One that was refused is passed over until it changes; one to be tried later is passed over until then.
    4. Nothing below the version that serves is looked at.

    Args:
        sources: Of the name, in any order.
        tried: What came of a source before.
        serving: The version that serves, 0 for none.
        is_settled: None for a settled source, else when to look again in monotonic seconds.
        now: Monotonic seconds.
    """
    settling: list[Source] = []
    look_again = math.inf
    for source in sorted(sources, key=lambda source: source.version or 0, reverse=True):
        if source.version is not None and source.version < serving:
            break
        before = tried(source)
        if before is not None and before.fingerprint == fingerprint(source):
            if before.outcome is Outcome.BAD:
                continue
            if before.outcome is Outcome.LATER and now < before.retry_at:
                look_again = min(look_again, before.retry_at)
                continue
            if before.outcome is Outcome.GOOD and before.version == serving:
                return Plan(None, tuple(settling), look_again)
        else:
            at = is_settled(source)
            if at is not None:
                settling.append(source)
                look_again = min(look_again, at)
                if serving:
                    return Plan(None, tuple(settling), look_again)
                continue
        return Plan(source, tuple(settling), look_again)
    return Plan(None, tuple(settling), look_again)
