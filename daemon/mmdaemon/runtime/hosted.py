"""Loading one model in a process of its own: what the executor's child calls by name; see ``executor.child.Opener``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mmdaemon.runtime.batching import BATCH, agree
from mmdaemon.runtime.facts import Facts
from mmdaemon.runtime.interface import Instance, Traits
from mmdaemon.runtime.sample import random, run
from mmdaemon.runtime.selection import select_runtime
from mmdaemon.runtime.tensorflow import TensorFlowRuntime
from mmwire.errors import InferenceError
from mmwire.tflite import ModelState

if TYPE_CHECKING:
    from mmdaemon.runtime.saved_model import SavedModelInstance


def open_model_file(path: str, threads: int, traits: Traits, device: str) -> tuple[Instance, dict[str, Any]]:
    """Load a ``.tflite`` file with this box's runtime, as a trial found that it should be. The device does not matter.

    Raises:
        MmError: ``MODEL_INVALID``: the runtime refuses the file.
    """
    runtime, _ = select_runtime()
    instance = runtime.load(path, threads, traits)
    return instance, {"signatures": [spec.as_dict() for spec in instance.signatures.values()]}


def open_saved_model(path: str, threads: int, traits: Traits, device: str) -> tuple[Instance, dict[str, Any]]:
    """Load a SavedModel folder with TensorFlow, run it, and find out what a trial finds out of a file.

    Raises:
        MmError: ``MODEL_INVALID``: it cannot be loaded, cannot be served, or does not answer a plain input;
            ``CONFIG_INVALID``: there is no such device.
    """
    facts = Facts()
    runtime = TensorFlowRuntime(device)
    instance = facts.load(lambda: runtime.load(path, threads, traits))
    facts.run(instance)
    if instance.state is ModelState.NONE and _batches_agree(instance):
        instance = instance.with_batch(BATCH)
    document = facts.as_dict(instance, instance.batch, instance.state, [])
    return instance, document | {"device": instance.device, "traced": _traced(instance)}


def _traced(instance: SavedModelInstance) -> list[str]:
    """Return what was traced, for people: ``serving_default(x: float32[rows,28,28])``. No other shape ever is."""
    texts: list[str] = []
    for name, spec in instance.signatures.items():
        for shapes in instance.traced[name]:
            tensors = (replace(tensor, shape=shape) for tensor, shape in zip(spec.inputs, shapes, strict=True))
            texts.append(f"{name}({', '.join(f'{tensor.name}: {tensor.describe()}' for tensor in tensors)})")
    return texts


def _batches_agree(instance: SavedModelInstance) -> bool:
    """Return whether rows give together what they give one by one, in every signature that has rows."""
    together = instance.with_batch(BATCH)
    for name, spec in instance.signatures.items():
        if not (spec.has_rows and spec.is_static):
            continue
        inputs = random(spec, 2)
        try:
            one_by_one, at_once = (run(each, name, spec, inputs, 2) for each in (instance, together))
        except InferenceError:
            return False
        if not all(map(agree, one_by_one, at_once)):
            return False
    return True
