"""The tables of the report. On a phone, a row becomes a card, and each cell shows its heading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from mmconvert.report.bars import kind_of
from mmconvert.report.quantity import describe_bytes, percent, time_unit

Facts = Mapping[str, Any]


def render_pairs(pairs: Iterable[tuple[str, Any]]) -> str:
    """Return a table of names and values, without the names that have no value."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in pairs if value)
    return f'<table class="pairs">{rows}</table>' if rows else ""


def render_candidates(search: Facts) -> str:
    """Return all candidates with their figures; below each name stands its meaning, or why it was refused."""
    unit = time_unit(search)
    heads = ["", "candidate", f"time, {unit.name}", "file", "drop", "at most", "SQNR, dB", "KL", "memory", "pieces"]
    rows = []
    for number, item in enumerate(search["candidates"], 1):
        latency, drop, memory = item["latency_ms"], item["drop"], item["memory_bytes"]
        what = item["meaning"] if not item["refusal"] else f"{_why(item)}: {item['refusal']}"
        cells = [
            str(number),
            f"{escape(item['name']).replace('_', '_<wbr>')}<small>{escape(what)}</small>",
            unit.figure(latency["estimate"]) if latency else "",
            describe_bytes(item["bytes"]) if item["bytes"] else "",
            percent(drop["estimate"]) if drop else "",
            percent(drop["high"]) if drop else "",
            f"{item['sqnr_db']:.1f}" if item["sqnr_db"] is not None else "equal" if latency else "",
            f"{max(0.0, item['kl']):.2g}" if item["kl"] is not None else "",
            describe_bytes(memory) if memory else "",
            str(item["partitions"]) if latency else "",
        ]
        rows.append((kind_of(item, search["chosen"]), cells))
    return _table("candidates", heads, rows)


def _why(candidate: Facts) -> str:
    return "refused" if candidate["latency_ms"] else "not made"


def render_flips(flips: Sequence[Facts]) -> str:
    """Return the rows whose class the file changes."""
    has_classes = any("right" in flip for flip in flips)
    heads = ["row", "float32", "this file", "margin", *(["right"] if has_classes else [])]
    rows = [
        (
            "",
            [
                *(str(flip[key]) for key in ("row", "from", "to")),
                f"{flip['margin']:.4f}",
                *([str(flip.get("right", ""))] if has_classes else []),
            ],
        )
        for flip in flips
    ]
    return _table("flips", heads, rows)


def _table(kind: str, heads: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return a table; the cells are HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(
        f'<tr class="{row_kind}">'
        + "".join(f'<td data-head="{escape(name)}">{cell}</td>' for name, cell in zip(heads, cells, strict=True))
        + "</tr>"
        for row_kind, cells in rows
    )
    return f'<table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
