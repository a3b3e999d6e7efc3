"""The warden: one thread that notices when children end, keeps their last words, and calls the budget."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable

from mmdaemon.isolation.process import ChildProcess
from mmdaemon.log.logger import LOG, log_bug

TICK_S = 2.0  # between two looks at the memory of the children


class Warden:
    """Watches children. It sleeps while there are none.

    Args:
        on_tick: Called every ``TICK_S`` while there are children, with the bytes of memory that they take and the time
            in monotonic seconds.

    Thread: any for ``watch`` and ``stop``. ``on_tick`` and every ``on_end`` run in its own thread, ``mm-warden``.
    """

    def __init__(self, on_tick: Callable[[int, float], object]) -> None:
        self._on_tick = on_tick
        self._lock = threading.Lock()
        self._new: list[tuple[ChildProcess, Callable[[], object]]] = []
        self._by_descriptor: dict[int, tuple[ChildProcess, Callable[[], object]]] = {}
        self._poll = select.poll()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll.register(self._wake, select.POLLIN)
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def watch(self, child: ChildProcess, on_end: Callable[[], object]) -> None:
        """Watch a child; call ``on_end`` once it has ended and was reaped."""
        with self._lock:
            self._new.append((child, on_end))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mm-warden", daemon=True)
                self._thread.start()
        os.eventfd_write(self._wake, 1)

    def stop(self) -> None:
        """Stop watching. Idempotent."""
        self._is_stopping = True
        os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        tick = time.monotonic() + TICK_S
        while not self._is_stopping:
            has_children = bool(self._by_descriptor)
            wait_ms = max(0.0, tick - time.monotonic()) * 1000 if has_children else None
            ready = self._poll.poll(wait_ms)
            for descriptor, event in ready:
                try:
                    self._on_ready(descriptor, event)
                except Exception as error:
                    log_bug("watching a model's process", error)
            if time.monotonic() >= tick:
                tick = time.monotonic() + TICK_S
                if has_children:
                    self._tick()

    def _on_ready(self, descriptor: int, event: int) -> None:
        if descriptor == self._wake:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            self._take_new()
            return
        watched = self._by_descriptor.get(descriptor)
        if watched is None:
            return  # its child has ended in this round
        child, on_end = watched
        if descriptor == child.noise_out:
            self._log(child)
            if event & select.POLLHUP:
                self._forget(descriptor)  # the child closed its outputs, and may go on without them
            return
        self._forget(child.pidfd, child.noise_out)
        self._log(child)
        child.on_end()
        on_end()

    def _take_new(self) -> None:
        with self._lock:
            new, self._new = self._new, []
        for child, on_end in new:
            for descriptor in (child.pidfd, child.noise_out):
                self._by_descriptor[descriptor] = child, on_end
                self._poll.register(descriptor, select.POLLIN)

    def _forget(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            if self._by_descriptor.pop(descriptor, None) is not None:
                self._poll.unregister(descriptor)

    def _log(self, child: ChildProcess) -> None:
        for line in child.on_noise():
            LOG.debug("the process of %s (%d): %s", child.model, child.pid, line, extra=child.about())

    def _tick(self) -> None:
        try:
            children = {id(child): child for child, _ in self._by_descriptor.values()}
            self._on_tick(sum(child.memory_bytes() for child in children.values()), time.monotonic())
        except Exception as error:
            log_bug("looking at what the models' processes take", error)
