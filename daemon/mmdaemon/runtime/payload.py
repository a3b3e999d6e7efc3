"""Between the bytes of a request and arrays: views in, rows put together, shapes told where they do not follow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwire.tensor import Shape, SignatureSpec

Arrays = list[NDArray[Any]]


def whole_inputs(signature: SignatureSpec, payload: bytes | memoryview, rows: int) -> Arrays:
    """Return every input with all its rows as a view of the payload, in which they lie one behind the other."""
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


def join_rows(parts: Sequence[Arrays]) -> Arrays:
    """Return every output with the rows of all parts; a single value a row becomes an axis of its own."""
    return [np.concatenate([np.atleast_1d(value) for value in values]) for values in zip(*parts, strict=True)]


def unexpected_shapes(outputs: Arrays, expected: Sequence[Shape]) -> tuple[Shape, ...] | None:
    """Return the outputs' shapes when one of them does not follow from the spec and the rows."""
    for output, shape in zip(outputs, expected, strict=True):
        if output.shape != shape:
            return tuple(output.shape for output in outputs)
    return None
