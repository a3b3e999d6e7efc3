"""The threads that run what takes a while; the one that ran last goes first, because its core is warm."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from mmdaemon.dispatch.lease import Lease

# A lease is run, a ping is called, None ends the worker.
_Mailbox = queue.SimpleQueue[Lease | Callable[[], object] | None]


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
        self._idle: list[_Mailbox] = []
        self._waiting: deque[Lease] = deque()
        self._mailboxes: list[_Mailbox] = [queue.SimpleQueue() for _ in range(workers)]
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

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the workers."""
        return tuple(thread.name for thread in self._threads)

    def ping(self, on_pong: Callable[[str], object]) -> None:
        """Have every worker call ``on_pong`` with its name; for one that has a lease that is done here."""
        with self._lock:
            idle = set(map(id, self._idle))
        for mailbox, name in zip(self._mailboxes, self.names, strict=True):
            if id(mailbox) in idle:
                mailbox.put(partial(on_pong, name))
            else:
                on_pong(name)

    def _run(self, mailbox: _Mailbox) -> None:
        while (mail := mailbox.get()) is not None:
            if not isinstance(mail, Lease):
                mail()
                continue
            self._work(mail)
            while (following := self._next(mailbox)) is not None:
                self._work(following)

    def _next(self, mailbox: _Mailbox) -> Lease | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(mailbox)
            return None
