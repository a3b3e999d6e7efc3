"""Turns the signatures of a loaded SavedModel into specs, and refuses tensors that cannot travel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from mmdaemon.runtime.payload import unsupported_dtype
from mmwire.errors import ModelError
from mmwire.tensor import DTYPE_BYTES, SignatureSpec, TensorSpec

DEFAULT_SIGNATURE = "serving_default"
_KERAS_DOUBLE = "serve"  # Keras exports one function under both names; like ``mmconvert`` we keep the default one
_INTERNAL = "__"  # the beginning of names that TensorFlow uses internally


def public_signatures(model: Any) -> dict[str, Any]:
    """Return the concrete functions of a loaded model by signature, the default one first, the others by name.

    Raises:
        ModelError: ``MODEL_INVALID``: the model has no signature.
    """
    names = [name for name in model.signatures if not name.startswith(_INTERNAL)]
    if {DEFAULT_SIGNATURE, _KERAS_DOUBLE} <= set(names) and _are_same(model.signatures):
        names.remove(_KERAS_DOUBLE)
    if not names:
        raise ModelError(
            "MODEL_INVALID",
            "the SavedModel has no signature, so nothing in it can be called",
            "save it with model.export(DIR), or tf.saved_model.save(model, DIR, signatures=...)",
        )
    return {name: model.signatures[name] for name in sorted(names, key=lambda name: (name != DEFAULT_SIGNATURE, name))}


def _are_same(signatures: Mapping[str, Any]) -> bool:
    default, double = signatures[DEFAULT_SIGNATURE], signatures[_KERAS_DOUBLE]
    return bool(
        input_tensors(default) == input_tensors(double) and default.structured_outputs == double.structured_outputs
    )


def read_signature(name: str, function: Any) -> SignatureSpec:
    """Return the spec of a signature, with the tensors sorted by name, as ``mmconvert`` sorts them.

    A first dimension that is open (or 1) in every input counts rows, as it does in a ``.tflite``.

    Raises:
        ModelError: ``MODEL_INVALID``: a tensor has a type that cannot travel, or an unknown rank.
    """
    inputs = sorted(input_tensors(function).items())
    outputs = sorted(function.structured_outputs.items())
    for kind, tensors in (("input", inputs), ("output", outputs)):
        for key, tensor in tensors:
            _require_plain(name, kind, key, tensor)
    takes_rows = bool(inputs) and all(_leads_with_rows(tensor) for _, tensor in inputs)
    return SignatureSpec(
        name,
        tuple(_spec(key, tensor, takes_rows) for key, tensor in inputs),
        tuple(_spec(key, tensor, takes_rows) for key, tensor in outputs),
    )


def input_tensors(function: Any) -> Mapping[str, Any]:
    """Return TensorFlow's spec of each input, by name."""
    tensors: Mapping[str, Any] = function.structured_input_signature[1]
    return tensors


def takes_any_rows(function: Any) -> bool:
    """Return whether one call takes any number of rows: the first dimension is open in all inputs and outputs."""
    tensors = [*input_tensors(function).values(), *function.structured_outputs.values()]
    return bool(input_tensors(function)) and all(tensor.shape.rank and tensor.shape[0] is None for tensor in tensors)


def _require_plain(signature: str, kind: str, name: str, tensor: Any) -> None:
    where = f"signature {signature!r}: {kind} {name!r}"
    if not isinstance(tensor, tf.TensorSpec | tf.Tensor):  # TensorFlow 1 has tensors where 2 has specs
        raise ModelError(
            "MODEL_INVALID",
            f"{where} is a {type(tensor).__name__.removesuffix('Spec')}; expected a plain tensor",
            "give the signature its parts, each as a tensor of its own",
        )
    if tensor.dtype.name not in DTYPE_BYTES:
        raise unsupported_dtype(where, tensor.dtype.name)
    if tensor.shape.rank is None:
        raise ModelError(
            "MODEL_INVALID",
            f"{where} has an unknown rank; expected a known number of dimensions, which may be open",
            "give it one: tf.TensorSpec([None, ...]) for an input, tf.ensure_shape for an output",
        )


def _leads_with_rows(tensor: Any) -> bool:
    return bool(tensor.shape.rank) and tensor.shape[0] in (None, 1)


def _spec(name: str, tensor: Any, takes_rows: bool) -> TensorSpec:
    shape = tuple(-1 if size is None else int(size) for size in tensor.shape)
    if takes_rows and _leads_with_rows(tensor):
        shape = (-1, *shape[1:])
    return TensorSpec(name, tensor.dtype.name, shape)
