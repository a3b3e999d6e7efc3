"""The parts of every picture on these pages: boxes, arrows and text, readable in light and in dark mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

Point = tuple[float, float]

_SANS = "ui-sans-serif, system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
_MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
# Colour of each class in light and in dark mode. A picture brings its own ground, so a page's mode cannot spoil it.
_FILLS = {
    "ground": ("#ffffff", "#0d1117"),
    "plain": ("#f6f8fa", "#161b22"),
    "blue": ("#ddf4ff", "#0c2d6b"),
    "green": ("#dafbe1", "#0f3d1f"),
    "red": ("#ffebe9", "#5d1215"),
    "amber": ("#fff8c5", "#4b3300"),
}
_STROKES = {
    "ground": ("#d0d7de", "#3d444d"),
    "plain": ("#8c959f", "#6e7681"),
    "blue": ("#0969da", "#58a6ff"),
    "green": ("#1a7f37", "#3fb950"),
    "red": ("#cf222e", "#f85149"),
    "amber": ("#9a6700", "#d29922"),
}
_INKS = {"ink": ("#1f2328", "#f0f6fc"), "soft": ("#59636e", "#9da7b3")}


def _style() -> str:
    def rules(mode: int) -> str:
        fills = "".join(f".{name}{{fill:{pair[mode]}}}" for name, pair in _FILLS.items())
        strokes = "".join(
            f".{name},.s-{name}{{stroke:{pair[mode]}}}.f-{name}{{fill:{pair[mode]}}}" for name, pair in _STROKES.items()
        )
        inks = "".join(f".{name}{{fill:{pair[mode]}}}" for name, pair in _INKS.items())
        return fills + strokes + inks

    common = (
        f"text{{font-family:{_SANS};font-size:14px;stroke:none}}"
        f".mono{{font-family:{_MONO};white-space:pre}}.bold{{font-weight:600}}.small{{font-size:12px}}"
        ".way{fill:none;stroke-width:1.6}.thick{stroke-width:2.6}.dashed{stroke-dasharray:5 4}"
    )
    return f"{common}{rules(0)}@media (prefers-color-scheme:dark){{{rules(1)}}}"


class Drawing:
    """One picture; what is added later lies on top.

    Args:
        width: In pixels.
        height: In pixels.
        title: A screen reader says it first.
        description: Says in a sentence or two what the picture shows.
    """

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        self.width, self.height = width, height
        self.style = _style()
        self._head = f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
        self._parts: list[str] = []
        self.rectangle(0.5, 0.5, width - 1, height - 1, "ground", radius=8)

    def add(self, element: str) -> None:
        """Add an element as it is."""
        self._parts.append(element)

    def rectangle(
        self, x: float, y: float, width: float, height: float, kind: str, radius: float = 6, extra: str = ""
    ) -> None:
        """Add a rectangle without text."""
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
        self.add(f'<rect {place} class="{kind}"{extra}/>')

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        lines: Sequence[str],
        kind: str = "plain",
        extra: str = "",
    ) -> None:
        """Add a rectangle with a bold first line and smaller ones below, centred."""
        self.rectangle(x, y, width, height, kind, extra=extra)
        step = 17
        top = y + height / 2 - (len(lines) - 1) * step / 2 + 5
        for number, line in enumerate(lines):
            classes = "ink bold" if number == 0 else "soft small"
            self.text(x + width / 2, top + number * step, line, classes, "middle")

    def text(self, x: float, y: float, text: str, classes: str = "ink", anchor: str = "start", extra: str = "") -> None:
        """Add a line of text; ``y`` is its base line."""
        self.add(f'<text x="{x:g}" y="{y:g}" class="{classes}" text-anchor="{anchor}"{extra}>{escape(text)}</text>')

    def way(
        self,
        points: Sequence[Point],
        kind: str = "plain",
        *,
        bend: Point | None = None,
        heads: str = "end",
        classes: str = "",
        extra: str = "",
    ) -> None:
        """Add an arrow along points, or one curve from the first to the last that is pulled towards ``bend``.

        Args:
            points: Where it goes.
            kind: Its colour.
            bend: The control point of the curve.
            heads: Where it has heads: ``end``, ``both`` or ``none``.
            classes: ``thick``, ``dashed``.
            extra: More attributes.
        """
        if bend is None:
            path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
        else:
            (x0, y0), (x1, y1) = points[0], points[-1]
            path = f"M{x0:g} {y0:g} Q{bend[0]:g} {bend[1]:g} {x1:g} {y1:g}"
        marks = "" if heads == "none" else f' marker-end="url(#to-{kind})"'
        marks += f' marker-start="url(#to-{kind})"' if heads == "both" else ""
        self.add(f'<path d="{path}" class="way s-{kind} {classes}"{marks}{extra}/>')

    def text_of(self) -> str:
        """Return the picture as SVG."""
        marker = 'viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse"'
        heads = "".join(
            f'<marker id="to-{kind}" {marker} orient="auto-start-reverse">'
            f'<path d="M0 1 L10 5 L0 9 z" class="f-{kind}" stroke="none"/></marker>'
            for kind in _STROKES
            if f"#to-{kind}" in "".join(self._parts)
        )
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        body = "\n".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>{self._head}\n'
            f"<style>{self.style}</style>\n<defs>{heads}</defs>\n{body}\n</svg>\n"
        )


def attribute(name: str, value: str) -> str:
    """Return an attribute for ``extra``."""
    return f" {name}={quoteattr(value)}"


def write(drawing: Drawing, path: Path) -> None:
    """Write a picture."""
    path.write_text(drawing.text_of(), "utf-8")
