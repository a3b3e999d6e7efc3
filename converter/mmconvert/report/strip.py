"""The graph as a strip: one box for each operation in its order, coloured by the type of its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmconvert.report.svg import CHARACTER, Drawing

_MOST_WITH_NAMES = 60
_LETTER = CHARACTER * 11 / 12  # the names are written in 11 px

Facts = Mapping[str, Any]


def draw_operations(operations: Sequence[Facts], width: int) -> str:
    """Draw the strip; in a large graph, names show only under the pointer."""
    drawing = Drawing(width, 0, "Type of every operation")
    has_names = len(operations) <= _MOST_WITH_NAMES
    columns, height = (width // 140, 30) if has_names else (width // 20, 20)
    size = width / columns
    drawing.height = height * ((len(operations) + columns - 1) // columns)
    for index, item in enumerate(operations):
        x, y = (index % columns) * size, (index // columns) * height
        title = f"{index}: {item['op']} gives {item['dtype']}\n{item['output']}"
        drawing.rect(x, y, size - 4, height - 5, f"type {item['dtype'].lower()}", title)
        if has_names:
            room = int((size - 12) / _LETTER)
            name = item["op"].lower()
            name = name if len(name) <= room else name[: room - 1] + "…"
            drawing.text(x + (size - 4) / 2, y + 17, name, "middle", "mark")
    return drawing.as_html()
