"""Instances: loaded from a blob that stays open as long as its deployment may need one more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from mmdaemon.dispatch.deployment import Deployment
from mmdaemon.log.logger import LOG, about, log_bug, working_on
from mmdaemon.runtime.interface import Instance, Runtime, Traits
from mmdaemon.store.blob import OpenBlob
from mmwire.errors import CapacityError, InferenceError, InternalError, MmError
from mmwire.tensor import SignatureSpec


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """Everything that loading one more instance takes.

    Attributes:
        model: The model's name, for the log.
        version: The version's number, for the log.
        runtime: Loads it.
        blob: Its bytes.
        threads: How many threads one invocation uses.
        traits: What its trial found.
    """

    model: str
    version: int
    runtime: Runtime
    blob: OpenBlob
    threads: int
    traits: Traits


class Instances:
    """Loads, adds and closes instances.

    Args:
        executor: Its threads add and close instances: both may take long.

    Thread: any for every method.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._lock = threading.Lock()
        self._specs: dict[Deployment, LoadSpec] = {}
        self._on_disposed: Callable[[], None] = lambda: None

    def call_on_disposed(self, on_disposed: Callable[[], None]) -> None:
        """Have a function called after each instance that was closed, by the thread that closed it."""
        self._on_disposed = on_disposed

    def load(self, spec: LoadSpec) -> Instance:
        """Load an instance and run it once, so that the first request finds everything allocated.

        Raises:
            MmError: The runtime refuses.
        """
        with working_on(spec.model, spec.version):
            instance = spec.runtime.load(spec.blob.path, spec.threads, spec.traits)
            for name, signature in instance.signatures.items():
                _warm_up(instance, name, signature)
            return instance

    def adopt(self, deployment: Deployment, spec: LoadSpec) -> None:
        """Keep the blob and options that more instances need, until ``release``."""
        with self._lock:
            self._specs[deployment] = spec

    def release(self, deployment: Deployment) -> None:
        """Let go of a deployment's blob; its instances keep what they have mapped. Idempotent."""
        with self._lock:
            spec = self._specs.pop(deployment, None)
        if spec is not None:
            spec.blob.close()

    def discard(self, deployment: Deployment) -> None:
        """Close a deployment that never served."""
        for instance in deployment.idle:
            self.dispose(instance)
        self.release(deployment)

    def dispose(self, instance: Instance) -> None:
        """Close an instance elsewhere."""

        def close() -> None:
            instance.close()
            self._on_disposed()

        self._submit(close)

    def grow(self, deployment: Deployment, on_grown: Callable[[Deployment, Instance | MmError], None]) -> None:
        """Load one more instance elsewhere; ``on_grown`` gets it, or the error that says why there is none."""

        def load() -> None:
            on_grown(deployment, self._one_more(deployment))

        self._submit(load)

    def _one_more(self, deployment: Deployment) -> Instance | MmError:
        with self._lock:
            spec = self._specs.get(deployment)
        if spec is None:
            return CapacityError("DRAINING", f"{deployment.name} was retired meanwhile")
        try:
            return self.load(spec)
        except MmError as error:
            extra = about(deployment.name, deployment.version, error=error)
            LOG.warning("%s goes on with %d instances: %s", deployment.name, deployment.instances, error, extra=extra)
            return error
        except Exception as error:
            log_bug(f"adding an instance of {deployment.name}", error, deployment.name, deployment.version)
            return InternalError("INTERNAL", f"a bug in the daemon: {type(error).__name__}")

    def _submit(self, task: Callable[[], None]) -> None:
        try:
            self._executor.submit(task)
        except RuntimeError:  # the executor was shut down: the daemon is on its way out
            return


def _warm_up(instance: Instance, name: str, spec: SignatureSpec) -> None:
    if not spec.is_static:
        return
    zeros = bytes(sum(tensor.row_bytes for tensor in spec.inputs))
    try:
        instance.run(name, zeros, 1, None, lambda: None)
    except InferenceError:
        return  # it need not accept zeros; its trial has seen it answer another input
