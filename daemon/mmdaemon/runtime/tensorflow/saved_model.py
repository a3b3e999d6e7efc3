"""A SavedModel in full TensorFlow, with the arithmetic of rows and of state."""

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

    Rows go together where every tensor of the signature has them, as many as ``Function.batch``, else one by one.

    Every row finds the model as it was loaded: the variables that a run may write to (``tf.Variable``, and with it the
    state of a ``tf.random.Generator``) are put back after each call, and rows then go one by one; a signature that
    writes to none pays nothing. Random operations without such a generator go on drawing.

    Args:
        model: What ``tf.saved_model.load`` returned.
        device: What it was loaded on, as TensorFlow names it.

    Attributes:
        functions: By signature, the default one first.
        signatures: Their specs.
        state: Whether there are variables to put back.
        device: What it runs on.
        traced: By signature, the inputs' shapes of every trace, -1 where open.

    Raises:
        ModelError: ``MODEL_INVALID``: it cannot be called, or not be brought back to its beginning.

    Thread: one at a time.
    """

    def __init__(self, model: Any, device: str) -> None:
        self.device = device
        self._model = model  # functions hold their variables only weakly
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
        """Return False: nothing but the end of this process ends a computation in it."""
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
