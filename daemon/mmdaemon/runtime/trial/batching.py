"""Whether a model gains from batches. A trial decides, because many signatures claim rows that they cannot run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdaemon.runtime.payload import Arrays, join_rows
from mmdaemon.runtime.tflite.instance import InterpreterInstance
from mmdaemon.runtime.trial.sample import random, run
from mmwire.errors import InferenceError, MmError
from mmwire.tensor import SignatureSpec

# Rows of a batch. With 64 rows dense nets are 2.3 to 2.6 times as fast. 32 rows give most of that for half the memory.
BATCH = 32
# Fewer rows first: a model that gains nothing with them (convolutions do not) skips the rest of the trial.
_FEW = 4
_ROUNDS = 3
# A batch must take at most this share of the time of its rows one by one, else it is not worth its memory.
WORTHWHILE = 0.85
# A batch adds in another order than single rows do. Their answers may differ by this much.
FLOAT_TOLERANCE = 1e-3  # of the largest value in the output
INTEGER_TOLERANCE = 3  # steps; XNNPACK against the plain kernels differed by 3 on a real int8 model
# A batch saves nothing for a model with slower rows, and the trial would delay the start.
TRIAL_ROW_US = 2_000.0
# For models that take batches of any size. A request can be given up only between two calls, so calls stay short.
_MOST_ROWS_A_CALL = 256
_CALL_S = 0.25


def batches_well(instance: InterpreterInstance, row_us: float) -> bool:
    """Return whether batches give the answers of single rows in clearly less time, for every signature with rows.

    Args:
        instance: The model. Its ``batch`` changes.
        row_us: Microseconds that a row took.
    """
    with_rows = {name: spec for name, spec in instance.signatures.items() if spec.has_rows and spec.is_static}
    if row_us > TRIAL_ROW_US or not with_rows:
        return False
    try:
        return all(_gains(instance, name, spec, rows) for rows in (_FEW, BATCH) for name, spec in with_rows.items())
    except (MmError, RuntimeError, ValueError, MemoryError):
        return False  # it cannot run batches, which is not an error


def rows_a_call(compute: Callable[[Arrays], Arrays], spec: SignatureSpec) -> int:
    """Return how many rows one call should take, for a model that takes any number of them; 1 = one by one.

    That is as many rows as take a quarter of a second one by one, at most 256. It is 1 when rows together give other
    answers: the model mixes its rows, or draws random numbers.

    Args:
        compute: Runs inputs with any number of rows.
        spec: The tensors, which are static.
    """
    inputs = random(spec, _FEW)
    answers: list[Arrays] = []
    took_s: list[float] = []
    try:
        for k in range(_FEW):
            began = time.perf_counter()
            answers.append(compute([value[k : k + 1] for value in inputs]))
            took_s.append(time.perf_counter() - began)
        do_agree = all(map(agree, join_rows(answers), compute(inputs)))
    except InferenceError:
        return 1
    return max(1, min(_MOST_ROWS_A_CALL, int(_CALL_S / min(took_s)))) if do_agree else 1


def _gains(instance: InterpreterInstance, name: str, spec: SignatureSpec, rows: int) -> bool:
    """Return whether a batch of all the rows gives the answers of single rows in clearly less time."""
    inputs = random(spec, rows)
    took_s: dict[int, float] = {}
    for _ in range(_ROUNDS):
        answers: list[Arrays] = []
        for batch in (rows, 1):  # the batch first: a model that cannot run it fails before any row runs
            instance.batch = batch
            began = time.perf_counter()
            answers.append(run(instance, name, spec, inputs, rows))
            took_s[batch] = min(took_s.get(batch, math.inf), time.perf_counter() - began)
        if not all(agree(one, other) for one, other in zip(*answers, strict=True)):
            return False
    return took_s[rows] <= WORTHWHILE * took_s[1]


def agree(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Return whether two answers differ by no more than another order of additions explains."""
    if one.shape != other.shape:
        return False
    if one.dtype.kind == "f":
        limit = FLOAT_TOLERANCE * max(float(np.max(np.abs(one), initial=0.0)), 1e-6)
        return bool(np.allclose(one, other, rtol=0, atol=limit, equal_nan=True))
    difference = np.abs(one.astype(np.int64) - other.astype(np.int64))
    return int(np.max(difference, initial=0)) <= INTEGER_TOLERANCE
