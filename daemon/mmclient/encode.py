"""From a caller's arrays to the bytes of a request: names, dtypes, shapes, quantization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmclient.array import Array
from mmclient.quantization import quantized
from mmwire.errors import RequestError
from mmwire.tensor import DTYPE_BYTES, Shape, SignatureSpec, TensorSpec, shape_mismatch

_HINT = "mmctl show MODEL lists the tensors"
# The dtypes that numpy gives Python's own numbers; the caller chose any other dtype in a list.
_DTYPES_OF_NUMBERS = (np.dtype(np.int64), np.dtype(np.uint64), np.dtype(np.float64), np.dtype(np.bool_))


def assign(spec: SignatureSpec, x: Any) -> list[Any]:
    """Return the values for the inputs in spec order, from an array or a mapping by input name.

    Raises:
        RequestError: ``BAD_TENSOR``: a name is missing or unknown, or one array came for several inputs.
    """
    names = [tensor.name for tensor in spec.inputs]
    if not isinstance(x, Mapping):
        if len(names) != 1:
            raise RequestError(
                "BAD_TENSOR",
                f"expected the inputs {_listed(names)}, got one array",
                "pass a dict: {name: array}",
            )
        return [x]
    missing = [name for name in names if name not in x]
    unknown = [name for name in x if name not in names]
    if missing or unknown:
        got = _listed(list(x))
        raise RequestError("BAD_TENSOR", f"expected the inputs {_listed(names)}, got {got}", _HINT)
    return [x[name] for name in names]


def encode(spec: SignatureSpec, x: Any) -> tuple[list[Array], int, tuple[Shape, ...] | None]:
    """Return contiguous arrays in spec order, their rows, and their shapes if these must travel too.

    Raises:
        RequestError: ``BAD_TENSOR``: the signature does not take a name, dtype, shape or value.
    """
    arrays: list[Array] = []
    for tensor, value in zip(spec.inputs, assign(spec, x), strict=True):
        array = encode_tensor(tensor, value)
        if not tensor.accepts(array.shape) or (array.size == 0 and 0 not in tensor.shape):
            raise shape_mismatch(tensor, array.shape)
        arrays.append(array)
    rows = rows_of(spec, arrays)
    return arrays, rows, None if spec.is_static else tuple(array.shape for array in arrays)


class RowEncoder:
    """Encodes one row after the other.

    Args:
        spec: The signature's tensors.
    """

    def __init__(self, spec: SignatureSpec) -> None:
        self._spec = spec
        self._plain: tuple[np.dtype[Any], Shape] | None = None
        if len(spec.inputs) == 1 and spec.has_rows and spec.is_static:
            self._plain = np.dtype(spec.inputs[0].dtype), spec.inputs[0].shape[1:]

    def encode(self, x: Any) -> tuple[list[Array], bool]:
        """Return a row as arrays in spec order with a leading dimension of 1, and whether the row came without one.

        If the signature has no rows, a "row" is the whole input of one request.

        Raises:
            RequestError: ``BAD_TENSOR``, as ``encode``.
        """
        if (
            self._plain is not None
            and type(x) is np.ndarray
            and (x.dtype, x.shape) == self._plain
            and x.flags.c_contiguous
        ):
            return [x[None]], True
        inputs = self._spec.inputs
        arrays = [encode_tensor(tensor, value) for tensor, value in zip(inputs, assign(self._spec, x), strict=True)]
        is_bare = self._spec.has_rows and all(
            array.ndim == len(tensor.shape) - 1 for tensor, array in zip(inputs, arrays, strict=True)
        )
        if is_bare:
            arrays = [array[None] for array in arrays]
        for tensor, array in zip(inputs, arrays, strict=True):
            if not tensor.accepts(array.shape) or (self._spec.has_rows and array.shape[0] != 1):
                raise shape_mismatch(tensor, array.shape)
        return arrays, is_bare


def rows_of(spec: SignatureSpec, arrays: list[Array]) -> int:
    """Return how many rows a request of these arrays has.

    Raises:
        RequestError: ``BAD_TENSOR``: the inputs differ in their rows.
    """
    counts = {tensor.name: len(array) for tensor, array in zip(spec.inputs, arrays, strict=True) if tensor.has_rows}
    rows = set(counts.values())
    if len(rows) > 1:
        got = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise RequestError("BAD_TENSOR", f"expected the same number of rows in every input, got {got}")
    if not spec.has_rows:
        if rows - {1}:
            raise RequestError("BAD_TENSOR", f"expected one row, got {rows.pop()}", "not every input has rows")
        return 1
    return rows.pop()


def encode_tensor(spec: TensorSpec, value: Any) -> Array:
    """Return a value as a contiguous array of the input's dtype, in the value's own shape.

    The dtype of an array decides. The model's own dtype goes as it is. Floats are quantized for a quantized input and
    converted for a float input. Integers are converted for a float input. Python numbers have no dtype and count as
    real values.

    Raises:
        RequestError: ``BAD_TENSOR``.
    """
    if isinstance(value, list | tuple | int | float | str | bytes):
        array = _to_array(spec, value)
        if array.dtype in _DTYPES_OF_NUMBERS or array.dtype.kind in "OUS":
            return _from_numbers(spec, array)
    else:
        array = np.asarray(value)
    dtype = np.dtype(spec.dtype)
    if array.dtype == dtype:
        return np.asarray(array, dtype, order="C")
    kind = array.dtype.kind
    if array.dtype.newbyteorder("=").name not in DTYPE_BYTES:
        raise RequestError("BAD_TENSOR", f"input {spec.name!r}: expected {spec.describe()}, got dtype {array.dtype}")
    if kind == "f" and spec.scale:
        return quantized(spec, array)
    if dtype.kind == "f" and kind in "fiu":
        return np.asarray(array, dtype, order="C")
    if array.dtype.newbyteorder("=") == dtype:
        return np.asarray(array, dtype, order="C")
    hint = f"give real values as float32, which the client quantizes, or the stored {spec.dtype} values"
    if not spec.scale:
        hint = f"convert the array to {spec.dtype}"
    raise RequestError("BAD_TENSOR", f"input {spec.name!r}: expected {spec.describe()}, got dtype {array.dtype}", hint)


def _to_array(spec: TensorSpec, value: Any) -> Array:
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError):
        raise RequestError(
            "BAD_TENSOR", f"input {spec.name!r}: expected {spec.describe()}, got lists of unequal length", _HINT
        ) from None


def _from_numbers(spec: TensorSpec, array: Array) -> Array:
    """Return Python's own numbers in the input's dtype, unless that would change them."""
    expected = f"input {spec.name!r}: expected {spec.describe()}"
    if array.dtype.kind in "OUS":
        raise RequestError("BAD_TENSOR", f"{expected}, got {_kind(array)}", _HINT)
    dtype = np.dtype(spec.dtype)
    if spec.scale and array.dtype.kind != "b":
        return quantized(spec, array.astype(np.float64))
    with np.errstate(all="ignore"):
        converted = array.astype(dtype, order="C")
        changed = dtype.kind != "f" and not np.array_equal(converted, array)
    if changed:
        raise RequestError("BAD_TENSOR", f"{expected}, got values that {spec.dtype} cannot hold", _HINT)
    return converted


def _kind(array: Array) -> str:
    return {"O": "objects", "U": "text", "S": "bytes"}.get(array.dtype.kind, f"dtype {array.dtype}")


def _listed(names: list[Any]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
