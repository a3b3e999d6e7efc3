"""Loads one model in a process of its own. ``isolation.child`` calls these functions by name: see ``Opener`` there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mmdaemon.runtime.interface import Instance, Traits
from mmdaemon.runtime.tensorflow.runtime import TensorFlowRuntime
from mmdaemon.runtime.tflite.selection import select_runtime
from mmdaemon.runtime.trial.batching import rows_a_call
from mmdaemon.runtime.trial.facts import Facts

if TYPE_CHECKING:
    from mmdaemon.runtime.tensorflow.saved_model import SavedModelInstance


def open_model_file(path: str, threads: int, traits: Traits, device: str) -> tuple[Instance, dict[str, Any]]:
    """Load a ``.tflite`` file with the runtime of this box, with the traits that a trial found. The device is ignored.

    Raises:
        MmError: ``MODEL_INVALID``: the runtime refuses the file.
    """
    runtime, _ = select_runtime()
    instance = runtime.load(path, threads, traits)
    return instance, {"signatures": [spec.as_dict() for spec in instance.signatures.values()]}


def open_saved_model(path: str, threads: int, traits: Traits, device: str) -> tuple[Instance, dict[str, Any]]:
    """Load a SavedModel folder with TensorFlow, choose how to run it, and report the facts that a trial reports.

    Raises:
        MmError: ``MODEL_INVALID``: it cannot be loaded or served, or does not answer a plain input.
            ``CONFIG_INVALID``: there is no such device.
    """
    facts = Facts()
    runtime = TensorFlowRuntime(device)
    from mmdaemon.runtime.tensorflow.compilation import choose_compiler  # it imports TensorFlow

    instance = facts.load(lambda: runtime.load(path, threads, traits))
    facts.run(instance)
    for function in instance.functions.values():
        if function.takes_batches and function.spec.is_static:
            function.batch = rows_a_call(function.compute, function.spec)
        choose_compiler(function)
    facts.run(instance)  # now as it will run for requests
    default = next(iter(instance.functions.values()))
    return instance, facts.as_dict(instance, default.batch, instance.state, []) | {
        "device": instance.device,
        "compiled": [name for name, function in instance.functions.items() if function.is_compiled],
        "traced": _traced(instance),
    }


def _traced(instance: SavedModelInstance) -> list[str]:
    """Return the traces, for people: ``serving_default(x: float32[rows,28,28])``. No request makes another one."""
    texts: list[str] = []
    for name, spec in instance.signatures.items():
        for shapes in instance.traced[name]:
            tensors = (replace(tensor, shape=shape) for tensor, shape in zip(spec.inputs, shapes, strict=True))
            texts.append(f"{name}({', '.join(f'{tensor.name}: {tensor.describe()}' for tensor in tensors)})")
    return texts
