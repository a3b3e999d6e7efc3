"""The wiring: builds the parts from a configuration and connects them. No decisions here."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mmdaemon import __version__
from mmdaemon.config.schema import Config
from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.folder.watch import Watcher
from mmdaemon.isolation.budget import Budget
from mmdaemon.isolation.conversion import Conversion
from mmdaemon.isolation.host import has_converter, has_gpu, has_tensorflow, tensorflow_version
from mmdaemon.isolation.runtime import ProcessLimits, ProcessRuntime
from mmdaemon.isolation.warden import Warden
from mmdaemon.listener.address import inherited_sockets, open_socket, remove_socket
from mmdaemon.listener.handler import Handler
from mmdaemon.listener.loop import Loop
from mmdaemon.loader.arrival import Arrival, Bounds
from mmdaemon.loader.instances import Instances
from mmdaemon.loader.pace import Pace
from mmdaemon.loader.reconciler import Reconciler
from mmdaemon.loader.records import Records
from mmdaemon.loader.route import Policy, Way
from mmdaemon.loader.swap import Swap
from mmdaemon.log.logger import LOG, set_up_log
from mmdaemon.probe.probe import Probe
from mmdaemon.registry.registry import Registry
from mmdaemon.runtime.interface import Instance, describe
from mmdaemon.runtime.tflite.selection import select_runtime
from mmdaemon.service.control import Control
from mmdaemon.service.health import CHECK_S, Health
from mmdaemon.service.lifecycle import SIGNALS, Lifecycle
from mmdaemon.service.notify import Notifier, watchdog_interval_s
from mmdaemon.store.blob import Blobs
from mmdaemon.store.cpu import this_cpu
from mmdaemon.store.layout import Layout
from mmdaemon.store.ledger import Ledger
from mmdaemon.store.lock import StoreLock
from mmdaemon.store.trial import TrialResults
from mmwire.errors import MmError
from mmwire.frame import FrameLimits

MIB = 1024 * 1024
MODEL_FILE_OPENER = "mmdaemon.runtime.hosted:open_model_file"
SAVED_MODEL_OPENER = "mmdaemon.runtime.hosted:open_saved_model"
_CHORES = 4  # a process that starts or ends must not keep an interpreter waiting
_CONVERSION_S = 1800.0
SOFTWARE = f"mmdaemon {__version__}"


class App:
    """All parts of one daemon, built and not yet started.

    Args:
        config: What to build.
        listening: The socket, bound and listening.
        probe: Tries models; its helper may be on its way already.
        check_s: Between two looks at its own health.

    Raises:
        ConfigError: The store is in use or cannot be used; no runtime is installed.

    Thread: the main one.
    """

    def __init__(self, config: Config, listening: socket.socket, probe: Probe, check_s: float) -> None:
        cores = config.limits.cores
        layout = Layout(config.paths.store)
        layout.prepare()
        self.lock = StoreLock(layout.lock)
        self.lock.acquire()
        layout.sweep()
        runtime, why = select_runtime()
        if runtime.caution:
            LOG.warning("runtime %s %s: %s; %s", runtime.name, runtime.version, runtime.caution, why)
        self.loads = ThreadPoolExecutor(config.models.load_threads or max(2, cores), "mm-load")
        self.chores = ThreadPoolExecutor(_CHORES, "mm-chore")
        self.probe = probe
        instances = Instances(self.chores)
        self.dispatcher = Dispatcher(
            cores,
            config.limits.max_queue,
            config.limits.max_queued_mb * MIB,
            grow=lambda deployment: instances.grow(deployment, self._on_grown),
            dispose=lambda instance: instances.dispose(instance, self._on_disposed),
        )
        self.starts = threading.BoundedSemaphore(max(2, cores))
        self.warden = Warden(
            Budget(self.dispatcher.scheduler, config.executor.total_mb * MIB, config.executor.idle_s).tidy
        )
        self.registry = Registry(runtime.name)
        swap = Swap(self.dispatcher, self.registry, instances.release)
        arrival = Arrival(
            Records(Ledger(layout)),
            Blobs(layout),
            TrialResults(layout),
            self.probe.check,
            Conversion(layout.tmp, _CONVERSION_S).convert,
            lambda: policy_of(config),
            {
                Way.THREAD: runtime,
                Way.PROCESS: self._executor(config, layout.tmp, runtime.name, runtime.version, MODEL_FILE_OPENER),
                Way.TENSORFLOW: self._executor(
                    config, layout.tmp, "tensorflow", tensorflow_version(), SAVED_MODEL_OPENER
                ),
            },
            instances,
            Bounds(cores, config.models.max_model_mb * MIB, this_cpu()),
        )
        self.watcher = Watcher(config.paths.models, self._on_hint)
        self.reconciler = Reconciler(
            config.paths.models, pace_of(config), arrival, self.registry, swap, self.loads, self.watcher.revive
        )
        limits = FrameLimits(max_payload_bytes=config.limits.max_request_mb * MIB)
        self.control = Control(self.reconciler, self.registry, self.dispatcher, lambda: health, lambda: identity)
        self.loop = Loop(
            listening,
            self.dispatcher,
            Handler(self.dispatcher, self.control, limits, SOFTWARE),
            limits,
            cores,
            config.limits.max_connections,
            config.limits.max_output_mb * MIB,
            config.limits.client_stall_s,
        )
        health = self.health = Health(self.loop, self.dispatcher, self.reconciler, check_s, config.limits.max_run_s)
        identity: dict[str, Any] = {
            "software": SOFTWARE,
            "runtime": describe(runtime, why),
            "paths": {"models": str(config.paths.models), "store": str(config.paths.store)},
        }

    def start(self) -> None:
        """Start everything but the listener, and take a first look at the folder."""
        self.dispatcher.start(self.loop.wake)
        self.reconciler.start()
        self.reconciler.wait_look(0)
        self.chores.submit(self._start_watcher)

    def apply(self, config: Config) -> None:
        """Take up what may change while serving."""
        set_up_log(config.service.log_level)
        self.reconciler.set_pace(pace_of(config))
        self.health.max_run_s = config.limits.max_run_s
        with self.dispatcher.scheduler() as scheduler:
            scheduler.max_queue = config.limits.max_queue

    def close(self, wait: bool) -> None:
        """Stop everything; without ``wait`` whatever still runs is left behind."""
        self.reconciler.stop()
        self.watcher.stop()
        self.loop.stop(wait)
        self.dispatcher.stop()
        self.probe.stop()
        self.loads.shutdown(wait, cancel_futures=True)
        self.chores.shutdown(wait, cancel_futures=True)
        self.warden.stop()
        self.lock.release()

    def _executor(self, config: Config, scratch: Path, name: str, version: str, opener: str) -> ProcessRuntime:
        limits = ProcessLimits(config.executor.memory_mb * MIB, config.executor.start_s)
        return ProcessRuntime(
            name,
            version,
            opener,
            config.executor.device,
            scratch,
            self.warden,
            self.starts,
            limits,
            self.dispatcher.on_lost,
        )

    def _start_watcher(self) -> None:
        """Start to get hints, and look once more: what came since the first look gave none."""
        self.watcher.start()
        self.reconciler.on_hint()

    def _on_hint(self, path: Path | None, renamed: bool) -> None:
        self.reconciler.on_hint(path, renamed)

    def _on_grown(self, deployment: Deployment, grown: Instance | MmError) -> None:
        self.dispatcher.on_grown(deployment, grown)

    def _on_disposed(self) -> None:
        self.reconciler.on_hint()


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


def policy_of(config: Config) -> Policy:
    """Return what becomes of SavedModels on this box, as it is now."""
    models = config.models
    return Policy(models.tensorflow, models.convert_on_drop, has_tensorflow(), has_converter(), has_gpu(os.environ))


def pace_of(config: Config) -> Pace:
    """Return how often and how patiently the reconciler looks."""
    models = config.models
    return Pace(models.rescan_s, models.settle_ms / 1e3, models.unfinished_s, models.retire_grace_s)
