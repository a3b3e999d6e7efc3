"""Figures with their units, for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MICROSECONDS_BELOW_MS = 0.2
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Time:
    """The unit of all times on one page.

    Attributes:
        decimals: Digits after the point, for all of them.
    """

    name: str
    per_ms: float
    decimals: int

    def of(self, ms: float) -> float:
        """Return milliseconds in this unit."""
        return ms * self.per_ms

    def figure(self, ms: float) -> str:
        """Return a time without its unit."""
        return f"{self.of(ms):.{self.decimals}f}"

    def say(self, ms: float) -> str:
        """Return a time for people."""
        return f"{self.figure(ms)} {self.name}"


def time_unit(search: Mapping[str, Any]) -> Time:
    """Return the unit that fits the fastest candidate, microseconds or milliseconds, with three digits for it."""
    fastest = min((item["latency_ms"]["estimate"] for item in search["candidates"] if item["latency_ms"]), default=1.0)
    name, per_ms = ("µs", 1000.0) if fastest < _MICROSECONDS_BELOW_MS else ("ms", 1.0)
    return Time(name, per_ms, max(0, _DIGITS - 1 - math.floor(math.log10(max(fastest * per_ms, 1e-3)))))


def percent(share: float) -> str:
    """Return a share for people."""
    return f"{share:.2%}".replace("%", "\N{NO-BREAK SPACE}%")


def describe_bytes(count: int) -> str:
    """Return a size for people."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"
