"""Reading FlatBuffers tables from bytes that may be broken: every offset is checked before it is followed.

Source: https://flatbuffers.dev/internals/ (tables, vtables, vectors, strings; all little-endian).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

Bytes = bytes | bytearray | memoryview


class Buffer(Protocol):
    """Bytes that can be read in pieces: ``bytes``, a ``memoryview``, or a file of which only the pieces are read."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Bytes: ...


_U8 = struct.Struct("<B")
_U16 = struct.Struct("<H")
_I32 = struct.Struct("<i")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class OutOfBoundsError(ValueError):
    """An offset or a length leads out of the buffer: the file is cut short, or is not a FlatBuffer."""


def _read(kind: struct.Struct, buffer: Buffer, position: int) -> int:
    if position < 0 or position + kind.size > len(buffer):
        raise OutOfBoundsError(f"offset {position} is outside of {len(buffer)} bytes")
    return int(kind.unpack(buffer[position : position + kind.size])[0])


class Table:
    """One table: fields by their index in the schema.

    Raises:
        OutOfBoundsError: From every method, when the bytes lead outside of the buffer.
    """

    __slots__ = ("_buffer", "_position", "_vtable", "_vtable_bytes")

    def __init__(self, buffer: Buffer, position: int) -> None:
        self._buffer = buffer
        self._position = position
        self._vtable = position - _read(_I32, buffer, position)
        sizes = _read(_U32, buffer, self._vtable)  # of the vtable and of the table, 16 bits each
        self._vtable_bytes = sizes & 0xFFFF
        if max(self._vtable + self._vtable_bytes, position + (sizes >> 16)) > len(buffer):
            raise OutOfBoundsError(f"a table at {position} passes {len(buffer)} bytes")

    @classmethod
    def root(cls, buffer: Buffer) -> Table:
        """Return the buffer's root table."""
        return cls(buffer, _read(_U32, buffer, 0))

    def _field(self, index: int) -> int | None:
        slot = 4 + 2 * index
        if slot + 2 > self._vtable_bytes:
            return None
        offset = _read(_U16, self._buffer, self._vtable + slot)
        return self._position + offset if offset else None

    def u8(self, index: int) -> int:
        """Return a byte or boolean field; 0 when absent."""
        field = self._field(index)
        return 0 if field is None else _read(_U8, self._buffer, field)

    def u32(self, index: int) -> int:
        """Return an unsigned 32-bit field; 0 when absent."""
        field = self._field(index)
        return 0 if field is None else _read(_U32, self._buffer, field)

    def u64(self, index: int) -> int:
        """Return an unsigned 64-bit field; 0 when absent."""
        field = self._field(index)
        return 0 if field is None else _read(_U64, self._buffer, field)

    def vector(self, index: int, item_bytes: int) -> tuple[int, int]:
        """Return where a vector's items start and how many there are; ``(0, 0)`` when absent."""
        field = self._field(index)
        if field is None:
            return 0, 0
        start = field + _read(_U32, self._buffer, field)
        count = _read(_U32, self._buffer, start)
        if start + 4 + count * item_bytes > len(self._buffer):
            raise OutOfBoundsError(f"a vector of {count} items at {start} passes {len(self._buffer)} bytes")
        return start + 4, count

    def text(self, index: int) -> str:
        """Return a string field; empty when absent. Bytes that are not UTF-8 are replaced."""
        start, count = self.vector(index, 1)
        return bytes(self._buffer[start : start + count]).decode("utf-8", "replace")

    def tables(self, index: int) -> Iterator[Table]:
        """Yield the tables of a vector of tables."""
        start, count = self.vector(index, 4)
        for item in range(start, start + 4 * count, 4):
            yield Table(self._buffer, item + _read(_U32, self._buffer, item))
