"""The page: the verdict in one sentence, followed by everything that led to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

from mmconvert.parity.summary import describe_parity
from mmconvert.report.bars import MOST_ROWS, draw_latency, draw_ranges, draw_sensitivity
from mmconvert.report.plane import draw_fidelity, draw_growth
from mmconvert.report.quantity import describe_bytes, percent
from mmconvert.report.strip import draw_operations
from mmconvert.report.style import STYLE
from mmconvert.report.svg import NARROW, WIDE
from mmconvert.report.table import render_candidates, render_flips, render_pairs

Facts = Mapping[str, Any]

_WHOLE_NUMBERS = ("INT32", "INT64")
_WORDS = (
    "SQNR: the power of the signal over that of the error, over all outputs; 20 dB is an error of a tenth, 40 dB of a"
    " hundredth. KL: how far the candidate's probabilities are from those of float32, in nats. At most: 95 % of the"
    " resamples of the rows have a smaller drop. Memory: how much more memory a process needs for it at its peak."
    " Pieces: the number of parts of the graph that the XNNPACK delegate runs; 0 means none, which is slow."
)


def render(outcome: Facts, command: str) -> str:
    """Return the page as HTML.

    Args:
        outcome: The ``--json`` document.
        command: The command line that makes the same page again.
    """
    search = outcome["search"]
    parts = [
        f'<header><p class="kicker">mmconvert report</p><h1>{escape(outcome["name"])}</h1></header>',
        f'<p class="verdict {outcome["verdict"]}"><b>{outcome["verdict"]}</b>: {_text(outcome["reason"])}.</p>',
        _remedy(outcome["error"]),
        _tiles(outcome, search),
        _summary(outcome),
        *(_search_parts(search, outcome["operations"]) if search else []),
        *_section("Operations", _operations(outcome["operations"])),
        *_section("Repairs", _list(outcome["repairs"])),
        *_section("Evidence", _list(outcome["evidence"])),
        *_section(
            "Command" if outcome["error"] else "How to make it again",
            f"<pre>{escape(command)}</pre>{_versions(outcome['versions'])}",
        ),
    ]
    title, body = f"{outcome['name']}: {outcome['verdict']}", "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _remedy(error: Facts | None) -> str:
    if error is None:
        return ""
    hint = f"Hint: {escape(error['hint'])}. " if error["hint"] else ""
    return f'<p>{hint}Nothing was written. <span class="dim">Error code: {error["code"]}</span></p>'


def _tiles(outcome: Facts, search: Facts | None) -> str:
    """Return the figures that matter most, in large type."""
    tiles: list[tuple[str, str]] = []
    if search and search["chosen"] != search["baseline"]:
        gain = search["speedup"]
        tiles.append((f"{gain['estimate']:.2f} ×", f"as fast as float32 (95 %: at least {gain['low']:.2f} ×)"))
    if outcome["bytes"]:
        tiles.append(
            (describe_bytes(outcome["bytes"]), f"written; the source has {describe_bytes(outcome['source_bytes'])}")
        )
    if outcome["drop"]:
        drop = outcome["drop"]
        span = f"95 %: {percent(drop['low'])} to {percent(drop['high'])}"
        what = f"drop on {outcome['parity']['rows']} rows held out ({span})"
        tiles.append((percent(drop["estimate"]), f"{what}: {search['drop_is']}" if search else what))
    items = "".join(f'<div class="tile"><b>{_text(figure)}</b>{_text(what)}</div>' for figure, what in tiles)
    return f'<div class="tiles">{items}</div>' if tiles else ""


def _summary(outcome: Facts) -> str:
    calibration = outcome["calibration"]
    return render_pairs(
        [
            ("written", outcome["output"]),
            ("against TensorFlow", describe_parity(outcome["parity"]) if outcome["parity"] else ""),
            ("recipe", outcome["recipe"]),
            ("signatures", ", ".join(outcome["signatures"])),
            ("real rows given", calibration["rows"] if calibration else ""),
            ("labels", outcome["labels"]),
            ("SHA-256", outcome["sha256"]),
        ]
    )


def _search_parts(search: Facts, operations: Sequence[Facts]) -> list[str]:
    count = len(search["candidates"])
    shapes = {item["output"] for item in operations if item["dtype"] in _WHOLE_NUMBERS}  # they are never quantized
    ranges = {name: span for name, span in search["ranges"].items() if name not in shapes}
    said = (
        f"{count} forms of the model, compared with float32 on {search['rows']} rows. Drop is {search['drop_is']};"
        f" at most {percent(search['max_drop'])} is allowed, with 95 % confidence."
    )
    legend = _legend([("chosen", "chosen"), ("good", "keeps the accuracy"), ("refused", "refused")])
    picture = _both(lambda width: draw_fidelity(search, width))
    line = (
        "Up and to the left is better; a larger dot is a larger file. The dashed line joins the candidates that no"
        " other candidate beats."
    )
    return [
        *_section("Candidates", f"{_dim(said)}{_dim(line)}{legend}{picture}{render_candidates(search)}{_dim(_WORDS)}"),
        *_section(
            "Times",
            _dim("All candidates ran in turns, one row at a time, on one thread. A box holds the middle half of them.")
            + _both(lambda width: draw_latency(search, width)),
        ),
        *_part(
            "Sensitivity",
            search["sensitivity"],
            "How much int8 gains if one operation alone stays in floating point. The first rows are reverted first.",
            draw_sensitivity,
        ),
        *_section("Rows whose class changed", _flips(search["flips"])),
        *_part(
            "Enough calibration rows?",
            search["growth"] if len(search["growth"]) > 1 else [],
            "If the curve is flat at its end, there were enough rows.",
            draw_growth,
        ),
        *_part(
            "Ranges of the tensors",
            ranges,
            "Least to greatest value over the calibration rows. The 256 steps of int8 are spread over this range."
            + (f" The {MOST_ROWS} widest are shown." if len(ranges) > MOST_ROWS else ""),
            draw_ranges,
        ),
    ]


def _part(title: str, facts: Any, said: str, draw: Callable[[Any, int], str]) -> list[str]:
    return _section(title, _dim(said) + _both(lambda width: draw(facts, width))) if facts else []


def _both(draw: Callable[[int], str]) -> str:
    return f'<div class="wide">{draw(WIDE)}</div><div class="narrow">{draw(NARROW)}</div>'


def _section(title: str, content: str) -> list[str]:
    return [f"<section><h2>{escape(title)}</h2>{content}</section>"] if content else []


def _text(text: str) -> str:
    """Return running text in which no line breaks between a figure and its sign."""
    return escape(text).replace(" %", "\N{NO-BREAK SPACE}%").replace(" ×", "\N{NO-BREAK SPACE}×")


def _dim(text: str) -> str:
    return f'<p class="dim">{_text(text)}</p>'


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{_text(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _legend(items: Iterable[tuple[str, str]]) -> str:
    marks = "".join(f'<span><i class="{kind}"></i>{escape(name)}</span>' for kind, name in items)
    return f'<div class="legend">{marks}</div>'


def _flips(flips: Sequence[Facts]) -> str:
    if not flips:
        return ""
    said = (
        "The number of the row among those that chose, the class that float32 and this file give it, and the margin by"
        " which float32 preferred its own class. The rows of which float32 was surest come first."
    )
    return _dim(said) + render_flips(flips)


def _operations(operations: Sequence[Facts]) -> str:
    if not operations:
        return ""
    counts: dict[str, int] = {}
    for item in operations:
        counts[item["dtype"].lower()] = counts.get(item["dtype"].lower(), 0) + 1
    legend = _legend((f"type {kind}", f"gives {kind}: {count}") for kind, count in sorted(counts.items()))
    said = f"The {len(operations)} operations in their order, coloured by the type of their results."
    return _dim(said) + legend + _both(lambda width: draw_operations(operations, width))


def _versions(versions: Mapping[str, str]) -> str:
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    return _dim(told) if told else ""
