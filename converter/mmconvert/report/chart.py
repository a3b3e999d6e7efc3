"""The pictures of the report, each from the facts that ``--json`` gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from typing import Any

from mmconvert.report.svg import Axis, Drawing

_WIDTH = 860
_MOST_SQNR_DB = 100.0  # equal to within float32's rounding
_ROW = 24
_NAMES = 250
_MOST_ROWS = 40

Facts = Mapping[str, Any]


def kind_of(candidate: Facts, chosen: str) -> str:
    """Return how a candidate is marked: chosen, good or refused."""
    if candidate["name"] == chosen:
        return "chosen"
    return "refused" if candidate["refusal"] else "good"


def draw_pareto(search: Facts) -> str:
    """Return latency against fidelity; the lower right is worst, the line joins those that nothing beats in both."""
    shown = [item for item in search["candidates"] if item["latency_ms"]]
    drawing = Drawing(_WIDTH, 380, "Latency against fidelity of every candidate")
    times = [item["latency_ms"]["estimate"] for item in shown]
    across = Axis(min(times) * 0.8, max(times) * 1.25, 60, _WIDTH - 20, is_log=True)
    levels = [_fidelity(item) for item in shown]
    up = Axis(min(0.0, *levels), _MOST_SQNR_DB + 5, 330, 30)
    drawing.bottom_axis(across, 330, 30, "milliseconds of one run (log)")
    drawing.left_axis(up, 60, _WIDTH - 20, "SQNR, dB (top: equal to float32)")
    best = [item for item in shown if item["name"] in search["pareto"]]
    best.sort(key=lambda item: float(item["latency_ms"]["estimate"]))
    points = [(across.at(item["latency_ms"]["estimate"]), up.at(_fidelity(item))) for item in best]
    drawing.path(points, "front")
    largest = max(item["bytes"] for item in shown)
    for number, item in enumerate(search["candidates"], 1):
        if item["latency_ms"]:
            x, y = across.at(item["latency_ms"]["estimate"]), up.at(_fidelity(item))
            radius = round(8 + 12 * (item["bytes"] / largest) ** 0.5, 1)
            title = f"{item['name']}: {item['latency_ms']['estimate']:.4g} ms, {item['bytes']:,} bytes"
            drawing.dot(x, y, radius, kind_of(item, search["chosen"]), title)
            drawing.text(x, y + 4, str(number), "middle", "mark")
    return drawing.as_html()


def _fidelity(candidate: Facts) -> float:
    found = candidate["sqnr_db"]
    return _MOST_SQNR_DB if found is None else min(float(found), _MOST_SQNR_DB)


def draw_latency(search: Facts) -> str:
    """Return the spread of every candidate's times: box from the first to the third quarter, line from end to end."""
    shown = [item for item in search["candidates"] if len(item["times_ms"]) > 1]
    drawing = Drawing(_WIDTH, 60 + _ROW * len(shown), "Spread of the times of one run")
    every = [ms for item in shown for ms in item["times_ms"]]
    across = Axis(min(every) * 0.9, max(every) * 1.1, _NAMES, _WIDTH - 20, is_log=True)
    floor = 10 + _ROW * len(shown)
    drawing.bottom_axis(across, floor, 4, "milliseconds of one run, one figure a round (log)")
    for row, item in enumerate(shown):
        times = sorted(item["times_ms"])
        low, _, high = quantiles(times, n=4)
        y = 10 + _ROW * row
        drawing.text(_NAMES - 10, y + 14, item["name"], "end")
        drawing.line(across.at(times[0]), y + 10, across.at(times[-1]), y + 10, "whisker")
        kind = kind_of(item, search["chosen"])
        title = f"median {median(times):.4g} ms over {len(times)} rounds"
        drawing.rect(across.at(low), y + 3, across.at(high) - across.at(low), 14, kind, title)
    return drawing.as_html()


def draw_sensitivity(items: Sequence[Facts]) -> str:
    """Return what each operation costs: the gain in SQNR when it alone stays in floating point."""
    shown = list(items)[:_MOST_ROWS]
    drawing = Drawing(_WIDTH, 60 + _ROW * len(shown), "What each operation costs")
    gains = [item["gain_db"] for item in shown]
    across = Axis(min(0.0, *gains), max(0.1, *gains) * 1.1, _NAMES, _WIDTH - 20)
    floor = 10 + _ROW * len(shown)
    drawing.bottom_axis(across, floor, 4, "dB of SQNR gained when it stays in floating point")
    zero = across.at(0.0)
    for row, item in enumerate(shown):
        y = 10 + _ROW * row
        end = across.at(item["gain_db"])
        drawing.text(_NAMES - 10, y + 14, f"{item['op'].lower()} {_short(item['output'])}", "end")
        drawing.rect(min(zero, end), y + 3, abs(end - zero), 14, "bar", f"{item['output']}: {item['gain_db']:+.2f} dB")
    return drawing.as_html()


def draw_ranges(ranges: Mapping[str, Sequence[float]]) -> str:
    """Return the range of each tensor over the calibration rows, the widest first."""
    shown = sorted(ranges.items(), key=lambda item: item[1][0] - item[1][1])[:_MOST_ROWS]
    drawing = Drawing(_WIDTH, 60 + _ROW * len(shown), "Ranges of the tensors")
    low, high = min(span[0] for _, span in shown), max(span[1] for _, span in shown)
    across = Axis(low, high, _NAMES, _WIDTH - 20)
    drawing.bottom_axis(across, 10 + _ROW * len(shown), 4, "least to greatest value over the calibration rows")
    for row, (name, (least, greatest)) in enumerate(shown):
        y = 10 + _ROW * row
        drawing.text(_NAMES - 10, y + 14, _short(name), "end")
        width = across.at(greatest) - across.at(least)
        drawing.rect(across.at(least), y + 3, width, 14, "bar", f"{name}: {least:.4g} to {greatest:.4g}")
    return drawing.as_html()


def draw_growth(growth: Sequence[Sequence[float]]) -> str:
    """Return how the ranges grew with the rows: a curve that is flat at its end had enough of them."""
    drawing = Drawing(_WIDTH, 240, "Growth of the ranges with the calibration rows")
    across = Axis(0, growth[-1][0], 60, _WIDTH - 20)
    up = Axis(min(0.5, *(share for _, share in growth)), 1.0, 190, 30)
    drawing.bottom_axis(across, 190, 30, "calibration rows")
    drawing.left_axis(up, 60, _WIDTH - 20, "share of the final range")
    drawing.path([(across.at(rows), up.at(share)) for rows, share in growth], "front")
    for rows, share in growth:
        drawing.dot(across.at(rows), up.at(share), 4, "good", f"{rows} rows: {share:.1%}")
    return drawing.as_html()


def draw_operations(operations: Sequence[Facts]) -> str:
    """Return the graph as a strip: a box an operation in their order, coloured by the type that it gives."""
    columns = 24
    rows = (len(operations) + columns - 1) // columns
    size = (_WIDTH - 20) / columns
    drawing = Drawing(_WIDTH, int(rows * 30) + 10, "Type of every operation")
    for index, item in enumerate(operations):
        x, y = 10 + (index % columns) * size, 5 + (index // columns) * 30
        kind = f"type {item['dtype'].lower()}"
        drawing.rect(x, y, size - 3, 24, kind, f"{index}: {item['op']} gives {item['dtype']}\n{item['output']}")
        drawing.text(round(x + (size - 3) / 2, 1), y + 16, item["op"][:4].lower(), "middle", "mark")
    return drawing.as_html()


def _short(name: str) -> str:
    """Return what of a tensor's name tells it apart: the converter joins the names of everything that it fused."""
    last = name.rstrip(";").rpartition(";")[2] or name
    return last if len(last) <= 32 else "..." + last[-29:]
