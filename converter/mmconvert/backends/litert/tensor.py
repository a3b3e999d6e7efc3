"""Conversion between stored and real values of a tensor, and the description of a file's tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from mmconvert.feed import Array


def to_model(array: Array, details: dict[str, Any]) -> Array:
    """Return the values as the tensor stores them: ``round(x / scale) + zero_point``, clipped."""
    dtype = np.dtype(details["dtype"])
    scale, zero_point = details["quantization"]
    if scale == 0 or array.dtype.kind != "f":
        return array.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    quantized: Array = np.clip(np.rint(array / scale) + zero_point, limits.min, limits.max).astype(dtype)
    return quantized


def from_model(array: Array, details: dict[str, Any]) -> Array:
    """Return the real values of a tensor: ``(q - zero_point) * scale``."""
    scale, zero_point = details["quantization"]
    if scale == 0 or array.dtype.kind == "f":
        return array
    values: Array = ((array.astype(np.int32) - zero_point) * scale).astype(np.float32)
    return values


def describe_signatures(model: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return name, type, shape, scale and zero point of every input and output, by signature."""
    interpreter = Interpreter(model_path=str(model), num_threads=1)
    found = {}
    for name in sorted(interpreter.get_signature_list()):
        runner = interpreter.get_signature_runner(name)
        sides = {"inputs": runner.get_input_details(), "outputs": runner.get_output_details()}
        found[name] = {
            side: [_describe(key, details[key]) for key in sorted(details)] for side, details in sides.items()
        }
    return found


def _describe(name: str, details: dict[str, Any]) -> dict[str, Any]:
    scale, zero_point = details["quantization"]
    return {
        "name": name,
        "dtype": np.dtype(details["dtype"]).name,
        "shape": [int(size) for size in details.get("shape_signature", details["shape"])],
        "scale": float(scale),
        "zero_point": int(zero_point),
    }
