"""Intervals instead of points: how much a handful of measurements can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmconvert.feed import Array

RESAMPLES = 2000
CONFIDENCE = 0.95  # one-sided: the true value is beyond each end once in twenty times
_SEED = 20240229


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the range that the data does not exclude.

    Attributes:
        low: 95 % of the resamples lie above.
        high: 95 % of the resamples lie below.
    """

    estimate: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Return the three figures, rounded."""
        return {name: float(f"{getattr(self, name):.4g}") for name in ("estimate", "low", "high")}


def bootstrap_mean(values: Array) -> Interval:
    """Return the mean of paired differences with its bootstrap interval; equal values give an equal interval.

    Source: Efron, Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile intervals).
    """
    return _bootstrap(values, lambda drawn: drawn.mean(axis=1))


def bootstrap_median(values: Array) -> Interval:
    """Return the median with its bootstrap interval: for times, whose tail is noise of other processes."""
    return _bootstrap(values, lambda drawn: np.median(drawn, axis=1))


def _bootstrap(values: Array, statistic: Any) -> Interval:
    random = np.random.default_rng(_SEED)
    drawn = values[random.integers(0, len(values), (RESAMPLES, len(values)))]
    low, high = np.quantile(statistic(drawn), [1 - CONFIDENCE, CONFIDENCE])
    return Interval(float(statistic(values[None])[0]), float(low), float(high))
