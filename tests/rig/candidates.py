"""Candidates with made-up figures, for the choice among them."""

from pathlib import Path

import numpy as np

from mmconvert.candidate.candidate import Candidate
from mmconvert.parity.statistic import Interval, bootstrap_median

MIB = 1 << 20


def candidate(recipe, times, size=100, drop=0.0, refusal="", memory=100):
    made = Candidate(recipe, path=Path("model.tflite"), bytes=size, refusal=refusal, times_ms=list(times))
    made.latency_ms = bootstrap_median(np.array(made.times_ms))
    made.drop = Interval(drop, drop, drop)
    made.memory_bytes = memory
    return made


def rounds(ms):
    return ms * (1 + 0.01 * np.sin(np.arange(24)))
