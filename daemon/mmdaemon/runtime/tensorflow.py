"""Full TensorFlow: SavedModel folders. Imported in a process of its own only, never in the daemon."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdaemon.runtime.device import choose_device
from mmdaemon.runtime.instance import whole_inputs
from mmdaemon.runtime.interface import Answer
from mmdaemon.runtime.saved_model import (
    operations,
    signature_functions,
    signature_spec,
    takes_batches,
    writes_variables,
)
from mmwire.errors import InferenceError, ModelError
from mmwire.tensor import Shape, SignatureSpec
from mmwire.tflite import ModelState

# A request with more rows is run in parts, between which it can be given up; a part this large fills any device.
BATCH = 64


class Function:
    """One signature, traced once: a call with another shape runs the same graph.

    Args:
        tf: The module.
        spec: Its tensors.
        function: The concrete function of the SavedModel.
        compiled: Whether XLA compiles it, for each shape anew.

    Attributes:
        traced: What it was traced or compiled for, one text each.
    """

    def __init__(self, tf: Any, spec: SignatureSpec, function: Any, compiled: bool = False) -> None:
        self.spec = spec
        self.traced: dict[str, None] = {}
        names = [tensor.name for tensor in spec.inputs]
        outputs = [tensor.name for tensor in spec.outputs]

        def call(*values: Any) -> list[Any]:
            by_name = dict(zip(names, values, strict=True))
            shown = ", ".join(f"{name}: {value.dtype.name}{_shown(value.shape)}" for name, value in by_name.items())
            self.traced[f"{spec.name}({shown}){' by XLA' if compiled else ''}"] = None
            answer = function(**by_name)
            return [answer[name] for name in outputs]

        declared = function.structured_input_signature[1]
        shapes = [
            tf.TensorSpec(tensor.with_rows(1) if compiled else declared[tensor.name].shape, tensor.dtype)
            for tensor in spec.inputs
        ]
        self._call = tf.function(call, input_signature=shapes, jit_compile=compiled).get_concrete_function()
        self._constant = tf.constant

    def __call__(self, values: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        """Compute; takes and gives arrays in spec order."""
        constant = self._constant
        return [np.ascontiguousarray(output.numpy()) for output in self._call(*[constant(value) for value in values])]


class SavedModelInstance:
    """A SavedModel in this process.

    Every row finds the variables as they were loaded: a model that assigns to one gets its values back after each row.

    Thread: one at a time.
    """

    def __init__(self, tf: Any, loaded: Any, device: str) -> None:
        functions = signature_functions(loaded)
        self.device = device
        self._tf = tf
        self._loaded = loaded  # its functions hold their variables by weak references only
        self._functions = functions
        self._batch = 1
        self._plain: dict[str, Function] = {}
        self._compiled: dict[str, Function] = {}
        for name, function in functions.items():
            self._plain[name] = Function(tf, signature_spec(name, function), function)
        self._single = dict(self._plain)
        self.signatures: Mapping[str, SignatureSpec] = {name: one.spec for name, one in self._plain.items()}
        variables = {id(one): one for function in functions.values() for one in function.graph.variables}
        self.state = ModelState.VARIABLES if writes_variables(functions) else ModelState.NONE
        # A model that writes none pays nothing.
        kept = variables.values() if self.state is ModelState.VARIABLES else ()
        self._beginning = [(one, tf.identity(one)) for one in kept]
        self.can_batch = self.state is ModelState.NONE and all(map(takes_batches, functions.values()))
        self.operations = sum(1 for function in functions.values() for _ in operations(function))

    @property
    def pid(self) -> int:
        """This process."""
        return os.getpid()

    @property
    def traced(self) -> list[str]:
        """What was traced or compiled, one text a shape."""
        return [text for one in (*self._plain.values(), *self._compiled.values()) for text in one.traced]

    @property
    def compiled(self) -> list[str]:
        """The signatures of which single rows run compiled by XLA."""
        return list(self._compiled)

    def set_batch(self, rows: int) -> None:
        """Run so many rows at a time; 1 = one by one."""
        self._batch = rows

    def compile(self, signature: str) -> None:
        """Let single rows of a signature run compiled by XLA.

        Raises:
            InferenceError: XLA cannot do it.
        """
        one = Function(self._tf, self.signatures[signature], self._functions[signature], compiled=True)
        zeros = [np.zeros(tensor.with_rows(1), tensor.dtype) for tensor in one.spec.inputs]
        self._guarded(one, zeros)
        self._compiled[signature] = one
        self.use_compiled(signature, True)

    def use_compiled(self, signature: str, is_used: bool) -> None:
        """Say whether single rows run compiled, of a signature that was."""
        self._single[signature] = self._compiled[signature] if is_used else self._plain[signature]

    def uncompile(self, signature: str) -> None:
        """Let single rows of a signature run as everything else. Idempotent."""
        self._compiled.pop(signature, None)
        self._single[signature] = self._plain[signature]

    def run(
        self,
        signature: str,
        payload: bytes | memoryview,
        rows: int,
        shapes: Sequence[Shape] | None,
        go_on: Callable[[], None],
    ) -> Answer:
        """Compute; see ``Instance.run``."""
        function = self._plain[signature]
        spec = function.spec
        if shapes is not None:
            go_on()
            values = _shaped(spec, payload, shapes)
            outputs = self._guarded(function, values)
            return Answer(outputs, tuple(output.shape for output in outputs))
        whole = whole_inputs(spec, payload, rows)
        if rows == 1:
            go_on()
            single = self._single[signature]
            outputs = self._guarded(single, whole)
        else:
            outputs = self._run_rows(function, whole, rows, go_on)
        expected = [tensor.with_rows(rows) for tensor in spec.outputs]
        if all(output.shape == shape for output, shape in zip(outputs, expected, strict=True)):
            return Answer(outputs)
        return Answer(outputs, tuple(output.shape for output in outputs))

    def interrupt(self) -> bool:
        """Return False: nothing but the end of this process ends a computation in it."""
        return False

    def close(self) -> None:
        """Let go of everything; the process is about to end."""
        self._plain.clear()
        self._compiled.clear()
        self._single.clear()
        self._beginning.clear()

    def _run_rows(
        self, function: Function, whole: list[NDArray[Any]], rows: int, go_on: Callable[[], None]
    ) -> list[NDArray[Any]]:
        parts: list[list[NDArray[Any]]] = []
        for first in range(0, rows, self._batch):
            go_on()
            parts.append(self._guarded(function, [value[first : first + self._batch] for value in whole]))
        # A single value a row becomes an axis of its own.
        return [np.concatenate([np.atleast_1d(part[k]) for part in parts]) for k in range(len(function.spec.outputs))]

    def _guarded(self, function: Function, values: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        try:
            try:
                with self._tf.device(self.device):
                    return function(values)
            finally:  # one that failed may have changed a variable before
                for variable, value in self._beginning:
                    variable.assign(value)
        except self._tf.errors.ResourceExhaustedError:
            raise InferenceError(
                "INFERENCE_FAILED", "there is no memory for this request", "send fewer rows; raise executor.memory_mb"
            ) from None
        except (self._tf.errors.OpError, ValueError, TypeError, RuntimeError) as error:
            raise InferenceError("INFERENCE_FAILED", f"TensorFlow refused to compute: {one_line(error)}") from None


def load_saved_model(path: str, threads: int, device: str) -> SavedModelInstance:
    """Load a SavedModel folder into this process, which must not have used TensorFlow before.

    Args:
        path: The folder; nothing of it is needed afterwards.
        threads: Of one operation, and of operations side by side.
        device: See ``device.choose_device``.

    Raises:
        ModelError: ``MODEL_INVALID``: TensorFlow cannot load it, or it cannot be served, and why.

    Thread: the process's main one.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)  # else it takes all of the GPU's memory
    name = choose_device(device, [(one.device_type, one.name) for one in tf.config.list_logical_devices()])
    try:
        with tf.device(name):
            loaded = tf.saved_model.load(path)
    except (tf.errors.OpError, OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        raise ModelError(
            "MODEL_INVALID",
            f"TensorFlow cannot load the SavedModel: {one_line(error)}",
            "copy the whole folder again; mmconvert doctor says more of what is in it",
        ) from None
    return SavedModelInstance(tf, loaded, name)


def one_line(error: Exception) -> str:
    """Return the first sentence of what TensorFlow says, without the graph and the stack that follow."""
    text = str(getattr(error, "message", "") or error)
    return " ".join(text.split("\n\n")[0].split())[:300] or type(error).__name__


def _shaped(spec: SignatureSpec, payload: bytes | memoryview, shapes: Sequence[Shape]) -> list[NDArray[Any]]:
    values: list[NDArray[Any]] = []
    offset = 0
    for tensor, shape in zip(spec.inputs, shapes, strict=True):
        count = int(np.prod(shape, dtype=np.int64))
        values.append(np.frombuffer(payload, tensor.dtype, count, offset).reshape(shape))
        offset += values[-1].nbytes
    return values


def _shown(shape: Any) -> str:
    return "[" + ",".join("*" if size is None else str(size) for size in shape) + "]"
