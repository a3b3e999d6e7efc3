"""Rows: arrays in the form of the signature's inputs, and some rows chosen out of many."""

from __future__ import annotations

import numpy as np

from mmconvert.feed import Array, Feed
from mmconvert.source.signature import UNKNOWN, Tensor, describe_shape
from mmwire.errors import ConvertError


def spread(count: int, limit: int) -> list[int]:
    """Return at most ``limit`` indexes of ``count``, evenly spaced over all of them: sorted data keeps its classes."""
    if count <= limit:
        return list(range(count))
    return [index * count // limit for index in range(limit)]


def shape_rows(tensor: Tensor, array: Array) -> Array:
    """Return the array with one feed of the model for each first index.

    Accepted are rows without their leading 1, rows with it, and one row alone.

    Shape:
        ``[rows, *feed]``, a feed of a batched tensor being ``[1, *row]``.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: the shape is none of these.
    """
    row = tensor.row_shape
    lead = (1,) if tensor.is_batched else ()
    if array.size == 0:
        raise ConvertError(
            "CALIBRATION_INVALID", f"there are no rows for input {tensor.name!r}: the shape is {list(array.shape)}"
        )
    if _matches(array.shape[1:], row) and array.ndim == len(row) + 1:
        return array.reshape(len(array), *lead, *array.shape[1:])
    if lead and array.ndim == len(row) + 2 and array.shape[1] == 1 and _matches(array.shape[2:], row):
        return array
    if array.ndim == len(row) and _matches(array.shape, row):
        return array.reshape(1, *lead, *array.shape)
    raise ConvertError(
        "CALIBRATION_INVALID",
        f"the rows for input {tensor.name!r} have the wrong shape: expected {describe_shape((UNKNOWN, *row))}"
        f" (rows first), got {list(array.shape)}",
    )


def _matches(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(b in (UNKNOWN, a) for a, b in zip(shape, wanted, strict=True))


def cast_rows(tensor: Tensor, array: Array) -> tuple[Array, str]:
    """Return the array in the input's type and, where the type differed, a notice that says so.

    Raises:
        ConvertError: ``CALIBRATION_INVALID``: the values do not fit the type.
    """
    wanted = np.dtype(tensor.dtype)
    if array.dtype == wanted:
        return array, ""
    notice = f"the rows for {tensor.name!r} were {array.dtype} and are taken as {wanted}"
    numeric = array.dtype.kind in "fiub"
    with np.errstate(all="ignore"):
        cast = array.astype(wanted) if numeric else array
    exact = wanted.kind == "f" or (numeric and bool(np.array_equal(cast.astype(np.float64), array.astype(np.float64))))
    if not numeric or not exact:
        raise ConvertError(
            "CALIBRATION_INVALID",
            f"the rows for input {tensor.name!r} have the wrong type: expected {wanted}, got {array.dtype}",
            "give values that the type can hold",
        )
    return cast, notice


def feeds_of(arrays: dict[str, Array], indexes: list[int]) -> list[Feed]:
    """Return the feeds at these rows."""
    return [{name: array[index] for name, array in arrays.items()} for index in indexes]
