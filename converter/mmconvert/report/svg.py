"""Drawing with inline SVG: axes, marks and text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDE, NARROW = 860, 340  # every picture is drawn for a wide window and for a phone; the style sheet shows one
CHARACTER = 7.4  # pixels of an average letter at 12 px in the widest of the usual fonts

_STEPS = ((1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps values to pixels.

    Attributes:
        start: Pixel of ``low``.
        end: Pixel of ``high``; less than ``start`` for an axis that points up.
        is_log: Whether equal ratios are equally long.
        even_to: If given, the scale is even between plus and minus this value, and logarithmic beyond it.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False
    even_to: float | None = None

    def at(self, value: float) -> float:
        """Return the pixel of a value; a value outside the axis is drawn at its edge."""
        low, high, value = (self._turn(number) for number in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 1)

    def _turn(self, value: float) -> float:
        if self.even_to is not None:
            return math.asinh(value / self.even_to)
        return math.log10(max(value, 1e-12)) if self.is_log else value

    def ticks(self, room: int = 55) -> list[float]:
        """Return some round values on the axis; each has at least ``room`` pixels for its figure."""
        most = max(2, int(abs(self.end - self.start) // room))
        if self.even_to is not None:
            return self._ticks_of_both_signs()
        if self.is_log:
            choices = [self._log_ticks(steps) for steps in _STEPS]
            every = max(1, -(-len(choices[-1]) // most))
            return next((found for found in choices if len(found) <= most), choices[-1][::every])
        step = 10.0 ** math.floor(math.log10((self.high - self.low) or 1))
        step = next(s for s in (step / 5, step / 2, step, step * 2, step * 5) if (self.high - self.low) / s <= most)
        first = math.ceil(self.low / step - 1e-9)
        values = [round(index * step, 12) for index in range(first, math.floor(self.high / step + 1e-9) + 1)]
        return [value for value in values if self.low <= value <= self.high]

    def _log_ticks(self, steps: Sequence[float]) -> list[float]:
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = [step * 10.0**exponent for exponent in exponents for step in steps]
        return [value for value in values if self.low <= value <= self.high]

    def _ticks_of_both_signs(self) -> list[float]:
        """Return zero, and powers of ten where there is room beside the values nearer to zero."""
        assert self.even_to is not None
        most = max(abs(self.low), abs(self.high))
        powers = range(math.floor(math.log10(self.even_to)), math.ceil(math.log10(most or 1)) + 1)
        found = [0.0] if self.low <= 0 <= self.high else []
        for value in (sign * 10.0**power for power in powers for sign in (1, -1)):
            is_on = self.low <= value <= self.high
            if is_on and all(abs(self.at(value) - self.at(other)) >= 45 for other in found):
                found.append(value)
        return sorted(found)


@dataclass(slots=True)
class Drawing:
    """One picture, built up mark by mark."""

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    @property
    def is_wide(self) -> bool:
        """Whether there is room for names beside the marks."""
        return self.width >= WIDE

    def text(self, x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> None:
        """Write text."""
        self.parts.append(
            f'<text x="{round(x, 1)}" y="{round(y, 1)}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "grid") -> None:
        """Draw a line."""
        places = (round(place, 1) for place in (x1, y1, x2, y2))
        self.parts.append('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>'.format(*places, kind))

    def path(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """Draw a line through points."""
        joined = " ".join(f"{x},{y}" for x, y in points)
        self.parts.append(f'<polyline points="{joined}" class="{kind}"/>')

    def rect(self, x: float, y: float, width: float, height: float, kind: str, title: str = "") -> None:
        """Draw a box; its title shows when the pointer rests on it."""
        self.parts.append(
            f'<rect x="{round(x, 1)}" y="{round(y, 1)}" width="{round(max(width, 1.5), 1)}"'
            f' height="{round(height, 1)}" rx="1.5" class="{kind}"><title>{escape(title)}</title></rect>'
        )

    def dot(self, x: float, y: float, radius: float, kind: str, title: str) -> None:
        """Draw a circle; its title shows when the pointer rests on it."""
        self.parts.append(
            f'<circle cx="{x}" cy="{y}" r="{radius}" class="{kind}"><title>{escape(title)}</title></circle>'
        )

    def bottom_axis(self, axis: Axis, y: float, top: float, label: str) -> None:
        """Draw an axis below, with lines up through the picture."""
        for value in axis.ticks():
            x = axis.at(value)
            self.line(x, top, x, y)
            half = len(f"{value:g}") * CHARACTER / 2  # a figure at the edge moves inside
            self.text(min(max(x, half), self.width - half), y + 16, f"{value:g}", "middle", "tick")
        self.text((axis.start + axis.end) / 2, y + 34, label, "middle", "label")

    def left_axis(self, axis: Axis, x: float, right: float, label: str) -> None:
        """Draw an axis at the left, with lines across the picture."""
        for value in axis.ticks(room=30):
            y = axis.at(value)
            self.line(x, y, right, y)
            self.text(x - 6, y + 4, f"{value:g}", "end", "tick")
        self.text(0, axis.end - 14, label, "start", "label")

    def as_html(self) -> str:
        """Return the element."""
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(self.title)}">'
            f"{''.join(self.parts)}</svg>"
        )
