"""A ``Runtime`` whose instances are processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdaemon.confinement.memory import too_large
from mmdaemon.isolation.instance import ProcessInstance
from mmdaemon.isolation.packet import MEMORY_KEY, Order, error_of
from mmdaemon.isolation.process import ChildProcess
from mmdaemon.isolation.warden import Warden
from mmdaemon.log.logger import LOG
from mmdaemon.runtime.interface import Traits
from mmwire.errors import InternalError, MmError, ModelError


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """The limits of one child.

    Attributes:
        memory_bytes: The memory that it may take; 0 = no limit.
        start_s: Seconds that it may take until its model has answered for the first time.
    """

    memory_bytes: int
    start_s: float


@dataclass(frozen=True, slots=True)
class Hosted:
    """The runtime that a child hosts.

    Attributes:
        name: The distribution that runs its model, for people.
        version: The version of that distribution.
        opener: ``module:function`` that loads a model in the child; see ``child.Opener``.
        device: The device that TensorFlow computes on.
    """

    name: str
    version: str
    opener: str
    device: str


@dataclass(frozen=True, slots=True)
class Children:
    """The things that all children share.

    Attributes:
        scratch: A folder for the files that a child unpacks.
        warden: Watches the children.
        turns: Limits how many children start at the same time.
        limits: The limits of each child.
    """

    scratch: Path
    warden: Warden
    turns: threading.Semaphore
    limits: ProcessLimits


class ProcessRuntime:
    """Loads models in processes of their own.

    Args:
        hosted: What each process hosts.
        children: What all processes share.
        on_lost: Called with an instance whose process ended by itself, in the thread of the warden.

    Thread: any for every method.
    """

    caution = ""

    def __init__(
        self,
        hosted: Hosted,
        children: Children,
        on_lost: Callable[[ProcessInstance], object],
    ) -> None:
        self.name, self.version = hosted.name, hosted.version
        self._hosted = hosted
        self._children = children
        self._on_lost = on_lost

    def load(self, path: str, threads: int, traits: Traits) -> ProcessInstance:
        """Start a process and have it load a model; see ``Runtime.load``.

        Raises:
            MmError: Also ``MODEL_CRASHED``, ``MODEL_TOO_LARGE``, ``MODEL_TOO_SLOW``: how the process ended.
                ``STORE_FAILED``: there is no room to unpack its files.
        """
        with self._children.turns:
            try:
                scratch = Path(tempfile.mkdtemp(prefix="model-", dir=self._children.scratch))
            except OSError as error:
                raise ModelError(
                    "STORE_FAILED",
                    f"there is no room to unpack the model in {self._children.scratch}: {error.strerror}",
                    "free some space there",
                    retryable=True,
                ) from None
            try:
                order = Order(
                    self._hosted.opener,
                    threads,
                    traits.batch,
                    str(traits.state),
                    self._hosted.device,
                    str(scratch),
                    self._children.limits.memory_bytes,
                )
                return self._start(path, order)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)

    def _start(self, path: str, order: Order) -> ProcessInstance:
        child = ChildProcess.start()
        instances: list[ProcessInstance] = []
        self._children.warden.watch(child, lambda: self._on_end(child, instances))
        try:
            instance = ProcessInstance(child, self._ask(child, path, order))
        except BaseException:
            child.stop()
            child.close()
            raise
        instances.append(instance)
        LOG.debug("process %d runs %s", child.pid, child.model, extra=child.about())
        return instance

    def _ask(self, child: ChildProcess, path: str, order: Order) -> dict[str, Any]:
        """Have the child load the model; return its facts."""
        model = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(OSError):  # below it shows whether the child has ended
                child.send(order, (model,))
        finally:
            os.close(model)
        timer = threading.Timer(self._children.limits.start_s, child.kill)
        timer.daemon = True
        timer.start()
        message = child.receive()
        timer.cancel()
        if message is None:
            raise self._failure(child)
        error = error_of(message)
        if error is not None:
            raise error
        facts: dict[str, Any] = message["facts"]
        return facts

    def _failure(self, child: ChildProcess) -> MmError:
        """Return the error for a child that ended before it had loaded its model."""
        was_killed = child.was_told
        if not child.ended.wait(5.0):
            return InternalError("INTERNAL", "the process of the model closed its connection", retryable=True)
        error: MmError
        if was_killed:
            limit_s = self._children.limits.start_s
            message = f"the process of the model did not answer within {limit_s:g} s"
            error = ModelError("MODEL_TOO_SLOW", message, "raise executor.start_s", retryable=True)
        elif child.is_starved:
            error = too_large("loading", MEMORY_KEY, self._children.limits.memory_bytes)
        else:
            message = f"the process of the model {child.how} while it loaded the model"
            error = ModelError("MODEL_CRASHED", message, "the log has its last words")
        _log_end(child, error)
        return error

    def _on_end(self, child: ChildProcess, instances: list[ProcessInstance]) -> None:
        if child.was_told:
            return
        for instance in instances:
            _log_end(child)
            self._on_lost(instance)


def _log_end(child: ChildProcess, error: MmError | None = None) -> None:
    """Log how a process ended that should not have ended."""
    last_words = child.detail or "none"
    LOG.warning(
        "the process of %s (%d) %s; its last words: %s",
        child.model,
        child.pid,
        child.how,
        last_words,
        extra=child.about(error),
    )
