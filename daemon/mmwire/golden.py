"""Goldens: inputs with the answers that a model gave when it was converted, in a ``.tflite``'s own metadata.

They check the kernels of the CPU that loads the file. The digest checks its bytes. The entry is an unsigned 32-bit
length, a JSON header of that length, and the bytes of the tensors (little-endian, zlib) in the order of the header.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmwire.errors import ModelError
from mmwire.tensor import DTYPE_BYTES

GOLDEN_ENTRY = "MM_GOLDEN"
FORMAT = 1
_MOST_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class GoldenTensor:
    """One input or one expected output, in the model's own type.

    Attributes:
        tolerance: How far a value may be from the expected one, in the tensor's own numbers; 0 for an input.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: bytes
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Golden:
    """One row of one signature."""

    signature: str
    inputs: tuple[GoldenTensor, ...]
    outputs: tuple[GoldenTensor, ...]


def pack_goldens(goldens: Sequence[Golden]) -> bytes:
    """Return the bytes of the entry; the same goldens give the same bytes."""
    header = {
        "format": FORMAT,
        "goldens": [
            {
                "signature": golden.signature,
                "inputs": [_describe(tensor) for tensor in golden.inputs],
                "outputs": [_describe(tensor) for tensor in golden.outputs],
            }
            for golden in goldens
        ],
    }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    data = b"".join(tensor.data for golden in goldens for tensor in (*golden.inputs, *golden.outputs))
    return struct.pack("<I", len(text)) + text + zlib.compress(data, 9)


def _describe(tensor: GoldenTensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "tolerance": tensor.tolerance,
    }


def parse_goldens(entry: bytes) -> list[Golden]:
    """Read the entry. A newer format gives no goldens, because this version cannot read them.

    Raises:
        ModelError: ``MODEL_INVALID``: it is damaged.
    """
    try:
        (length,) = struct.unpack_from("<I", entry)
        header = json.loads(entry[4 : 4 + length])
        if header["format"] != FORMAT:
            return []
        inflate = zlib.decompressobj()
        reader = _Reader(inflate.decompress(entry[4 + length :], _MOST_BYTES))
        if not inflate.eof:
            raise ValueError(f"the data is cut short, or has more than {_MOST_BYTES} bytes")
        goldens = [
            Golden(
                str(item["signature"]),
                tuple(reader.tensor(fields) for fields in item["inputs"]),
                tuple(reader.tensor(fields) for fields in item["outputs"]),
            )
            for item in header["goldens"]
        ]
    except (ValueError, KeyError, TypeError, struct.error, zlib.error, RecursionError) as error:
        raise ModelError("MODEL_INVALID", f"the file's goldens are damaged: {error}", "convert it again") from None
    return goldens


class _Reader:
    """Takes one tensor after the other off the data."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def tensor(self, fields: dict[str, Any]) -> GoldenTensor:
        shape = tuple(int(size) for size in fields["shape"])
        dtype = str(fields["dtype"])
        end = self._position + math.prod(shape) * DTYPE_BYTES[dtype]
        if min(shape, default=0) < 0 or end > len(self._data):
            raise ValueError(f"{fields['name']} needs {end} bytes of {len(self._data)}")
        data, self._position = self._data[self._position : end], end
        return GoldenTensor(str(fields["name"]), dtype, shape, data, float(fields["tolerance"]))
