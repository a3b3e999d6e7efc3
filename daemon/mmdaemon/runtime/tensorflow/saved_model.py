"""A loaded SavedModel as an instance: runs rows together or one by one, and resets state."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmdaemon.runtime.interface import Outputs
from mmdaemon.runtime.payload import Arrays, join_rows, shaped_inputs, unexpected_shapes, whole_inputs
from mmdaemon.runtime.tensorflow.function import Function
from mmdaemon.runtime.tensorflow.signature import public_signatures
from mmwire.tensor import Shape, SignatureSpec
from mmwire.tflite import ModelState


class SavedModelInstance:
    """A loaded SavedModel.

    Rows run together if every tensor has a rows dimension, up to ``Function.batch`` of them. Otherwise they run
    one by one.

    Before every row the model is as it was after loading. The variables that a run may write to (``tf.Variable``, and
    with it the state of a ``tf.random.Generator``) are put back after each call, and rows of such a signature run one
    by one. A signature that writes to no variable pays nothing. Random operations without a generator go on drawing.

    Args:
        model: What ``tf.saved_model.load`` returned.
        device: The device that it was loaded on, as TensorFlow names it.

    Attributes:
        functions: By signature, the default one first.
        signatures: The specs of the functions.
        state: Whether there are variables to put back.
        device: The device that it runs on.
        traced: By signature, the shapes of the inputs of every trace, -1 where open.

    Raises:
        ModelError: ``MODEL_INVALID``: it cannot be called, or its state cannot be reset.

    Thread: one at a time.
    """

    def __init__(self, model: Any, device: str) -> None:
        self.device = device
        self._model = model  # the functions hold their variables only by weak references
        self.functions = {name: Function(name, found, device) for name, found in public_signatures(model).items()}
        keeps_state = any(function.keeps_state for function in self.functions.values())
        self.state = ModelState.VARIABLES if keeps_state else ModelState.NONE
        self.signatures: Mapping[str, SignatureSpec] = {name: f.spec for name, f in self.functions.items()}
        self.traced: Mapping[str, list[tuple[Shape, ...]]] = {name: f.traced for name, f in self.functions.items()}

    @property
    def pid(self) -> int:
        """This process."""
        return os.getpid()

    def run(
        self,
        signature: str,
        payload: bytes | memoryview,
        rows: int,
        shapes: Sequence[Shape] | None,
        go_on: Callable[[], None],
    ) -> Outputs:
        """Compute; see ``Instance.run``."""
        function = self.functions[signature]
        if shapes is not None:
            outputs = function.compute(shaped_inputs(function.spec, payload, shapes))
            return Outputs(outputs, tuple(output.shape for output in outputs))
        outputs = _run_rows(function, whole_inputs(function.spec, payload, rows), rows, go_on)
        return Outputs(outputs, unexpected_shapes(outputs, [spec.with_rows(rows) for spec in function.spec.outputs]))

    def interrupt(self) -> bool:
        """Return False: only the end of this process ends a computation in it."""
        return False

    def close(self) -> None:
        """Drop the model; its memory goes with the last reference."""
        self._model = None
        self.functions = {}


def _run_rows(function: Function, whole: Arrays, rows: int, go_on: Callable[[], None]) -> Arrays:
    if rows == 1:
        return function.compute_row(whole)
    if rows <= function.batch:
        return function.compute(whole)
    parts: list[Arrays] = []
    for first in range(0, rows, function.batch):
        go_on()
        parts.append(function.compute([value[first : first + function.batch] for value in whole]))
    return join_rows(parts)
