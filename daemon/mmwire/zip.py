"""Reads one file out of a zip archive at the end of other bytes, which may be hostile.

The reader checks every number against the buffer before it uses it, inflates no file past the caller's limit, and only
compares names: it never uses one as a path.

Source: PKWARE's APPNOTE.TXT, 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (its end); no zip64, no
encryption, methods 0 (stored) and 8 (deflate).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from mmwire.flatbuffer import Buffer

# Signature, 3 fields that the reader does not need, entries, bytes and offset of the directory, length of the comment.
_END = struct.Struct("<4s6xHIIH")
_END_SIGNATURE = b"PK\x05\x06"
# Signature, flags, method, CRC, packed and plain bytes, lengths of name, extra and comment, offset of the local header.
_ENTRY = struct.Struct("<4s4xHH4xIIIHHH8xI")
_ENTRY_SIGNATURE = b"PK\x01\x02"
# Signature, lengths of name and extra field. The directory repeats the rest.
_LOCAL = struct.Struct("<4s22xHH")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_MOST_COMMENT_BYTES = 0xFFFF
_MOST_DIRECTORY_BYTES = 1 << 20  # about 15,000 files
_ENCRYPTED = 1
_STORED, _DEFLATED = 0, 8


class ZipError(ValueError):
    """The bytes are not a zip archive that this reader takes."""


@dataclass(frozen=True, slots=True)
class _Entry:
    name: bytes
    flags: int
    method: int
    crc: int
    packed_bytes: int
    plain_bytes: int
    start: int


def read_member(buffer: Buffer, name: str, most_bytes: int) -> bytes | None:
    """Return the content of a file in the archive at the end of a buffer, None when it holds no such file.

    Args:
        buffer: Any bytes; the archive is looked for at their end.
        name: As the archive spells it. Of several files with this name the first one counts.
        most_bytes: A larger file is refused.

    Raises:
        ZipError: There is no archive, it is damaged, or the file is too large, encrypted or packed in another way.
    """
    wanted = name.encode()
    entry = next((entry for entry in _entries(buffer) if entry.name == wanted), None)
    if entry is None:
        return None
    if max(entry.packed_bytes, entry.plain_bytes) > most_bytes:
        raise ZipError(f"{name!r} has {entry.plain_bytes} bytes; expected at most {most_bytes}")
    if entry.flags & _ENCRYPTED or entry.method not in (_STORED, _DEFLATED):
        raise ZipError(f"{name!r} is encrypted, or packed by method {entry.method}")
    content = _plain(_packed(buffer, entry), entry)
    if len(content) != entry.plain_bytes or zlib.crc32(content) != entry.crc:
        raise ZipError(f"{name!r} is damaged")
    return content


def _entries(buffer: Buffer) -> Iterator[_Entry]:
    """Yield what the directory lists."""
    tail_start = max(0, len(buffer) - _END.size - _MOST_COMMENT_BYTES)
    tail = bytes(buffer[tail_start : len(buffer)])
    at = tail.rfind(_END_SIGNATURE, 0, max(0, len(tail) - _END.size + len(_END_SIGNATURE)))
    if at < 0:
        raise ZipError("there is no archive")
    _, count, size, offset, _ = _END.unpack_from(tail, at)
    start = tail_start + at - size
    if start < 0 or size > _MOST_DIRECTORY_BYTES:
        raise ZipError(f"the archive's directory has {size} bytes")
    moved = start - offset  # not 0 where the archive was appended as it was: then its offsets begin at the archive
    directory = bytes(buffer[start : start + size])
    position = 0
    for _ in range(count):
        if position + _ENTRY.size > size:
            raise ZipError("the archive's directory is cut short")
        signature, flags, method, crc, packed, plain, name, extra, comment, local = _ENTRY.unpack_from(
            directory, position
        )
        if signature != _ENTRY_SIGNATURE:
            raise ZipError("the archive's directory is damaged")
        begin = position + _ENTRY.size
        yield _Entry(directory[begin : begin + name], flags, method, crc, packed, plain, local + moved)
        position = begin + name + extra + comment


def _packed(buffer: Buffer, entry: _Entry) -> bytes:
    header = b"" if entry.start < 0 else bytes(buffer[entry.start : entry.start + _LOCAL.size])
    if len(header) < _LOCAL.size or not header.startswith(_LOCAL_SIGNATURE):
        raise ZipError("the archive's directory leads elsewhere")
    _, name, extra = _LOCAL.unpack(header)
    begin = entry.start + _LOCAL.size + name + extra
    return bytes(buffer[begin : begin + entry.packed_bytes])


def _plain(packed: bytes, entry: _Entry) -> bytes:
    if entry.method == _STORED:
        return packed
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, entry.plain_bytes + 1)
    except zlib.error as error:
        raise ZipError(str(error)) from None
