"""What the probe does to a model inside its throw-away process: load it, run it, learn its traits."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.random  # before the memory limit of a trial is tight
from numpy.typing import NDArray

from mmdaemon.runtime.interface import Instance, Runtime, Traits
from mmdaemon.runtime.selection import select_runtime
from mmwire.errors import InferenceError, MmError, ModelError
from mmwire.tensor import SignatureSpec, TensorSpec
from mmwire.tflite import ModelState, outline

# Rows of a trial batch. Dense nets gain 2.3 to 2.6 times a row at 64; most of it is there at 32, for half the memory.
BATCH = 32
# A batch must cost at most this share of its rows run one by one, else it buys nothing for its memory.
WORTHWHILE = 0.85
# Rows and batches go through the same kernels in another order of additions: how far may they differ.
FLOAT_TOLERANCE = 1e-3  # of the largest value in the output
INTEGER_TOLERANCE = 3  # steps; XNNPACK against the plain kernels differed by 3 on a real int8 model
# Only models whose rows are this cheap are tried: above it a batch saves nothing and the trial costs the start.
TRIAL_ROW_US = 2_000.0


def examine(path: str, threads: int, announce: Callable[[str], None]) -> dict[str, Any]:
    """Load a model, run every signature, and return its verdict's facts as JSON.

    Args:
        path: The model file.
        threads: Threads of one invocation.
        announce: Told the phase about to start: what was on when the process dies.

    Returns:
        ``signatures`` (``SignatureSpec.as_dict``), ``batch``, ``state`` (``ModelState``), ``load_ms``, ``run_us`` (of
        one row of the default signature), ``memory_bytes`` (growth of the peak resident set).

    Raises:
        MmError: ``MODEL_INVALID``: the runtime refuses it, or it does not answer a plain input.

    Thread: the only one of a process that nobody needs afterwards.
    """
    announce("import")
    runtime, _ = select_runtime()
    announce("load")
    state = _state_of(path)
    before = _peak_bytes()
    began = time.perf_counter()
    instance = runtime.load(path, threads, Traits(state=state))
    load_ms = (time.perf_counter() - began) * 1e3
    announce("run")
    run_us = 0.0
    for name, spec in instance.signatures.items():
        took = _run_plain(instance, name, spec)
        run_us = run_us or took
    announce("batch")
    batches = state is ModelState.NONE and _batches_well(runtime, path, threads, run_us)
    signatures = [spec.as_dict() for spec in instance.signatures.values()]
    return {
        "signatures": signatures,
        "batch": BATCH if batches else 1,
        "state": str(state),
        "load_ms": round(load_ms, 3),
        "run_us": round(run_us, 1),
        "memory_bytes": max(0, _peak_bytes() - before),
    }


def _run_plain(instance: Instance, name: str, spec: SignatureSpec) -> float:
    """Run zeros, then a seeded random row; return the microseconds of the second.

    A model may refuse one of them (an index out of range), never both.
    """
    failure: MmError | None = None
    took = 0.0
    answers = 0
    for inputs in (_zeros(spec, 1), _random(spec, 1)):
        began = time.perf_counter()
        try:
            _run(instance, name, spec, inputs)
            answers += 1
        except InferenceError as error:
            failure = error
        took = (time.perf_counter() - began) * 1e6
    if not answers and failure is not None:
        raise ModelError("MODEL_INVALID", f"the model loads and does not run: {failure.message}", failure.hint)
    return took


def _run(
    instance: Instance, name: str, spec: SignatureSpec, inputs: Sequence[NDArray[Any]], rows: int = 1
) -> list[NDArray[Any]]:
    payload = b"".join(value.tobytes() for value in inputs)
    shapes = None if spec.is_static else [value.shape for value in inputs]
    answer = instance.run(name, payload, rows, shapes, lambda: None)
    return [np.asarray(tensor) for tensor in answer.tensors]


def _batches_well(runtime: Runtime, path: str, threads: int, run_us: float) -> bool:
    """Return whether batches give what rows give, for clearly less time. Every signature must agree."""
    if run_us > TRIAL_ROW_US:
        return False
    try:
        by_row = runtime.load(path, threads, Traits())
        by_batch = runtime.load(path, threads, Traits(batch=BATCH))
        return all(
            _gains(by_row, by_batch, name, spec)
            for name, spec in by_row.signatures.items()
            if spec.has_rows and spec.is_static
        ) and any(spec.has_rows and spec.is_static for spec in by_row.signatures.values())
    except (MmError, RuntimeError, ValueError, MemoryError):
        return False  # it cannot do batches: that is an answer, not a failure


def _gains(by_row: Instance, by_batch: Instance, name: str, spec: SignatureSpec) -> bool:
    inputs = _random(spec, BATCH)
    expected = _run(by_row, name, spec, inputs, BATCH)
    got = _run(by_batch, name, spec, inputs, BATCH)
    if not all(_close(one, other) for one, other in zip(expected, got, strict=True)):
        return False
    row_s = min(_seconds(by_row, name, spec, inputs) for _ in range(3))
    batch_s = min(_seconds(by_batch, name, spec, inputs) for _ in range(3))
    return batch_s <= WORTHWHILE * row_s


def _seconds(instance: Instance, name: str, spec: SignatureSpec, inputs: Sequence[NDArray[Any]]) -> float:
    began = time.perf_counter()
    _run(instance, name, spec, inputs, BATCH)
    return time.perf_counter() - began


def _close(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape != other.shape:
        return False
    if one.dtype.kind == "f":
        limit = FLOAT_TOLERANCE * max(float(np.max(np.abs(one), initial=0.0)), 1e-6)
        return bool(np.allclose(one, other, rtol=0, atol=limit, equal_nan=True))
    difference = np.abs(one.astype(np.int64) - other.astype(np.int64))
    return int(np.max(difference, initial=0)) <= INTEGER_TOLERANCE


def _shape(spec: TensorSpec, rows: int) -> tuple[int, ...]:
    return tuple(1 if dim == -1 else dim for dim in spec.with_rows(rows))


def _zeros(spec: SignatureSpec, rows: int) -> list[NDArray[Any]]:
    return [np.zeros(_shape(tensor, rows), tensor.dtype) for tensor in spec.inputs]


def _random(spec: SignatureSpec, rows: int) -> list[NDArray[Any]]:
    """Return seeded values that most models accept: [0, 1) for floats, 0 and 1 for wide integers, any byte."""
    generator = np.random.default_rng(0)
    values: list[NDArray[Any]] = []
    for tensor in spec.inputs:
        shape = _shape(tensor, rows)
        dtype = np.dtype(tensor.dtype)
        if dtype.kind == "f":
            values.append(generator.random(shape).astype(dtype))
        elif dtype.itemsize == 1 and dtype.kind != "b":
            span = np.iinfo(dtype)
            values.append(generator.integers(span.min, span.max, shape, dtype, endpoint=True))
        else:
            values.append(generator.integers(0, 2, shape).astype(dtype))
    return values


def _state_of(path: str) -> ModelState:
    with Path(path).open("rb") as file:
        return outline(file.read()).state


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
