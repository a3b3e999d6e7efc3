"""The states of a version, drawn from the daemon's own table: ``mmdaemon.registry.state.TRANSITIONS``."""

from __future__ import annotations

from docs.pictures.drawing import Drawing, Point, attribute

from mmdaemon.registry.state import TRANSITIONS, VersionState

_S = VersionState
_WIDTH, _HEIGHT = 124, 46
# The middle of each state; None is "not known".
_PLACES: dict[VersionState | None, Point] = {
    None: (92, 240),
    _S.SETTLING: (285, 240),
    _S.LOADING: (475, 240),
    _S.READY: (665, 240),
    _S.RETIRING: (855, 240),
    _S.QUARANTINED: (380, 92),
    _S.UNLOADED: (380, 388),
}
_KINDS = {_S.READY: "green", _S.QUARANTINED: "red", _S.SETTLING: "blue", _S.LOADING: "blue"}
_NOTES: dict[VersionState | None, str] = {
    None: "no such version",
    _S.SETTLING: "its file still changes",
    _S.LOADING: "copied, tried, loaded",
    _S.READY: "it serves",
    _S.RETIRING: "finishes its requests",
    _S.QUARANTINED: "cannot be served",
    _S.UNLOADED: "known, not in memory",
}
# The way of a version that is dropped, serves and is replaced.
_MAIN = [(None, _S.SETTLING), (_S.SETTLING, _S.LOADING), (_S.LOADING, _S.READY), (_S.READY, _S.RETIRING)]
# Where an arrow would run through another state, the point that pulls it aside.
_BENDS: dict[tuple[VersionState | None, VersionState | None], Point] = {
    (None, _S.LOADING): (285, 320),
    (_S.RETIRING, _S.LOADING): (665, 165),
    (_S.RETIRING, _S.SETTLING): (570, 335),
    (_S.RETIRING, None): (470, -165),
    (_S.RETIRING, _S.QUARANTINED): (720, 80),
    (_S.RETIRING, _S.UNLOADED): (720, 400),
    (_S.QUARANTINED, _S.UNLOADED): (380, 240),
}


def name_of(state: VersionState | None) -> str:
    """Return what a state is called in the picture."""
    return "not known" if state is None else state.value


def draw() -> Drawing:
    """Return the picture; an arrow with two heads is two entries of the table."""
    drawing = Drawing(
        950,
        470,
        "The states of one version of a model",
        "Arrows show which state may follow which. The thick ones are the way of a version that is dropped into the "
        "folder, serves, and is replaced.",
    )
    pairs = {(before, after) for before, following in TRANSITIONS.items() for after in following}
    drawn: set[tuple[VersionState | None, VersionState | None]] = set()
    for before, after in sorted(pairs, key=lambda pair: (pair in _MAIN, name_of(pair[0]), name_of(pair[1]))):
        if (before, after) in drawn:
            continue
        is_main = (before, after) in _MAIN
        if (after, before) in _MAIN:
            continue  # drawn with the main arrow, as its other head
        is_both = (after, before) in pairs
        drawn |= {(before, after), (after, before)} if is_both else {(before, after)}
        bend = _BENDS.get((before, after)) or _BENDS.get((after, before))
        start, end = _PLACES[before], _PLACES[after]
        edges = f"{name_of(before)} > {name_of(after)}" + (f", {name_of(after)} > {name_of(before)}" if is_both else "")
        drawing.way(
            [_border(start, bend or end), _border(end, bend or start)],
            "blue" if is_main else "plain",
            bend=bend,
            heads="both" if is_both else "end",
            classes="thick" if is_main else "",
            extra=attribute("data-edges", edges),
        )
    for state, (x, y) in _PLACES.items():
        lines = [name_of(state), _NOTES[state]]
        kind = _KINDS.get(state, "plain") if state is not None else "ground"
        drawing.box(x - _WIDTH / 2 - 8, y - _HEIGHT / 2, _WIDTH + 16, _HEIGHT, lines, kind)
    drawing.text(20, 34, "The states of one version", "ink bold")
    drawing.text(20, 448, "Drawn from registry/state.py. A thick arrow is the usual way of a version.", "soft small")
    return drawing


def _border(middle: Point, towards: Point) -> Point:
    """Return where a line from the middle of a box towards a point leaves the box."""
    dx, dy = towards[0] - middle[0], towards[1] - middle[1]
    half = (_WIDTH / 2 + 11, _HEIGHT / 2 + 3)
    scale = min(half[0] / abs(dx) if dx else 1e9, half[1] / abs(dy) if dy else 1e9)
    return round(middle[0] + dx * scale, 1), round(middle[1] + dy * scale, 1)
