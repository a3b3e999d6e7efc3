"""The child process with LiteRT: what a produced ``.tflite`` holds, and what it answers.

Run as ``python -m mmconvert.child.produced``.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from mmconvert.child.census import take_census
from mmconvert.child.serve import serve
from mmconvert.feed import Array, load_feeds, save_feeds
from mmwire.errors import ConvertError


def describe(request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the census of a model file and the runtime's version."""
    census = take_census(Path(request["model"]).read_bytes())
    return {"census": census, "version": version("ai-edge-litert")}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Write what a model answers to each feed, in float: quantized inputs and outputs are scaled here.

    A model that keeps state starts anew for each feed.
    """
    path, signature = request["model"], request["signature"]
    runner = None
    outputs = []
    for feed in load_feeds(Path(request["feeds"])):
        if runner is None or request["keeps_state"]:
            runner = Interpreter(model_path=path, num_threads=1).get_signature_runner(signature)
        takes, gives = runner.get_input_details(), runner.get_output_details()
        answer = runner(**{name: to_model(feed[name], takes[name]) for name in takes})
        outputs.append({name: from_model(array, gives[name]) for name, array in answer.items()})
    save_feeds(Path(request["output"]), outputs)
    return {}


def to_model(array: Array, details: dict[str, Any]) -> Array:
    """Return the values as the tensor takes them: ``round(x / scale) + zero_point``, clipped."""
    dtype = np.dtype(details["dtype"])
    scale, zero_point = details["quantization"]
    if scale == 0 or array.dtype.kind != "f":
        return array.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    quantized: Array = np.clip(np.rint(array / scale) + zero_point, limits.min, limits.max).astype(dtype)
    return quantized


def from_model(array: Array, details: dict[str, Any]) -> Array:
    """Return the values that the tensor stands for: ``(q - zero_point) * scale``."""
    scale, zero_point = details["quantization"]
    if scale == 0 or array.dtype.kind == "f":
        return array
    values: Array = ((array.astype(np.int32) - zero_point) * scale).astype(np.float32)
    return values


def explain(step: str, error: BaseException) -> ConvertError:
    """Return the error for what LiteRT raised."""
    text = " ".join(str(error).split())
    return ConvertError("CONVERTER_FAILED", f"LiteRT cannot run the converted model: {text[:240]}")


def main() -> None:
    """Serve the steps until the parent closes the pipe."""
    serve({"describe": describe, "run": run}, explain)


if __name__ == "__main__":
    main()
