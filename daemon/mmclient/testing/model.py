"""A model that is a Python function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmwire.errors import InferenceError, RequestError
from mmwire.manifest import ModelOptions
from mmwire.tensor import SignatureSpec

SHA256 = "ab" * 32  # of every model: there is no file


@dataclass
class FakeModel:
    """A model: its tensors, and a function that computes the outputs from the inputs.

    A test may change any attribute while the daemon serves.

    Attributes:
        name: The name that applications ask for.
        spec: The inputs and outputs of the only signature.
        compute: Takes one array for each input, in order and with all rows, and returns the output, or a tuple of
            them. An exception in it becomes INFERENCE_FAILED.
        version: The version that serves.
        labels: The class names that ``show`` gives.
        image: The mean and scale of the pixels of images.
        queue_us: Microseconds that each answer claims to have waited.
        run_us: Microseconds that each answer claims to have run.
        state: ``ready``, ``unloaded`` or ``quarantined``; requests get an answer only while it is ``ready``.
        reason: Why the model is quarantined.
    """

    name: str
    spec: SignatureSpec
    compute: Callable[..., Any]
    version: int = 1
    labels: list[str] = field(default_factory=list)
    image: tuple[float, float] = (0.0, 255.0)
    queue_us: int = 7
    run_us: int = 50
    state: str = "ready"
    reason: str = ""

    def document(self) -> dict[str, Any]:
        """Return the model as ``ls`` lists it."""
        reason = {"reason": self.reason} if self.state == "quarantined" else {}
        version = {"version": self.version, "sha256": SHA256, "state": self.state} | reason
        signatures = [] if reason else [self.spec.as_dict()]
        return {"name": self.name, "runtime": "fake", **version, "versions": [version], "signatures": signatures}

    def details(self) -> dict[str, Any]:
        """Return what ``show`` adds."""
        options = ModelOptions(image_mean=self.image[0], image_scale=self.image[1])
        traits = {"bytes": 544, "batch": 1, "state": "none", "load_ms": 1.5, "run_us": 21.3, "memory_bytes": 9060352}
        return {
            "labels": self.labels,
            "options": options.as_dict(),
            "traits": {} if self.state == "quarantined" else traits,
        }

    def require_ready(self) -> None:
        """Refuse a request as the daemon does while the model does not serve.

        Raises:
            RequestError: ``MODEL_UNLOADED``, ``MODEL_QUARANTINED``.
        """
        if self.state == "unloaded":
            raise RequestError("MODEL_UNLOADED", f"model {self.name!r} was unloaded", f"mmctl load {self.name}")
        if self.state == "quarantined":
            raise RequestError("MODEL_QUARANTINED", f"model {self.name!r}: {self.reason}")

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the outputs in the dtypes of the spec.

        Raises:
            InferenceError: ``INFERENCE_FAILED``: ``compute`` raised, or returned something that does not fit the spec.
        """
        try:
            result = self.compute(*inputs)
        except Exception as error:
            raise InferenceError("INFERENCE_FAILED", f"model {self.name!r}: {type(error).__name__}: {error}") from error
        outputs = list(result) if isinstance(result, tuple) else [result]
        if len(outputs) != len(self.spec.outputs):
            raise InferenceError(
                "INFERENCE_FAILED",
                f"model {self.name!r}: expected {len(self.spec.outputs)} outputs, compute returned {len(outputs)}",
                "return an array, or a tuple with one array for each output of the spec",
            )
        arrays = [np.asarray(array, tensor.dtype) for array, tensor in zip(outputs, self.spec.outputs, strict=True)]
        for array, tensor in zip(arrays, self.spec.outputs, strict=True):
            if not tensor.accepts(array.shape):
                raise InferenceError(
                    "INFERENCE_FAILED",
                    f"model {self.name!r}: expected {tensor.name} as {tensor.describe()}, compute returned "
                    f"{list(array.shape)}",
                    "change compute, or the spec",
                )
        return arrays
