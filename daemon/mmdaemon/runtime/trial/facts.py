"""The facts of a model, however it was loaded: whether it runs, how fast, in how much memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mmdaemon.runtime.interface import Instance
from mmdaemon.runtime.trial.sample import random, run, zeros
from mmwire.errors import InferenceError, MmError, ModelError
from mmwire.tensor import SignatureSpec
from mmwire.tflite import ModelState

Loaded = TypeVar("Loaded", bound=Instance)


class Facts:
    """Collects the facts of one model while it is loaded and run.

    Thread: the only one of a process that nobody needs afterwards.
    """

    def __init__(self) -> None:
        self._before = _peak_bytes()
        self._load_ms = 0.0
        self._run_us = 0.0

    def load(self, load: Callable[[], Loaded]) -> Loaded:
        """Load the model and take the time."""
        began = time.perf_counter()
        instance = load()
        self._load_ms = (time.perf_counter() - began) * 1e3
        return instance

    def run(self, instance: Instance) -> float:
        """Run every signature; return the microseconds of one row of the default one.

        Raises:
            ModelError: ``MODEL_INVALID``: a signature does not answer a plain input.
        """
        rows_us = [_run_plain(instance, name, spec) for name, spec in instance.signatures.items()]
        self._run_us = rows_us[0]
        return self._run_us

    def as_dict(self, instance: Instance, batch: int, state: ModelState, labels: Sequence[str]) -> dict[str, Any]:
        """Return the facts as JSON: the fields of a good ``TrialResult``."""
        return {
            "signatures": [spec.as_dict() for spec in instance.signatures.values()],
            "batch": batch,
            "state": str(state),
            "labels": list(labels),
            "load_ms": round(self._load_ms, 3),
            "run_us": round(self._run_us, 1),
            "memory_bytes": max(0, _peak_bytes() - self._before),
        }


def _run_plain(instance: Instance, name: str, spec: SignatureSpec) -> float:
    """Run a row of zeros, then a row of seeded random values; return the microseconds of the second.

    A model may refuse one of them (an index out of range), but not both.
    """
    failure: MmError | None = None
    took = 0.0
    answers = 0
    for inputs in (zeros(spec, 1), random(spec, 1)):
        began = time.perf_counter()
        try:
            run(instance, name, spec, inputs)
            answers += 1
        except InferenceError as error:
            failure = error
        took = (time.perf_counter() - began) * 1e6
    if not answers and failure is not None:
        raise ModelError("MODEL_INVALID", f"the model loads but does not run: {failure.message}", failure.hint)
    return took


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
