"""What a SavedModel's graph says: its signatures as specs, and whether running it leaves something behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mmdaemon.runtime.subgraph import DEFAULT_SIGNATURE
from mmwire.errors import ModelError
from mmwire.tensor import DTYPE_BYTES, Shape, SignatureSpec, TensorSpec

# Keras exports one function twice, as ``serve`` and as ``serving_default``; the converter drops the first too.
_KERAS_DOUBLE = "serve"

# What changes a variable; such a variable is put back after each row.
# Source: tensorflow/core/ops/resource_variable_ops.cc, training_ops.cc, stateful_random_ops.cc.
_WRITES = ("Assign", "ResourceScatter", "ResourceApply", "ResourceStridedSliceAssign", "RngReadAndSkip", "RngSkip")
# What remembers something that nothing puts back.
# Source: tensorflow/core/ops/lookup_ops.cc, data_flow_ops.cc.
_REMEMBERS = ("LookupTableInsert", "LookupTableRemove", "LookupTableImport", "QueueEnqueue", "BarrierInsert", "Stage")
_PYTHON = ("PyFunc", "EagerPyFunc", "PyFuncStateless")


def signature_functions(loaded: Any) -> dict[str, Any]:
    """Return the concrete functions of a loaded SavedModel by signature, the default one first.

    Raises:
        ModelError: ``MODEL_INVALID``: it has none.
    """
    found: dict[str, Any] = dict(loaded.signatures)
    default, double = found.get(DEFAULT_SIGNATURE), found.get(_KERAS_DOUBLE)
    if default is not None and double is not None and _form(default) == _form(double):
        del found[_KERAS_DOUBLE]
    if not found:
        raise ModelError(
            "MODEL_INVALID",
            "the SavedModel has no signature, so there is nothing that could be called",
            "save it with tf.saved_model.save(model, DIR, signatures=...) or, with Keras, model.export(DIR)",
        )
    return {name: found[name] for name in sorted(found, key=lambda name: (name != DEFAULT_SIGNATURE, name))}


def signature_spec(name: str, function: Any) -> SignatureSpec:
    """Return the spec of one signature, tensors sorted by name as mmconvert sorts them.

    A first dimension that is open, or 1, in every input counts rows.

    Raises:
        ModelError: ``MODEL_INVALID``: a tensor that does not travel: strings, unknown rank, something composite.
    """
    inputs = sorted(function.structured_input_signature[1].items())
    outputs = sorted(function.structured_outputs.items())
    if not outputs:
        raise ModelError("MODEL_INVALID", f"signature {name!r} gives nothing", "give it an output")
    shapes = [_shape("input", key, tensor) for key, tensor in inputs]
    takes_rows = bool(shapes) and all(shape and shape[0] in (-1, 1) for shape in shapes)
    return SignatureSpec(
        name,
        tuple(_spec("input", key, tensor, takes_rows) for key, tensor in inputs),
        tuple(_spec("output", key, tensor, takes_rows) for key, tensor in outputs),
    )


def takes_batches(function: Any) -> bool:
    """Return whether every input and output says that it takes any number of rows."""
    tensors = (*function.structured_input_signature[1].values(), *function.structured_outputs.values())
    return all(tensor.shape.rank and tensor.shape[0] is None for tensor in tensors)


def writes_variables(functions: Mapping[str, Any]) -> bool:
    """Return whether running a signature may change a variable.

    Raises:
        ModelError: ``MODEL_INVALID``: one remembers something else, which nothing puts back, or calls into Python.
    """
    found = False
    for name, function in functions.items():
        for operation in operations(function):
            if operation in _PYTHON:
                raise ModelError(
                    "MODEL_INVALID",
                    f"signature {name!r} calls a Python function ({operation}), which is not part of a SavedModel",
                    "write that step with TensorFlow's own operations",
                )
            if operation.startswith(_REMEMBERS):
                raise ModelError(
                    "MODEL_INVALID",
                    f"signature {name!r} keeps state with {operation}, which cannot be put back between two requests",
                    "keep the state in a tf.Variable, or with the caller",
                )
            found = found or operation.startswith(_WRITES)
    return found


def operations(function: Any) -> Iterator[str]:
    """Yield the names of all operations that running a function may run, those of nested functions too."""
    graph = function.graph.as_graph_def()
    for node in graph.node:
        yield node.op
    for nested in graph.library.function:
        for node in nested.node_def:
            yield node.op


def _form(function: Any) -> tuple[Any, Any]:
    return function.structured_input_signature[1], function.structured_outputs


def _shape(kind: str, name: str, tensor: Any) -> Shape:
    shape = getattr(tensor, "shape", None)
    if (
        not hasattr(tensor, "dtype")
        or shape is None
        or not type(tensor).__name__.endswith("TensorSpec")
        or (type(tensor).__name__ not in ("TensorSpec", "BoundedTensorSpec"))
    ):
        raise ModelError(
            "MODEL_INVALID",
            f"{kind} {name!r} is a {type(tensor).__name__}; expected a plain tensor",
            "give the signature plain tensors",
        )
    if shape.rank is None:
        raise ModelError(
            "MODEL_INVALID",
            f"{kind} {name!r} has no known number of dimensions",
            "give the signature an input_signature with its shape, None for open dimensions",
        )
    return tuple(-1 if size is None else int(size) for size in shape)


def _spec(kind: str, name: str, tensor: Any, takes_rows: bool) -> TensorSpec:
    shape = _shape(kind, name, tensor)
    dtype = str(tensor.dtype.name)
    if dtype not in DTYPE_BYTES:
        raise ModelError(
            "MODEL_INVALID",
            f"{kind} {name!r} is a {dtype} tensor; expected one of {', '.join(DTYPE_BYTES)}",
            "move the conversion of such values out of the model",
        )
    if takes_rows and shape and shape[0] in (-1, 1):
        shape = (-1, *shape[1:])
    return TensorSpec(name, dtype, shape)
