"""The page: the verdict in one sentence, then what led to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from mmconvert.outcome import describe_bytes
from mmconvert.report.chart import (
    draw_growth,
    draw_latency,
    draw_operations,
    draw_pareto,
    draw_ranges,
    draw_sensitivity,
    kind_of,
)

Facts = Mapping[str, Any]

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --dim: #667085; --line: #d9dee7; --page: #fff; --card: #f6f8fb;
  --good: #4b83c4; --chosen: #14844f; --refused: #c2483f; --bar: #7f8fb0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --dim: #98a2b3; --line: #343b49; --page: #14181f;
  --card: #1c222c; --good: #6ea3e0; --chosen: #37b578; --refused: #e0736b; --bar: #8a99b8; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 900px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; }
.verdict { font-size: 1.1rem; background: var(--card); border-left: 5px solid var(--chosen); padding: .8rem 1rem; }
.verdict.REJECT { border-color: var(--refused); } .verdict.FULL_TF { border-color: var(--good); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .88rem; }
th, td { text-align: right; padding: .3rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:nth-child(-n+2), td:nth-child(-n+2), td:last-child { text-align: left; } th { color: var(--dim); }
tr.chosen td { font-weight: 600; color: var(--chosen); } tr.refused td { color: var(--dim); }
.scroll { overflow-x: auto; } code, pre { font-size: .85rem; } pre { background: var(--card); padding: .8rem;
  overflow-x: auto; white-space: pre-wrap; } .dim { color: var(--dim); } svg { width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); } svg .tick, svg .label { fill: var(--dim); }
svg .mark { font-size: 10px; fill: #fff; pointer-events: none; } svg .grid { stroke: var(--line); }
svg .whisker { stroke: var(--dim); stroke-width: 1.5; }
svg .front { fill: none; stroke: var(--chosen); stroke-width: 1.5; stroke-dasharray: 5 4; }
svg .good { fill: var(--good); } svg .chosen { fill: var(--chosen); } svg .refused { fill: var(--refused); }
svg .bar { fill: var(--bar); } svg .type { fill: var(--bar); } svg .int8, svg .int4 { fill: var(--chosen); }
svg .int16 { fill: var(--good); } svg .float32, svg .float16 { fill: #c98a2b; }
"""


def render(outcome: Facts, command: str) -> str:
    """Return the page as HTML.

    Args:
        outcome: The ``--json`` document.
        command: The command line that gives the same again.
    """
    search = outcome["search"]
    parts = [
        f"<h1>{escape(outcome['name'])}</h1>",
        f'<p class="verdict {outcome["verdict"]}"><b>{outcome["verdict"]}</b>: {escape(outcome["reason"])}.</p>',
        _summary(outcome),
        *(_search_parts(search) if search else []),
        *_section("Operations of the file", _operations(outcome["operations"])),
        *_section("Repairs", _list(outcome["repairs"])),
        *_section("Evidence", _list(outcome["evidence"])),
        *_section("How to make it again", f"<pre>{escape(command)}</pre>{_versions(outcome['versions'])}"),
    ]
    title, body = f"{outcome['name']}: {outcome['verdict']}", "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _search_parts(search: Facts) -> list[str]:
    return [
        *_section(
            "Candidates",
            f'<p class="dim">{len(search["candidates"])} forms, scored on {search["rows"]} rows;'
            f" drop: {escape(search['drop_is'])}; at most {search['max_drop']:.2%} with 95 % confidence.</p>"
            f"{draw_pareto(search)}{_candidates(search)}",
        ),
        *_section("Latency, all candidates in turns", draw_latency(search)),
        *_section("Sensitivity", draw_sensitivity(search["sensitivity"]) if search["sensitivity"] else ""),
        *_section("Rows whose class changed", _flips(search["flips"])),
        *_section("Enough calibration rows?", draw_growth(search["growth"]) if len(search["growth"]) > 1 else ""),
        *_section("Ranges of the tensors", draw_ranges(search["ranges"]) if search["ranges"] else ""),
    ]


def _section(title: str, content: str) -> list[str]:
    return [f"<section><h2>{escape(title)}</h2>{content}</section>"] if content else []


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _summary(outcome: Facts) -> str:
    facts = [
        ("written", outcome["output"]),
        ("size", f"{describe_bytes(outcome['bytes'])}, source {describe_bytes(outcome['source_bytes'])}"),
        ("signatures", ", ".join(outcome["signatures"])),
        ("recipe", outcome["recipe"]),
        ("sha256", outcome["sha256"]),
    ]
    if outcome["drop"]:
        drop = outcome["drop"]
        facts.append(("drop on rows held out", f"{drop['estimate']:.2%} ({drop['low']:.2%} to {drop['high']:.2%})"))
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(str(value))}</td></tr>" for name, value in facts if value)
    return f'<div class="scroll"><table>{rows}</table></div>'


def _candidates(search: Facts) -> str:
    head = "".join(
        f"<th>{name}</th>"
        for name in ("", "candidate", "ms", "bytes", "drop", "up to", "SQNR dB", "KL", "memory", "pieces", "")
    )
    rows = []
    for number, item in enumerate(search["candidates"], 1):
        latency, drop, memory = item["latency_ms"], item["drop"], item["memory_bytes"]
        cells = [
            str(number),
            item["name"],
            f"{latency['estimate']:.4g}" if latency else "",
            f"{item['bytes']:,}" if item["bytes"] else "",
            f"{drop['estimate']:.2%}" if drop else "",
            f"{drop['high']:.2%}" if drop else "",
            f"{item['sqnr_db']:.1f}" if item["sqnr_db"] is not None else "",
            f"{item['kl']:.2g}" if item["kl"] is not None else "",
            describe_bytes(memory) if memory else "",
            str(item["partitions"]) if latency else "",
            item["refusal"] or item["meaning"],
        ]
        text = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        rows.append(f'<tr class="{kind_of(item, search["chosen"])}">{text}</tr>')
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _flips(flips: Sequence[Facts]) -> str:
    if not flips:
        return ""
    head = "<tr><th>row</th><th>float32 says</th><th>the file says</th><th>margin</th><th>right</th></tr>"
    rows = "".join(
        f"<tr><td>{flip['row']}</td><td>{flip['from']}</td><td>{flip['to']}</td><td>{flip['margin']:.4f}</td>"
        f"<td>{flip.get('right', '')}</td></tr>"
        for flip in flips
    )
    said = '<p class="dim">Of the rows that choose; those first of which float32 was surest.</p>'
    return f"{said}<table>{head}{rows}</table>"


def _operations(operations: Sequence[Facts]) -> str:
    if not operations:
        return ""
    counts: dict[str, int] = {}
    for item in operations:
        counts[item["dtype"]] = counts.get(item["dtype"], 0) + 1
    told = ", ".join(f"{count} give {kind.lower()}" for kind, count in sorted(counts.items()))
    return f'<p class="dim">{len(operations)} operations: {told}.</p>{draw_operations(operations)}'


def _versions(versions: Mapping[str, str]) -> str:
    return f'<p class="dim">{escape(", ".join(f"{name} {version}" for name, version in versions.items()))}</p>'
