"""The threads that run what takes a while; the one that ran last goes first, because its core is warm."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable

from mmdaemon.scheduler.scheduler import Lease


class Crew:
    """Runs leases on threads of its own.

    A model of a few MB runs a quarter slower on a core that did not run it last (measured with a 4 MB one), so idle
    workers are a stack. There are as many workers as cores; a lease that comes while one of them still writes a reply
    is taken up by whoever is done first.

    Args:
        workers: How many.
        work: Runs a lease and whatever waits after it.

    Thread: any for every method.
    """

    def __init__(self, workers: int, work: Callable[[Lease], object]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._idle: list[queue.SimpleQueue[Lease | None]] = []
        self._waiting: deque[Lease] = deque()
        self._mailboxes: list[queue.SimpleQueue[Lease | None]] = [queue.SimpleQueue() for _ in range(workers)]
        self._threads = [
            threading.Thread(target=self._run, args=(mailbox,), name=f"mm-worker-{number}", daemon=True)
            for number, mailbox in enumerate(self._mailboxes)
        ]

    @property
    def is_alive(self) -> bool:
        """Whether every worker runs."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Start the workers."""
        self._idle += self._mailboxes
        for thread in self._threads:
            thread.start()

    def stop(self, wait_s: float) -> None:
        """End the workers; one that still computes after ``wait_s`` is left behind."""
        deadline = time.monotonic() + wait_s
        for mailbox in self._mailboxes:
            mailbox.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def run(self, lease: Lease) -> None:
        """Have a lease run; returns at once."""
        with self._lock:
            if not self._idle:
                self._waiting.append(lease)
                return
            mailbox = self._idle.pop()
        mailbox.put(lease)

    def _run(self, mailbox: queue.SimpleQueue[Lease | None]) -> None:
        while (lease := mailbox.get()) is not None:
            self._work(lease)
            while (following := self._next(mailbox)) is not None:
                self._work(following)

    def _next(self, mailbox: queue.SimpleQueue[Lease | None]) -> Lease | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(mailbox)
            return None
