"""The loads under way: candidates are brought up on loader threads, their results wait to be taken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Protocol

from mmdaemon.loader.arrived import Arrived, Refused, Result
from mmdaemon.loader.candidate import Candidate
from mmdaemon.log.logger import log_bug
from mmwire.errors import InternalError


class BringsUp(Protocol):
    """Brings candidates up; see ``arrival.Arrivals``."""

    def bring_up(self, candidate: Candidate, number: int) -> Result:
        """Store, try, load and warm up: slow, and never raises for what a file is."""

    def discard(self, arrived: Arrived) -> None:
        """Close what was loaded and will not serve."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A load that has ended."""

    candidate: Candidate
    result: Result


class Loads:
    """Runs loads, several at a time.

    Args:
        executor: The loader threads.
        arrivals: Brings candidates up.

    Thread: any for every method.
    """

    def __init__(self, executor: Executor, arrivals: BringsUp) -> None:
        self._executor = executor
        self._arrivals = arrivals
        self._lock = threading.Lock()
        self._ended: list[Ended] = []
        self._on_end: Callable[[], None] = lambda: None

    def call_on_end(self, on_end: Callable[[], None]) -> None:
        """Have a function called, by a loader thread, after each load that ends."""
        self._on_end = on_end

    def start(self, candidate: Candidate, number: int) -> None:
        """Bring a candidate up as a version."""

        def on_done(future: Future[Result]) -> None:
            if future.cancelled():  # the daemon is on its way out
                return
            try:
                result = future.result()
            except Exception as error:
                log_bug(f"loading {candidate.name}", error, candidate.name, number)
                result = Refused(InternalError("INTERNAL", f"a bug in the daemon: {error}"), number)
            with self._lock:
                self._ended.append(Ended(candidate, result))
            self._on_end()

        self._executor.submit(self._arrivals.bring_up, candidate, number).add_done_callback(on_done)

    def discard(self, arrived: Arrived) -> None:
        """Close what was loaded and will not serve."""
        self._arrivals.discard(arrived)

    @property
    def has_ended(self) -> bool:
        """Whether a result waits to be taken."""
        return bool(self._ended)

    def take(self) -> list[Ended]:
        """Return the loads that have ended since the last call, in their order."""
        with self._lock:
            ended, self._ended = self._ended, []
        return ended
