"""The choice among measured candidates: the best by the objective, if it is surely better than float32."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmconvert.candidate.candidate import Candidate
from mmconvert.parity.statistic import Interval, bootstrap_median

MIN_SPEEDUP = 1.02  # a smaller gain is not worth a changed file, however sure it is
SAME_SPEED = 1.02  # closer candidates count as equally fast; then the smaller one is better
_SAME_SHARE = 0.05  # closer sizes count as equal; then the faster one is better
_SLOWEST = 2.0  # times float32's time: a slower candidate is not chosen for its size or memory
_PAGES_BYTES = 64 << 10  # the allocator rounds to it: closer memory counts as equal, however small the model


def speedup(baseline: Candidate, candidate: Candidate) -> Interval:
    """Return how many times as fast the candidate is. Ratios are taken within a round: a slow round slows both."""
    rounds = min(len(baseline.times_ms), len(candidate.times_ms))
    return bootstrap_median(np.array(baseline.times_ms[:rounds]) / np.array(candidate.times_ms[:rounds]))


def choose(baseline: Candidate, candidates: Sequence[Candidate], objective: str) -> tuple[Candidate, str]:
    """Return the chosen candidate, or the float baseline, with the reason in a sentence."""
    allowed = [candidate for candidate in candidates if candidate.may_be_chosen and candidate is not baseline]
    if not allowed:
        return baseline, "no candidate kept the accuracy; float32 stays"
    bearable = [candidate for candidate in allowed if speedup(baseline, candidate).estimate >= 1 / _SLOWEST]
    if not bearable:
        return (
            baseline,
            f"every candidate that kept the accuracy is more than {_SLOWEST:g} times as slow as float32; float32 stays",
        )
    best = {"latency": _fastest, "size": _smallest, "memory": _leanest}[objective](baseline, bearable)
    gain = _gain(baseline, best, objective)
    if not gain:
        return baseline, f"no significant gain over float32 ({_describe(baseline, best, objective)}); float32 stays"
    return best, f"{best.name} is the best of {len(allowed)} candidates that keep the accuracy: {gain}"


def _fastest(baseline: Candidate, allowed: list[Candidate]) -> Candidate:
    """Return the smallest of the candidates that are, within noise, as fast as the fastest."""
    fastest = min(allowed, key=_median)
    tied = [candidate for candidate in allowed if speedup(candidate, fastest).low <= SAME_SPEED]
    tied = [candidate for candidate in tied if _median(candidate) <= SAME_SPEED * _median(fastest)] or [fastest]
    return min(tied, key=lambda candidate: (candidate.is_one_row, candidate.bytes, candidate.name))


def _smallest(baseline: Candidate, allowed: list[Candidate]) -> Candidate:
    """Return the fastest of the candidates that are about as small as the smallest."""
    least = min(candidate.bytes for candidate in allowed)
    return _fastest(baseline, [one for one in allowed if one.bytes <= least + _SAME_SHARE * baseline.bytes])


def _leanest(baseline: Candidate, allowed: list[Candidate]) -> Candidate:
    """Return the fastest of the candidates that need about as little memory as the leanest."""
    least = min(_memory(candidate) for candidate in allowed)
    return _fastest(baseline, [one for one in allowed if _memory(one) <= least + _memory_noise(baseline)])


def _gain(baseline: Candidate, best: Candidate, objective: str) -> str:
    if objective == "latency":
        is_gain = speedup(baseline, best).low > MIN_SPEEDUP
    elif objective == "size":
        is_gain = best.bytes < (1 - _SAME_SHARE) * baseline.bytes
    else:
        is_measured = baseline.memory_bytes is not None
        is_gain = is_measured and _memory(best) < _memory(baseline) - _memory_noise(baseline)
    return _describe(baseline, best, objective) if is_gain else ""


def _describe(baseline: Candidate, best: Candidate, objective: str) -> str:
    ratio = speedup(baseline, best)
    if objective == "latency":
        return f"{ratio.estimate:.2f} times as fast as float32 (95 %: at least {ratio.low:.2f})"
    if objective == "size":
        share = f"{best.bytes / baseline.bytes:.0%} of float32's size"
    elif best.memory_bytes is None or not baseline.memory_bytes:
        return "memory could not be measured"
    else:
        share = f"{best.memory_bytes / baseline.memory_bytes:.0%} of float32's memory"
    return f"{share}, {ratio.estimate:.2f} times as fast"


def _memory(candidate: Candidate) -> float:
    return float("inf") if candidate.memory_bytes is None else candidate.memory_bytes


def _memory_noise(baseline: Candidate) -> float:
    return max(_PAGES_BYTES, _SAME_SHARE * (baseline.memory_bytes or 0))


def _median(candidate: Candidate) -> float:
    return candidate.latency_ms.estimate if candidate.latency_ms else float("inf")


def pareto(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates that no other one beats in both latency and drop."""
    measured = [candidate for candidate in candidates if candidate.latency_ms and candidate.drop and candidate.path]
    return [
        candidate
        for candidate in measured
        if not any(
            _median(other) <= _median(candidate)
            and other.drop is not None
            and candidate.drop is not None
            and other.drop.estimate <= candidate.drop.estimate
            and (_median(other), other.drop.estimate) != (_median(candidate), candidate.drop.estimate)
            for other in measured
        )
    ]
