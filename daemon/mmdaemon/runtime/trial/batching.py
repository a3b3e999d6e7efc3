"""Does a model really gain from batches? Tried, not believed: many a signature claims rows that it cannot do."""

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

# Rows of a batch. Dense nets gain 2.3 to 2.6 times a row at 64; most of it is there at 32, for half the memory.
BATCH = 32
# A first look at fewer: what gains nothing here (convolutions do not) is spared the whole trial.
_FEW = 4
_ROUNDS = 3
# A batch must cost at most this share of its rows run one by one, else it buys nothing for its memory.
WORTHWHILE = 0.85
# Rows and batches go through the same kernels in another order of additions: how far may they differ.
FLOAT_TOLERANCE = 1e-3  # of the largest value in the output
INTEGER_TOLERANCE = 3  # steps; XNNPACK against the plain kernels differed by 3 on a real int8 model
# Only models whose rows are this cheap are tried: above it a batch saves nothing and the trial costs the start.
TRIAL_ROW_US = 2_000.0
# Where batches of any size cost nothing to prepare: between two calls a request can be given up, so none is long.
_MOST_ROWS_A_CALL = 256
_CALL_S = 0.25


def batches_well(instance: InterpreterInstance, row_us: float) -> bool:
    """Return whether batches give what rows give, for clearly less time. Every signature with rows must agree.

    Args:
        instance: The model; its ``batch`` is whatever was tried last.
        row_us: What a row took.
    """
    with_rows = {name: spec for name, spec in instance.signatures.items() if spec.has_rows and spec.is_static}
    if row_us > TRIAL_ROW_US or not with_rows:
        return False
    try:
        return all(_gains(instance, name, spec, rows) for rows in (_FEW, BATCH) for name, spec in with_rows.items())
    except (MmError, RuntimeError, ValueError, MemoryError):
        return False  # it cannot do batches: that is an answer, not a failure


def rows_a_call(compute: Callable[[Arrays], Arrays], spec: SignatureSpec) -> int:
    """Return how many rows go well together in a call of something that takes any number of them; 1 = none.

    They must give what they give one by one: what mixes its rows, or draws random numbers, does not.

    Args:
        compute: Runs whole inputs of any number of rows.
        spec: Of its tensors, which are static.

    Units: as many rows as take a quarter of a second one by one, at most 256.
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
    """Return whether a batch of all the rows gives what they give one by one, for clearly less time."""
    inputs = random(spec, rows)
    took_s: dict[int, float] = {}
    for _ in range(_ROUNDS):
        answers: list[Arrays] = []
        for batch in (rows, 1):  # the batch first: what cannot do it says so before any row was run
            instance.batch = batch
            began = time.perf_counter()
            answers.append(run(instance, name, spec, inputs, rows))
            took_s[batch] = min(took_s.get(batch, math.inf), time.perf_counter() - began)
        if not all(agree(one, other) for one, other in zip(*answers, strict=True)):
            return False
    return took_s[rows] <= WORTHWHILE * took_s[1]


def agree(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Return whether two answers are the same but for the order of additions."""
    if one.shape != other.shape:
        return False
    if one.dtype.kind == "f":
        limit = FLOAT_TOLERANCE * max(float(np.max(np.abs(one), initial=0.0)), 1e-6)
        return bool(np.allclose(one, other, rtol=0, atol=limit, equal_nan=True))
    difference = np.abs(one.astype(np.int64) - other.astype(np.int64))
    return int(np.max(difference, initial=0)) <= INTEGER_TOLERANCE
