"""Drawing with inline SVG: axes, marks and text, in a plane that is told in the data's own numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps values to pixels.

    Attributes:
        start: Pixel of ``low``.
        end: Pixel of ``high``; may be less than ``start``, as it is for an axis that points up.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Return the pixel of a value; one outside is drawn at the edge."""
        low, high, value = (self._turn(number) for number in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + min(1.0, max(0.0, share)) * (self.end - self.start), 1)

    def _turn(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.is_log else value

    def ticks(self) -> list[float]:
        """Return some round values on the axis."""
        if self.is_log:
            exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            values = [step * 10.0**exponent for exponent in exponents for step in (1, 2, 5)]
        else:
            step = 10.0 ** math.floor(math.log10((self.high - self.low) or 1))
            step = next((s for s in (step / 5, step / 2, step) if (self.high - self.low) / s <= 6), step)
            first = math.ceil(self.low / step)
            values = [index * step for index in range(first, math.floor(self.high / step) + 1)]
        return [value for value in values if self.low <= value <= self.high]


@dataclass(slots=True)
class Drawing:
    """One picture, built up mark by mark."""

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> None:
        """Write text."""
        self.parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "grid") -> None:
        """Draw a line."""
        self.parts.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{kind}"/>')

    def path(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """Draw a line through points."""
        joined = " ".join(f"{x},{y}" for x, y in points)
        self.parts.append(f'<polyline points="{joined}" class="{kind}"/>')

    def rect(self, x: float, y: float, width: float, height: float, kind: str, title: str = "") -> None:
        """Draw a box, with a text that shows when the pointer rests on it."""
        self.parts.append(
            f'<rect x="{round(x, 1)}" y="{round(y, 1)}" width="{round(max(width, 0.8), 1)}"'
            f' height="{round(height, 1)}" class="{kind}"><title>{escape(title)}</title></rect>'
        )

    def dot(self, x: float, y: float, radius: float, kind: str, title: str) -> None:
        """Draw a circle, with a text that shows when the pointer rests on it."""
        self.parts.append(
            f'<circle cx="{x}" cy="{y}" r="{radius}" class="{kind}"><title>{escape(title)}</title></circle>'
        )

    def bottom_axis(self, axis: Axis, y: float, top: float, label: str) -> None:
        """Draw an axis below, with lines up through the picture."""
        for value in axis.ticks():
            x = axis.at(value)
            self.line(x, top, x, y)
            self.text(x, y + 16, f"{value:g}", "middle", "tick")
        self.text((axis.start + axis.end) / 2, y + 34, label, "middle", "label")

    def left_axis(self, axis: Axis, x: float, right: float, label: str) -> None:
        """Draw an axis at the left, with lines across the picture."""
        for value in axis.ticks():
            y = axis.at(value)
            self.line(x, y, right, y)
            self.text(x - 6, y + 4, f"{value:g}", "end", "tick")
        self.text(x - 40, axis.end - 12, label, "start", "label")

    def as_html(self) -> str:
        """Return the element."""
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(self.title)}">'
            f"<title>{escape(self.title)}</title>{''.join(self.parts)}</svg>"
        )
