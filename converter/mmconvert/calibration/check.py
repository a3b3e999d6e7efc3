"""Whether rows can be used: right names, shapes and types, finite, and not all the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmconvert.calibration.reader import Raw, refuse
from mmconvert.calibration.row import cast_rows, shape_rows
from mmconvert.feed import Array
from mmconvert.source.signature import Signature, Tensor
from mmwire.errors import ConvertError


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows of one signature that passed the checks.

    Attributes:
        option: The option that they were given with.
        arrays: By input, rows first.
        classes: The right class of each row, None where they are not known.
    """

    option: str
    arrays: dict[str, Array]
    classes: Array | None
    count: int


def check_rows(path: Path, signature: Signature, raw: Raw, role: str, notices: list[str]) -> Checked:
    """Return the rows in the form of the signature's inputs.

    Args:
        path: Where they were read from.
        signature: The signature that they are for.
        raw: The rows as they were read.
        role: ``calibration`` or ``eval``.
        notices: Lines for the user are appended.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``.
    """
    try:
        return _check(signature, raw, role, notices)
    except ConvertError as error:
        raise refuse(f"--{role} {path}: {error.message}", error.hint) from None


def _check(signature: Signature, raw: Raw, role: str, notices: list[str]) -> Checked:
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
    classes = None if raw.classes is None else _check_classes(raw.classes, count, signature)
    return Checked(f"--{role}", arrays, classes, count)


def _check_classes(classes: Array, count: int, signature: Signature) -> Array:
    whole = classes.reshape(-1)
    if len(whole) != count:
        raise refuse(f"{count} rows and {len(whole)} right classes", "give the right class of each row")
    if whole.dtype.kind not in "iu" and not (whole.dtype.kind == "f" and bool((whole == np.round(whole)).all())):
        raise refuse(
            f"the right classes are {whole.dtype}, and a class is a whole number",
            "give the index of the right class of each row; if there are no classes, leave out the array or column"
            " called labels, label, answers or y",
        )
    sizes = [tensor.row_shape for tensor in signature.outputs]
    scores = sizes[0][-1] if len(sizes) == 1 and sizes[0] else 0
    outside = [int(value) for value in whole if value < 0 or 1 < scores <= value]
    if outside:
        raise refuse(
            f"class {outside[0]} is " + (f"not one of the output's {scores} classes" if scores > 1 else "negative"),
            "count classes from 0",
        )
    return whole.astype(np.int64)


def _require_finite(tensor: Tensor, array: Array) -> None:
    if array.dtype.kind != "f" or bool(np.isfinite(array).all()):
        return
    broken = int(np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))[0])
    kind = "NaN" if bool(np.isnan(array).any()) else "infinite values"
    raise refuse(
        f"the rows for input {tensor.name!r} hold {kind}, first in row {broken}",
        "clean the data: a quantizer would silently give back a float model or a wrong one",
    )


def _require_variety(signature: Signature, arrays: dict[str, Array]) -> None:
    """Refuse useless ranges: all values of a floating-point input, or of every input, are equal."""
    constant = [
        tensor for tensor in signature.inputs if bool((arrays[tensor.name] == arrays[tensor.name].flat[0]).all())
    ]
    blamed = [tensor for tensor in constant if tensor.is_float] or (
        constant if len(constant) == len(signature.inputs) else []
    )
    if blamed:
        name = blamed[0].name
        raise refuse(
            f"the rows for input {name!r} are constant: every value is {arrays[name].flat[0]}",
            "give real inputs: the quantizer measures the range of each activation on them",
        )
