"""The two state machines of models, drawn from the daemon's own tables.

``mmdaemon.registry.state.TRANSITIONS`` is of one version, ``mmdaemon.loader.name_state.TRANSITIONS`` of one name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from docs.pictures.drawing import Drawing, Point, attribute

from mmdaemon.loader.name_state import TRANSITIONS as OF_A_NAME
from mmdaemon.loader.name_state import Phase
from mmdaemon.registry.state import TRANSITIONS as OF_A_VERSION
from mmdaemon.registry.state import VersionState

State = StrEnum | None  # None is "not known"
Edge = tuple[State, State]

_WIDTH, _HEIGHT = 140, 46
_S, _P = VersionState, Phase


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a table's states stand, and what a reader is told of them.

    Attributes:
        size: Of the picture.
        title: Of the picture.
        source: Where the table is.
        places: The middle of each state.
        notes: A few words for each state.
        kinds: The colour of each state that has one.
        main: The usual way, drawn thick.
        bends: For an arrow that would run through another state, the point that pulls it aside.
    """

    size: tuple[int, int]
    title: str
    source: str
    places: Mapping[State, Point]
    notes: Mapping[State, str]
    kinds: Mapping[State, str]
    main: Collection[Edge]
    bends: Mapping[Edge, Point] = field(default_factory=dict)


VERSION = Layout(
    (950, 470),
    "The states of one version",
    "registry/state.py",
    {
        None: (92, 240),
        _S.SETTLING: (285, 240),
        _S.LOADING: (475, 240),
        _S.READY: (665, 240),
        _S.RETIRING: (855, 240),
        _S.QUARANTINED: (380, 92),
        _S.UNLOADED: (380, 388),
    },
    {
        None: "no such version",
        _S.SETTLING: "its file still changes",
        _S.LOADING: "copied, tried, loaded",
        _S.READY: "it serves",
        _S.RETIRING: "finishes its requests",
        _S.QUARANTINED: "cannot be served",
        _S.UNLOADED: "known, not in memory",
    },
    {_S.READY: "green", _S.QUARANTINED: "red", _S.SETTLING: "blue", _S.LOADING: "blue", None: "ground"},
    [(None, _S.SETTLING), (_S.SETTLING, _S.LOADING), (_S.LOADING, _S.READY), (_S.READY, _S.RETIRING)],
    {
        (None, _S.LOADING): (285, 320),
        (_S.RETIRING, _S.LOADING): (665, 165),
        (_S.RETIRING, _S.SETTLING): (570, 335),
        (_S.RETIRING, None): (470, -165),
        (_S.RETIRING, _S.QUARANTINED): (720, 80),
        (_S.RETIRING, _S.UNLOADED): (720, 400),
        (_S.QUARANTINED, _S.UNLOADED): (380, 240),
    },
)
NAME = Layout(
    (950, 250),
    "The phases of one name",
    "loader/name_state.py",
    {
        None: (92, 110),
        _P.PRESENT: (345, 110),
        _P.UNLOADED: (345, 190),
        _P.MISSING: (600, 110),
        _P.RETIRED: (855, 110),
    },
    {
        None: "no such name",
        _P.PRESENT: "its files are there",
        _P.UNLOADED: "mmctl unload",
        _P.MISSING: "its files are gone",
        _P.RETIRED: "forgotten",
    },
    {_P.PRESENT: "green", _P.MISSING: "amber", None: "ground"},
    [(None, _P.PRESENT), (_P.PRESENT, _P.MISSING), (_P.MISSING, _P.RETIRED)],
)


def draw_version() -> Drawing:
    """Return the picture of a version's states."""
    return draw(OF_A_VERSION, VERSION)


def draw_name() -> Drawing:
    """Return the picture of a name's phases."""
    return draw(OF_A_NAME, NAME)


def draw(table: Mapping[State, Collection[State]], layout: Layout) -> Drawing:
    """Return the picture of a table; an arrow with two heads is two entries of it."""
    drawing = Drawing(*layout.size, layout.title, "Arrows show what may follow what; the thick ones are the usual way.")
    pairs = {(before, after) for before, following in table.items() for after in following}
    drawn: set[Edge] = set()
    for edge in sorted(pairs, key=lambda edge: (edge in layout.main, name_of(edge[0]), name_of(edge[1]))):
        before, after = edge
        if edge in drawn or (after, before) in layout.main:
            continue  # drawn as the other head of its arrow, or about to be
        is_main, is_both = edge in layout.main, (after, before) in pairs
        drawn |= {edge, (after, before)} if is_both else {edge}
        bend = layout.bends.get(edge) or layout.bends.get((after, before))
        start, end = layout.places[before], layout.places[after]
        edges = [edge, (after, before)] if is_both else [edge]
        drawing.way(
            [_border(start, bend or end), _border(end, bend or start)],
            "blue" if is_main else "plain",
            bend=bend,
            heads="both" if is_both else "end",
            classes="thick" if is_main else "",
            extra=attribute("data-edges", ", ".join(f"{name_of(one)} > {name_of(two)}" for one, two in edges)),
        )
    for state, (x, y) in layout.places.items():
        lines = [name_of(state), layout.notes[state]]
        drawing.box(x - _WIDTH / 2, y - _HEIGHT / 2, _WIDTH, _HEIGHT, lines, layout.kinds.get(state, "plain"))
    drawing.text(20, 34, layout.title, "ink bold")
    note = f"Drawn from {layout.source}. A thick arrow is the usual way."
    drawing.text(20, layout.size[1] - 20, note, "soft small")
    return drawing


def name_of(state: State) -> str:
    """Return what a state is called in the pictures."""
    return "not known" if state is None else state.value


def _border(middle: Point, towards: Point) -> Point:
    """Return where a line from the middle of a box towards a point leaves the box."""
    dx, dy = towards[0] - middle[0], towards[1] - middle[1]
    half = (_WIDTH / 2 + 3, _HEIGHT / 2 + 3)
    scale = min(half[0] / abs(dx) if dx else 1e9, half[1] / abs(dy) if dy else 1e9)
    return round(middle[0] + dx * scale, 1), round(middle[1] + dy * scale, 1)
