"""The workers: the threads that run long requests. The worker that ran last goes first: its core is warm."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from mmdaemon.dispatch.lease import Lease

# The worker runs a lease, calls a ping, and ends at None.
_Mailbox = queue.SimpleQueue[Lease | Callable[[], object] | None]


class Crew:
    """Runs leases on its workers.

    A model of a few MB runs a quarter slower on a core that did not run it last (measured with a 4 MB one). Therefore
    the idle workers are a stack. There are as many workers as cores. A lease that comes while all of them are busy, if
    only with a reply, waits for the first one that is done.

    Args:
        workers: How many workers there are.
        work: Runs a lease, and then whatever waits.

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
        """End the workers; leave behind those that still compute after ``wait_s``."""
        deadline = time.monotonic() + wait_s
        for mailbox in self._mailboxes:
            mailbox.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def run(self, lease: Lease) -> None:
        """Have a lease run by a worker. Returns at once."""
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
        """Have every idle worker call ``on_pong`` with its name; for a worker with a lease this method calls it."""
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
