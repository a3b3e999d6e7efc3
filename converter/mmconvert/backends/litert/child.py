"""The child process with LiteRT: what a produced ``.tflite`` holds, and what it answers.

Run as ``python -m mmconvert.backends.litert.child``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ai_edge_litert.interpreter import Interpreter, OpResolverType

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


def describe(request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the census of a model file, its operations and the pieces that the delegate cuts it into."""
    content = Path(request["model"]).read_bytes()
    return {
        "census": take_census(content),
        "operations": list_operations(content),
        "partitions": count_partitions(Path(request["model"])),
        "signatures": describe_signatures(Path(request["model"])),
    }


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Write what a model answers to each feed, in float: quantized inputs and outputs are scaled here.

    A model that keeps state starts anew for each feed, unless told otherwise. ``plain`` leaves the delegate out.
    """
    path, signature = request["model"], request["signature"]
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if request.get("plain") else OpResolverType.AUTO
    runner = None
    outputs = []
    for feed in load_feeds(Path(request["feeds"])):
        if runner is None or request["resets"]:
            interpreter = Interpreter(model_path=path, num_threads=1, experimental_op_resolver_type=resolver)
            runner = interpreter.get_signature_runner(signature)
            takes, gives = runner.get_input_details(), runner.get_output_details()
        answer = runner(**{name: to_model(feed[name], takes[name]) for name in takes})
        outputs.append({name: from_model(array, gives[name]) for name, array in answer.items()})
    save_feeds(Path(request["output"]), outputs)
    return {}


def measure_ranges(request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the ranges of a float model's tensors over the feeds, a file a signature."""
    feeds = {name: load_feeds(Path(path)) for name, path in request["feeds"].items()}
    return quantizer.calibrate(Path(request["model"]), request["recipe"], feeds)


def quantize(request: dict[str, Any]) -> dict[str, Any]:
    """Write the model quantized by a recipe."""
    content = quantizer.quantize(Path(request["model"]), request["recipe"], request["ranges"])
    Path(request["output"]).write_bytes(content)
    return {}


def prune_weights(request: dict[str, Any]) -> dict[str, Any]:
    """Write the model with a share of the weights of its 1x1 convolutions left out."""
    content = prune(Path(request["model"]).read_bytes(), request["share"])
    Path(request["output"]).write_bytes(content)
    return {}


def time_models(request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the latency of models in interleaved rounds."""
    models = {name: Path(path) for name, path in request["models"].items()}
    return measure_latency(models, request["rounds"], request["rows"])


def weigh_models(request: dict[str, Any]) -> dict[str, Any]:
    """Answer with the memory that each model needs of its own."""
    return dict(measure_memory({name: Path(path) for name, path in request["models"].items()}))


def record_goldens(request: dict[str, Any]) -> dict[str, Any]:
    """Write the goldens of a model over the feeds, a file a signature; answers with how many there are."""
    model = Path(request["model"])
    goldens = [
        golden
        for name, path in request["feeds"].items()
        for golden in record(model, name, load_feeds(Path(path)), request["has_integers"])
    ]
    Path(request["output"]).write_bytes(pack_goldens(goldens))
    return {"goldens": len(goldens)}


def explain(step: str, error: BaseException) -> ConvertError:
    """Return the error for what LiteRT raised."""
    text = " ".join(str(error).split())
    return ConvertError("CONVERTER_FAILED", f"LiteRT cannot run the converted model: {text[:240]}")


def main() -> None:
    """Serve the steps until the parent closes the pipe."""
    serve(
        {
            "describe": describe,
            "run": run,
            "ranges": measure_ranges,
            "candidate": quantize,
            "prune": prune_weights,
            "time": time_models,
            "weigh": weigh_models,
            "goldens": record_goldens,
        },
        explain,
    )


if __name__ == "__main__":
    main()
