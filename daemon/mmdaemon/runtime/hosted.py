"""Loading one model in a process of its own: what the executor's child calls by name."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdaemon.runtime.batching import agree
from mmdaemon.runtime.interface import Instance, Traits
from mmdaemon.runtime.sample import random, run, zeros
from mmdaemon.runtime.selection import select_runtime
from mmwire.errors import InferenceError, ModelError
from mmwire.tensor import SignatureSpec

if TYPE_CHECKING:
    from mmdaemon.runtime.tensorflow import SavedModelInstance

_PAGE_BYTES = 4096
_ROUNDS = 7
# XLA must save this share of a row's time; what a run takes besides differs by a few percent from start to start.
_WORTHWHILE = 0.9
# Compiling takes XLA about as long as a thousand cheap rows, and minutes for a large graph.
_COMPILE_MOST_OPERATIONS = 3000
_COMPILE_LEAST_US = 300.0


def open_model_file(path: str, threads: int, traits: Traits, device: str) -> tuple[Instance, dict[str, Any]]:
    """Load a ``.tflite`` file with this box's runtime; see ``executor.child.Opener``. The device does not matter.

    Raises:
        MmError: ``MODEL_INVALID``: the runtime refuses the file.
    """
    runtime, _ = select_runtime()
    instance = runtime.load(path, threads, traits)
    return instance, {"signatures": [spec.as_dict() for spec in instance.signatures.values()]}


def open_saved_model(path: str, threads: int, traits: Traits, device: str) -> tuple[Instance, dict[str, Any]]:
    """Load a SavedModel folder with TensorFlow, run it once, and choose how; see ``executor.child.Opener``.

    Raises:
        ModelError: ``MODEL_INVALID``: it cannot be loaded, or does not answer a plain input.
    """
    from mmdaemon.runtime.tensorflow import BATCH, load_saved_model

    before = _own_bytes()
    began = time.perf_counter()
    instance = load_saved_model(path, threads, device)
    load_ms = (time.perf_counter() - began) * 1e3
    row_us = {name: _first_runs(instance, name, spec) for name, spec in instance.signatures.items()}
    batch = BATCH if instance.can_batch and _batches_agree(instance, BATCH) else 1
    instance.set_batch(batch)
    for name, spec in instance.signatures.items():
        if spec.is_static and row_us[name] >= _COMPILE_LEAST_US and instance.operations <= _COMPILE_MOST_OPERATIONS:
            _choose_compiler(instance, name, spec)
    return instance, {
        "signatures": [spec.as_dict() for spec in instance.signatures.values()],
        "batch": batch,
        "state": str(instance.state),
        "load_ms": round(load_ms, 1),
        "run_us": round(next(iter(row_us.values())), 1),
        "memory_bytes": max(0, _own_bytes() - before),
        "device": instance.device,
        "compiled": instance.compiled,
        "traced": instance.traced,
    }


def _first_runs(instance: SavedModelInstance, name: str, spec: SignatureSpec) -> float:
    """Run zeros, then seeded random rows; return the microseconds of the last. A model may refuse one, never all."""
    failure: InferenceError | None = None
    took = 0.0
    answers = 0
    for inputs in (zeros(spec, 1), random(spec, 1), random(spec, 1)):
        began = time.perf_counter()
        try:
            run(instance, name, spec, inputs)
            answers += 1
        except InferenceError as error:
            failure = error
        took = (time.perf_counter() - began) * 1e6
    if not answers and failure is not None:
        raise ModelError("MODEL_INVALID", f"the model loads and does not run: {failure.message}", failure.hint)
    return took


def _batches_agree(instance: SavedModelInstance, batch: int) -> bool:
    """Return whether two rows at once give what they give one by one, in every signature that says it takes rows."""
    for name, spec in instance.signatures.items():
        if not (spec.has_rows and spec.is_static):
            continue
        inputs = random(spec, 2)
        try:
            instance.set_batch(1)
            expected = run(instance, name, spec, inputs, 2)
            instance.set_batch(batch)
            got = run(instance, name, spec, inputs, 2)
        except InferenceError:
            return False
        if not all(agree(one, other) for one, other in zip(expected, got, strict=True)):
            return False
    return True


def _choose_compiler(instance: SavedModelInstance, name: str, spec: SignatureSpec) -> None:
    """Let XLA compile single rows of a signature if they then take clearly less time and give the same."""
    inputs = random(spec, 1)
    try:
        expected = run(instance, name, spec, inputs)
        instance.compile(name)
        got = run(instance, name, spec, inputs)
    except InferenceError:
        instance.uncompile(name)
        return
    plain_us: list[float] = []
    compiled_us: list[float] = []
    for _ in range(_ROUNDS):  # in turns: what else the box does hits both
        for took, is_compiled in ((plain_us, False), (compiled_us, True)):
            instance.use_compiled(name, is_compiled)
            began = time.perf_counter()
            run(instance, name, spec, inputs)
            took.append((time.perf_counter() - began) * 1e6)
    is_faster = statistics.median(compiled_us) <= _WORTHWHILE * statistics.median(plain_us)
    if not is_faster or not all(agree(one, other) for one, other in zip(expected, got, strict=True)):
        instance.uncompile(name)


def _own_bytes() -> int:
    """Return the resident memory that is this process's alone; Source: proc(5), ``statm``."""
    fields = Path("/proc/self/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES
