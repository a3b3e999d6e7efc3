"""Whether XLA makes a signature faster. A trial decides: recurrent nets become 8 times as fast, convolutions slow."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from collections.abc import Callable

import tensorflow as tf

from mmdaemon.runtime.payload import Arrays
from mmdaemon.runtime.tensorflow.function import Function
from mmdaemon.runtime.trial.batching import agree
from mmdaemon.runtime.trial.sample import random
from mmwire.errors import InferenceError

# Compiling takes 0.2 to 2 s for 20 to 2,000 operations on 2 cores, and longer for a few loops.
COMPILE_S = 10.0
_ROUNDS = 7
_ROUNDS_S = 2.0  # a model with slower rows gets fewer rounds
_LEAST_ROUNDS = 3
# A faster row is mostly the way into TensorFlow, which XLA does not shorten.
_LEAST_S = 300e-6
# XLA must save this share of the time of a row. Times differ by a few percent from start to start.
_WORTHWHILE = 0.1


def choose_compiler(function: Function, limit_s: float = COMPILE_S) -> bool:
    """Have XLA compile single rows of a signature, if they then take clearly less time and give the same answers.

    This tries only a static signature that keeps no state, and only one whose rows are not very fast already. A
    signature that XLA does not compile within the limit stays as it was.

    Args:
        function: The signature. Single rows of it run as chosen from now on.
        limit_s: Seconds that compiling may take.

    Returns:
        Whether single rows run compiled.
    """
    if not function.spec.is_static or function.keeps_state:
        return False
    row = random(function.spec, 1)
    try:
        expected = function.compute(row)
        if min(_seconds(lambda: function.compute(row)) for _ in range(_LEAST_ROUNDS)) < _LEAST_S:
            return False
        function.compile_row()
        got = _within(limit_s, lambda: function.compute_row(row))
    except (InferenceError, tf.errors.OpError, ValueError, TypeError):  # tracing for XLA may refuse too
        got = None
    if got is None or not all(map(agree, expected, got)) or not _is_faster(function, row):
        function.uncompile_row()
    return function.is_compiled


def _within(limit_s: float, compute: Callable[[], Arrays]) -> Arrays | None:
    """Return the answer, None when it does not come in time. Nothing ends a compilation, so its thread goes on."""
    answers: list[Arrays] = []

    def run() -> None:
        with contextlib.suppress(InferenceError):
            answers.append(compute())

    thread = threading.Thread(target=run, name="mm-compile", daemon=True)
    thread.start()
    thread.join(limit_s)
    return answers[0] if answers else None


def _is_faster(function: Function, row: Arrays) -> bool:
    plain_s: list[float] = []
    compiled_s: list[float] = []
    began = time.perf_counter()
    gain = 0.0
    while len(plain_s) < _LEAST_ROUNDS or (
        gain > 0 and len(plain_s) < _ROUNDS and time.perf_counter() - began < _ROUNDS_S
    ):
        # In turns, so that other work on the box slows both.
        plain_s.append(_seconds(lambda: function.compute(row)))
        compiled_s.append(_seconds(lambda: function.compute_row(row)))
        gain = 1 - statistics.median(compiled_s) / statistics.median(plain_s)
    return gain >= _WORTHWHILE


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
