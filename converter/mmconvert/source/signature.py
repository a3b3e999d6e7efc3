"""Signatures of a SavedModel: their inputs and outputs, and which of them are converted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmwire.errors import ConvertError, RequestError
from mmwire.tensor import DTYPE_BYTES

DEFAULT_SIGNATURE = "serving_default"
_KERAS_SIGNATURE = "serve"
UNKNOWN = -1  # a dimension that is only known when the model runs

# By number; the numpy name where numpy has the type. Source: tensorflow/core/framework/types.proto.
_DTYPE_NAMES: Mapping[int, str] = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    8: "complex64",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    18: "complex128",
    19: "float16",
    20: "resource",
    22: "uint32",
    23: "uint64",
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output.

    Attributes:
        dtype: A numpy name, or TensorFlow's name for a type that numpy lacks.
        shape: Dimensions, ``UNKNOWN`` where open; None if not even the rank is known.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None

    @property
    def is_batched(self) -> bool:
        """Whether the first dimension counts rows: it is open or 1."""
        return bool(self.shape) and self.shape is not None and self.shape[0] in (UNKNOWN, 1)

    @property
    def is_float(self) -> bool:
        """Whether the values are floating-point numbers."""
        return self.dtype.startswith("float")

    @property
    def is_index(self) -> bool:
        """Whether the values may be places in a table of limited size: words, items."""
        return self.dtype in ("int32", "int64", "uint32", "uint64")

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of one row, without the leading 1 of a batched tensor."""
        shape = self.shape or ()
        return shape[1:] if self.is_batched else shape

    def describe(self) -> str:
        """Return ``name float32 [?, 49, 10, 1]``, for messages."""
        return f"{self.name!r} {self.dtype} {describe_shape(self.shape)}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One callable of the SavedModel; its tensors are sorted by name."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def takes_batches(self) -> bool:
        """Whether every input claims to take any number of rows."""
        return all(tensor.shape and tensor.shape[0] == UNKNOWN for tensor in self.inputs)


def describe_shape(shape: tuple[int, ...] | None) -> str:
    """Return a shape for people; ``?`` stands for an open dimension."""
    if shape is None:
        return "[unknown rank]"
    return "[" + ", ".join("?" if size == UNKNOWN else str(size) for size in shape) + "]"


def dtype_name(number: int) -> str:
    """Return the numpy name of a TensorFlow type number, or else TensorFlow's own name."""
    return _DTYPE_NAMES.get(number, f"type {number}")


def choose_signatures(signatures: Mapping[str, Signature], asked: str | None) -> tuple[Signature, ...]:
    """Return the signatures to convert: the one asked for, or else all that take inputs, ``serving_default`` first.

    Keras exports one function twice, as ``serve`` and as ``serving_default``; then ``serve`` is left out.

    Raises:
        RequestError: ``SIGNATURE_NOT_FOUND``: there is no signature of the name that was asked for.
        ConvertError: ``SAVED_MODEL_INVALID``: there is no signature at all.
    """
    known = ", ".join(sorted(signatures))
    if not signatures:
        raise ConvertError(
            "SAVED_MODEL_INVALID",
            "the SavedModel has no signature, so nothing in it can be called",
            "save it with tf.saved_model.save(model, DIR, signatures=model.f.get_concrete_function(...)) or,"
            " with Keras, model.export(DIR)",
        )
    if asked is not None:
        if asked not in signatures:
            raise RequestError("SIGNATURE_NOT_FOUND", f"the SavedModel has no signature {asked!r}", f"it has: {known}")
        return (signatures[asked],)
    default, serve = signatures.get(DEFAULT_SIGNATURE), signatures.get(_KERAS_SIGNATURE)
    is_double = default is not None and serve is not None and _form_of(serve) == _form_of(default)
    chosen = [
        signature
        for signature in signatures.values()
        if signature.inputs and not (is_double and signature.name == _KERAS_SIGNATURE)
    ]
    if not chosen:
        raise ConvertError("SAVED_MODEL_INVALID", f"no signature takes an input: {known}", "export one that does")
    return tuple(sorted(chosen, key=lambda signature: (signature.name != DEFAULT_SIGNATURE, signature.name)))


def _form_of(signature: Signature) -> list[tuple[str, tuple[int, ...] | None]]:
    return [(tensor.dtype, tensor.shape) for tensor in signature.inputs + signature.outputs]


def require_convertible(signature: Signature) -> None:
    """Check that the daemon can carry the signature's tensors.

    Raises:
        ConvertError: ``SAVED_MODEL_INVALID``: no input, an unknown rank, or a type that no .tflite input has.
    """
    hint = "convert strings, complex numbers and the like to numbers before they reach the model"
    if not signature.inputs:
        raise ConvertError("SAVED_MODEL_INVALID", f"signature {signature.name!r} takes no input", "choose another one")
    for tensor in signature.inputs + signature.outputs:
        if tensor.dtype not in DTYPE_BYTES:
            raise ConvertError(
                "SAVED_MODEL_INVALID", f"tensor {tensor.describe()}: the daemon carries numbers and bool only", hint
            )
    for tensor in signature.inputs:
        if tensor.shape is None:
            raise ConvertError(
                "SAVED_MODEL_INVALID",
                f"input {tensor.name!r} has an unknown rank; a .tflite input needs a known one",
                "export the model with a tf.TensorSpec of known rank",
            )
