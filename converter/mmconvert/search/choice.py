"""The choice among measured candidates: the best by the objective that is provably better than float, else float."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmconvert.search.candidate import Candidate
from mmconvert.search.statistic import Interval, bootstrap_median

MIN_SPEEDUP = 1.02  # less than that is not worth a changed file, however sure it is
SAME_SPEED = 1.02  # candidates closer than that count as equally fast; then the smaller one is better
_MIN_SHARE = 0.95


def speedup(baseline: Candidate, candidate: Candidate) -> Interval:
    """Return how many times as fast the candidate is, round by round: what slows a round slows both."""
    rounds = min(len(baseline.times_ms), len(candidate.times_ms))
    return bootstrap_median(np.array(baseline.times_ms[:rounds]) / np.array(candidate.times_ms[:rounds]))


def choose(baseline: Candidate, candidates: Sequence[Candidate], objective: str) -> tuple[Candidate, str]:
    """Return the chosen candidate, or the float baseline, and the reason in a sentence."""
    allowed = [candidate for candidate in candidates if candidate.may_be_chosen and candidate is not baseline]
    if not allowed:
        return baseline, "no candidate kept the accuracy; float32 stays"
    best = {"latency": _fastest, "size": _smallest, "memory": _leanest}[objective](baseline, allowed)
    gain = _gain(baseline, best, objective)
    if not gain:
        return baseline, f"no significant gain over float32 ({_describe(baseline, best, objective)}); float32 stays"
    return best, f"{best.name} is the best of {len(allowed)} candidates that keep the accuracy: {gain}"


def _fastest(baseline: Candidate, allowed: list[Candidate]) -> Candidate:
    """Return the smallest of those that are as fast as the fastest, to within noise."""
    fastest = min(allowed, key=_median)
    tied = [candidate for candidate in allowed if speedup(candidate, fastest).low <= SAME_SPEED]
    tied = [candidate for candidate in tied if _median(candidate) <= SAME_SPEED * _median(fastest)] or [fastest]
    return min(tied, key=lambda candidate: (candidate.is_static, candidate.bytes, candidate.name))


def _smallest(baseline: Candidate, allowed: list[Candidate]) -> Candidate:
    return min(allowed, key=lambda candidate: (candidate.bytes, _median(candidate)))


def _leanest(baseline: Candidate, allowed: list[Candidate]) -> Candidate:
    return min(allowed, key=lambda candidate: (candidate.memory_bytes or 0, candidate.bytes))


def _gain(baseline: Candidate, best: Candidate, objective: str) -> str:
    if objective == "latency":
        is_gain = speedup(baseline, best).low > MIN_SPEEDUP
    elif objective == "size":
        is_gain = best.bytes < _MIN_SHARE * baseline.bytes
    else:
        is_gain = (best.memory_bytes or 0) < _MIN_SHARE * (baseline.memory_bytes or 0)
    return _describe(baseline, best, objective) if is_gain else ""


def _describe(baseline: Candidate, best: Candidate, objective: str) -> str:
    if objective == "latency":
        ratio = speedup(baseline, best)
        return f"{ratio.estimate:.2f} times as fast as float32 (95 %: at least {ratio.low:.2f})"
    if objective == "size":
        return f"{best.bytes / baseline.bytes:.0%} of float32's size"
    return f"{(best.memory_bytes or 0) / max(1, baseline.memory_bytes or 0):.0%} of float32's memory"


def _median(candidate: Candidate) -> float:
    return candidate.latency_ms.estimate if candidate.latency_ms else float("inf")


def pareto(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return those that no other beats in latency and drop at once."""
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
