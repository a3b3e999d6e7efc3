"""Conversion between real values and the integers of a quantized tensor.

Source: TFLite's quantization specification: real = scale * (stored - zero_point).
"""

from __future__ import annotations

import numpy as np

from mmclient.array import Array
from mmwire.errors import RequestError
from mmwire.tensor import TensorSpec


def quantized(spec: TensorSpec, real: Array) -> Array:
    """Return real values in a quantized tensor's dtype: halves round to even, values out of range saturate.

    Raises:
        RequestError: ``BAD_TENSOR``: NaN or infinity, which no integer can represent.
    """
    dtype = np.dtype(spec.dtype)
    range_of = np.iinfo(dtype)
    # float32 holds integers below 2**24 exactly; 32-bit integers need more.
    wide = np.float32 if dtype.itemsize <= 2 and real.dtype.itemsize <= 4 else np.float64
    stored = np.divide(real, wide(spec.scale), dtype=wide)
    if not np.isfinite(stored).all():
        raise RequestError(
            "BAD_TENSOR",
            f"input {spec.name!r}: expected finite values for {spec.describe()}, got NaN or infinity",
            "replace them: a quantized tensor has no value for them",
        )
    np.rint(stored, out=stored)
    stored += wide(spec.zero_point)
    np.clip(stored, range_of.min, range_of.max, out=stored)
    return stored.astype(dtype, order="C")


def dequantized(spec: TensorSpec, stored: Array) -> Array:
    """Return the real values of a quantized tensor as float32; return a tensor without a scale as it is."""
    if not spec.scale:
        return stored
    real = np.subtract(stored, np.float32(spec.zero_point), dtype=np.float32)
    real *= np.float32(spec.scale)
    return real
