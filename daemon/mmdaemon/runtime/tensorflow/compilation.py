"""Is a signature better off compiled by XLA? Tried, not believed: recurrent nets gain 8 times, convolutions lose 8."""

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

# Compiling takes 0.2 to 2 s for 20 to 2,000 operations on 2 cores, longer where LLVM meets a loop that it dislikes.
COMPILE_S = 10.0
_ROUNDS = 7
_ROUNDS_S = 2.0  # a model whose rows take longer is judged by fewer rounds
_LEAST_ROUNDS = 3
# What takes less is mostly the way into TensorFlow, which XLA does not shorten.
_LEAST_S = 300e-6
# XLA must save this share of a row's time; what a run takes besides differs by a few percent from start to start.
_WORTHWHILE = 0.1


def choose_compiler(function: Function, limit_s: float = COMPILE_S) -> bool:
    """Let XLA compile single rows of a signature if they then take clearly less time and give the same.

    Only of a static signature that keeps no state, and whose rows are not over in no time. What is not compiled within
    the limit stays as it was.

    Args:
        function: The signature; single rows of it run as chosen from now on.
        limit_s: Seconds that compiling may take.

    Returns:
        Whether they run compiled.
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
    """Return the answer, None when there is none in time; nothing ends a compilation, so its thread is left to it."""
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
        # In turns: what else the box does hits both.
        plain_s.append(_seconds(lambda: function.compute(row)))
        compiled_s.append(_seconds(lambda: function.compute_row(row)))
        gain = 1 - statistics.median(compiled_s) / statistics.median(plain_s)
    return gain >= _WORTHWHILE


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
