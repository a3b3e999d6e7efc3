"""Reading protocol buffers without their schema: fields by number, every length checked.

``saved_model.pb`` is read this way so that a broken folder, a missing signature or a wrong calibration shape is refused
at once, and not after the seconds that TensorFlow takes to start.

Source: https://protobuf.dev/programming-guides/encoding/ (varints, wire types, length-delimited records).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}


class MalformedError(ValueError):
    """The bytes are not a protocol buffer, or are cut short."""


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        number: The field's number in the schema.
        integer: The value of a varint field, else 0.
        content: The bytes of a length-delimited field, else empty.
        raw: The whole field as it stands in the message, tag included.
    """

    number: int
    integer: int
    content: memoryview
    raw: memoryview

    def text(self) -> str:
        """Return the content as text; bytes that are not UTF-8 are replaced."""
        return bytes(self.content).decode("utf-8", "replace")

    def signed(self) -> int:
        """Return the integer as a signed 64-bit number."""
        return self.integer - (1 << 64) if self.integer >= 1 << 63 else self.integer


def read_fields(message: memoryview) -> Iterator[Field]:
    """Yield the fields of one message in their order.

    Raises:
        MalformedError: The bytes are not a message, or end inside one.
    """
    nothing = message[:0]
    position = 0
    while position < len(message):
        start = position
        tag, position = _read_varint(message, position)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise MalformedError(f"field number 0 at byte {start}")
        if kind == _VARINT:
            value, position = _read_varint(message, position)
            yield Field(number, value, nothing, message[start:position])
            continue
        if kind == _BYTES:
            length, position = _read_varint(message, position)
        elif kind in _FIXED_BYTES:
            length = _FIXED_BYTES[kind]
        else:
            raise MalformedError(f"wire type {kind} at byte {start}")
        if position + length > len(message):
            raise MalformedError(f"a field of {length} bytes at {position} passes the end at {len(message)}")
        content = message[position : position + length]
        position += length
        yield Field(number, 0, content if kind == _BYTES else nothing, message[start:position])


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise MalformedError(f"a number at byte {position} is cut short")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ((1 << 64) - 1), position
    raise MalformedError(f"a number before byte {position} is longer than 10 bytes")


def encode_bytes(number: int, content: bytes) -> bytes:
    """Return a length-delimited field."""
    return _encode_varint(number << 3 | _BYTES) + _encode_varint(len(content)) + content


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
