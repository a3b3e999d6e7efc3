"""From the bytes of a request to arrays, and back to rows and shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwire.errors import ModelError
from mmwire.tensor import DTYPE_BYTES, Shape, SignatureSpec

Arrays = list[NDArray[Any]]


def whole_inputs(signature: SignatureSpec, payload: bytes | memoryview, rows: int) -> Arrays:
    """Return every input with all its rows, as a view of the payload, where the inputs lie one behind the other."""
    return shaped_inputs(signature, payload, [spec.with_rows(rows) for spec in signature.inputs])


def shaped_inputs(signature: SignatureSpec, payload: bytes | memoryview, shapes: Sequence[Shape]) -> Arrays:
    """Return every input in the shape that came with the request, as a view of the payload."""
    return list(_views(signature, payload, shapes))


def _views(signature: SignatureSpec, payload: bytes | memoryview, shapes: Sequence[Shape]) -> Iterator[NDArray[Any]]:
    offset = 0
    for spec, shape in zip(signature.inputs, shapes, strict=True):
        value: NDArray[Any] = np.frombuffer(payload, spec.dtype, math.prod(shape), offset).reshape(shape)
        offset += value.nbytes
        yield value


def unsupported_dtype(where: str, dtype: str) -> ModelError:
    """Return the error for a tensor whose dtype cannot travel.

    Args:
        where: Which tensor it is.
        dtype: Its dtype, for people.
    """
    return ModelError(
        "MODEL_INVALID",
        f"{where} is a {dtype} tensor; expected one of {', '.join(DTYPE_BYTES)}",
        "move the conversion of such values out of the model, and export it again",
    )


def join_rows(parts: Sequence[Arrays]) -> Arrays:
    """Return every output with the rows of all parts. Where a row is a single value, the rows become an axis."""
    return [np.concatenate([np.atleast_1d(value) for value in values]) for values in zip(*parts, strict=True)]


def unexpected_shapes(outputs: Arrays, expected: Sequence[Shape]) -> tuple[Shape, ...] | None:
    """Return the shapes of the outputs when one of them does not follow from the spec and the rows, else None."""
    for output, shape in zip(outputs, expected, strict=True):
        if output.shape != shape:
            return tuple(output.shape for output in outputs)
    return None
