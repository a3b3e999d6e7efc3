"""Sizes and times as people read them; JSON keeps the numbers."""

from __future__ import annotations

from typing import Any

_SIZES = ("bytes", "KiB", "MiB", "GiB", "TiB")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def size(count: float) -> str:
    """Return a number of bytes as text: ``27.3 MiB``."""
    unit = 0
    while count >= 1024 and unit < len(_SIZES) - 1:
        count /= 1024
        unit += 1
    return f"{count:.0f} bytes" if unit == 0 else f"{count:.1f} {_SIZES[unit]}"


def duration(seconds: float) -> str:
    """Return a time as text: ``12 us``, ``5.6 ms``, ``3 h 12 min``."""
    if seconds < 1:
        count, unit = (seconds * 1e6, "us") if seconds < 1e-3 else (seconds * 1e3, "ms")
        return f"{count:.0f} {unit}" if count >= 100 else f"{count:.3g} {unit}"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60)} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def told(key: str, value: Any) -> tuple[str, Any]:
    """Return a key without its unit, and its value with one; a key without a unit as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return key, value
    name, _, unit = key.rpartition("_")
    if unit == "bytes":
        return name or "size", size(value)
    if name and unit in _SECONDS:
        return name, duration(value * _SECONDS[unit])
    return key, value
