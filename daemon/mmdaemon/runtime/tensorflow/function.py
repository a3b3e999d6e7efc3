"""One signature of a SavedModel as one traced ``tf.function``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from mmdaemon.runtime.payload import Arrays
from mmdaemon.runtime.tensorflow.failure import inference_error
from mmdaemon.runtime.tensorflow.signature import input_tensors, read_signature, takes_any_rows
from mmdaemon.runtime.tensorflow.snapshot import VariableSnapshot, require_whole, written_variables
from mmwire.tensor import Shape, SignatureSpec


class Function:
    """A signature, traced once, when this object is built. Every call runs that one graph.

    Args:
        name: The name of the signature.
        signature: Its concrete function in the loaded SavedModel.
        device: The device that it runs on, as TensorFlow names it.

    Attributes:
        spec: Its tensors.
        takes_batches: Whether one call may take any number of rows.
        batch: The most rows in one call; 1 until measured.
        keeps_state: Whether a run may write to variables, which are put back after each run.
        traced: The shapes of the inputs of every trace, -1 where open. There is one trace, and a second one when XLA
            compiles single rows.

    Raises:
        ModelError: ``MODEL_INVALID``: a tensor of it cannot travel, or something that it writes to cannot be put back.

    Thread: one at a time; the GIL is released while it computes.
    """

    def __init__(self, name: str, signature: Any, device: str) -> None:
        require_whole(name, signature.graph)
        self._signature = signature
        self._device = device
        self.spec: SignatureSpec = read_signature(name, signature)
        self.traced: list[tuple[Shape, ...]] = []
        tensors = input_tensors(signature)
        self._graph = self._trace([tensors[tensor.name].shape for tensor in self.spec.inputs], is_compiled=False)
        self._row_graph = self._graph
        self._snapshot = VariableSnapshot(written_variables(name, self._graph.graph))
        self.keeps_state = len(self._snapshot) > 0
        self.takes_batches = takes_any_rows(signature) and not self.keeps_state
        self.batch = 1

    @property
    def is_compiled(self) -> bool:
        """Whether single rows run the graph that XLA compiled."""
        return self._row_graph is not self._graph

    def compute(self, values: Sequence[NDArray[Any]]) -> Arrays:
        """Return the outputs in spec order, as views of TensorFlow's memory, which nothing writes to any more.

        Raises:
            InferenceError: ``INFERENCE_FAILED``.
        """
        return self._run(self._graph, values)

    def compute_row(self, values: Sequence[NDArray[Any]]) -> Arrays:
        """Return the outputs for a single row, with the compiled graph if there is one; see ``compute``."""
        return self._run(self._row_graph, values)

    def compile_row(self) -> None:
        """Have XLA compile single rows of a static signature, at the first ``compute_row``, which may fail."""
        self._row_graph = self._trace([tensor.with_rows(1) for tensor in self.spec.inputs], is_compiled=True)

    def uncompile_row(self) -> None:
        """Have single rows run like other requests again. Idempotent."""
        self._row_graph = self._graph
        del self.traced[1:]

    def _run(self, graph: Any, values: Sequence[NDArray[Any]]) -> Arrays:
        try:
            try:
                with tf.device(self._device):
                    return [np.asarray(tensor) for tensor in graph(*map(tf.constant, values))]
            finally:  # a run that failed may have written before it failed
                self._snapshot.restore()
        except (tf.errors.OpError, ValueError, TypeError) as error:
            raise inference_error(error) from None

    def _trace(self, shapes: Sequence[Any], is_compiled: bool) -> Any:
        inputs = [tensor.name for tensor in self.spec.inputs]
        outputs = [tensor.name for tensor in self.spec.outputs]

        def call(*tensors: Any) -> list[Any]:
            self.traced.append(tuple(tuple(-1 if size is None else size for size in t.shape) for t in tensors))
            answer = self._signature(**dict(zip(inputs, tensors, strict=True)))
            return [answer[name] for name in outputs]

        specs = [tf.TensorSpec(shape, tensor.dtype) for shape, tensor in zip(shapes, self.spec.inputs, strict=True)]
        function = tf.function(call, input_signature=specs, autograph=False, jit_compile=is_compiled)
        with tf.device(self._device):
            return function.get_concrete_function()
