"""The wiring: builds the two paths from a configuration, starts and stops them. No decisions here."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from mmdaemon import __version__
from mmdaemon.config.schema import Config
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.listener.address import inherited_sockets, open_socket, remove_socket
from mmdaemon.loader.instances import Instances
from mmdaemon.log.logger import LOG, set_up_log
from mmdaemon.model_path import MIB, build_model_path, pace_of
from mmdaemon.probe.probe import Probe
from mmdaemon.request_path import build_request_path
from mmdaemon.runtime.interface import describe
from mmdaemon.runtime.tflite.selection import select_runtime
from mmdaemon.service.health import CHECK_S
from mmdaemon.service.lifecycle import SIGNALS, Lifecycle
from mmdaemon.service.notify import Notifier, watchdog_interval_s
from mmdaemon.store.layout import Layout
from mmdaemon.store.lock import StoreLock

_CHORES = 4  # a process that starts or ends must not keep an interpreter waiting
SOFTWARE = f"mmdaemon {__version__}"


class App:
    """All parts of one daemon, built and not yet started.

    Args:
        config: What to build.
        listening: The socket, bound and listening.
        probe: Tries models; its helper may be on its way already.
        check_s: Seconds between two looks at its own health.

    Raises:
        ConfigError: The store is in use or cannot be used; no runtime is installed.

    Thread: the main one.
    """

    def __init__(self, config: Config, listening: socket.socket, probe: Probe, check_s: float) -> None:
        layout = Layout(config.paths.store)
        layout.prepare()
        self._lock = StoreLock(layout.lock)
        self._lock.acquire()
        layout.sweep()
        runtime, why = select_runtime()
        if runtime.caution:
            LOG.warning("runtime %s %s: %s; %s", runtime.name, runtime.version, runtime.caution, why)
        identity = {
            "software": SOFTWARE,
            "runtime": describe(runtime, why),
            "paths": {"models": str(config.paths.models), "store": str(config.paths.store)},
        }
        limits = config.limits
        self._probe = probe
        self._chores = ThreadPoolExecutor(_CHORES, "mm-chore")
        instances = Instances(self._chores)
        self.dispatcher = Dispatcher(
            limits.cores, limits.max_queue, limits.max_queued_mb * MIB, instances.grow, instances.dispose
        )
        self._models = build_model_path(config, layout, runtime, probe, self.dispatcher, instances)
        self.reconciler, self.registry = self._models.reconciler, self._models.registry
        self._requests = build_request_path(config, listening, self.dispatcher, self._models, identity, check_s)
        self.loop, self.health = self._requests.loop, self._requests.health

    def start(self) -> None:
        """Start everything but the listener, and take a first look at the folder."""
        self.dispatcher.start(self.loop.wake)
        self._models.start()
        self._chores.submit(self._models.start_watching)

    def apply(self, config: Config) -> None:
        """Take up what may change while serving."""
        set_up_log(config.service.log_level)
        self.reconciler.set_pace(pace_of(config))
        self.health.max_run_s = config.limits.max_run_s
        with self.dispatcher.scheduler() as scheduler:
            scheduler.backlog.max_queue = config.limits.max_queue

    def close(self, wait: bool) -> None:
        """Stop everything; without ``wait`` whatever still runs is left behind."""
        self._models.stop_looking()
        self._requests.stop(wait)
        self._probe.stop()
        self._models.stop_loading(wait)
        self._chores.shutdown(wait, cancel_futures=True)
        self._models.warden.stop()
        self._lock.release()


def run(config: Config, read: Callable[[], Config], probe: Probe) -> int:
    """Serve until told to stop; return the exit status.

    Args:
        config: What to serve with.
        read: Reads the configuration again.
        probe: Tries models; its helper may be on its way already.

    Raises:
        ConfigError: It cannot start.

    Thread: the main one, before any other was started.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    inherited = inherited_sockets(os.environ)
    path = config.paths.socket
    listening = inherited[0] if inherited else open_socket(path, config.socket.mode, config.socket.group)
    identity = None if inherited else path.lstat()
    try:
        watchdog_s = watchdog_interval_s(os.environ)
        app = App(config, listening, probe, watchdog_s or CHECK_S)
        return Lifecycle(app, config, read, Notifier(os.environ), watchdog_s is not None).run()
    finally:
        listening.close()
        if identity is not None:
            remove_socket(path, identity)
