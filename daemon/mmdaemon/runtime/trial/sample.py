"""Makes up inputs, to find out whether a model runs at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.random  # now, while the memory limit of a trial leaves room for it
from numpy.typing import NDArray

from mmdaemon.runtime.interface import Instance
from mmwire.tensor import SignatureSpec, TensorSpec


def zeros(spec: SignatureSpec, rows: int) -> list[NDArray[Any]]:
    """Return zeros for every input. A free dimension that does not count rows becomes 1."""
    return [np.zeros(_shape(tensor, rows), tensor.dtype) for tensor in spec.inputs]


def random(spec: SignatureSpec, rows: int) -> list[NDArray[Any]]:
    """Return seeded values that most models accept: [0, 1) for floats, 0 and 1 for wide integers, any byte."""
    generator = np.random.default_rng(0)
    values: list[NDArray[Any]] = []
    for tensor in spec.inputs:
        shape = _shape(tensor, rows)
        dtype = np.dtype(tensor.dtype)
        if dtype.kind == "f":
            values.append(generator.random(shape).astype(dtype))
        elif dtype.itemsize == 1 and dtype.kind != "b":
            span = np.iinfo(dtype)
            values.append(generator.integers(span.min, span.max, shape, dtype, endpoint=True))
        else:
            values.append(generator.integers(0, 2, shape).astype(dtype))
    return values


def run(
    instance: Instance, name: str, spec: SignatureSpec, inputs: Sequence[NDArray[Any]], rows: int = 1
) -> list[NDArray[Any]]:
    """Run ``rows`` rows of a signature as a request would.

    Raises:
        InferenceError: ``INFERENCE_FAILED``.
    """
    payload = b"".join(value.tobytes() for value in inputs)
    shapes = None if spec.is_static else [value.shape for value in inputs]
    answer = instance.run(name, payload, rows, shapes, lambda: None)
    return [np.asarray(tensor) for tensor in answer.tensors]


def _shape(spec: TensorSpec, rows: int) -> tuple[int, ...]:
    return tuple(1 if dim == -1 else dim for dim in spec.with_rows(rows))
