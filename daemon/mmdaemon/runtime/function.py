"""One signature of a SavedModel as one traced ``tf.function``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from mmdaemon.runtime.failure import inference_error
from mmdaemon.runtime.payload import Arrays
from mmdaemon.runtime.signature import input_tensors, read_signature, takes_any_rows
from mmdaemon.runtime.snapshot import Snapshot, require_whole, written_variables
from mmwire.tensor import Shape, SignatureSpec


class Function:
    """A signature, traced when it is built and never again: what is called is the one graph that came of it.

    Attributes:
        spec: Its tensors.
        takes_batches: Whether one call may take any number of rows.
        keeps_state: Whether a run may write to variables; they are put back after each.
        traced: The inputs' shapes of every trace, -1 where open: one entry, unless a graph for single rows was added.

    Raises:
        ModelError: ``MODEL_INVALID``: a tensor of it does not travel, or what it writes to cannot be put back.

    Thread: one at a time; the GIL is released while it computes.
    """

    def __init__(self, name: str, signature: Any) -> None:
        require_whole(name, signature.graph)
        self._signature = signature
        self.spec: SignatureSpec = read_signature(name, signature)
        self.traced: list[tuple[Shape, ...]] = []
        tensors = input_tensors(signature)
        self._concrete = self._trace([tensors[tensor.name].shape for tensor in self.spec.inputs])
        self._snapshot = Snapshot(written_variables(name, self._concrete.graph))
        self.keeps_state = len(self._snapshot) > 0
        self.takes_batches = takes_any_rows(signature) and not self.keeps_state

    def compute(self, values: Sequence[NDArray[Any]]) -> Arrays:
        """Return the outputs in spec order: views of what TensorFlow computed, to which nobody writes any more.

        Raises:
            InferenceError: ``INFERENCE_FAILED``.
        """
        try:
            try:
                return [np.asarray(tensor) for tensor in self._concrete(*map(tf.constant, values))]
            finally:  # one that failed may have written before
                self._snapshot.restore()
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise inference_error(error) from None

    def _trace(self, shapes: Sequence[Any]) -> Any:
        inputs = [tensor.name for tensor in self.spec.inputs]
        outputs = [tensor.name for tensor in self.spec.outputs]

        def call(*tensors: Any) -> list[Any]:
            self.traced.append(tuple(tuple(-1 if size is None else size for size in t.shape) for t in tensors))
            answer = self._signature(**dict(zip(inputs, tensors, strict=True)))
            return [answer[name] for name in outputs]

        specs = [tf.TensorSpec(shape, tensor.dtype) for shape, tensor in zip(shapes, self.spec.inputs, strict=True)]
        return tf.function(call, input_signature=specs, autograph=False).get_concrete_function()
