"""A SavedModel in full TensorFlow, with the arithmetic of rows and of state."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from mmdaemon.runtime.function import Function
from mmdaemon.runtime.interface import Answer, Traits
from mmdaemon.runtime.payload import Arrays, join_rows, shaped_inputs, unexpected_shapes, whole_inputs
from mmdaemon.runtime.signature import public_signatures
from mmwire.tensor import Shape, SignatureSpec
from mmwire.tflite import ModelState


class SavedModelInstance:
    """A loaded SavedModel.

    Rows go together where every tensor of the signature has them, at most ``batch`` in a call, else one by one.

    Every row finds the model as it was loaded: the variables that a run may write to (``tf.Variable``, and with it the
    state of a ``tf.random.Generator``) are put back after each call, and rows then go one by one; a model that writes
    to none pays nothing. Random operations without such a generator go on drawing.

    Args:
        model: What ``tf.saved_model.load`` returned.
        traits: What the probe found; how the model remembers is read off its graph.
        device: What it was loaded on, as TensorFlow names it.

    Attributes:
        signatures: The specs by name, the default one first.
        state: Whether there are variables to put back.
        device: What it runs on.
        traced: By signature, the inputs' shapes of every trace, -1 where open.

    Raises:
        ModelError: ``MODEL_INVALID``: it cannot be called, or not be brought back to its beginning.

    Thread: one at a time.
    """

    def __init__(self, model: Any, traits: Traits, device: str) -> None:
        self.device = device
        self._model = model  # functions hold their variables only weakly
        self._batch = traits.batch
        self._functions = {name: Function(name, found) for name, found in public_signatures(model).items()}
        keeps_state = any(function.keeps_state for function in self._functions.values())
        self.state = ModelState.VARIABLES if keeps_state else ModelState.NONE
        self.signatures: Mapping[str, SignatureSpec] = {name: f.spec for name, f in self._functions.items()}
        self.traced: Mapping[str, list[tuple[Shape, ...]]] = {name: f.traced for name, f in self._functions.items()}

    def with_batch(self, rows: int) -> SavedModelInstance:
        """Return the same loaded model, to run batches of so many rows; the two may not run at the same time."""
        twin = copy.copy(self)
        twin._batch = rows
        return twin

    @property
    def batch(self) -> int:
        """Rows of one call at most; a signature that does not take them runs them one by one all the same."""
        return self._batch

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
    ) -> Answer:
        """Compute; see ``Instance.run``."""
        function = self._functions[signature]
        if shapes is not None:
            outputs = self._compute(function, shaped_inputs(function.spec, payload, shapes))
            return Answer(outputs, tuple(output.shape for output in outputs))
        whole = whole_inputs(function.spec, payload, rows)
        batch = self._batch if function.takes_batches else 1
        if rows <= batch:
            outputs = self._compute(function, whole)
        else:
            parts: list[Arrays] = []
            for first in range(0, rows, batch):
                go_on()
                parts.append(self._compute(function, [value[first : first + batch] for value in whole]))
            outputs = join_rows(parts)
        return Answer(outputs, unexpected_shapes(outputs, [spec.with_rows(rows) for spec in function.spec.outputs]))

    def interrupt(self) -> bool:
        """Return False: nothing but the end of this process ends a computation in it."""
        return False

    def close(self) -> None:
        """Drop the model; its memory goes with the last reference."""
        self._model = None
        self._functions = {}

    def _compute(self, function: Function, values: Arrays) -> Arrays:
        with tf.device(self.device):
            return function.compute(values)
