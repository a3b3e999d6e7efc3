"""Stage calibrate: checked calibration rows, split into those that calibrate and those that are held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmconvert.calibration.reader import digest_rows, read_calibration
from mmconvert.calibration.row import cast_rows, feeds_of, shape_rows, spread
from mmconvert.feed import Array, Feed
from mmconvert.source.signature import Signature, Tensor
from mmwire.errors import ConvertError

MAX_CALIBRATION_ROWS = 512  # min and max of an activation hardly move after some hundred rows
MAX_PARITY_ROWS = 128  # each is run one at a time, in TensorFlow and in LiteRT
MIN_HELD_OUT_ROWS = 32  # with fewer than twice as many, all rows do both
ADVISED_ROWS = 100


@dataclass(frozen=True, slots=True)
class Dataset:
    """Calibration data that passed the checks.

    Attributes:
        calibration: Feeds that the ranges are measured on.
        parity: Feeds that the result is compared on.
        is_held_out: Whether the two have no row in common.
        rows: How many rows were given.
        digest: SHA-256 of the values.
        notices: What the user should know about the data.
    """

    calibration: list[Feed]
    parity: list[Feed]
    is_held_out: bool
    rows: int
    digest: str
    notices: list[str]


def load_dataset(path: Path, signature: Signature) -> Dataset:
    """Read and check calibration data.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: not readable, wrong names, shape or type, empty, NaN, infinite, constant.
    """
    raw = read_calibration(path, signature)
    arrays: dict[str, Array] = {}
    notices: list[str] = []
    for tensor in signature.inputs:
        array, notice = cast_rows(tensor, shape_rows(tensor, raw[tensor.name]))
        notices += [notice] if notice else []
        _require_finite(tensor, array)
        arrays[tensor.name] = array
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise ConvertError("CALIBRATION_INVALID", f"the inputs have different numbers of rows: {found}")
    _require_variety(signature, arrays)
    rows = next(iter(counts.values()))
    return _split(arrays, rows, notices)


def _require_finite(tensor: Tensor, array: Array) -> None:
    if array.dtype.kind != "f" or bool(np.isfinite(array).all()):
        return
    broken = int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0])
    kind = "NaN" if bool(np.isnan(array).any()) else "infinite values"
    raise ConvertError(
        "CALIBRATION_INVALID",
        f"calibration for input {tensor.name!r} holds {kind}, first in row {broken}",
        "TensorFlow would silently give back a float model or a wrong one; clean the data",
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
        raise ConvertError(
            "CALIBRATION_INVALID",
            f"calibration for input {name!r} is constant: every value is {arrays[name].flat[0]}",
            "give real inputs: the range of each activation is measured on them",
        )


def _split(arrays: dict[str, Array], rows: int, notices: list[str]) -> Dataset:
    is_held_out = rows >= 2 * MIN_HELD_OUT_ROWS
    every = list(range(rows))
    first, second = (every[::2], every[1::2]) if is_held_out else (every, every)
    calibration = [first[index] for index in spread(len(first), MAX_CALIBRATION_ROWS)]
    parity = [second[index] for index in spread(len(second), MAX_PARITY_ROWS)]
    if is_held_out:
        notices.append(f"{rows} rows: {len(calibration)} calibrate, {len(parity)} others are held out for parity")
    else:
        notices.append(
            f"{rows} rows calibrate and the same rows measure parity; from {2 * MIN_HELD_OUT_ROWS} on half is held out"
        )
    if rows < ADVISED_ROWS:
        notices.append(f"only {rows} calibration rows; {ADVISED_ROWS} or more are advised")
    return Dataset(
        feeds_of(arrays, calibration), feeds_of(arrays, parity), is_held_out, rows, digest_rows(arrays), notices
    )
