"""The health of the daemon: whether every invocation ends in time, and every thread answers.

A thread that computes is judged by its invocation, which the ``max_run_s`` of its model limits. A thread that waits
must answer a ping. The reconciler needs no ping: it looks at the folder by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.dispatch.lease import Lease
from mmdaemon.log.logger import LOG, about
from mmwire.errors import InferenceError

CHECK_S = 30.0  # between two checks, where systemd does not watch the daemon
_DISK_S = 60.0  # a look at the folder may take this long on a slow SD card


class Listener(Protocol):
    """The threads that serve, as far as their health is concerned."""

    @property
    def is_alive(self) -> bool:
        """Whether every thread runs."""

    @property
    def answering(self) -> tuple[str, ...]:
        """The names of the threads that answer pings."""

    def ping(self, on_pong: Callable[[str], object]) -> None:
        """Have every thread call ``on_pong`` with its name. For a thread that computes this is done at once."""


class Looker(Protocol):
    """The thread that looks at the model folder."""

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""

    @property
    def next_look(self) -> float:
        """When it will look again at the latest, in monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that goes wrong.

    Attributes:
        what: One clause for people.
        since: Since when, in monotonic seconds.
        is_fatal: Whether only a restart of the daemon helps.
        lease: The lease that takes too long, if that is the trouble.
    """

    what: str
    since: float
    is_fatal: bool = True
    lease: Lease | None = None

    def as_dict(self, now: float) -> dict[str, Any]:
        """Return the JSON form, for ``mmctl status``."""
        document: dict[str, Any] = {"reason": self.what, "since": _clock(self.since, now)}
        if self.lease is not None:
            document |= {"model": self.lease.request.model, "version": self.lease.deployment.version}
        return document


class Health:
    """Finds what hangs, logs it once, and answers a request that hangs.

    Args:
        listener: Serves requests.
        dispatcher: Knows what is being computed.
        looker: Looks at the folder.
        interval_s: Seconds between two checks. A thread that answers no ping for twice as long hangs.
        max_run_s: Seconds that one invocation may take, for models that set no limit of their own.

    Thread: ``check`` and ``next_check`` the main one; ``troubles`` any.
    """

    def __init__(
        self, listener: Listener, dispatcher: Dispatcher, looker: Looker, interval_s: float, max_run_s: float
    ) -> None:
        self.max_run_s = max_run_s
        self._listener = listener
        self._dispatcher = dispatcher
        self._looker = looker
        self._interval_s = interval_s
        self._asked: dict[str, float] = {}  # threads with an open ping; each operation on it is atomic
        self._told: dict[Hashable, Trouble] = {}

    def check(self, now: float) -> bool:
        """Ping the threads and log what is new; return whether the daemon can go on without a restart."""
        for name in self._listener.answering:
            self._asked.setdefault(name, now)
        self._listener.ping(lambda name: self._asked.pop(name, None))
        found = self._find(now)
        for key, trouble in found.items():
            if key not in self._told:
                self._tell(trouble, now)
                if trouble.lease is not None and trouble.lease.instance.interrupt():
                    found[key] = replace(trouble, is_fatal=False)
        for key, trouble in self._told.items():
            if key not in found:
                LOG.info("this is over: %s", trouble.what, extra=_about(trouble))
        self._told = found
        return not any(trouble.is_fatal for trouble in found.values())

    def _tell(self, trouble: Trouble, now: float) -> None:
        """Log a new trouble, and answer the request that hangs."""
        error = None
        if trouble.lease is not None:
            error = InferenceError("RUN_TOO_LONG", trouble.what, "raise max_run_s for this model if it needs longer")
        LOG.error("%s, since %s", trouble.what, _clock(trouble.since, now), extra=_about(trouble, error))
        if trouble.lease is not None and error is not None:
            self._dispatcher.give_up(trouble.lease, error)

    def next_check(self, now: float) -> float:
        """Return when to check again: after the interval, or when an invocation passes its limit."""
        with self._dispatcher.scheduler() as scheduler:
            serving = [lane.deployment for lane in scheduler.lanes.values() if lane.deployment is not None]
        due = now + min([self._interval_s, self.max_run_s, *map(self._limit_s, serving)])
        running = (lease for lease in self._dispatcher.at_work() if lease not in self._told)
        return min([due, *(lease.invoked + self._limit_s(lease.deployment) for lease in running)])

    def troubles(self, now: float) -> list[Trouble]:
        """Return what is wrong now."""
        return list(self._find(now).values())

    def _find(self, now: float) -> dict[Hashable, Trouble]:
        """Return what is wrong now; for a trouble that was logged before, that trouble."""
        told = self._told
        return {key: told.get(key, trouble) for key, trouble in self._symptoms(now)}

    def _symptoms(self, now: float) -> Iterator[tuple[Hashable, Trouble]]:
        for lease in self._dispatcher.at_work():
            limit_s = self._limit_s(lease.deployment)
            if now - lease.invoked >= limit_s:
                what = f"{lease.request.model} version {lease.deployment.version} computes longer than {limit_s:g} s"
                yield lease, Trouble(what, lease.invoked, lease=lease)
        for name, since in tuple(self._asked.items()):
            if now - since >= 2 * self._interval_s:
                yield name, Trouble(f"{name} does not answer", since)
        if not self._listener.is_alive:
            yield "listener", Trouble("a thread of the listener has ended", now)
        if not self._looker.is_alive:
            yield "looker", Trouble("mm-models has ended", now)
        elif now - self._looker.next_look >= _DISK_S:  # models that serve go on, and a restart would not help
            yield "look", Trouble("the look at the model folder does not end", self._looker.next_look, is_fatal=False)

    def _limit_s(self, deployment: Deployment) -> float:
        return deployment.max_run_s or self.max_run_s


def _clock(since: float, now: float) -> str:
    return datetime.fromtimestamp(time.time() - (now - since)).astimezone().isoformat(timespec="seconds")


def _about(trouble: Trouble, error: InferenceError | None = None) -> dict[str, dict[str, Any]]:
    if trouble.lease is None:
        return about(error=error)
    request = trouble.lease.request
    return about(request.model, trouble.lease.deployment.version, request.request_id, error, request.spec.name)
