"""Which rows do what: some calibrate, some choose among candidates, some only verify."""

from __future__ import annotations

from dataclasses import dataclass, field

from mmconvert.calibration.check import Checked
from mmconvert.calibration.row import feeds_of, spread
from mmconvert.feed import Array, Feed

MAX_CALIBRATION_ROWS = 512  # the range of an activation hardly grows after some hundred rows
MAX_SEARCH_ROWS = 256  # every candidate runs each of them
MAX_HELD_OUT_ROWS = 512  # TensorFlow runs each of them
MIN_HELD_OUT_ROWS = 32  # with fewer than twice as many rows, all of them do everything
ADVISED_ROWS = 100


@dataclass(frozen=True, slots=True)
class Split:
    """Some rows of one signature.

    Attributes:
        classes: The right class of each row, None where they are not known.
        option: The option that the rows were given with.
        numbers: The place of each row among all that were given with the option, from 0.
    """

    feeds: list[Feed] = field(default_factory=list)
    classes: Array | None = None
    option: str = ""
    numbers: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one signature by what they are for; when there are few, the same rows do everything."""

    calibration: Split
    search: Split
    held_out: Split


def split_rows(calibration: Checked | None, evaluation: Checked | None) -> Rows:
    """Return the rows by what they are for; one of the two arguments may be missing."""
    if evaluation is not None:
        search, held_out = _halves(evaluation, range(evaluation.count))
        source = evaluation if calibration is None else calibration
        used = search if calibration is None else list(range(calibration.count))
        return Rows(
            _take(source, used, MAX_CALIBRATION_ROWS),
            _take(evaluation, search, MAX_SEARCH_ROWS),
            _take(evaluation, held_out, MAX_HELD_OUT_ROWS),
        )
    assert calibration is not None
    used, others = _halves(calibration, range(calibration.count))
    search, held_out = (others[::2], others[1::2]) if len(used) < calibration.count else (others, others)
    return Rows(
        _take(calibration, used, MAX_CALIBRATION_ROWS),
        _take(calibration, search, MAX_SEARCH_ROWS),
        _take(calibration, held_out, MAX_HELD_OUT_ROWS),
    )


def _halves(checked: Checked, rows: range) -> tuple[list[int], list[int]]:
    """Return every second row and the others; when there are too few, all of them twice."""
    every = list(rows)
    return (every[::2], every[1::2]) if checked.count >= 2 * MIN_HELD_OUT_ROWS else (every, every)


def _take(checked: Checked, rows: list[int], limit: int) -> Split:
    chosen = [rows[index] for index in spread(len(rows), limit)]
    classes = None if checked.classes is None else checked.classes[chosen]
    return Split(feeds_of(checked.arrays, chosen), classes, checked.option, chosen)


def tell_split(rows: Rows, count: int, has_evaluation: bool) -> list[str]:
    """Return how the rows were split, and whether enough of them calibrate, as notices."""
    parts = (rows.calibration, rows.search, rows.held_out)
    calibrating, choosing, verifying = (len(part.feeds) for part in parts)
    told = [f"{count} rows: {calibrating} calibrate, {choosing} choose among candidates, {verifying} only verify"]
    if not has_evaluation and count < 2 * MIN_HELD_OUT_ROWS:
        told = [
            f"{count} rows calibrate, and the same rows measure; from {2 * MIN_HELD_OUT_ROWS} rows on they are split"
        ]
    if calibrating < ADVISED_ROWS:
        told.append(f"only {calibrating} rows calibrate; {ADVISED_ROWS} or more are advised")
    return told
