"""Aligned plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import starmap
from typing import Any

from mmclient.cli.output.quantity import told


def cell(value: Any) -> str:
    """Return a value as printable text on one line: names and reasons come from files that anybody may write."""
    if value is None or value == "":
        return "-"
    if isinstance(value, dict):
        text = ", ".join(f"{key} {cell(inner)}" for key, inner in starmap(told, value.items())) or "-"
    elif isinstance(value, list):
        text = ", ".join(cell(inner) for inner in value) or "-"
    else:
        text = str(value)
    return "".join(char if char.isprintable() else " " for char in text)


def lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return header and rows with aligned columns; a column of numbers is aligned to the right."""
    content = [list(row) for row in rows]
    texts = [[cell(value) for value in row] for row in content]
    widths = [max(map(len, column)) for column in zip(header, *texts, strict=True)]
    is_number = [
        any(isinstance(value, int | float) for value in column)
        and all(isinstance(value, int | float | None) for value in column)
        for column in (zip(*content, strict=True) if content else [()] * len(header))
    ]
    return [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in (list(header), *texts)
    ]


def fields(document: dict[str, Any], *, skip: Sequence[str] = ()) -> list[str]:
    """Return a document's keys and values, one a line."""
    shown = dict(told(key, value) for key, value in document.items() if key not in skip)
    width = max((len(key) for key in shown), default=0)
    return [f"{key.ljust(width)}  {cell(value)}" for key, value in shown.items()]
