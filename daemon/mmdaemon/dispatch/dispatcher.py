"""The dispatcher: threads bring requests and take leases; it runs the leases and replies."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.lease import Lease
from mmdaemon.dispatch.notes import Notebook, Notes
from mmdaemon.dispatch.request import Request
from mmdaemon.dispatch.scheduler import Scheduler
from mmdaemon.log.logger import LOG, about, log_bug
from mmwire.errors import CapacityError, InternalError, MmError, RequestError


class Dispatcher:
    """Holds the monitor: every access to the scheduler goes through this object.

    Args:
        cores: Cores that running invocations share.
        max_queue: How many requests may wait for a model whose options set no limit.
        max_queued_bytes: How many bytes the inputs of all waiting requests may have.
        grow: Loads one more instance in another thread; calls the function with it, or with the error.
        dispose: Closes an instance in another thread.

    Thread: any, unless a method says otherwise. Nothing slow and no callback runs under the monitor.
    """

    def __init__(
        self,
        cores: int,
        max_queue: int,
        max_queued_bytes: int,
        grow: Callable[[Deployment, Callable[[Deployment, Any], None]], None],
        dispose: Callable[[Any], None],
    ) -> None:
        self._monitor = threading.Lock()
        self._notebook = Notebook()
        self._at_work: set[Lease] = set()  # used without the monitor: each operation on it is atomic
        self._scheduler = Scheduler(cores, max_queue, max_queued_bytes, self._notebook)
        self._grow = grow
        self._dispose = dispose
        self._wake: Callable[[], None] = _nobody
        self._timer = threading.Condition(self._monitor)
        self._timer_due = math.inf
        self._timer_thread: threading.Thread | None = None
        self._is_stopping = False

    def start(self, wake: Callable[[], None]) -> None:
        """Start the timer of deadlines. ``wake`` makes a thread of the listener call ``take``."""
        self._wake = wake
        self._timer_thread = threading.Thread(target=self._run_timer, name="mm-deadlines", daemon=True)
        self._timer_thread.start()

    def stop(self) -> None:
        """Stop the timer of deadlines. Idempotent."""
        with self._monitor:
            self._is_stopping = True
            self._timer.notify()
        if self._timer_thread is not None:
            self._timer_thread.join()
            self._timer_thread = None

    def submit(self, request: Request, now: float, may_run: bool) -> Lease | None:
        """Admit a request; return a lease for ``work``, None when the request waits for another thread.

        Raises:
            MmError: As ``Scheduler.admit``.
        """
        with self._monitor:
            lease = self._scheduler.admit(request, now, may_run)
            if request.deadline < self._timer_due and request.is_waiting:
                self._timer.notify()
            notes = self._notebook.take()
        if notes is not None:
            self._follow(notes)
        return lease

    def take(self) -> Lease | None:
        """Return the next waiting request that can run now."""
        with self._monitor:
            lease = self._scheduler.take(time.monotonic())
            notes = self._notebook.take()
        if notes is not None:
            self._follow(notes)
        return lease

    def work(self, lease: Lease | None, most_us: float = math.inf) -> Lease | None:
        """Run a lease and reply; then run whatever can run next, until there is nothing.

        Args:
            lease: The first lease to run.
            most_us: A lease that is expected to take longer is returned, for another thread to run.
        """
        while lease is not None and lease.expected_us <= most_us:
            request, version = lease.request, lease.deployment.version
            lease.started = lease.invoked = time.monotonic()
            self._at_work.add(lease)
            answer, error = _run(lease)
            ended = time.monotonic()
            # Give the instance back before the reply goes out: the next request of this caller must find it idle.
            with self._monitor:
                lost = error is not None and error.code == "INSTANCE_LOST"
                following = self._scheduler.finish(lease, ended, error is not None, lost)
                notes = self._notebook.take()
            try:
                if error is None:
                    queue_us = int((lease.started - request.arrived) * 1e6)
                    request.reply_to.on_answer(request, version, answer, queue_us, int((ended - lease.started) * 1e6))
                else:
                    _log_failure(lease, error)
                    request.reply_to.on_error(request, error)
            except Exception as bug:
                _log_bug("replying for", request, bug)  # the lease that follows must still run
            self._at_work.discard(lease)
            if notes is not None:
                self._follow(notes)
            lease = following
        return lease

    @property
    def is_quiet(self) -> bool:
        """Whether nothing waits, nothing runs, and every reply has been given."""
        with self._monitor:
            return self._scheduler.is_quiet and not self._at_work

    def at_work(self) -> list[Lease]:
        """Return the leases that are being run or replied to now."""
        return list(self._at_work)

    def give_up(self, lease: Lease, error: MmError) -> None:
        """Reply with an error to a request that still runs; its instance stays leased."""
        request = lease.request
        request.is_gone = True
        try:
            request.reply_to.on_error(request, error)
        except Exception as bug:
            _log_bug("giving up a request for", request, bug)

    def withdraw(self, request: Request) -> bool:
        """Forget a request; return whether it had not been started."""
        with self.scheduler() as scheduler:
            return scheduler.withdraw(request)

    def on_grown(self, deployment: Deployment, grown: Any) -> None:
        """Take the instance that ``grow`` loaded, or the error that it ended with."""
        now = time.monotonic()
        with self.scheduler() as scheduler:
            if isinstance(grown, MmError):
                scheduler.on_not_grown(deployment, grown, now)
            else:
                scheduler.on_grown(deployment, grown, now)

    def on_lost(self, instance: Any) -> None:
        """Note that an instance can run nothing any more, whether or not it is leased."""
        with self.scheduler() as scheduler:
            scheduler.lose(instance, time.monotonic())

    @contextmanager
    def scheduler(self) -> Iterator[Scheduler]:
        """Give the scheduler under the monitor, for a short block; what it asks for is done when the block ends."""
        with self._monitor:
            yield self._scheduler
            notes = self._notebook.take()
        if notes is not None:
            self._follow(notes)

    def _follow(self, notes: Notes) -> None:
        if notes.wakes:
            self._wake()
        for request, error in notes.rejected:
            try:
                request.reply_to.on_error(request, error)
            except Exception as bug:
                _log_bug("refusing a request for", request, bug)  # the other refusals must still go out
        for deployment in notes.grown:
            self._grow(deployment, self.on_grown)
        for instance in notes.closed:
            self._dispose(instance)

    def _run_timer(self) -> None:
        while True:
            with self._monitor:
                if self._is_stopping:
                    return
                now = time.monotonic()
                self._scheduler.expire(now)
                notes = self._notebook.take()
                if notes is None:
                    self._timer_due = self._scheduler.backlog.next_deadline()
                    self._timer.wait(None if self._timer_due == math.inf else self._timer_due - now)
                    self._timer_due = -math.inf
            if notes is not None:
                self._follow(notes)


def _run(lease: Lease) -> tuple[Any, MmError | None]:
    request = lease.request

    def go_on() -> None:
        lease.invoked = time.monotonic()
        if request.is_gone:
            raise RequestError("CANCELLED", "the caller cancelled the request")
        if lease.invoked >= request.deadline:
            raise CapacityError(
                "DEADLINE_EXCEEDED", "the deadline passed between two rows", "send fewer rows at a time"
            )

    try:
        if request.is_gone:
            go_on()
        answer = lease.instance.run(request.spec.name, request.payload, request.rows, request.shapes, go_on)
    except MmError as error:
        return None, error
    except Exception as error:
        _log_bug("running", request, error, lease.deployment.version)
        return None, InternalError(
            "INTERNAL", f"a bug in the daemon: {type(error).__name__}", "its log has the details"
        )
    return answer, None


def _nobody() -> None:
    """Do nothing: no listener has started."""


def _log_failure(lease: Lease, error: MmError) -> None:
    """Log the failure at debug level."""
    request, version = lease.request, lease.deployment.version
    extra = about(request.model, version, request.request_id, error, request.spec.name)
    LOG.debug("%s version %d, request %d: %s", request.model, version, request.request_id, error, extra=extra)


def _log_bug(doing: str, request: Request, bug: Exception, version: int = 0) -> None:
    version = version or request.version
    log_bug(f"{doing} {request.model!r}", bug, request.model, version, request.request_id, request.spec.name)
