"""What a handful of measurements can and cannot tell: intervals instead of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmconvert.feed import Array

RESAMPLES = 2000
CONFIDENCE = 0.95  # one-sided: each end of an interval is passed once in twenty times
_SEED = 20240229


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the range that the data does not exclude.

    Attributes:
        low: 95 % of the resamples lie above it.
        high: 95 % of the resamples lie below it.
    """

    estimate: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Return the three figures, rounded."""
        return {name: float(f"{getattr(self, name):.4g}") for name in ("estimate", "low", "high")}


def bootstrap_mean(values: Array) -> Interval:
    """Return the mean of paired differences with its bootstrap interval; the same for the same values.

    Source: Efron, Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile intervals).
    """
    return _bootstrap(values, lambda drawn: drawn.mean(axis=1))


def bootstrap_median(values: Array) -> Interval:
    """Return the median with its bootstrap interval: for times, whose tail is the neighbours' noise."""
    return _bootstrap(values, lambda drawn: np.median(drawn, axis=1))


def _bootstrap(values: Array, statistic: Any) -> Interval:
    random = np.random.default_rng(_SEED)
    drawn = values[random.integers(0, len(values), (RESAMPLES, len(values)))]
    low, high = np.quantile(statistic(drawn), [1 - CONFIDENCE, CONFIDENCE])
    return Interval(float(statistic(values[None])[0]), float(low), float(high))
