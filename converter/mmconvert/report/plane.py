"""Pictures with two axes: candidates by time and fidelity, ranges by calibration rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmconvert.report.bars import kind_of
from mmconvert.report.quantity import describe_bytes, time_unit
from mmconvert.report.svg import CHARACTER, Axis, Drawing

_MOST_SQNR_DB = 100.0  # equal within float32's rounding
_LEFT = 44
_NEAR = 120
_LINE = 13  # pixels between the base lines of two labels
# Where a label may go relative to its mark, beginning with the nearest place: distance, side, lines down.
_PLACES = [
    (shift, side, line)
    for shift in (0, 40, 90, 150, 220)
    for line in (0, 1, -1, 2, -2, 3, -3, 4, -4)
    for side in ("start", "end")
]

Facts = Mapping[str, Any]
Box = tuple[float, float, float, float]


def draw_fidelity(search: Facts, width: int) -> str:
    """Draw time against fidelity: up and left is better. A line joins candidates that no other beats in both."""
    shown = [(number, item) for number, item in enumerate(search["candidates"], 1) if item["latency_ms"]]
    unit = time_unit(search)
    drawing = Drawing(width, 380, "Time against fidelity of every candidate")
    times = [unit.of(item["latency_ms"]["estimate"]) for _, item in shown]
    across = Axis(min(times) * 0.8, max(times) * 1.25, _LEFT, width - 12, is_log=True)
    up = Axis(min(0.0, *(_fidelity(item) - 6 for _, item in shown)), _MOST_SQNR_DB + 6, 330, 30)
    drawing.bottom_axis(across, 330, 30, f"{unit.name} of one run (logarithmic)")
    drawing.left_axis(up, _LEFT, width - 12, "SQNR in dB; at 100 it practically equals float32")
    places = [(across.at(time), up.at(_fidelity(item))) for time, (_, item) in zip(times, shown, strict=True)]
    drawing.path(_front(places), "front")
    largest = max(item["bytes"] for _, item in shown)
    radii = [round(4 + 6 * (item["bytes"] / largest) ** 0.5, 1) for _, item in shown]
    for (x, y), radius, (_, item) in zip(places, radii, shown, strict=True):
        title = f"{item['name']}: {unit.say(item['latency_ms']['estimate'])}, {describe_bytes(item['bytes'])}"
        drawing.dot(x, y, radius, kind_of(item, search["chosen"]), title)
    taken = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(places, radii, strict=True)]
    labels = [item["name"] if drawing.is_wide else str(number) for number, item in shown]
    for index in sorted(range(len(shown)), key=lambda index: _neighbours(places, index)):
        _label(drawing, *places[index], radii[index], labels[index], taken)
    return drawing.as_html()


def _front(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the places that no other one beats in both directions, from left to right; pixels count downwards."""
    best: list[tuple[float, float]] = []
    for place in sorted(set(places)):
        if not best or place[1] < best[-1][1]:
            best.append(place)
    return best


def _neighbours(places: Sequence[tuple[float, float]], index: int) -> int:
    """Return how many other marks lie where the label of a mark would be."""
    x, y = places[index]
    return sum(abs(other[0] - x) < _NEAR and abs(other[1] - y) < _LINE for other in places)


def _label(drawing: Drawing, x: float, y: float, radius: float, text: str, taken: list[Box]) -> None:
    """Write a mark's label at a free place, with a line to it unless it stands beside the mark."""
    length = len(text) * CHARACTER
    for shift, anchor, line in _PLACES:
        away = radius + shift + (4 if line == 0 else 10)
        start = x + away if anchor == "start" else x - away - length
        base = y + 4 + line * _LINE
        box = (start, base - 11, start + length, base + 4)
        is_inside = box[0] > _LEFT and box[2] < drawing.width and box[1] > 26 and box[3] < 330
        if is_inside and not any(_overlap(box, other) for other in taken):
            if line or shift:
                near = box[0] - 2 if anchor == "start" else box[2] + 2
                drawing.line(x, y, near, base - 4, "leader")
            drawing.text(start if anchor == "start" else start + length, base, text, anchor)
            taken.append((box[0] - 5, box[1], box[2] + 5, box[3]))
            return


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _fidelity(candidate: Facts) -> float:
    found = candidate["sqnr_db"]
    return _MOST_SQNR_DB if found is None else min(float(found), _MOST_SQNR_DB)


def draw_growth(growth: Sequence[Sequence[float]], width: int) -> str:
    """Draw how the ranges grew with the rows: if the curve is flat at its end, there were enough."""
    drawing = Drawing(width, 240, "Growth of the ranges with the calibration rows")
    across = Axis(0, growth[-1][0], _LEFT, width - 16)
    up = Axis(min(50.0, *(100 * share for _, share in growth)), 100.0, 190, 30)
    drawing.bottom_axis(across, 190, 30, "calibration rows")
    drawing.left_axis(up, _LEFT, width - 16, "% of the final range, mean over the tensors")
    points = [(across.at(rows), up.at(100 * share)) for rows, share in growth]
    drawing.path(points, "front")
    for (x, y), (rows, share) in zip(points, growth, strict=True):
        drawing.dot(x, y, 4, "good", f"{rows} rows: {share:.1%}")
    return drawing.as_html()
