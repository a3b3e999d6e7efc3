"""Stage calibrate: checked rows, split into those that calibrate, those that choose and those that only verify."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmconvert.calibration.clipping import tell_clipping
from mmconvert.calibration.reader import Raw, read_rows, refuse
from mmconvert.calibration.row import cast_rows, feeds_of, shape_rows, spread
from mmconvert.feed import Array, Feed, digest_feeds
from mmconvert.source.signature import Signature, Tensor
from mmwire.errors import ConvertError

MAX_CALIBRATION_ROWS = 512  # min and max of an activation hardly move after some hundred rows
MAX_SEARCH_ROWS = 256  # every candidate runs each of them
MAX_HELD_OUT_ROWS = 512  # TensorFlow runs each of them
MIN_HELD_OUT_ROWS = 32  # with fewer than twice as many, all rows do everything
ADVISED_ROWS = 100


@dataclass(frozen=True, slots=True)
class Split:
    """Some rows of one signature.

    Attributes:
        answers: The right classes, where they are known.
        option: The option that the rows were given with.
        numbers: Of each row, which one it is of all that were given with the option, from 0.
    """

    feeds: list[Feed] = field(default_factory=list)
    answers: Array | None = None
    option: str = ""
    numbers: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one signature by what they are for; they may be the same ones when there are few."""

    calibration: Split
    search: Split
    held_out: Split


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data that passed the checks.

    Attributes:
        signatures: The rows by signature.
        rows: How many rows were given, calibration and evaluation together.
        digest: SHA-256 of all values.
        notices: What the user should know about the data.
    """

    signatures: dict[str, Rows]
    rows: int
    digest: str
    notices: list[str]

    @property
    def has_answers(self) -> bool:
        """Whether the right classes of the rows that choose and verify are known."""
        return all(rows.held_out.answers is not None for rows in self.signatures.values())

    def tell_coarse(self, max_drop: float) -> list[str]:
        """Return a notice where a single row weighs more than all the accuracy that may be lost."""
        fewest = min(min(len(rows.search.feeds), len(rows.held_out.feeds)) for rows in self.signatures.values())
        if not self.has_answers or not max_drop or fewest * max_drop >= 1:
            return []
        return [
            f"one row of {fewest} is {1 / fewest:.1%} of the accuracy, and --max-drop allows {max_drop:.1%}: a single"
            f" one decides; give {math.ceil(2 / max_drop)} rows or more with --eval"
        ]


@dataclass(frozen=True, slots=True)
class _Checked:
    option: str
    arrays: dict[str, Array]
    answers: Array | None
    count: int


def load_dataset(
    calibration: Path | None, evaluation: Path | None, signatures: Sequence[Signature], labels: Sequence[str] = ()
) -> Dataset:
    """Read, check and split the data of ``--calibration`` and ``--eval``; one of the two may be missing.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: not readable, wrong names, shape or type, empty, NaN, infinite, constant.
    """
    notices: list[str] = []
    given = {
        role: {
            name: _check_data(path, next(s for s in signatures if s.name == name), raw, role, notices)
            for name, raw in read_rows(path, signatures, labels).items()
        }
        for role, path in (("calibration", calibration), ("eval", evaluation))
        if path is not None
    }
    first = next(iter(given.values()))
    splits = {name: _split(given.get("calibration", {}).get(name), given.get("eval", {}).get(name)) for name in first}
    rows = sum(checked.count for role in given.values() for checked in role.values())
    notices += _tell(next(iter(splits.values())), rows, has_evaluation=evaluation is not None)
    for signature in (each for each in signatures if each.name in splits):
        parts = splits[signature.name]
        notices += tell_clipping(signature.inputs, parts.calibration.feeds, parts.search.feeds + parts.held_out.feeds)
    digest = digest_feeds([checked.arrays for role in given.values() for checked in role.values()])
    return Dataset(splits, rows, digest, notices)


def require_usable(rows: Rows, signature: Signature, refusals: Callable[[list[Feed]], tuple[list[int], str]]) -> None:
    """Refuse data of which the model refuses a row: a word that it does not know fails the whole calibration.

    Rows that only verify are asked for in any case; the others only where values are places in a table.

    Args:
        rows: What was given.
        signature: What they are for.
        refusals: Returns which rows the model refuses, by index, and why the last of them.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: which row, and why.
    """
    takes_indices = any(tensor.is_index for tensor in signature.inputs)
    for split in (rows.calibration, rows.search, rows.held_out) if takes_indices else (rows.held_out,):
        refused, reason = refusals(split.feeds)
        if refused:
            raise refuse(
                f"{split.option}: the model itself refuses row {split.numbers[refused[-1]]}: {reason}",
                f"correct it or leave it out; of {len(split.feeds)} rows that were tried it refuses {len(refused)}",
            )


def _check_data(path: Path, signature: Signature, raw: Raw, role: str, notices: list[str]) -> _Checked:
    try:
        return _check(signature, raw, role, notices)
    except ConvertError as error:
        raise refuse(f"--{role} {path}: {error.message}", error.hint) from None


def _check(signature: Signature, raw: Raw, role: str, notices: list[str]) -> _Checked:
    arrays: dict[str, Array] = {}
    for tensor in signature.inputs:
        array, notice = cast_rows(tensor, shape_rows(tensor, raw.arrays[tensor.name]))
        notices += [notice] if notice and notice not in notices else []
        _require_finite(tensor, array)
        arrays[tensor.name] = array
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise refuse(f"the inputs have different numbers of rows: {found}")
    count = next(iter(counts.values()))
    notices += [f"{role}: {notice}" for notice in raw.notices]
    if role == "calibration":
        _require_variety(signature, arrays)
    copies = count - len({b"".join(array[row].tobytes() for array in arrays.values()) for row in range(count)})
    if copies:
        notices.append(f"{copies} of {count} {role} rows are copies of others: they add nothing")
    answers = None if raw.answers is None else _check_answers(raw.answers, count, signature)
    return _Checked(f"--{role}", arrays, answers, count)


def _check_answers(answers: Array, count: int, signature: Signature) -> Array:
    whole = answers.reshape(-1)
    if len(whole) != count:
        raise refuse(f"{count} rows and {len(whole)} answers", "give the right class of each row")
    if whole.dtype.kind not in "iu" and not (whole.dtype.kind == "f" and bool((whole == np.round(whole)).all())):
        raise refuse(
            f"the answers are {whole.dtype}, and a class is a whole number",
            "give the index of the right class of each row; without classes leave out the array or column"
            " called labels, label, answers or y",
        )
    sizes = [tensor.row_shape for tensor in signature.outputs]
    scores = sizes[0][-1] if len(sizes) == 1 and sizes[0] else 0
    outside = [int(value) for value in whole if value < 0 or 1 < scores <= value]
    if outside:
        raise refuse(
            f"class {outside[0]} is none of the output's {scores}" if scores > 1 else f"class {outside[0]} is negative",
            "count classes from 0",
        )
    return whole.astype(np.int64)


def _require_finite(tensor: Tensor, array: Array) -> None:
    if array.dtype.kind != "f" or bool(np.isfinite(array).all()):
        return
    broken = int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0])
    kind = "NaN" if bool(np.isnan(array).any()) else "infinite values"
    raise refuse(
        f"calibration for input {tensor.name!r} holds {kind}, first in row {broken}",
        "a quantizer would silently give back a float model or a wrong one; clean the data",
    )


def _require_variety(signature: Signature, arrays: dict[str, Array]) -> None:
    """Refuse data whose ranges say nothing: all values of a floating-point input, or of every input, are equal."""
    constant = [
        tensor for tensor in signature.inputs if bool((arrays[tensor.name] == arrays[tensor.name].flat[0]).all())
    ]
    blamed = [tensor for tensor in constant if tensor.is_float] or (
        constant if len(constant) == len(signature.inputs) else []
    )
    if blamed:
        name = blamed[0].name
        raise refuse(
            f"calibration for input {name!r} is constant: every value is {arrays[name].flat[0]}",
            "give real inputs: the range of each activation is measured on them",
        )


def _split(calibration: _Checked | None, evaluation: _Checked | None) -> Rows:
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


def _halves(checked: _Checked, rows: range) -> tuple[list[int], list[int]]:
    """Return every second row and the others; all of them twice when there are too few."""
    every = list(rows)
    return (every[::2], every[1::2]) if checked.count >= 2 * MIN_HELD_OUT_ROWS else (every, every)


def _take(checked: _Checked, rows: list[int], limit: int) -> Split:
    chosen = [rows[index] for index in spread(len(rows), limit)]
    answers = None if checked.answers is None else checked.answers[chosen]
    return Split(feeds_of(checked.arrays, chosen), answers, checked.option, chosen)


def _tell(rows: Rows, count: int, has_evaluation: bool) -> list[str]:
    parts = (rows.calibration, rows.search, rows.held_out)
    calibrating, choosing, verifying = (len(part.feeds) for part in parts)
    told = [f"{count} rows: {calibrating} calibrate, {choosing} choose among candidates, {verifying} only verify"]
    if not has_evaluation and count < 2 * MIN_HELD_OUT_ROWS:
        told = [f"{count} rows calibrate and the same rows measure; from {2 * MIN_HELD_OUT_ROWS} on they are split"]
    if calibrating < ADVISED_ROWS:
        told.append(f"only {calibrating} rows calibrate; {ADVISED_ROWS} or more are advised")
    return told
