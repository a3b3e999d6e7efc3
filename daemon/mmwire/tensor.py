"""Tensor specs: the inputs and outputs of a model as plain data, and the arithmetic of rows and bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mmwire.errors import RemoteWireError, RequestError

# Everything on the wire is little-endian and row-major; bool is one byte, 0 or 1.
DTYPE_BYTES: dict[str, int] = {
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "float16": 2,
    "float32": 4,
    "float64": 8,
}

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        name: The name in the signature.
        dtype: A key of ``DTYPE_BYTES``.
        shape: Dimensions. A leading -1 stands for the rows of a request, any other -1 is a free dimension.
        scale: The scale of a quantized tensor: real = scale * (stored - zero_point). 0 for any other tensor.
        zero_point: The stored value that stands for 0.0.

    Source: the formula is TFLite's quantization specification.
    """

    name: str
    dtype: str
    shape: Shape
    scale: float = 0.0
    zero_point: int = 0

    @property
    def has_rows(self) -> bool:
        """Whether the first dimension counts the rows of a request."""
        return bool(self.shape) and self.shape[0] == -1

    @property
    def is_static(self) -> bool:
        """Whether the byte count follows from the number of rows alone."""
        return -1 not in (self.shape[1:] if self.has_rows else self.shape)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, or of the whole tensor when it has no rows. Only for a static spec."""
        dims = self.shape[1:] if self.has_rows else self.shape
        return math.prod(dims) * DTYPE_BYTES[self.dtype]

    def with_rows(self, rows: int) -> Shape:
        """Return the shape for a number of rows."""
        return (rows, *self.shape[1:]) if self.has_rows else self.shape

    def accepts(self, shape: Shape) -> bool:
        """Return whether an array of this shape fits."""
        return len(shape) == len(self.shape) and all(
            want in (-1, got) for want, got in zip(self.shape, shape, strict=True)
        )

    def describe(self) -> str:
        """Return the spec for a person: ``float32[rows,49,10,1]``."""
        dims = ["*" if dim == -1 else str(dim) for dim in self.shape]
        if self.has_rows:
            dims[0] = "rows"
        return f"{self.dtype}[{','.join(dims)}]"

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form: name, dtype, shape, and quantization where there is one."""
        fields: dict[str, Any] = {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}
        if self.scale:
            fields["quantization"] = {"scale": self.scale, "zero_point": self.zero_point}
        return fields

    @classmethod
    def from_dict(cls, fields: Any) -> TensorSpec:
        """Read the JSON form.

        Raises:
            RemoteWireError: ``BAD_FRAME``: not a tensor spec.
        """
        try:
            quantization = fields.get("quantization") or {"scale": 0.0, "zero_point": 0}
            name, dtype, shape = fields["name"], fields["dtype"], fields["shape"]
            if not (isinstance(name, str) and isinstance(dtype, str) and isinstance(shape, list)):
                raise TypeError
            spec = cls(
                name,
                dtype,
                tuple(int(dim) for dim in shape),
                float(quantization["scale"]),
                int(quantization["zero_point"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            raise RemoteWireError("BAD_FRAME", "a tensor spec is malformed") from None
        if spec.dtype not in DTYPE_BYTES or any(dim < -1 for dim in spec.shape):
            raise RemoteWireError("BAD_FRAME", f"a tensor spec is malformed: {spec.describe()}")
        return spec


@dataclass(frozen=True, slots=True)
class SignatureSpec:
    """The tensors of one signature, in the order in which their bytes travel."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def has_rows(self) -> bool:
        """Whether a request may carry any number of rows."""
        return bool(self.inputs) and all(spec.has_rows for spec in self.inputs)

    @property
    def is_static(self) -> bool:
        """Whether the byte count of a request tells its rows, which all inputs share, so that it needs no shapes."""
        return all(spec.is_static for spec in self.inputs) and (
            self.has_rows or not any(spec.has_rows for spec in self.inputs)
        )

    @property
    def classes(self) -> int:
        """How many classes its only output ``[rows, classes]`` tells apart; 0 for a model that is not a classifier."""
        if len(self.outputs) != 1:
            return 0
        (output,) = self.outputs
        is_scores = len(output.shape) == 2 and output.shape[0] in (-1, 1) and output.dtype != "bool"
        return output.shape[1] if is_scores and output.shape[1] >= 2 else 0

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "signature": self.name,
            "inputs": [spec.as_dict() for spec in self.inputs],
            "outputs": [spec.as_dict() for spec in self.outputs],
        }

    @classmethod
    def from_dict(cls, fields: Any) -> SignatureSpec:
        """Read the JSON form.

        Raises:
            RemoteWireError: ``BAD_FRAME``: not a signature spec.
        """
        try:
            name, inputs, outputs = fields["signature"], fields["inputs"], fields["outputs"]
            if not (isinstance(name, str) and isinstance(inputs, list) and isinstance(outputs, list)):
                raise TypeError
        except (KeyError, TypeError):
            raise RemoteWireError("BAD_FRAME", "a signature spec is malformed") from None
        return cls(name, tuple(map(TensorSpec.from_dict, inputs)), tuple(map(TensorSpec.from_dict, outputs)))


def rows_in(signature: SignatureSpec, payload_bytes: int) -> int:
    """Return how many rows a payload holds, for a signature whose inputs are static.

    Raises:
        RequestError: ``BAD_TENSOR``: the bytes are not a whole number of rows.
    """
    per_row = sum(spec.row_bytes for spec in signature.inputs)
    if not signature.has_rows:
        if payload_bytes != per_row:
            raise size_mismatch(signature, payload_bytes)
        return 1
    rows, rest = divmod(payload_bytes, per_row) if per_row else (1, payload_bytes)
    if rest or rows == 0:
        raise size_mismatch(signature, payload_bytes)
    return rows


def size_mismatch(signature: SignatureSpec, got_bytes: int) -> RequestError:
    """Return the error for a payload whose size does not fit the inputs."""
    expected = " + ".join(f"{spec.name}: {spec.describe()}" for spec in signature.inputs) or "no input"
    total = sum(spec.row_bytes for spec in signature.inputs if spec.is_static)
    unit = "bytes a row" if signature.has_rows else "bytes"
    return RequestError(
        "BAD_TENSOR",
        f"expected {expected} ({total} {unit}), got {got_bytes} bytes",
        "mmctl show MODEL lists the tensors",
    )


def shape_mismatch(spec: TensorSpec, shape: Shape) -> RequestError:
    """Return the error for an array whose shape does not fit."""
    got = ",".join(map(str, shape))
    hint = "mmctl show MODEL lists the tensors"
    if spec.has_rows and spec.shape[1:] == tuple(shape):
        hint = "one row needs a leading dimension too: x[None]"
    elif spec.has_rows and shape and shape[0] == 0:
        hint = "send at least one row"
    return RequestError("BAD_TENSOR", f"input {spec.name!r}: expected {spec.describe()}, got shape [{got}]", hint)
