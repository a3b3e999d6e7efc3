"""Adding metadata to a ``.tflite`` without touching its graph.

A new root table is put *in front of* the old file. FlatBuffers offsets are relative and point forward, so the old
bytes stay valid when they move by a multiple of their alignment: the weights keep their alignment, and parts that this
code does not know cannot get lost. Only weights that lie behind the FlatBuffer are addressed from the start of the file
(``Buffer.offset``); these offsets are adjusted.

Source: https://flatbuffers.dev/internals/; the TFLite schema, version 3 (tables ``Model``, ``Buffer``, ``Metadata``).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from mmwire.errors import ConvertError, ModelError
from mmwire.tflite import IDENTIFIER, outline

_ALIGNMENT = 64  # the schema wants 16 for Buffer.data; a multiple of it
_DATA_ALIGNMENT = 16
_MODEL_FIELDS = 8
_VERSION, _BUFFERS, _METADATA = 0, 4, 6
_BUFFER_OFFSET = 1
_INSIDE = 1  # Buffer.offset 0 and 1 mean that the data is in the table


def add_metadata(content: bytes, entries: Mapping[str, bytes]) -> bytes:
    """Return the file with these metadata entries added after its own; an entry of the same name is replaced.

    Raises:
        ConvertError: ``CONVERTER_FAILED``: the content is not a whole ``.tflite`` of the known schema.
    """
    try:
        outline(content)  # every offset that is followed below was checked here
    except ModelError as error:
        raise ConvertError("CONVERTER_FAILED", f"the converter wrote no usable file: {error.message}") from None
    old = _OldFile(content)
    buffers = old.items(_BUFFERS)
    metadata = [position for position in old.items(_METADATA) if old.name(position) not in entries]
    new = _Front()
    fields = [field for field in range(_MODEL_FIELDS) if field in (_BUFFERS, _METADATA) or old.place(field) is not None]
    model = new.add_table({field: 4 + 4 * field for field in fields}, 4 + 4 * _MODEL_FIELDS)
    buffer_vector = new.add_vector(len(buffers) + len(entries))
    metadata_vector = new.add_vector(len(metadata) + len(entries))
    for count, (name, data) in enumerate(entries.items()):
        buffer = new.add_table({0: 4}, 8)
        new.link(buffer + 4, new.add_bytes(data, b"", _DATA_ALIGNMENT))
        new.link(buffer_vector + 4 * (len(buffers) + count), buffer)
        entry = new.add_table({0: 4, 1: 8}, 12)
        new.link(entry + 4, new.add_bytes(name.encode(), b"\0", 4))
        new.write(entry + 8, len(buffers) + count)
        new.link(metadata_vector + 4 * (len(metadata) + count), entry)
    shift = new.pad(_ALIGNMENT)
    new.link(0, model)
    for field in fields:
        place = model + 4 + 4 * field
        if field == _VERSION:
            new.write(place, old.version())
        elif field in (_BUFFERS, _METADATA):
            new.link(place, (buffer_vector if field == _BUFFERS else metadata_vector) - 4)
        else:
            new.link(place, shift + old.target(field))
    for vector, positions in ((buffer_vector, buffers), (metadata_vector, metadata)):
        for index, position in enumerate(positions):
            new.link(vector + 4 * index, shift + position)
    moved = bytearray(content)
    for place in filter(None, map(old.outside, buffers)):
        struct.pack_into("<Q", moved, place, shift + struct.unpack_from("<Q", content, place)[0])
    return bytes(new.content + moved)


class _OldFile:
    """The root table of a file that was checked."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._root = self._u32(0)
        self._vtable = self._root - struct.unpack_from("<i", content, self._root)[0]
        self._vtable_bytes = struct.unpack_from("<H", content, self._vtable)[0]
        if self._vtable_bytes > 4 + 2 * _MODEL_FIELDS:
            raise ConvertError("CONVERTER_FAILED", "the converter wrote a newer .tflite schema than mmconvert knows")

    def _u32(self, position: int) -> int:
        return int(struct.unpack_from("<I", self._content, position)[0])

    def place(self, field: int) -> int | None:
        slot = 4 + 2 * field
        if slot >= self._vtable_bytes:
            return None
        offset = struct.unpack_from("<H", self._content, self._vtable + slot)[0]
        return self._root + offset if offset else None

    def target(self, field: int) -> int:
        place = self.place(field)
        return 0 if place is None else place + self._u32(place)

    def version(self) -> int:
        place = self.place(_VERSION)
        return 0 if place is None else self._u32(place)

    def items(self, field: int) -> list[int]:
        """Return the positions of the tables in a vector."""
        if self.place(field) is None:
            return []
        vector = self.target(field)
        places = range(vector + 4, vector + 4 + 4 * self._u32(vector), 4)
        return [place + self._u32(place) for place in places]

    def outside(self, buffer: int) -> int | None:
        """Return the place of the offset to data behind the FlatBuffer in a ``Buffer`` table, None for data inside."""
        vtable = buffer - struct.unpack_from("<i", self._content, buffer)[0]
        slot = 4 + 2 * _BUFFER_OFFSET
        if slot >= struct.unpack_from("<H", self._content, vtable)[0]:
            return None
        offset = struct.unpack_from("<H", self._content, vtable + slot)[0]
        if not offset or struct.unpack_from("<Q", self._content, buffer + offset)[0] <= _INSIDE:
            return None
        return int(buffer + offset)

    def name(self, metadata: int) -> str:
        """Return the name of a ``Metadata`` table."""
        vtable = metadata - struct.unpack_from("<i", self._content, metadata)[0]
        offset = struct.unpack_from("<H", self._content, vtable + 4)[0]
        if not offset:
            return ""
        start = metadata + offset + self._u32(metadata + offset)
        return self._content[start + 4 : start + 4 + self._u32(start)].decode("utf-8", "replace")


class _Front:
    """The new front part, written from start to end; a link is filled in once its target has a place."""

    def __init__(self) -> None:
        self.content = bytearray(struct.pack("<I4s", 0, IDENTIFIER))

    def pad(self, alignment: int, extra: int = 0) -> int:
        """Append zeros until the position ``extra`` bytes ahead is aligned; return the position."""
        self.content += bytes(-(len(self.content) + extra) % alignment)
        return len(self.content)

    def add_table(self, slots: Mapping[int, int], table_bytes: int) -> int:
        """Append a table of zeros behind its vtable; return where the table is."""
        count = max(slots) + 1
        vtable = self.pad(2)
        offsets = [slots.get(field, 0) for field in range(count)]
        self.content += struct.pack(f"<HH{count}H", 4 + 2 * count, table_bytes, *offsets)
        table = self.pad(4)
        self.content += struct.pack("<i", table - vtable) + bytes(table_bytes - 4)
        return table

    def add_vector(self, count: int) -> int:
        """Append a vector of offsets; return where its first item is."""
        self.pad(4)
        self.content += struct.pack("<I", count) + bytes(4 * count)
        return len(self.content) - 4 * count

    def add_bytes(self, data: bytes, terminator: bytes, alignment: int) -> int:
        """Append a vector of bytes whose first item is aligned; return where the vector is."""
        vector = self.pad(alignment, extra=4)
        self.content += struct.pack("<I", len(data)) + data + terminator
        return vector

    def write(self, place: int, value: int) -> None:
        struct.pack_into("<I", self.content, place, value)

    def link(self, place: int, target: int) -> None:
        self.write(place, target - place)
