"""The wiring of the model path: from the model folder to what the dispatcher serves. No decisions here."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mmdaemon.box.cpu import this_cpu
from mmdaemon.box.equipment import has_converter, has_gpu, has_tensorflow, tensorflow_version
from mmdaemon.config.schema import Config
from mmdaemon.dispatch.dispatcher import Dispatcher
from mmdaemon.folder.watch import Watcher
from mmdaemon.isolation.budget import Budget
from mmdaemon.isolation.converter import Converter
from mmdaemon.isolation.runtime import Children, Hosted, ProcessLimits, ProcessRuntime
from mmdaemon.isolation.warden import Warden
from mmdaemon.loader.arrival import Arrivals, Box
from mmdaemon.loader.comparison import Comparison
from mmdaemon.loader.instances import Instances
from mmdaemon.loader.intake import Door
from mmdaemon.loader.loads import Loads
from mmdaemon.loader.pace import Pace
from mmdaemon.loader.reconciler import Reconciler
from mmdaemon.loader.route import Policy, Way
from mmdaemon.loader.swap import Swap
from mmdaemon.loader.waiting import Waiting
from mmdaemon.probe.probe import Probe
from mmdaemon.registry.registry import Registry
from mmdaemon.runtime.interface import Runtime
from mmdaemon.store.layout import Layout
from mmdaemon.store.store import Store

MIB = 1024 * 1024
MODEL_FILE_OPENER = "mmdaemon.runtime.hosted:open_model_file"
SAVED_MODEL_OPENER = "mmdaemon.runtime.hosted:open_saved_model"
_CONVERSION_S = 1800.0


@dataclass(frozen=True, slots=True)
class ModelPath:
    """The parts of the model path that somebody else needs.

    Attributes:
        registry: What people are shown; guarded by the reconciler's monitor.
        reconciler: Keeps what serves in step with the folder.
        watcher: Hints at changes.
        loader_threads: Bring models up.
        warden: Sees processes of models end.
    """

    registry: Registry
    reconciler: Reconciler
    watcher: Watcher
    loader_threads: ThreadPoolExecutor
    warden: Warden

    def start(self) -> None:
        """Start to look at the folder, and take a first look."""
        self.reconciler.start(self.watcher.revive)
        self.reconciler.wait_look(0)

    def start_watching(self) -> None:
        """Start to get hints, and look once more: changes since the first look gave no hint."""
        self.watcher.start()
        self.reconciler.on_hint()

    def stop_looking(self) -> None:
        """Take nothing new. Idempotent."""
        self.reconciler.stop()
        self.watcher.stop()

    def stop_loading(self, wait: bool) -> None:
        """Bring nothing more up; without ``wait`` loads under way are left behind."""
        self.loader_threads.shutdown(wait, cancel_futures=True)


def build_model_path(
    config: Config, layout: Layout, runtime: Runtime, probe: Probe, dispatcher: Dispatcher, instances: Instances
) -> ModelPath:
    """Return the model path, not yet started.

    Args:
        config: What to build.
        layout: The store's folders, which exist and are this daemon's alone.
        runtime: Runs TFLite models in this process.
        probe: Tries models.
        dispatcher: Serves what comes of them.
        instances: Loads and closes.

    Raises:
        ConfigError: The configuration names what the box does not have.
    """
    cores = config.limits.cores
    warden = Warden(Budget(dispatcher.scheduler, config.executor.total_mb * MIB, config.executor.idle_s).tidy)
    limits = ProcessLimits(config.executor.memory_mb * MIB, config.executor.start_s)
    children = Children(layout.tmp, warden, threading.BoundedSemaphore(max(2, cores)), limits)
    device = config.executor.device
    isolated = Hosted(runtime.name, runtime.version, MODEL_FILE_OPENER, device)
    tensorflow = Hosted("tensorflow", tensorflow_version(), SAVED_MODEL_OPENER, device)
    runtimes: dict[Way, Runtime] = {
        Way.THREAD: runtime,
        Way.PROCESS: ProcessRuntime(isolated, children, dispatcher.on_lost),
        Way.TENSORFLOW: ProcessRuntime(tensorflow, children, dispatcher.on_lost),
    }
    store = Store(layout)
    convert = Converter(layout.tmp, _CONVERSION_S).convert
    door = Door(store, convert, lambda: policy_of(config), config.models.max_model_mb * MIB)
    threads = ThreadPoolExecutor(config.models.load_threads, "mm-load")
    loads = Loads(threads, Arrivals(door, probe.check, instances, Box(cores, this_cpu(), runtimes)))
    registry = Registry(runtime.name)
    swap = Swap(dispatcher, registry, instances.release)
    comparison = Comparison(store.records, registry, swap, loads, pace_of(config))
    reconciler = Reconciler(config.paths.models, comparison, Waiting(registry), loads, store.write_down)
    instances.call_on_disposed(reconciler.on_hint)
    return ModelPath(registry, reconciler, Watcher(config.paths.models, reconciler.on_hint), threads, warden)


def policy_of(config: Config) -> Policy:
    """Return what becomes of SavedModels on this box, as it is now."""
    models = config.models
    return Policy(models.tensorflow, models.convert_on_drop, has_tensorflow(), has_converter(), has_gpu(os.environ))


def pace_of(config: Config) -> Pace:
    """Return how often and how patiently the reconciler looks."""
    models = config.models
    return Pace(models.rescan_s, models.settle_ms / 1e3, models.unfinished_s, models.retire_grace_s)
