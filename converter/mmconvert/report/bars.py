"""Pictures with one row for each thing: its name, a bar on a common axis, its figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from typing import Any

from mmconvert.report.name import layer_of, operation_of, shorten
from mmconvert.report.quantity import Time, time_unit
from mmconvert.report.svg import CHARACTER, Axis, Drawing

MOST_ROWS = 40
_NAMES, _FIGURES = 290, 120  # columns of a wide picture
_AXIS = 44

Facts = Mapping[str, Any]


class _Rows:
    """The layout of rows: in a wide window, name, bar and figure stand side by side; on a phone, the bar is below."""

    def __init__(self, width: int, count: int, title: str) -> None:
        self.drawing = Drawing(width, 0, title)
        is_wide = self.drawing.is_wide
        self.start, self.end = (_NAMES, width - _FIGURES) if is_wide else (8, width - 8)
        self._height, self._bar = (24, 3) if is_wide else (40, 20)
        self.floor = 6 + self._height * count
        self.drawing.height = self.floor + _AXIS

    def bar_top(self, row: int) -> int:
        return 4 + self._height * row + self._bar

    def name(self, row: int, name: str, figure: str) -> None:
        drawing, y = self.drawing, 4 + self._height * row + 14
        room = (_NAMES - 10 if drawing.is_wide else self.end - self.start - (len(figure) + 2) * CHARACTER) / CHARACTER
        x, anchor = (_NAMES - 10, "end") if drawing.is_wide else (self.start, "start")
        drawing.text(x, y, shorten(name, int(room)), anchor)
        drawing.text(drawing.width if drawing.is_wide else self.end, y, figure, "end", "label")


def kind_of(candidate: Facts, chosen: str) -> str:
    """Return the mark of a candidate: chosen, good or refused."""
    if candidate["name"] == chosen:
        return "chosen"
    return "refused" if candidate["refusal"] else "good"


def draw_latency(search: Facts, width: int) -> str:
    """Draw the spread of every candidate's times: a box over the middle half, a line from the least to the greatest."""
    shown = [item for item in search["candidates"] if len(item["times_ms"]) > 1]
    unit = time_unit(search)
    rows = _Rows(width, len(shown), "Spread of the times of one run")
    every = [unit.of(ms) for item in shown for ms in item["times_ms"]]
    across = Axis(min(every) * 0.9, max(every) * 1.1, rows.start, rows.end, is_log=True)
    rows.drawing.bottom_axis(across, rows.floor, 4, f"{unit.name} of one run (logarithmic)")
    for row, item in enumerate(shown):
        _draw_spread(rows, row, item, across, unit, kind_of(item, search["chosen"]))
    return rows.drawing.as_html()


def _draw_spread(rows: _Rows, row: int, item: Facts, across: Axis, unit: Time, kind: str) -> None:
    times = sorted(unit.of(ms) for ms in item["times_ms"])
    low, _, high = quantiles(times, n=4)
    top = rows.bar_top(row)
    rows.name(row, item["name"], unit.say(median(item["times_ms"])))
    rows.drawing.line(across.at(times[0]), top + 7, across.at(times[-1]), top + 7, "whisker")
    title = f"median {median(times):.4g} {unit.name}, {times[0]:.4g} to {times[-1]:.4g}, in {len(times)} rounds"
    rows.drawing.rect(across.at(low), top, across.at(high) - across.at(low), 14, kind, title)


def draw_sensitivity(items: Sequence[Facts], width: int) -> str:
    """Draw the cost of each operation: the gain in SQNR when it alone stays in floating point."""
    shown = list(items)[:MOST_ROWS]
    rows = _Rows(width, len(shown), "What each operation costs")
    gains = [item["gain_db"] for item in shown]
    across = Axis(min(0.0, *gains), max(0.1, *gains) * 1.1, rows.start, rows.end)
    rows.drawing.bottom_axis(across, rows.floor, 4, "dB of SQNR gained")
    zero = across.at(0.0)
    for row, item in enumerate(shown):
        end = across.at(item["gain_db"])
        rows.name(row, operation_of(item), f"{item['gain_db']:+.2f} dB")
        title = f"{item['output']}: {item['gain_db']:+.2f} dB"
        rows.drawing.rect(min(zero, end), rows.bar_top(row), abs(end - zero), 14, "bar", title)
    return rows.drawing.as_html()


def draw_ranges(ranges: Mapping[str, Sequence[float]], width: int) -> str:
    """Draw the range of each tensor over the calibration rows, beginning with the widest."""
    shown = sorted(ranges.items(), key=lambda item: item[1][0] - item[1][1])[:MOST_ROWS]
    rows = _Rows(width, len(shown), "Ranges of the tensors")
    ends = [end for _, span in shown for end in span]
    sizes = [max(map(abs, span)) for _, span in shown]
    even_to = max(min((size for size in sizes if size), default=1.0), max(sizes) * 1e-4) or 1.0
    across = Axis(min(0.0, *ends), max(0.0, *ends), rows.start, rows.end, even_to=even_to)
    rows.drawing.bottom_axis(across, rows.floor, 4, f"value (logarithmic beyond ±{even_to:.2g})")
    for row, (name, (least, greatest)) in enumerate(shown):
        rows.name(row, layer_of(name), f"{_round(least, greatest)} to {_round(greatest, least)}")
        extent = across.at(greatest) - across.at(least)
        title = f"{name}: {least:.4g} to {greatest:.4g}"
        rows.drawing.rect(across.at(least), rows.bar_top(row), extent, 14, "bar", title)
    return rows.drawing.as_html()


def _round(value: float, other: float) -> str:
    return "0" if abs(value) <= 1e-3 * abs(other) else f"{value:.3g}"
