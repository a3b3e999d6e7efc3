"""The life of the daemon: start, ready, signals, reload, drain, the exit status."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from mmdaemon.config.load import changes
from mmdaemon.config.schema import Config
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.listener.loop import Loop
from mmdaemon.loader.reconciler import Reconciler
from mmdaemon.log.logger import LOG, about
from mmdaemon.registry.registry import Registry
from mmdaemon.service.health import Health
from mmdaemon.service.notify import Notifier
from mmwire.errors import EXIT_OK, EXIT_REFUSED, CapacityError, ConfigError

_CHECK = signal.SIGUSR1  # the daemon sends it to itself when a model with a shorter limit serves: check sooner
_TIME_IS_UP = signal.SIGALRM
_LEAST_S = 1e-3  # 0 would stop the timer
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, _CHECK, _TIME_IS_UP)
_STATUS_S = 2.0  # before READY: seconds between two looks whether the daemon stops
_DRAIN_STEP_S = 0.01


class Parts(Protocol):
    """The parts of the app that its life needs."""

    reconciler: Reconciler
    registry: Registry
    dispatcher: Dispatcher
    loop: Loop
    health: Health

    def start(self) -> None:
        """Start everything but the listener, and take a first look at the folder."""

    def apply(self, config: Config) -> None:
        """Apply the keys that may change while the daemon serves."""

    def close(self, wait: bool) -> None:
        """Stop everything; without ``wait`` leave behind what still runs."""


class Lifecycle:
    """Runs an app until a signal stops it.

    Args:
        app: Built, not started.
        config: The configuration that it was built from.
        reread: Reads the configuration again.
        notifier: Tells systemd.
        has_watchdog: Whether systemd watches the daemon, and restarts it when it falls silent.

    Thread: the main one, with ``SIGNALS`` blocked before any other thread was started.
    """

    def __init__(
        self,
        app: Parts,
        config: Config,
        reread: Callable[[], Config],
        notifier: Notifier,
        has_watchdog: bool,
    ) -> None:
        self._app = app
        self._config = config
        self._reread = reread
        self._notifier = notifier
        self._has_watchdog = has_watchdog
        self._next_check = 0.0

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit status."""
        self._app.start()
        # Only after the first look: until then the daemon would say of a model that is on its way that there is none.
        self._app.loop.start()
        LOG.info("serving on %s, models from %s", self._config.paths.socket, self._config.paths.models)
        threading.Thread(target=self._announce, name="mm-status", daemon=True).start()
        while True:
            self._check_health()
            received = _wait_for(SIGNALS, self._next_check - time.monotonic())
            if received == signal.SIGHUP:
                self._reload()
            elif received not in (_CHECK, _TIME_IS_UP):
                return self._drain(signal.Signals(received).name)

    def _check_health(self) -> None:
        """Look for what hangs, tell systemd, and decide when to look again."""
        now = time.monotonic()
        is_healthy = self._app.health.check(now)
        if self._has_watchdog and is_healthy:
            self._notifier.watchdog()
        elif self._has_watchdog:
            LOG.error("the daemon asks systemd to restart the service")
            self._notifier.trigger_watchdog()
        self._next_check = self._app.health.next_check(now)

    def _announce(self) -> None:
        """Say READY once the first look is decided: every model serves or cannot. Then keep the status line current."""
        reconciler = self._app.reconciler
        while not reconciler.wait_decided(_STATUS_S):
            if reconciler.is_stopping:
                return
        status = self._status()
        self._notifier.ready(status)
        LOG.info("ready: %s", status)
        gc.freeze()  # what the start made stays, so no later collection need look at it
        gc.enable()
        looks = 0
        while not reconciler.is_stopping:
            looks = reconciler.wait_look(looks)
            before, status = status, self._status()
            if status != before:
                self._notifier.status(status)
            if self._app.health.next_check(time.monotonic()) < self._next_check:
                os.kill(os.getpid(), _CHECK)

    def _status(self) -> str:
        return f"{self._counts()}; {self._app.loop.connections} clients"

    def _counts(self) -> str:
        with self._app.reconciler.monitor:
            counts = self._app.registry.counts()
        listed = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        return listed or "no model"

    def _reload(self) -> None:
        """Read the configuration again and rescan. Refuse one with a mistake and keep the old one."""
        self._notifier.reloading()
        try:
            config = self._reread()
        except ConfigError as error:
            LOG.error("the new configuration is refused, the old one kept: %s", error, extra=about(error=error))
        else:
            live, deferred = changes(self._config, config)
            for key in deferred:
                LOG.warning("%s changed: this needs a restart", key)
            if live:
                self._app.apply(config)
                self._config = config
            LOG.info("configuration read again: %s", ", ".join(live) or "nothing changed that applies now")
        self._app.reconciler.on_hint()
        self._notifier.ready(self._counts())

    def _drain(self, why: str) -> int:
        """Answer the requests that were accepted and refuse the rest, until a second signal or the deadline."""
        app = self._app
        LOG.info("%s: draining", why)
        self._notifier.stopping()
        app.loop.start_drain()
        with app.dispatcher.scheduler() as scheduler:
            scheduler.drain()
        deadline = time.monotonic() + self._config.service.drain_s
        answered = True
        while not self._is_quiet():
            received = _wait_for((signal.SIGTERM, signal.SIGINT, _TIME_IS_UP), _DRAIN_STEP_S)
            if received != _TIME_IS_UP or time.monotonic() > deadline:
                why = "drain took too long" if received == _TIME_IS_UP else "second signal"
                LOG.warning("%s: some requests stay unanswered", why)
                answered = False
                break
        with app.dispatcher.scheduler() as scheduler:
            scheduler.abandon(CapacityError("DRAINING", "the daemon is stopping", "try again"))
        app.close(wait=answered)
        LOG.info("stopped")
        return EXIT_OK if answered else EXIT_REFUSED

    def _is_quiet(self) -> bool:
        return self._app.dispatcher.is_quiet and not self._app.loop.owes_output


def _wait_for(signals: Sequence[signal.Signals], timeout_s: float) -> int:
    """Return the signal that came. At the end of the time, or earlier, that is ``_TIME_IS_UP``.

    This does not use sigtimedwait: where SIGCONT interrupts that after its time, CPython 3.11 returns a number that
    nobody sent.

    Args:
        signals: The signals to wait for, ``_TIME_IS_UP`` among them.
        timeout_s: How long to wait.
    """
    signal.setitimer(signal.ITIMER_REAL, max(timeout_s, _LEAST_S))
    return signal.sigwaitinfo(signals).si_signo
