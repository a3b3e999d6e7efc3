"""The child process with LiteRT: tells what a ``.tflite`` holds and answers, and makes other forms of it.

Run as ``python -m mmconvert.backends.litert.child``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_edge_litert.interpreter import Interpreter

from mmconvert.backends.litert import quantizer
from mmconvert.backends.litert.census import list_operations, take_census
from mmconvert.backends.litert.footprint import measure_memory
from mmconvert.backends.litert.golden import record
from mmconvert.backends.litert.pruning import prune
from mmconvert.backends.litert.stopwatch import count_partitions, measure_latency
from mmconvert.backends.litert.tensor import describe_signatures, from_model, to_model
from mmconvert.backends.process.serve import serve
from mmconvert.feed import load_feeds, save_feeds
from mmwire.errors import ConvertError
from mmwire.golden import pack_goldens
from mmwire.tflite import ModelState, outline


def describe(request: dict[str, Any]) -> dict[str, Any]:
    """Reply with the census of a model file, its operations, signatures and delegate partitions."""
    content = Path(request["model"]).read_bytes()
    return {
        "census": take_census(content),
        "operations": list_operations(content),
        "partitions": count_partitions(Path(request["model"])),
        "signatures": describe_signatures(Path(request["model"])),
    }


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Write what a model answers to each feed, in float: quantized inputs and outputs are scaled here.

    A model with state starts each feed as it was loaded, unless told otherwise.
    """
    path, signature = request["model"], request["signature"]
    starts_anew = request["resets"] and outline(Path(path).read_bytes()).state is not ModelState.NONE
    runner = None
    outputs = []
    for feed in load_feeds(Path(request["feeds"])):
        if runner is None or starts_anew:
            interpreter = Interpreter(model_path=path, num_threads=1)
            runner = interpreter.get_signature_runner(signature)
            takes, gives = runner.get_input_details(), runner.get_output_details()
        given = runner(**{name: to_model(feed[name], takes[name]) for name in takes})
        outputs.append({name: from_model(array, gives[name]) for name, array in given.items()})
    save_feeds(Path(request["output"]), outputs)
    return {}


def measure_ranges(request: dict[str, Any]) -> dict[str, Any]:
    """Reply with the ranges of a float model's tensors over the feeds, one file for each signature."""
    feeds = {name: load_feeds(Path(path)) for name, path in request["feeds"].items()}
    return quantizer.calibrate(Path(request["model"]), request["recipe"], feeds)


def make_candidate(request: dict[str, Any]) -> dict[str, Any]:
    """Write the model quantized by a recipe."""
    content = quantizer.quantize(Path(request["model"]), request["recipe"], request["ranges"])
    Path(request["output"]).write_bytes(content)
    return {}


def make_pruned(request: dict[str, Any]) -> dict[str, Any]:
    """Write the model with a share of the weights of its 1x1 convolutions left out."""
    content = prune(Path(request["model"]).read_bytes(), request["share"])
    Path(request["output"]).write_bytes(content)
    return {}


def time_models(request: dict[str, Any]) -> dict[str, Any]:
    """Reply with the latency of models in interleaved rounds."""
    models = {name: Path(path) for name, path in request["models"].items()}
    return measure_latency(models, request["rounds"], request["rows"])


def weigh_models(request: dict[str, Any]) -> dict[str, Any]:
    """Reply with the memory that each model needs of its own."""
    return dict(measure_memory({name: Path(path) for name, path in request["models"].items()}))


def record_goldens(request: dict[str, Any]) -> dict[str, Any]:
    """Write the goldens of a model over the feeds, one file for each signature; reply with their number."""
    model = Path(request["model"])
    goldens = [
        golden
        for name, path in request["feeds"].items()
        for golden in record(model, name, load_feeds(Path(path)), request["has_integers"])
    ]
    Path(request["output"]).write_bytes(pack_goldens(goldens))
    return {"goldens": len(goldens)}


def explain(step: str, error: BaseException) -> ConvertError:
    """Return the error for an exception of LiteRT."""
    text = " ".join(str(error).split())
    return ConvertError("CONVERTER_FAILED", f"LiteRT cannot run the converted model: {text[:240]}")


def main() -> None:
    """Do steps until the parent closes the pipe."""
    serve(
        {
            "describe": describe,
            "answer": answer,
            "ranges": measure_ranges,
            "candidate": make_candidate,
            "prune": make_pruned,
            "time": time_models,
            "weigh": weigh_models,
            "goldens": record_goldens,
        },
        explain,
    )


if __name__ == "__main__":
    main()
